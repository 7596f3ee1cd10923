//! The memory of the binary: its allocator, and what it gives back.

#[cfg(target_os = "linux")]
mod code;

#[cfg(target_os = "linux")]
pub(crate) use code::let_go_of_code;

/// Bodies are allocated and freed at a high rate, from several threads; this is what that is fast with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives memory that is free back to the system at once. To be called after start-up: what reading the configuration and the pods
/// took is never needed again.
#[expect(unsafe_code, reason = "the allocator's own interface is C")]
pub(crate) fn give_back() {
    // SAFETY: it has no preconditions; any thread may call it at any time.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

/// Only Linux tells of mappings.
#[cfg(not(target_os = "linux"))]
pub(crate) fn let_go_of_code() {}
