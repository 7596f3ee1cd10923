//! What the console's page is built with, and a browser to try it in.

use std::path::PathBuf;

use super::{Probe, Project, Version, skip};

/// A browser, and what drives it.
pub struct Browser {
    /// The program.
    pub program: &'static str,
    /// The folder with `playwright-core` and `axe-core`.
    pub modules: PathBuf,
    /// The folder of the tests' own scripts.
    pub scripts: PathBuf,
}

/// A browser of this machine; `None` where there is none or no Node, which has been said then.
pub fn browser() -> Option<Browser> {
    let found: Vec<_> = BROWSERS.iter().map(|probe| (probe, probe.version())).collect();
    let Some((probe, _)) = found.iter().find(|(_, version)| version.is_ok()) else {
        let reasons: Vec<_> = found.into_iter().filter_map(|(_, version)| version.err()).collect();
        skip(DRIVER.name, &reasons.join("; "));
        return None;
    };
    let modules = DRIVER.ready()?.join("node_modules");
    Some(Browser { program: probe.command[0], modules, scripts: DRIVER.sources() })
}

/// The folder where the console's page is built from these files: paths in `host/console`, and what is in them. `None` without
/// Node.
pub fn built_page(files: Vec<(String, Vec<u8>)>) -> Option<PathBuf> {
    PAGE.ready_with(files)
}

const NODE: Probe = Probe { command: &["node", "--version"], at_least: Version(20, 6) };
const NPM: Probe = Probe { command: &["npm", "--version"], at_least: Version(7, 0) };
const INSTALL: &[&str] = &["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"];

/// The page's style takes `light-dark()`, and its tables container queries.
const BROWSERS: &[Probe] = &[
    Probe { command: &["chromium", "--version"], at_least: Version(123, 0) },
    Probe { command: &["chromium-browser", "--version"], at_least: Version(123, 0) },
    Probe { command: &["google-chrome", "--version"], at_least: Version(123, 0) },
    Probe {
        command: &["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "--version"],
        at_least: Version(123, 0),
    },
];

const DRIVER: Project = Project {
    name: "the console in a browser",
    folder: "console",
    pinned: &["package.json", "package-lock.json"],
    probes: &[NODE, NPM],
    commands: &[INSTALL],
    environment: &[],
    discarded: &[],
};

const PAGE: Project = Project {
    name: "building the console's page",
    folder: "console/page",
    pinned: &[],
    probes: &[NODE, NPM],
    commands: &[INSTALL, &["npm", "run", "--silent", "check"], &["npm", "run", "--silent", "build"]],
    environment: &[],
    discarded: &[],
};
