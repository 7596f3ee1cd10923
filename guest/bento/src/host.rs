//! The functions of the host, and the memory that it writes into.

#![expect(unsafe_code, reason = "functions of the host take addresses in our memory")]

/// A key of the metadata; empty where the message does not have it.
pub(crate) fn metadata(key: &str) -> Vec<u8> {
    // SAFETY: the key lives until the call returns, and what comes back was put into room of `allocate`.
    taken(unsafe { imports::v0_msg_get_meta(key.as_ptr(), key.len()) })
}

/// [`metadata`] as text; empty also where it is not UTF-8.
pub(crate) fn text(key: &str) -> String {
    String::from_utf8(metadata(key)).unwrap_or_default()
}

/// Sets a key of the metadata.
pub(crate) fn set(key: &str, value: &str) {
    // SAFETY: both live until the call returns.
    unsafe { imports::v0_msg_set_meta(key.as_ptr(), key.len(), value.as_ptr(), value.len()) };
}

/// The message.
pub(crate) fn body() -> Vec<u8> {
    // SAFETY: as above.
    taken(unsafe { imports::v0_msg_as_bytes() })
}

/// Replaces the message.
pub(crate) fn set_body(body: &[u8]) {
    // SAFETY: as above.
    unsafe { imports::v0_msg_set_bytes(body.as_ptr(), body.len()) };
}

mod imports {
    #[cfg_attr(
        all(target_arch = "wasm32", not(feature = "redpanda")),
        link(wasm_import_module = "bento_wasm")
    )]
    #[cfg_attr(all(target_arch = "wasm32", feature = "redpanda"), link(wasm_import_module = "benthos_wasm"))]
    unsafe extern "C" {
        pub(super) fn v0_msg_get_meta(key: *const u8, key_size: usize) -> u64;
        pub(super) fn v0_msg_set_meta(key: *const u8, key_size: usize, value: *const u8, value_size: usize);
        pub(super) fn v0_msg_as_bytes() -> u64;
        pub(super) fn v0_msg_set_bytes(bytes: *const u8, size: usize);
    }
}

/// Room for what the host hands over. Where there is none the call ends: the host would take null for an address.
#[unsafe(no_mangle)]
extern "C" fn allocate(size: usize) -> *mut u8 {
    let mut bytes = Vec::<u8>::new();
    if bytes.try_reserve_exact(size).is_err() || (size > 0 && bytes.capacity() != size) {
        std::process::abort();
    }
    std::mem::ManuallyDrop::new(bytes).as_mut_ptr()
}

/// The host calls it for what it has read of ours, all of which has an owner here. What it has written it never frees.
#[unsafe(no_mangle)]
extern "C" fn deallocate(_bytes: *mut u8, _size: usize) {}

/// Takes over what the host has written: its address in the upper half, its size in the lower one.
fn taken(place: u64) -> Vec<u8> {
    let (address, size) = ((place >> 32) as usize, place as u32 as usize);
    if address == 0 || size == 0 {
        return Vec::new();
    }
    // SAFETY: it comes from `allocate`, which made room for exactly so many bytes.
    unsafe { Vec::from_raw_parts(std::ptr::with_exposed_provenance_mut(address), size, size) }
}
