//! A document with what there is to say about it beside its lines.

use std::collections::HashMap;

use podstamp_core::config::Fault;
use podstamp_core::interface::Notice;
use serde::Serialize;

use crate::config::Line;
use crate::observe::name_of_level;

/// The lines of a document, and what is about none of them.
#[derive(Debug, Serialize)]
pub(super) struct Annotated {
    lines: Vec<AnnotatedLine>,
    notices: Vec<Remark>,
}

#[derive(Debug, Serialize)]
struct AnnotatedLine {
    #[serde(flatten)]
    line: Line,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notices: Vec<Remark>,
}

/// Something to say about a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Remark {
    /// `info`, `warning`, `error` or `fault`.
    level: &'static str,
    message: String,
    /// Empty: it is about no place, or about the whole document.
    path: String,
}

impl Annotated {
    /// Puts each remark beside its line, or that of the section that the place would be in.
    pub(super) fn new(lines: Vec<Line>, remarks: impl IntoIterator<Item = Remark>) -> Self {
        let mut lines: Vec<_> =
            lines.into_iter().map(|line| AnnotatedLine { line, notices: Vec::new() }).collect();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (number, AnnotatedLine { line, .. }) in lines.iter().enumerate() {
            // The first line of an item of a list is that of its first key.
            let item = line.path.rfind(']').and_then(|end| line.path.get(..=end)).unwrap_or_default();
            for path in [item, line.path.as_str()].into_iter().filter(|path| !path.is_empty()) {
                places.entry(path.to_owned()).or_insert(number);
            }
        }
        let mut notices = Vec::new();
        let mut rest = 0;
        for (number, remark) in remarks.into_iter().enumerate() {
            if number >= MOST {
                rest += 1;
                continue;
            }
            let place = above(&remark.path).find_map(|path| places.get(path));
            match place.and_then(|number| lines.get_mut(*number)) {
                Some(line) => line.notices.push(remark),
                None => notices.push(remark),
            }
        }
        if rest > 0 {
            let message = format!("... and {rest} more");
            notices.push(Remark { level: "info", message, path: String::new() });
        }
        Self { lines, notices }
    }
}

impl Remark {
    pub(super) fn of_fault(fault: &Fault) -> Self {
        Self { level: "fault", message: fault.message.clone(), path: fault.path.clone() }
    }

    /// The remarks of a notice, one for each place that it begins with: `processors.batch, exporters.otlphttp: ...`.
    pub(super) fn of_notice(notice: &Notice) -> Vec<Self> {
        let level = name_of_level(notice.level);
        let remark =
            |path: &str, message: &str| Self { level, message: message.to_owned(), path: path.to_owned() };
        match notice.message.split_once(": ") {
            Some((paths, message)) if paths.split(", ").all(is_path) => {
                paths.split(", ").map(|path| remark(path, message)).collect()
            }
            _ => vec![remark("", &notice.message)],
        }
    }
}

/// Whether a text is a place in a document.
fn is_path(text: &str) -> bool {
    let section = text.split(['.', '[']).next().unwrap_or_default();
    !text.contains(' ')
        && ["receivers", "processors", "exporters", "connectors", "extensions", "service", "podstamp"]
            .contains(&section)
}

/// A path, and those of the sections around it, the innermost first. Nobody nests deeper.
fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rfind(['.', '[']).and_then(|end| path.get(..end))).take(16)
}

/// More is read by nobody, and comes of a document that is no configuration.
const MOST: usize = 500;

#[cfg(test)]
mod tests {
    use podstamp_core::interface::Level;
    use serde_json::json;

    use super::*;
    use crate::config::shown_lines;

    fn remark(path: &str) -> Remark {
        Remark { level: "fault", message: "wrong".to_owned(), path: path.to_owned() }
    }

    #[test]
    fn remarks_stand_beside_the_line_or_the_section_that_they_are_about() {
        let document = json!({"processors": {"resource": {"attributes": [{"action": "x", "key": "a.b"}]}}});
        let paths = [
            "processors.resource.attributes[0]",
            "processors.resource.attributes[0].key",
            "processors.resource.attributes[0].value",
            "processors.resource.missing.deep",
            "exporters.otlphttp",
            "",
        ];
        let annotated = Annotated::new(shown_lines(&document), paths.map(remark));
        let told: Vec<_> = annotated
            .lines
            .iter()
            .flat_map(|line| {
                line.notices.iter().map(|remark| (line.line.path.as_str(), remark.path.as_str()))
            })
            .collect();
        let expected = [
            ("processors.resource", "processors.resource.missing.deep"),
            ("processors.resource.attributes[0].action", "processors.resource.attributes[0]"),
            ("processors.resource.attributes[0].action", "processors.resource.attributes[0].value"),
            ("processors.resource.attributes[0].key", "processors.resource.attributes[0].key"),
        ];
        assert_eq!(told, expected);
        assert_eq!(annotated.notices, [remark("exporters.otlphttp"), remark("")]);
    }

    #[test]
    fn a_notice_is_about_the_places_that_it_begins_with() {
        let of = |message: &str| {
            let notice = Notice { level: Level::Warning, key: "k".into(), message: message.to_owned() };
            let remarks = Remark::of_notice(&notice).into_iter();
            remarks.map(|remark| format!("{}|{}", remark.path, remark.message)).collect::<Vec<_>>()
        };
        assert_eq!(
            of("processors.a, exporters.b/c[0].d: is: odd"),
            ["processors.a|is: odd", "exporters.b/c[0].d|is: odd"]
        );
        assert_eq!(
            of("no pods are known: this runs in no cluster"),
            ["|no pods are known: this runs in no cluster"]
        );
        assert_eq!(of("nothing"), ["|nothing"]);
    }

    #[test]
    fn of_very_many_remarks_the_first_are_shown() {
        let annotated = Annotated::new(Vec::new(), (0..MOST + 7).map(|_| remark("a.b")));
        assert_eq!(annotated.notices.len(), MOST + 1);
        assert_eq!(annotated.notices.last().unwrap().message, "... and 7 more");
    }
}
