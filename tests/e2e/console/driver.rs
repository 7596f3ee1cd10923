//! Runs the scripts that drive the browser.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use podstamp_test_support::runtime::browser;

/// A script in its own process. One runs at a time: a browser takes hundreds of megabytes.
pub(super) struct Driver {
    pub(super) child: Child,
    _turn: MutexGuard<'static, ()>,
}

impl Driver {
    /// Starts a script of `tests/e2e/console`; `None` where there is no browser.
    pub(super) fn start(script: &str, arguments: &[&str]) -> Option<Self> {
        let browser = browser()?;
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = Command::new("node");
        command
            .arg(browser.scripts.join(script))
            .args(arguments)
            .env("BROWSER", browser.program)
            .env("NODE_PATH", &browser.modules)
            .env("PODSTAMP_CONSOLE", sources())
            .env("PODSTAMP_SCREENSHOTS", root().join("target/screenshots"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Some(Self { child: command.spawn().unwrap(), _turn: turn })
    }

    /// Waits for its end, which is a good one.
    pub(super) fn end(self) {
        let output = self.child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The folder of the page's sources.
pub(super) fn sources() -> PathBuf {
    root().join("host/console")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

static TURN: Mutex<()> = Mutex::new(());
