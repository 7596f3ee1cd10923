//! Which programs a machine has.

use std::fmt;
use std::process::Command;

/// How to ask a program for its version, and which one will do.
pub struct Probe {
    /// Program and arguments; it prints its version first of all numbers.
    pub command: &'static [&'static str],
    pub at_least: Version,
}

/// Major and minor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Probe {
    /// The version, or why there is none that will do.
    pub fn version(&self) -> Result<Version, String> {
        let (program, words) = (self.command[0], self.command.join(" "));
        let output = Command::new(program)
            .args(&self.command[1..])
            .output()
            .map_err(|_| format!("no `{program}` on the PATH"))?;
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        if !output.status.success() {
            return Err(format!("`{words}` fails: {}", printed.lines().last().unwrap_or_default()));
        }
        let found = Version::read(&printed).ok_or_else(|| format!("`{words}` tells no version"))?;
        if found < self.at_least {
            return Err(format!("`{program}` is {found}, and it takes {} or newer", self.at_least));
        }
        Ok(found)
    }
}

impl Version {
    /// The first word that ends in a number: `v20.20.2`, `go1.26.8`, `"21"`, but not a terminal's escape code.
    fn read(text: &str) -> Option<Self> {
        text.split(|char: char| char.is_whitespace() || char == '"').find_map(|word| {
            let number = &word[word.find(|char: char| char.is_ascii_digit())?..];
            let mut parts = number.split(['.', '-', '+', '_']);
            let (major, minor) = (parts.next()?, parts.next().unwrap_or("0"));
            Some(Self(major.parse().ok()?, minor.parse().unwrap_or(0)))
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_programs_print_them() {
        for (printed, version) in [
            ("go version go1.26.8 linux/amd64", Version(1, 26)),
            ("v20.20.2", Version(20, 20)),
            ("openjdk version \"17.0.15\" 2025-04-15", Version(17, 0)),
            ("openjdk version \"21\" 2023-09-19", Version(21, 0)),
            ("\u{1b}[0mApache Maven 3.8.7\nMaven home: /usr/share/maven", Version(3, 8)),
            ("3.11.7 (main, Jan  1 2024) [GCC 12.2.0]", Version(3, 11)),
        ] {
            assert!(Version::read(printed) == Some(version), "{printed}");
        }
        assert!(Version::read("no. of it").is_none());
    }
}
