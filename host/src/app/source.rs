//! Where the pods of an app come from.

use std::path::PathBuf;
use std::sync::Arc;

use podstamp_core::Directory;
use podstamp_core::config::{self, Config, Fault, PodsFrom};
use podstamp_core::directory::NoPods;
use podstamp_core::interface::Notice;

use super::Error;
use crate::pods::{self, Coverage, PodsFile};
use crate::server::{Instruments, Server};

/// The pods of an app.
pub(super) enum Source {
    /// None, or a directory that the program brings.
    Other,
    File(Arc<PodsFile>),
}

/// What is to be asked for pods.
#[derive(Debug, PartialEq)]
enum Choice {
    Nobody,
    File(PathBuf),
}

impl Source {
    /// The source that a configuration comes to, with the directory to ask and what the operator should know about it.
    /// `file`: one that goes ahead of the configuration; `own`: a directory that goes ahead of all. A file is read.
    #[expect(clippy::type_complexity, reason = "it is taken apart where it is called")]
    pub(super) fn open(
        config: &Config,
        file: Option<PathBuf>,
        own: Option<Arc<dyn Directory + Send + Sync>>,
    ) -> Result<(Self, Arc<dyn Directory + Send + Sync>, Option<Notice>), Error> {
        if let Some(own) = own {
            let is_named = file.is_some() || config.pods.from.is_some();
            let notice = is_named
                .then(|| config::no_effect("podstamp.pods", "this program has a directory of its own"));
            return Ok((Self::Other, own, notice));
        }
        let choice = choose(config, file).map_err(|fault| Error::Faults(vec![fault]))?;
        let (source, directory): (_, Arc<dyn Directory + Send + Sync>) = match choice {
            Choice::Nobody => (Self::Other, Arc::new(NoPods)),
            Choice::File(path) => {
                let file = Arc::new(PodsFile::open(path, file_settings(config))?);
                (Self::File(Arc::clone(&file)), file)
            }
        };
        Ok((source, directory, None))
    }

    /// Follows the source for as long as the server runs, and tells when its pods are there.
    pub(super) fn accompany(&self, server: &mut Server, instruments: &Instruments) {
        let Instruments { metrics, readiness, listings, .. } = instruments;
        match self {
            Self::Other => readiness.pods_loaded(),
            Self::File(file) => {
                file.show(metrics);
                let shown = Arc::clone(file);
                listings.show(move || shown.table());
                server.accompany(tokio::spawn(Arc::clone(file).watch()));
                readiness.pods_loaded();
            }
        }
    }
}

/// Whom to ask for pods.
fn choose(config: &Config, file: Option<PathBuf>) -> Result<Choice, Fault> {
    Ok(match (file, &config.pods.from) {
        (Some(path), _) => Choice::File(path),
        (None, Some(PodsFrom::File(path))) => Choice::File(PathBuf::from(path)),
        (None, Some(PodsFrom::Kubernetes | PodsFrom::Podstamp { .. })) => {
            let message = "podstamp cannot do that yet: use podstamp.pods.file".to_owned();
            return Err(Fault { path: "podstamp.pods.from".to_owned(), message });
        }
        (None, None) => Choice::Nobody,
    })
}

fn file_settings(config: &Config) -> pods::Settings {
    pods::Settings {
        kept_keys: config.kept_keys(),
        coverage: coverage(config, true),
        ..pods::Settings::default()
    }
}

/// Which pods a table knows. `is_all`: what the source itself says.
fn coverage(config: &Config, is_all: bool) -> Coverage {
    if config.pods.covers_cluster.unwrap_or(is_all) { Coverage::Cluster } else { Coverage::Part }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn config(processor: Value, pods: Value) -> Config {
        let mut document: Value = serde_json::from_str(config::DEFAULT_DOCUMENT).unwrap();
        document["processors"]["k8sattributes"] = processor;
        document["podstamp"]["pods"] = pods;
        config::parse(&document).unwrap()
    }

    #[test]
    fn pods_come_from_where_the_document_says_unless_the_command_line_names_a_file() {
        let named = config(json!({}), json!({"file": "/pods.json"}));
        assert_eq!(choose(&named, None).unwrap(), Choice::File("/pods.json".into()));
        assert_eq!(choose(&named, Some("/other.json".into())).unwrap(), Choice::File("/other.json".into()));
        assert_eq!(choose(&config(json!({}), json!({})), None).unwrap(), Choice::Nobody);
    }

    #[test]
    fn a_table_covers_the_cluster_unless_a_filter_or_the_document_says_otherwise() {
        let covers = |pods, is_all| coverage(&config(json!({}), pods), is_all) == Coverage::Cluster;
        assert!(covers(json!({}), true) && !covers(json!({}), false));
        assert!(covers(json!({"covers_cluster": true}), false));
        assert!(!covers(json!({"covers_cluster": false}), true));
    }
}
