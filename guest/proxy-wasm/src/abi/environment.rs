//! The variables that the proxy's configuration hands to the VM.

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "functions of the host take addresses in our memory")]
pub(crate) fn variables() -> Vec<(String, String)> {
    use super::imports;

    let (mut count, mut size) = (0, 0);
    // SAFETY: the host writes two numbers.
    if unsafe { imports::environ_sizes_get(&raw mut count, &raw mut size) } != 0 {
        return Vec::new();
    }
    let mut pointers = vec![std::ptr::null_mut(); count];
    let mut text = vec![0; size];
    // SAFETY: the host writes as many addresses and bytes as it said.
    if unsafe { imports::environ_get(pointers.as_mut_ptr(), text.as_mut_ptr()) } != 0 {
        return Vec::new();
    }
    split(&text)
}

/// Outside a proxy the list is empty, since documents of tests have no references to variables.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn variables() -> Vec<(String, String)> {
    split(b"")
}

/// Splits `NAME=value` texts, each ended by a zero.
fn split(text: &[u8]) -> Vec<(String, String)> {
    let entries = text.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok());
    let pairs = entries.filter_map(|entry| entry.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_names_and_values() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let text = b"POD_IP=10.1.2.3\0EMPTY=\0WITH=a=b\0nonsense\0\xff=1\0";
        assert_eq!(split(text), [pair("POD_IP", "10.1.2.3"), pair("EMPTY", ""), pair("WITH", "a=b")]);
        assert_eq!(split(b""), []);
    }
}
