//! Names of headers.

/// Whether `text` is a token, as names of headers and of authentication schemes are (RFC 9110, 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(token)
}
