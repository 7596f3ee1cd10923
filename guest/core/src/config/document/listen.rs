//! The address of a listener.

use super::entry::Entry;
use super::url::{BRACKETS, bracketed, is_host, is_port};

/// Reads the address to listen on. `:4318` means all of IPv4.
pub(crate) fn listen(entry: &Entry<'_>, text: &str) -> Option<String> {
    let usable = match text.rsplit_once(':') {
        Some(("", port)) if is_port(port) => return Some(format!("0.0.0.0:{port}")),
        // Port 0 asks for any free one.
        Some((host, port)) => is_port(port) && is_host(host),
        None => false,
    };
    if !usable {
        let port = usual_port(entry.path());
        let advice = match bracketed(text, Some(port)) {
            Some(written) => format!("{BRACKETS}, write `{written}`"),
            None if is_host(text) => format!("write `{text}:{port}`"),
            None => format!("write `0.0.0.0:{port}`"),
        };
        entry.fault(format!("`{text}` is no address to listen on: {advice}"));
    }
    usable.then(|| text.to_owned())
}

/// The port that is usual for what listens there.
fn usual_port(path: &str) -> &'static str {
    match path {
        _ if path.contains(".grpc.") => "4317",
        _ if path.contains("admin.") => "8888",
        _ => "4318",
    }
}
