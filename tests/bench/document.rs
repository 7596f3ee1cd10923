//! docs/performance.md: its tables are made of results, each between two comments that name it.

mod tables;

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use crate::results::Results;
use tables::{TABLES, Table};

/// Puts the tables of results into the document. Parts that were not measured keep the tables that they have.
pub(crate) fn fill(results: &Results) -> ExitCode {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
    let mut text = std::fs::read_to_string(&path).unwrap();
    for table in TABLES {
        let Some(content) = content(table, results) else {
            println!("{}: not measured, left as it is", table.name);
            continue;
        };
        let Some(filled) = replaced(&text, table.name, &content) else {
            eprintln!("bench: {} has no place for {}: `{}`", path.display(), table.name, opening(table.name));
            return ExitCode::FAILURE;
        };
        println!("{}: filled", table.name);
        text = filled;
    }
    std::fs::write(&path, text).unwrap();
    ExitCode::SUCCESS
}

/// A table, and under which circumstances it came about.
fn content(table: &Table, results: &Results) -> Option<String> {
    let part = table.part();
    let rows = table.rows(results.figures(part)?)?;
    let head: String = table.columns.iter().map(|column| format!(" {} |", column.header)).collect();
    let rule: String =
        table.columns.iter().enumerate().map(|(at, _)| if at == 0 { "---|" } else { "---:|" }).collect();
    let line = |row: &Value| -> String {
        let cells: String = table.columns.iter().map(|column| format!(" {} |", (column.cell)(row))).collect();
        format!("|{cells}\n")
    };
    let lines: String = rows.iter().map(line).collect();
    let taken = results.circumstances(part).map(told).unwrap_or_default();
    Some(format!("{taken}\n\n|{head}\n|{rule}\n{lines}"))
}

/// The circumstances in a line.
fn told(taken: &Value) -> String {
    let text = |name: &str| taken[name].as_str().unwrap_or("?").to_owned();
    let quick = if taken["quick"] == true { ", with few samples" } else { "" };
    let revision = taken["revision"].as_str().map(|revision| format!(" at {revision}")).unwrap_or_default();
    format!(
        "{}, {} cores, {}, on {}: podstamp {}{revision}{quick}.",
        text("cpu"),
        taken["cores"],
        text("kernel"),
        text("date"),
        text("version"),
    )
}

/// The document with other content in a table's place; `None` where it has no such place.
fn replaced(text: &str, name: &str, content: &str) -> Option<String> {
    let opening = opening(name);
    let (before, rest) = text.split_once(&opening)?;
    let (_, after) = rest.split_once(CLOSING)?;
    Some(format!("{before}{opening}\n{content}{CLOSING}{after}"))
}

fn opening(name: &str) -> String {
    format!("<!-- bench: {name} -->\n")
}

const CLOSING: &str = "\n<!-- end -->\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use crate::parts::PARTS;

    fn document() -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn every_table_has_its_place_in_the_document_and_no_place_is_without_a_table() {
        let text = document();
        for table in TABLES {
            assert!(replaced(&text, table.name, "").is_some(), "{} has no place", table.name);
            assert!(PARTS.iter().any(|part| part.name == table.part()), "{} is of no part", table.name);
        }
        assert_eq!(text.matches("<!-- bench: ").count(), TABLES.len());
    }

    #[test]
    fn a_table_comes_in_place_of_the_one_before() {
        let before =
            "a\n<!-- bench: x.y -->\n\nold\n\n<!-- end -->\nb\n<!-- bench: z -->\n\nz\n\n<!-- end -->\n";
        let after = replaced(before, "x.y", "new\n").unwrap();
        assert_eq!(after, before.replace("old", "new"));
        assert_eq!(replaced(&after, "x.y", "new\n").unwrap(), after);
        assert!(replaced(before, "w", "").is_none());
    }

    #[test]
    fn every_command_of_the_document_is_understood() {
        let text = document();
        let mut count = 0;
        for (_, rest) in text.lines().filter_map(|line| line.split_once("cargo xtask bench ")) {
            let command = rest.split(['`', '#']).next().unwrap();
            let words: Vec<_> = command.split_whitespace().map(str::to_owned).collect();
            count += 1;
            assert!(Arguments::read(&words).is_ok(), "{command}: {:?}", Arguments::read(&words));
        }
        assert!(count > 5);
    }
}
