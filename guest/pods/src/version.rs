//! Which state of a table something belongs to.

use std::fmt;
use std::str::FromStr;

/// A state of a table. As text it is `EPOCH.NUMBER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Version {
    /// Of which table: states of different epochs have nothing to do with each other.
    pub epoch: u64,
    /// How many changes the table had had.
    pub number: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.epoch, self.number)
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let number = |text: &str| text.parse().map_err(|_| InvalidVersion);
        let (epoch, changes) = text.split_once('.').ok_or(InvalidVersion)?;
        Ok(Self { epoch: number(epoch)?, number: number(changes)? })
    }
}

/// A text is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidVersion;

impl fmt::Display for InvalidVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("it is no version: two numbers with a dot between them are expected")
    }
}

impl std::error::Error for InvalidVersion {}
