//! All that there is to say about a document, gathered while it is read.

use std::cell::RefCell;
use std::fmt;

use crate::exchange::{Level, Notice};

/// A fault in the configuration document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, for example `processors.resource.attributes[0].action`. Empty for the document itself.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => formatter.write_str(&self.message),
            path => write!(formatter, "{path}: {}", self.message),
        }
    }
}

impl std::error::Error for Fault {}

/// Faults and notices in the order in which they were met.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    faults: RefCell<Vec<Fault>>,
    notices: RefCell<Vec<Notice>>,
}

impl Findings {
    pub(crate) fn fault(&self, path: &str, message: impl Into<String>) {
        self.faults.borrow_mut().push(Fault { path: path.to_owned(), message: message.into() });
    }

    /// `key` is a stable name of the kind of notice.
    pub(crate) fn notice(&self, level: Level, key: &'static str, path: &str, message: &str) {
        self.notices.borrow_mut().push(Notice {
            level,
            key: key.into(),
            message: format!("{path}: {message}"),
        });
    }

    /// Something is accepted that changes nothing.
    pub(crate) fn no_effect(&self, path: &str, why: &str) {
        self.notices.borrow_mut().push(no_effect(path, why));
    }

    /// The notices, or all faults if there is one.
    pub(crate) fn conclude(self) -> Result<Vec<Notice>, Vec<Fault>> {
        let faults = self.faults.into_inner();
        if faults.is_empty() { Ok(self.notices.into_inner()) } else { Err(faults) }
    }
}

/// Tells that something at `path` is accepted and changes nothing, and `why`.
pub fn no_effect(path: &str, why: &str) -> Notice {
    let message = format!("{path}: has no effect here: {why}");
    Notice { level: Level::Info, key: "config-no-effect".into(), message }
}
