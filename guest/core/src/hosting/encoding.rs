//! The encoding that a client speaks, by the media type of its request.

use crate::answer::media_type;
use crate::interface::Encoding;

/// The encoding that a content type names, in any case and with any parameters; `None` for one that OTLP does not have.
pub fn named(content_type: &[u8]) -> Option<Encoding> {
    // Nearly all clients write it as it is.
    let plain = ALL.into_iter().find(|encoding| content_type == media_type(*encoding).as_bytes());
    plain.or_else(|| read(content_type))
}

#[cold]
fn read(content_type: &[u8]) -> Option<Encoding> {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/grpc+proto") {
        return Some(Encoding::Grpc);
    }
    ALL.into_iter().find(|encoding| essence.eq_ignore_ascii_case(media_type(*encoding).as_bytes()))
}

const ALL: [Encoding; 3] = [Encoding::Protobuf, Encoding::Json, Encoding::Grpc];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_names_an_encoding_in_any_case_and_with_parameters() {
        for (content_type, expected) in [
            ("application/x-protobuf", Some(Encoding::Protobuf)),
            ("application/json; charset=utf-8", Some(Encoding::Json)),
            (" Application/JSON ;charset=utf-8", Some(Encoding::Json)),
            ("application/grpc", Some(Encoding::Grpc)),
            ("application/grpc+proto", Some(Encoding::Grpc)),
            ("application/grpc+json", None),
            ("application/jsonl", None),
            ("text/html", None),
            ("", None),
        ] {
            assert_eq!(named(content_type.as_bytes()), expected, "{content_type}");
        }
    }
}
