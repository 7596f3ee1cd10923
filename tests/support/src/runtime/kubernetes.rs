//! A real Kubernetes API server with its etcd, and what people use against one: kubectl and Helm.

use std::path::PathBuf;

use super::{Probe, Project, Version};

/// The programs that make an API server.
#[derive(Debug)]
pub struct Server {
    pub etcd: PathBuf,
    pub kube_apiserver: PathBuf,
}

/// etcd and kube-apiserver, built once, which takes some minutes; `None` without Go.
///
/// Debian's etcd is too old: with it, lists that stream fail.
pub fn api_server() -> Option<Server> {
    let folder = SERVER.ready()?;
    Some(Server { etcd: folder.join("etcd"), kube_apiserver: folder.join("kube-apiserver") })
}

/// Helm's binary, built once; `None` without Go.
pub fn helm() -> Option<PathBuf> {
    Some(TOOLS.ready()?.join("bin/helm"))
}

/// kubectl's binary, built once; `None` without Go.
pub fn kubectl() -> Option<PathBuf> {
    Some(TOOLS.ready()?.join("bin/kubectl"))
}

const SERVER: Project = Project {
    name: "Kubernetes API server",
    folder: "kubernetes/server",
    pinned: &["go.mod", "go.sum"],
    probes: GO,
    commands: &[
        &["go", "build", "-trimpath", NO_DWARF, "-ldflags=-s -w", "-o", "etcd", "go.etcd.io/etcd/server/v3"],
        &[
            "go",
            "build",
            "-trimpath",
            NO_DWARF,
            KUBERNETES_VERSION,
            "-o",
            "kube-apiserver",
            "k8s.io/kubernetes/cmd/kube-apiserver",
        ],
    ],
    environment: ENVIRONMENT,
    discarded: DISCARDED,
};

const TOOLS: Project = Project {
    name: "Helm and kubectl",
    folder: "kubernetes/tools",
    pinned: &["kubectl/main.go", "go.mod", "go.sum"],
    probes: GO,
    commands: &[
        &["go", "build", "-trimpath", NO_DWARF, HELM_VERSION, "-o", "bin/helm", "helm.sh/helm/v4/cmd/helm"],
        &["go", "build", "-trimpath", NO_DWARF, KUBERNETES_VERSION, "-o", "bin/kubectl", "./kubectl"],
    ],
    environment: ENVIRONMENT,
    discarded: DISCARDED,
};

/// What Kubernetes 1.37 takes.
const GO: &[Probe] = &[Probe { command: &["go", "version"], at_least: Version(1, 26) }];

/// A program that is not told its version calls itself v0.0.0-master, over which some clients stumble.
const KUBERNETES_VERSION: &str = "-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=v1.37.2 \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37";

const HELM_VERSION: &str = "-ldflags=-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.1";

/// Debug information would double what is compiled and kept.
const NO_DWARF: &str = "-gcflags=all=-dwarf=false";

/// No checkout is around the module, whose revision Go would look for.
const ENVIRONMENT: &[(&str, &str)] =
    &[("CGO_ENABLED", "0"), ("GOFLAGS", "-mod=readonly -buildvcs=false"), ("GOTOOLCHAIN", "local")];

/// 2.3 GB for the server; the binaries have 144 MB.
const DISCARDED: &[&str] = &["GOCACHE"];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn programs_are_told_the_versions_that_are_pinned() {
        let module = |project: &Project| fs::read_to_string(project.sources().join("go.mod")).unwrap();
        let (server, tools) = (module(&SERVER), module(&TOOLS));
        let told = |flags: &str, name: &str| {
            let (_, rest) = flags.split_once(&format!("{name}=")).unwrap();
            rest.split(' ').next().unwrap().to_owned()
        };
        let kubernetes = told(KUBERNETES_VERSION, "gitVersion");
        assert!(server.contains(&format!("\tk8s.io/kubernetes {kubernetes} ")), "{kubernetes}");
        // The libraries of a release v1.N.M have the version v0.N.M.
        let library = kubernetes.replacen("v1.", "v0.", 1);
        assert!(tools.contains(&format!("\tk8s.io/kubectl {library}\n")), "{library}");
        let numbers = (told(KUBERNETES_VERSION, "gitMajor"), told(KUBERNETES_VERSION, "gitMinor"));
        assert!(kubernetes.starts_with(&format!("v{}.{}.", numbers.0, numbers.1)), "{numbers:?}");
        let helm = told(HELM_VERSION, "version.version");
        assert!(tools.contains(&format!("\thelm.sh/helm/v4 {helm} ")), "{helm}");
    }
}
