//! An allocator for calls that leave nothing behind.
//!
//! What a call allocates is all freed when the host has taken the result. So memory is given out by counting up, and the
//! count starts over once nothing is allocated any more: some instructions where a general allocator takes a hundred. What
//! `configure` leaves is there for good, which [`Bump::settle`] says.
//!
//! A library may keep something of a call after all: a cache of matches, or one that has grown. Memory that is still
//! allocated when the next call begins is there for good too, with everything below it: later calls count from above it. So
//! one such allocation costs the memory of one call, and not that of all calls to come.
//!
//! Memory that is freed in the middle of a call is not given out again before its end. A call allocates little beside the
//! body, and growing the last allocation, as a vector does while it is filled, happens in place.

use core::alloc::{GlobalAlloc, Layout};
#[cfg(target_arch = "wasm32")]
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::Cell;
use core::ptr::null_mut;

// Elsewhere the crate is only linted, and the lints need an allocator of their own.
#[cfg_attr(target_arch = "wasm32", global_allocator)]
pub(crate) static ALLOCATOR: Bump = Bump::new();

/// The allocator. All of its numbers are addresses, but for `live`.
pub(crate) struct Bump {
    /// Where counting starts over. 0: not begun yet.
    base: Cell<usize>,
    /// The first free byte.
    next: Cell<usize>,
    /// Allocations since `base` that are not freed.
    live: Cell<usize>,
    /// Whether a call has returned, and none has begun since. The host may still be reading and freeing its result.
    returned: Cell<bool>,
}

// SAFETY: the module is built without threads, so nobody else is there to share it with.
#[expect(unsafe_code, reason = "a static has to be Sync")]
unsafe impl Sync for Bump {}

impl Bump {
    const fn new() -> Self {
        Self { base: Cell::new(0), next: Cell::new(0), live: Cell::new(0), returned: Cell::new(false) }
    }

    /// A call begins, or has begun: the host puts its arguments into our memory first. Nothing that is allocated by now
    /// belongs to it.
    fn begin(&self) {
        if self.returned.replace(false) && self.live.get() > 0 {
            self.settle();
        }
    }

    /// Runs a call. Afterwards nothing is allocated but its result, until the host begins the next one.
    pub(crate) fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        // Without arguments in memory the call begins only here.
        self.begin();
        let result = call();
        self.returned.set(true);
        result
    }

    /// Makes everything that is allocated now permanent.
    pub(crate) fn settle(&self) {
        self.base.set(self.next.get());
        self.live.set(0);
    }

    /// Room for `layout`, from pages that the module's own data end before.
    fn take(&self, layout: Layout) -> Option<usize> {
        if self.base.get() == 0 {
            // Pages that exist from the start hold the stack and the module's data: ours come after them.
            let end = memory_size(0) * PAGE;
            self.base.set(end);
            self.next.set(end);
        }
        let start = self.next.get().checked_next_multiple_of(layout.align())?;
        let end = start.checked_add(layout.size())?;
        reserve(end)?;
        self.next.set(end);
        self.live.set(self.live.get() + 1);
        Some(start)
    }
}

/// Makes sure that there is memory up to `end`.
fn reserve(end: usize) -> Option<()> {
    let have = memory_size(0) * PAGE;
    if end <= have {
        return Some(());
    }
    // Generously, since growing asks the host: by an eighth of what is there, or else by just what is needed.
    let needed = (end - have).div_ceil(PAGE);
    let generous = needed.max(memory_size(0) / 8);
    let grown = |pages| memory_grow(0, pages) != usize::MAX;
    (grown(generous) || (generous > needed && grown(needed))).then_some(())
}

// SAFETY: `take` never gives out a byte twice before `live` is 0, that is before everything has been freed; it aligns as
// asked, and `reserve` makes sure that the memory exists.
#[expect(unsafe_code, reason = "the trait's own contract")]
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout).map_or(null_mut(), core::ptr::with_exposed_provenance_mut)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let start = pointer.expose_provenance();
        if start < self.base.get() {
            return;
        }
        self.live.set(self.live.get() - 1);
        if self.live.get() == 0 {
            self.next.set(self.base.get());
        } else if start + layout.size() == self.next.get() {
            self.next.set(start);
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let start = pointer.expose_provenance();
        let is_last = start + layout.size() == self.next.get() && start >= self.base.get();
        if is_last && let Some(end) = start.checked_add(size) {
            if reserve(end).is_none() {
                return null_mut();
            }
            self.next.set(end);
            return pointer;
        }
        if size <= layout.size() {
            return pointer;
        }
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else {
            return null_mut();
        };
        // SAFETY: the new place is apart from the old one, and both have room for the old size.
        unsafe {
            let new = self.alloc(wanted);
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(pointer, new, layout.size());
                self.dealloc(pointer, layout);
            }
            new
        }
    }
}

/// Room for bytes that the host hands over: the arguments of a call, ahead of it, and results of imports, within it. Takes the
/// place of wit-bindgen's own function of that name, which is weak.
///
/// # Safety
/// As the canonical ABI has it: `old` is null, or was allocated here with that length and alignment.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the host calls it by its name")]
#[unsafe(export_name = "cabi_realloc")]
unsafe extern "C" fn canonical_realloc(old: *mut u8, length: usize, align: usize, wanted: usize) -> *mut u8 {
    ALLOCATOR.begin();
    // SAFETY: the same contract.
    unsafe { wit_bindgen::rt::cabi_realloc(old, length, align, wanted) }
}

/// Outside wasm there is no linear memory, so room is never found.
#[cfg(not(target_arch = "wasm32"))]
fn memory_size(_memory: u32) -> usize {
    0
}

#[cfg(not(target_arch = "wasm32"))]
fn memory_grow(_memory: u32, _pages: usize) -> usize {
    usize::MAX
}

const PAGE: usize = 1 << 16;
