//! Reading protobuf's wire format: tags, varints, byte ranges.

/// One fault in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyFault {
    /// Offset in the body.
    pub offset: usize,
    /// Path of the message, for example `resource_spans[3].scope_spans[0].spans[7]`; empty for the request itself.
    pub path: String,
    /// What is wrong.
    pub message: String,
}
