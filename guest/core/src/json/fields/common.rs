//! The messages that all signals have.

use super::field::{ATTRIBUTES, COUNT, Field, Kind, Scalar, TEXT, field, optional};
use crate::message::Message;

pub(super) static RESOURCE: [Field; 3] = [
    field("attributes", 1, ATTRIBUTES),
    field("droppedAttributesCount", 2, COUNT),
    field("entityRefs", 3, Kind::Many(Message::EntityRef)),
];

pub(super) static ENTITY_REF: [Field; 4] = [
    field("schemaUrl", 1, TEXT),
    field("type", 2, TEXT),
    field("idKeys", 3, Kind::Texts),
    field("descriptionKeys", 4, Kind::Texts),
];

pub(super) static SCOPE: [Field; 4] = [
    field("name", 1, TEXT),
    field("version", 2, TEXT),
    field("attributes", 3, ATTRIBUTES),
    field("droppedAttributesCount", 4, COUNT),
];

pub(super) static KEY_VALUE: [Field; 2] =
    [field("key", 1, TEXT), field("value", 2, Kind::One(Message::AnyValue))];

pub(super) static ANY_VALUE: [Field; 7] = [
    optional("stringValue", 1, TEXT),
    optional("intValue", 3, Kind::Scalar(Scalar::Int64)),
    optional("boolValue", 2, Kind::Scalar(Scalar::Bool)),
    optional("doubleValue", 4, Kind::Scalar(Scalar::Double)),
    field("arrayValue", 5, Kind::One(Message::ArrayValue)),
    field("kvlistValue", 6, Kind::One(Message::KeyValueList)),
    optional("bytesValue", 7, Kind::Scalar(Scalar::Bytes)),
];

pub(super) static ARRAY_VALUE: [Field; 1] = [field("values", 1, Kind::Many(Message::AnyValue))];

pub(super) static KEY_VALUE_LIST: [Field; 1] = [field("values", 1, ATTRIBUTES)];
