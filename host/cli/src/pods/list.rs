//! `podstamp pods ls`.

use std::io::{self, Write};

use clap::Args;
use podstamp::pods::explain::ExplainedPod;
use podstamp::pods::{ListingReader, Table};

use crate::admin::{Admin, At, Output};
use crate::exit::{Exit, Failed};
use crate::output;

/// List the pods that a running podstamp knows.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only pods of this namespace.
    #[arg(long, short, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Only pods of this node.
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    #[command(flatten)]
    at: At,
}

impl List {
    pub(super) async fn run(self) -> Result<Exit, Failed> {
        let admin = Admin::new(&self.at.admin)?;
        let text = admin.ask("/pods?fields=namespace,uid,node,deployment,phase").await?;
        let table = ListingReader::new(text.into()).finish().map_err(|error| {
            let message = format!("what {} sends is no list of pods: {error}", admin.url());
            Failed::message(Exit::Unavailable, message)
        })?;
        let pods = self.select(&table);
        let mut out = output::stdout();
        let written = match self.at.output {
            Output::Text => print(&mut out, &pods),
            Output::Json => serde_json::to_writer_pretty(&mut out, &pods)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(out)),
        };
        written.map_err(|error| Failed::new(Exit::Output, error))?;
        Ok(Exit::Success)
    }

    /// The pods that are asked for, by namespace and name.
    fn select(&self, table: &Table) -> Vec<ExplainedPod> {
        let is_asked = |pod: &ExplainedPod| {
            self.namespace.as_ref().is_none_or(|namespace| *namespace == pod.namespace)
                && self.node.as_ref().is_none_or(|node| *node == pod.node)
        };
        let described = table.slots().filter_map(|slot| table.describe(slot));
        let mut pods: Vec<_> = described.map(|pod| ExplainedPod::of(&pod)).filter(is_asked).collect();
        pods.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
        pods
    }
}

fn print(out: &mut impl Write, pods: &[ExplainedPod]) -> io::Result<()> {
    let header = ["NAMESPACE", "NAME", "ADDRESSES", "NODE", "PHASE", "STATE"];
    output::write_columns(out, header, pods.iter().map(row))
}

fn row(pod: &ExplainedPod) -> [String; 6] {
    let join = |texts: Vec<String>| if texts.is_empty() { "-".to_owned() } else { texts.join(",") };
    let filled = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    [
        filled(&pod.namespace),
        pod.name.clone(),
        join(pod.ips.iter().map(ToString::to_string).collect()),
        filled(&pod.node),
        filled(&pod.phase),
        pod.states.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    ]
}

#[cfg(test)]
mod tests {
    use podstamp::pods::explain::State;

    use super::*;

    #[test]
    fn pods_stand_in_columns_and_what_is_not_known_is_a_dash() {
        let pod = |namespace: &str, name: &str| ExplainedPod {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..ExplainedPod::default()
        };
        let pods = [
            ExplainedPod {
                ips: vec!["10.244.1.17".parse().unwrap(), "fd00::17".parse().unwrap()],
                node: "n1".to_owned(),
                phase: "Running".to_owned(),
                ..pod("shop", "cart-0")
            },
            ExplainedPod { states: vec![State::HostNetwork, State::Deleted], ..pod("kube-system", "proxy") },
        ];
        let mut out = Vec::new();
        print(&mut out, &pods).unwrap();
        let expected = "\
NAMESPACE    NAME    ADDRESSES             NODE  PHASE    STATE
shop         cart-0  10.244.1.17,fd00::17  n1    Running
kube-system  proxy   -                     -     -        on its node's network, deleted
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
