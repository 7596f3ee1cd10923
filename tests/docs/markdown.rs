//! As much of Markdown as the repository's documents use.

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

/// A document of the repository.
pub(crate) struct Document {
    /// Relative to the root of the repository.
    pub(crate) path: PathBuf,
    pub(crate) blocks: Vec<Block>,
}

pub(crate) enum Block {
    Heading(String),
    /// A paragraph, a list or a table, its lines joined by line breaks.
    Text(String),
    /// Code, fenced with the name of its language, or indented, then without one.
    Code {
        language: String,
        text: String,
    },
}

/// Every document of the repository.
pub(crate) fn documents() -> Vec<Document> {
    let root = root();
    let mut found = Vec::new();
    collect(&root, &mut found);
    found.sort();
    let documents = found.into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        Document { path: path.strip_prefix(&root).unwrap().to_owned(), blocks: blocks(&text) }
    });
    documents.collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !name.starts_with('.') && !["corpus", "node_modules", "target"].contains(&name) {
                collect(&path, found);
            }
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

impl Document {
    /// Its path, for messages.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// What a link's fragment may be: headings as forges name them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for block in &self.blocks {
            if let Block::Heading(heading) = block {
                let anchor = anchor(heading);
                let again = anchors.iter().filter(|other| **other == anchor).count();
                anchors.push(if again == 0 { anchor } else { format!("{anchor}-{again}") });
            }
        }
        anchors
    }

    /// The targets of its links.
    pub(crate) fn links(&self) -> Vec<String> {
        self.texts().flat_map(|text| links(&spans(text).1)).collect()
    }

    /// What stands between backticks in its text.
    pub(crate) fn spans(&self) -> Vec<String> {
        self.texts().flat_map(|text| spans(text).0).collect()
    }

    /// Rows of its tables, each with its cells.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        let lines = self.texts().flat_map(str::lines);
        let rows = lines.filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
        rows.map(|row| row.split(" | ").map(str::to_owned).collect()).collect()
    }

    /// The languages and texts of its blocks of code.
    pub(crate) fn code(&self) -> impl Iterator<Item = (&str, &str)> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Code { language, text } => Some((&**language, &**text)),
            Block::Heading(_) | Block::Text(_) => None,
        })
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Heading(text) | Block::Text(text) => Some(&**text),
            Block::Code { .. } => None,
        })
    }
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = document.lines().peekable();
    let mut text = String::new();
    let end = |text: &mut String, blocks: &mut Vec<Block>| {
        if !text.is_empty() {
            blocks.push(Block::Text(std::mem::take(text)));
        }
    };
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            end(&mut text, &mut blocks);
            let code: Vec<_> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            blocks.push(Block::Code { language: language.to_owned(), text: code.join("\n") });
        } else if text.is_empty() && line.starts_with("    ") {
            let mut code = vec![line.trim_start()];
            // A blank line may stand between two of its lines.
            while let Some(line) = lines.next_if(|line| line.starts_with("    ") || line.is_empty()) {
                code.push(line.trim_start());
            }
            blocks.push(Block::Code { language: String::new(), text: code.join("\n") });
        } else if line.starts_with('#') {
            end(&mut text, &mut blocks);
            blocks.push(Block::Heading(line.trim_start_matches('#').trim().to_owned()));
        } else if line.is_empty() {
            end(&mut text, &mut blocks);
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    end(&mut text, &mut blocks);
    blocks
}

/// Code spans, and the text without what they hold.
pub(crate) fn spans(text: &str) -> (Vec<String>, String) {
    let (mut spans, mut rest, mut left) = (Vec::new(), text, String::new());
    while let Some(begin) = rest.find('`') {
        let (before, from) = rest.split_at(begin);
        let length = from.len() - from.trim_start_matches('`').len();
        let (ticks, from) = from.split_at(length);
        let Some(end) = from.find(ticks) else { break };
        left.push_str(before);
        left.push_str("code");
        let (span, after) = from.split_at(end);
        spans.push(span.split_whitespace().collect::<Vec<_>>().join(" "));
        rest = after.trim_start_matches('`');
    }
    left.push_str(rest);
    (spans, left)
}

fn links(text: &str) -> Vec<String> {
    text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// As forges make it of a heading.
fn anchor(heading: &str) -> String {
    let chars = heading.chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char));
    chars.flat_map(char::to_lowercase).map(|char| if char == ' ' { '-' } else { char }).collect()
}

#[test]
fn a_document_is_read_as_forges_show_it() {
    let text = "# One `a::b`, two\nSee [the\nthird](x.md#a) and `[no](link)`.\n\n    code [no](y.md)\n\n```yaml\n# no heading\n```\n## Again\n## Again\n";
    let document = Document { path: PathBuf::from("x.md"), blocks: blocks(text) };
    assert_eq!(document.anchors(), ["one-ab-two", "again", "again-1"]);
    assert_eq!(document.links(), ["x.md#a"]);
    assert_eq!(document.spans(), ["a::b", "[no](link)"]);
    let code: Vec<_> = document.code().collect();
    assert_eq!(code, [("", "code [no](y.md)\n"), ("yaml", "# no heading")]);
}
