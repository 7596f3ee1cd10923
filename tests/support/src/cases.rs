//! The conformance cases, as their files have them.

pub mod body;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};

use podstamp_core::interface;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

/// A case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The reason for the case, for people.
    pub why: String,
    /// A configuration document, or the name of one in `shared`.
    pub config: Json,
    /// Pods as kubectl prints them, or the name of a list in `shared`. `None` for an empty table.
    #[serde(default)]
    pub pods: Option<Json>,
    /// Whether the table is only a part of the cluster, so that addresses it lacks may be pods' all the same.
    #[serde(default)]
    pub pods_are_a_part: bool,
    pub request: Request,
    pub expect: Expected,
    /// Ways in which sending ends, each on its own.
    #[serde(default)]
    pub conclude: Vec<Conclusion>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    #[serde(default)]
    pub peer: Option<String>,
    /// Values of X-Forwarded-For, one a header.
    #[serde(default)]
    pub forwarded_for: Vec<String>,
    #[serde(default = "protobuf")]
    pub content_type: Option<String>,
    /// Other headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The path of the request; `None` for OTLP's own for the signal.
    #[serde(default)]
    pub path: Option<String>,
    /// The signal of the body. Of metrics and logs each resource has one data point or record.
    #[serde(default)]
    pub signal: Signal,
    /// The host's clock, nanoseconds since 1970.
    #[serde(default)]
    pub now: Option<u64>,
    #[serde(default)]
    pub body: Vec<Resource>,
    /// The body as it stands, in place of `body`.
    #[serde(default)]
    pub hex: Option<String>,
    /// The body as text, in place of `body`.
    #[serde(default)]
    pub json: Option<String>,
}

/// The signal of a request.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    #[default]
    Traces,
    Metrics,
    Logs,
}

impl From<Signal> for interface::Signal {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Traces => Self::Traces,
            Signal::Metrics => Self::Metrics,
            Signal::Logs => Self::Logs,
        }
    }
}

/// ResourceSpans, ResourceMetrics or ResourceLogs.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Attributes of the Resource; `None` for no Resource.
    #[serde(default)]
    pub attributes: Option<Attributes>,
    /// The kinds of its spans.
    #[serde(default)]
    pub kinds: Vec<i32>,
    /// Spans of which more is to be said, behind those.
    #[serde(default)]
    pub spans: Vec<Span>,
}

/// A span. What is not said is as in the spans of `kinds`, and where it is expected nobody looks.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Span {
    #[serde(default)]
    pub attributes: Option<Attributes>,
    /// Nanoseconds since 1970.
    #[serde(default)]
    pub start: Option<u64>,
    #[serde(default)]
    pub end: Option<u64>,
    #[serde(default)]
    pub name: Option<Repeated>,
    /// So many spans like it.
    #[serde(default = "once")]
    pub times: usize,
}

/// A text, so many times.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Repeated {
    pub text: String,
    pub times: usize,
}

impl Resource {
    /// Whether it is what was expected, as far as that says.
    pub fn is(&self, expected: &Self) -> bool {
        let spans = expected.spans.iter().flat_map(|span| iter::repeat_n(span, span.times));
        let spans: Vec<_> = spans.collect();
        let looked_at = self.spans.get(expected.kinds.len()..).unwrap_or_default();
        self.attributes == expected.attributes
            && (spans.is_empty() || looked_at.len() == spans.len())
            && self.kinds.iter().take(expected.kinds.len()).eq(&expected.kinds)
            && self.kinds.len() == expected.kinds.len() + spans.len()
            && spans.iter().zip(looked_at).all(|(expected, span)| {
                fn like<T: PartialEq>(expected: &Option<T>, found: &Option<T>) -> bool {
                    expected.is_none() || expected == found
                }
                like(&expected.attributes, &span.attributes)
                    && like(&expected.start, &span.start)
                    && like(&expected.end, &span.end)
                    && expected.name.as_ref().is_none_or(|name| {
                        let found = span.name.as_ref().map(|name| name.text.as_str());
                        found == Some(name.text.repeat(name.times).as_str())
                    })
            })
    }
}

/// The outcome that is expected: one of `forward` and `answer`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    #[serde(default)]
    pub forward: Option<Forward>,
    #[serde(default)]
    pub answer: Option<Answer>,
    /// Keys of the notices about a batch that goes on.
    #[serde(default)]
    pub notices: Vec<String>,
    /// The counts that are expected; all others are 0.
    #[serde(default)]
    pub report: BTreeMap<String, u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    #[serde(default)]
    pub url: Option<String>,
    /// URLs of those who get the same.
    #[serde(default)]
    pub copies: Vec<String>,
    /// Spans of each request that it leaves as.
    #[serde(default)]
    pub parts: Option<Vec<u32>>,
    /// The bytes that came are sent.
    #[serde(default)]
    pub unchanged: bool,
    /// The resources that are sent; `None` for a body that cannot be decoded.
    #[serde(default)]
    pub resources: Option<Vec<Resource>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub status: u16,
    /// `google.rpc.Code`.
    #[serde(default)]
    pub code: Option<i32>,
    /// Parts of the message.
    #[serde(default)]
    pub contains: Vec<String>,
    /// Key of the notice.
    #[serde(default)]
    pub notice: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conclusion {
    pub outcome: Outcome,
    /// Spans that have arrived in parts ahead.
    #[serde(default)]
    pub delivered: u32,
    #[serde(default)]
    pub answer: Option<Answer>,
    /// Milliseconds to wait.
    #[serde(default)]
    pub retry: Option<u32>,
    /// The body that is prepared in place of the one that was sent.
    #[serde(default)]
    pub mended: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Outcome {
    Status(u16),
    NotConnected,
    Away,
    Waited,
    Closed,
    TimedOut,
    Oversized,
}

/// Attributes in their order: a map or, where a key comes twice, a list of maps.
#[derive(Debug, Default, PartialEq)]
pub struct Attributes(pub Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered;

        impl<'de> Visitor<'de> for Ordered {
            type Value = Attributes;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("attributes, as a map or as a list of maps")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
                let mut attributes = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    attributes.push(entry);
                }
                Ok(Attributes(attributes))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Attributes, A::Error> {
                let mut attributes = Vec::new();
                while let Some(Attributes(more)) = list.next_element()? {
                    attributes.extend(more);
                }
                Ok(Attributes(attributes))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Attributes, E> {
                Ok(Attributes::default())
            }
        }

        deserializer.deserialize_any(Ordered)
    }
}

fn once() -> usize {
    1
}

fn protobuf() -> Option<String> {
    Some("application/x-protobuf".to_owned())
}

/// All cases, by name.
pub fn all() -> Vec<(String, Case)> {
    let mut cases: Vec<_> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read(&path)))
        .collect();
    cases.sort_by(|(a, _), (b, _)| a.cmp(b));
    cases
}

/// A document: the one that is given or, where a name is, that one of `shared`.
pub fn document(given: &Json) -> Json {
    match given {
        Json::String(name) => read(&directory().join("shared").join(format!("{name}.yaml"))),
        document => document.clone(),
    }
}

fn read<T: de::DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases")
}
