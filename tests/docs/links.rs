//! Links within the repository.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::markdown::{Document, documents};
use crate::{assert_none, root};

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let documents = documents();
    let anchors: BTreeMap<_, _> =
        documents.iter().map(|document| (document.path.clone(), document.anchors())).collect();
    let mut count = 0;
    let mut findings = Vec::new();
    for document in &documents {
        for link in document.links().iter().filter(|link| !link.contains("://")) {
            count += 1;
            if let Err(fault) = follow(document, link, &anchors) {
                findings.push(format!("{}: {link}: {fault}", document.name()));
            }
        }
    }
    assert_none(findings);
    assert!(count > 50, "only {count} links were found");
}

fn follow(
    document: &Document,
    link: &str,
    anchors: &BTreeMap<PathBuf, Vec<String>>,
) -> Result<(), &'static str> {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = match path {
        "" => document.path.clone(),
        path => plain(&document.path.parent().unwrap().join(path)),
    };
    if !root().join(&target).exists() {
        return Err("there is no such file");
    }
    match (anchor, anchors.get(&target)) {
        (None, _) => Ok(()),
        (Some(anchor), Some(anchors)) if anchors.iter().any(|other| other == anchor) => Ok(()),
        (Some(_), _) => Err("there is no such heading"),
    }
}

/// Without `.` and `..`, as documents are listed.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => (),
            component => plain.push(component),
        }
    }
    plain
}
