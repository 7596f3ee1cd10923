//! The model of what the filter should do to a request, written naively on prost's structs.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource as ProstResource;
use podstamp_core::testing::{Resource, Value};
use prost::Message;

use crate::choices::Choices;
use crate::generator::KEYS;

/// One change to a resource, as an action of the pipeline makes it.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Set(&'static str, Any),
    Insert(&'static str, Any),
    Remove(&'static str),
    /// Sets the second key to the value of the first, whatever its type.
    Copy(&'static str, &'static str),
    /// Replaces the texts of all attributes with that key.
    Map(&'static str),
}

pub(crate) fn changes(bytes: &[u8]) -> Vec<Change> {
    let mut choices = Choices::new(bytes);
    let count = choices.below(5);
    (0..count).map(|_| change(&mut choices)).collect()
}

fn change(choices: &mut Choices<'_>) -> Change {
    let key = choices.pick(&KEYS);
    match choices.below(5) {
        0 => Change::Set(key, value(choices)),
        1 => Change::Insert(key, value(choices)),
        2 => Change::Remove(key),
        3 => Change::Copy(key, choices.pick(&KEYS)),
        _ => Change::Map(key),
    }
}

fn value(choices: &mut Choices<'_>) -> Any {
    let leaf = AnyValue { value: Some(Any::StringValue("x".repeat(choices.below(200)))) };
    match choices.below(8) {
        0 => Any::StringValue("10.1.2.3".to_owned()),
        1 => Any::StringValue("x".repeat(120 + choices.below(16))),
        2 => Any::BoolValue(choices.one_in(2)),
        3 => Any::IntValue(choices.word().cast_signed()),
        4 => Any::DoubleValue(f64::from_bits(choices.word())),
        5 => Any::BytesValue(choices.word().to_be_bytes().to_vec()),
        6 => Any::ArrayValue(ArrayValue { values: vec![leaf.clone(), leaf] }),
        _ => Any::KvlistValue(KeyValueList {
            values: vec![KeyValue { key: "k".to_owned(), value: Some(leaf), ..KeyValue::default() }],
        }),
    }
}

/// Makes the changes through the filter's own view.
pub(crate) fn change_view(resource: &mut Resource<'_>, changes: &[Change]) {
    for change in changes {
        match change {
            Change::Set(key, value) => resource.set(*key, for_view(value)),
            Change::Insert(key, value) => {
                resource.insert(*key, for_view(value));
            }
            Change::Remove(key) => resource.remove_where(|other| other == *key),
            Change::Copy(from, to) => {
                if let Some(value) = resource.get(from).cloned() {
                    resource.set(*to, value);
                }
            }
            Change::Map(key) => resource.map_values(|other, value| {
                let text = value.as_str().filter(|_| other == *key)?;
                Some(Value::string(format!("<{text}>")))
            }),
        }
    }
}

fn for_view(value: &Any) -> Value<'static> {
    match value {
        Any::StringValue(text) => Value::string(text.clone()),
        Any::BoolValue(bool) => Value::Bool(*bool),
        Any::IntValue(number) => Value::Int(*number),
        Any::DoubleValue(number) => Value::Double(*number),
        Any::BytesValue(bytes) => Value::Bytes(bytes.clone().into()),
        Any::ArrayValue(array) => Value::Array(array.encode_to_vec().into()),
        Any::KvlistValue(map) => Value::Map(map.encode_to_vec().into()),
        Any::StringValueStrindex(_) => Value::Empty,
    }
}

/// Makes the same changes to a Resource that prost decoded. True if any was made, so that the Resource has to be there.
pub(crate) fn change_model(resource: &mut ProstResource, changes: &[Change]) -> bool {
    let mut editor = Editor::new(resource);
    for change in changes {
        match change {
            Change::Set(key, value) => editor.set(key, Some(value.clone())),
            Change::Insert(key, value) => editor.insert(key, Some(value.clone())),
            Change::Remove(key) => editor.remove(key),
            Change::Copy(from, to) => {
                if let Some(value) = editor.find(from) {
                    editor.set(to, value);
                }
            }
            Change::Map(key) => editor.map(key),
        }
    }
    editor.finish()
}

/// Changes a Resource that prost decoded, and notes whether anything changed or was removed.
pub(crate) struct Editor<'a> {
    pub(crate) resource: &'a mut ProstResource,
    changed: bool,
    removed: bool,
}

impl<'a> Editor<'a> {
    pub(crate) fn new(resource: &'a mut ProstResource) -> Self {
        Self { resource, changed: false, removed: false }
    }

    /// The value of the first attribute with that key.
    pub(crate) fn find(&self, key: &str) -> Option<Option<Any>> {
        let found = self.resource.attributes.iter().find(|attribute| attribute.key == key)?;
        Some(known(found))
    }

    pub(crate) fn set(&mut self, key: &str, value: Option<Any>) {
        self.changed = true;
        let attributes = &mut self.resource.attributes;
        let Some(first) = attributes.iter().position(|attribute| attribute.key == key) else {
            attributes.push(attribute(key, value));
            return;
        };
        attributes[first] = attribute(key, value);
        let mut index = 0;
        let before = attributes.len();
        attributes.retain(|attribute| {
            index += 1;
            attribute.key != key || index - 1 == first
        });
        self.removed |= attributes.len() < before;
    }

    pub(crate) fn insert(&mut self, key: &str, value: Option<Any>) {
        if self.find(key).is_none() {
            self.set(key, value);
        }
    }

    fn remove(&mut self, key: &str) {
        let before = self.resource.attributes.len();
        self.resource.attributes.retain(|attribute| attribute.key != key);
        let removed = self.resource.attributes.len() < before;
        self.removed |= removed;
        self.changed |= removed;
    }

    fn map(&mut self, key: &str) {
        for candidate in &mut self.resource.attributes {
            if candidate.key == key
                && let Some(Any::StringValue(text)) = known(candidate)
            {
                *candidate = attribute(key, Some(Any::StringValue(format!("<{text}>"))));
                self.changed = true;
            }
        }
    }

    /// Ends the changes; true if there were any. Entity references that name a removed attribute are removed too.
    pub(crate) fn finish(self) -> bool {
        if self.removed {
            let ProstResource { attributes, entity_refs, .. } = self.resource;
            entity_refs.retain(|reference| {
                let mut keys = reference.id_keys.iter().chain(&reference.description_keys);
                keys.all(|key| attributes.iter().any(|attribute| attribute.key == *key))
            });
        }
        self.changed
    }
}

fn attribute(key: &str, value: Option<Any>) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value }), ..KeyValue::default() }
}

/// An attribute's value as a reader without profiles sees it.
pub(crate) fn known(attribute: &KeyValue) -> Option<Any> {
    let value = attribute.value.clone()?.value?;
    if matches!(value, Any::StringValueStrindex(_)) { None } else { Some(value) }
}

/// The whole request after `edit` has seen each of its Resources; an absent one only appears if `edit` says so.
pub(crate) fn edited(
    mut request: ExportTraceServiceRequest,
    clear_kinds: bool,
    mut edit: impl FnMut(&mut ProstResource) -> bool,
) -> ExportTraceServiceRequest {
    for spans in &mut request.resource_spans {
        let mut resource = spans.resource.clone().unwrap_or_default();
        if edit(&mut resource) || spans.resource.is_some() {
            spans.resource = Some(resource);
        }
        for span in spans.scope_spans.iter_mut().flat_map(|scope| &mut scope.spans) {
            if clear_kinds && !(0..=5).contains(&span.kind) {
                span.kind = 0;
            }
        }
    }
    request
}

/// The request's bytes, to compare by, since floats may be NaN. A missing value equals a value without a kind.
pub(crate) fn comparable(mut request: ExportTraceServiceRequest) -> Vec<u8> {
    for resource in request.resource_spans.iter_mut().filter_map(|spans| spans.resource.as_mut()) {
        for attribute in &mut resource.attributes {
            attribute.value.get_or_insert_default();
        }
    }
    request.encode_to_vec()
}
