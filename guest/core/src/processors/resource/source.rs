//! The sources of values that actions write.

use std::borrow::Cow;

use crate::context::Context;
use crate::resource::{Resource, Value};

/// A source, and the value that counts where it gives nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    pub(crate) origin: Origin,
    pub(crate) default: Option<Value<'static>>,
}

/// The source proper.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Origin {
    /// There is only the default.
    Nothing,
    Value(Value<'static>),
    /// Another attribute, copied with its type.
    Attribute(String),
    /// A header of the request, by its lower-case name.
    Metadata(String),
    /// The client's address, as text; empty where it is unknown.
    ClientAddress,
}

impl Source {
    pub(crate) fn value<'a>(
        &'a self,
        resource: &Resource<'a>,
        context: &'a Context<'a>,
    ) -> Option<Value<'a>> {
        let value = match &self.origin {
            Origin::Nothing => None,
            Origin::Value(value) => Some(borrow(value)),
            Origin::Attribute(key) => resource.get(key).cloned(),
            Origin::Metadata(name) => context.metadata(name).map(Value::string),
            Origin::ClientAddress => Some(Value::string(context.connection_text())),
        };
        value.or_else(|| self.default.as_ref().map(borrow))
    }

    pub(crate) fn attribute(&self) -> Option<&str> {
        match &self.origin {
            Origin::Attribute(key) => Some(key),
            Origin::Nothing | Origin::Value(_) | Origin::Metadata(_) | Origin::ClientAddress => None,
        }
    }

    pub(crate) fn header(&self) -> Option<&str> {
        match &self.origin {
            Origin::Metadata(name) => Some(name),
            Origin::Nothing | Origin::Value(_) | Origin::Attribute(_) | Origin::ClientAddress => None,
        }
    }
}

fn borrow<'a>(value: &'a Value<'static>) -> Value<'a> {
    match value {
        Value::Empty => Value::Empty,
        Value::String(text) => Value::String(Cow::Borrowed(text)),
        Value::Bool(flag) => Value::Bool(*flag),
        Value::Int(number) => Value::Int(*number),
        Value::Double(number) => Value::Double(*number),
        Value::Bytes(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
        Value::Array(bytes) => Value::Array(Cow::Borrowed(bytes)),
        Value::Map(bytes) => Value::Map(Cow::Borrowed(bytes)),
    }
}
