//! Bytes that pass between the host and the module: whoever gets them owns them.

#![expect(unsafe_code, reason = "the host names bytes by their place in the memory")]

/// Where the bytes of a result are: the pointer in the upper half, the length in the lower one.
pub(crate) type Place = u64;

/// Room for so many bytes; null: there is none.
pub(crate) fn allocate(length: usize) -> *mut u8 {
    let mut bytes = Vec::<u8>::new();
    // An argument without bytes needs no room.
    if length == 0 || bytes.try_reserve_exact(length).is_err() || bytes.capacity() != length {
        return std::ptr::null_mut();
    }
    std::mem::ManuallyDrop::new(bytes).as_mut_ptr()
}

/// Takes bytes over that [`allocate`] made room for or [`give`] gave away, and that the host has filled.
pub(crate) fn take(pointer: *mut u8, length: usize) -> Vec<u8> {
    if pointer.is_null() || length == 0 {
        return Vec::new();
    }
    // SAFETY: by contract the place comes from `allocate` or `give`, with the length that it had there, and the host has no other
    // use for it. All memory of the module has a value, so that the bytes are initialised whatever the host wrote.
    unsafe { Vec::from_raw_parts(pointer, length, length) }
}

/// Gives bytes away, until they come back to [`take`].
pub(crate) fn give(bytes: Vec<u8>) -> Place {
    let bytes = Box::leak(bytes.into_boxed_slice());
    (bytes.as_mut_ptr().expose_provenance() as u64) << 32 | bytes.len() as u64
}
