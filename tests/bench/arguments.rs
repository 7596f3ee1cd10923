//! The command line of the benchmark.

use std::path::PathBuf;

use crate::parts::PARTS;

/// What the command line asks for.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Arguments {
    /// Names of parts; none: those that run by default.
    pub(crate) parts: Vec<String>,
    /// Fewer samples.
    pub(crate) quick: bool,
    /// Where results go.
    pub(crate) json: PathBuf,
    /// The benchmark of another revision, which takes turns with this one.
    pub(crate) against: Option<Against>,
    /// Puts the tables of `json` into the document instead of measuring.
    pub(crate) document: bool,
}

/// The other side of a comparison.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Against {
    /// The benchmark's binary of that revision.
    pub(crate) binary: PathBuf,
    /// As the revision is called.
    pub(crate) revision: String,
    /// Parts that were asked for and that the revision has not.
    pub(crate) lacking: Vec<String>,
    /// How often each side runs; `None`: as often as it takes for a verdict.
    pub(crate) rounds: Option<usize>,
    /// Per cent by which a figure may be worse, beyond noise, before the comparison fails.
    pub(crate) fail_above: Option<f64>,
}

impl Arguments {
    /// Reads them. The error says what is wrong with which word.
    pub(crate) fn read(words: &[String]) -> Result<Self, String> {
        let mut read = Self { json: DEFAULT_FILE.into(), ..Self::default() };
        let mut against = Against::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} takes a value"));
            match word.as_str() {
                "--quick" => read.quick = true,
                "--document" => read.document = true,
                "--json" => read.json = value()?.into(),
                "--against" => against.binary = value()?.into(),
                "--revision" => against.revision.clone_from(value()?),
                "--lacking" => against.lacking.push(value()?.clone()),
                "--rounds" => against.rounds = Some(number(word, value()?)?),
                "--fail-above" => against.fail_above = Some(number(word, value()?)?),
                name if PARTS.iter().any(|part| part.name == name) => read.parts.push(name.to_owned()),
                other => return Err(format!("there is no part or option `{other}`; {}", usage())),
            }
        }
        let has_other = !against.binary.as_os_str().is_empty();
        if !has_other && against != Against::default() {
            return Err("--rounds and --fail-above go with --against REV".to_owned());
        }
        read.against = has_other.then_some(against);
        Ok(read)
    }
}

fn number<T: std::str::FromStr>(option: &str, value: &str) -> Result<T, String> {
    value.trim_end_matches('%').parse().map_err(|_| format!("{option} takes a number, not `{value}`"))
}

fn usage() -> String {
    let names: Vec<_> = PARTS.iter().map(|part| part.name).collect();
    format!("parts are {}; options are --quick, --json FILE, --document and --against", names.join(", "))
}

/// Results add up here, part by part.
const DEFAULT_FILE: &str = "target/bench.json";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Arguments, String> {
        Arguments::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn parts_and_options_come_in_any_order() {
        let arguments = read("codec --quick host --json x.json").unwrap();
        assert_eq!(arguments.parts, ["codec", "host"]);
        assert!(arguments.quick && arguments.against.is_none());
        assert_eq!(arguments.json, PathBuf::from("x.json"));
    }

    #[test]
    fn a_comparison_names_its_other_side() {
        let line = "--against old/bench --revision v1 --lacking load --fail-above 5% --rounds 3 codec";
        let against = read(line).unwrap().against.unwrap();
        let expected = Against {
            binary: "old/bench".into(),
            revision: "v1".to_owned(),
            lacking: vec!["load".to_owned()],
            rounds: Some(3),
            fail_above: Some(5.0),
        };
        assert_eq!(against, expected);
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert!(read("kodec").unwrap_err().contains("`kodec`"));
        assert!(read("--json").unwrap_err().contains("--json takes a value"));
        assert!(read("--fail-above much --against x").unwrap_err().contains("`much`"));
        assert!(read("--rounds 3").unwrap_err().contains("--against"));
    }
}
