//! An allocator for many small things: free blocks of each size wait in a list of their own.
//!
//! A request takes some dozens of them and gives all back, and the next one finds the same ones again. That is a few
//! instructions each, where a general allocator takes a hundred, and memory that the processor has at hand. What is larger, such as
//! bodies and pages of the pod table, comes from the general one.
//!
//! A block stays one of its size for good. So what small things take at the most, by size, is not given to others later.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: Blocks = Blocks::new();

/// The allocator.
struct Blocks {
    /// The first free block of each size. In it stands the address of the next.
    free: [Cell<*mut u8>; SIZES],
    /// Bytes that no block was cut from yet, and how many.
    rest: Cell<*mut u8>,
    left: Cell<usize>,
}

// SAFETY: the module is built without threads, so nobody else is there to share it with.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "a static has to be Sync")]
unsafe impl Sync for Blocks {}

impl Blocks {
    const fn new() -> Self {
        let free = [const { Cell::new(null_mut()) }; SIZES];
        Self { free, rest: Cell::new(null_mut()), left: Cell::new(0) }
    }

    /// The list of blocks for a layout; `None` where that is none of the small ones.
    fn list(&self, layout: Layout) -> Option<&Cell<*mut u8>> {
        let list = self.free.get(layout.size().wrapping_sub(1) / STEP);
        list.filter(|_| layout.align() <= STEP)
    }

    /// A new block for so many bytes. Out of line, since hardly any allocation needs one.
    #[cold]
    #[inline(never)]
    #[expect(unsafe_code, reason = "an allocator")]
    fn cut(&self, size: usize) -> *mut u8 {
        let size = size.next_multiple_of(STEP);
        if self.left.get() < size {
            let Ok(chunk) = Layout::from_size_align(CHUNK, STEP) else { return null_mut() };
            // SAFETY: the size is not 0.
            let chunk = unsafe { System.alloc(chunk) };
            if chunk.is_null() {
                return chunk;
            }
            if let Some(list) = self.free.get((self.left.get() / STEP).wrapping_sub(1)) {
                // SAFETY: what is left is as long as the blocks of that list.
                unsafe { put(list, self.rest.get()) };
            }
            self.rest.set(chunk);
            self.left.set(CHUNK);
        }
        let block = self.rest.get();
        self.left.set(self.left.get() - size);
        // SAFETY: so many bytes are left of the chunk.
        self.rest.set(unsafe { block.add(size) });
        block
    }
}

/// Puts a block into the list of its size.
///
/// # Safety
/// Nobody uses the block, and it has room for an address.
#[expect(unsafe_code, reason = "an allocator")]
unsafe fn put(list: &Cell<*mut u8>, block: *mut u8) {
    // SAFETY: blocks begin at multiples of a step, which an address needs no more than.
    unsafe { block.cast::<*mut u8>().write(list.get()) };
    list.set(block);
}

// SAFETY: a block is in no list while it is given out, and each is cut from a chunk once. Blocks are as long as the most that
// their list is asked for, and begin at multiples of a step. Which list a block belongs to is told by its layout, which is the
// same whenever it comes back.
#[expect(unsafe_code, reason = "the trait's own contract")]
unsafe impl GlobalAlloc for Blocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(list) = self.list(layout) else {
            // SAFETY: the caller's contract, here and below.
            return unsafe { System.alloc(layout) };
        };
        let block = list.get();
        if block.is_null() {
            return self.cut(layout.size());
        }
        // SAFETY: a free block has the next one's address in it.
        list.set(unsafe { block.cast::<*mut u8>().read() });
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.list(layout) {
            // SAFETY: as above.
            None => unsafe { System.dealloc(block, layout) },
            // SAFETY: as above.
            Some(list) => unsafe { put(list, block) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else { return null_mut() };
        match (self.list(layout), self.list(wanted)) {
            // SAFETY: as above.
            (None, None) => unsafe { System.realloc(block, layout, size) },
            (Some(list), Some(other)) if std::ptr::eq(list, other) => block,
            // SAFETY: the new place is apart from the old one, and both have room for the smaller size.
            _ => unsafe {
                let new = self.alloc(wanted);
                if !new.is_null() {
                    std::ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                    self.dealloc(block, layout);
                }
                new
            },
        }
    }
}

/// Bytes between one size of blocks and the next. All types of Rust's are content with blocks that begin at multiples of it.
const STEP: usize = 16;

/// The largest block has a kilobyte: whatever is allocated dozens of times a request is smaller.
const SIZES: usize = 1024 / STEP;

/// Bytes that are asked for at a time.
const CHUNK: usize = 16 << 10;

#[cfg(test)]
#[expect(unsafe_code, reason = "what is tested is asked so")]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn what_comes_back_is_given_out_again_by_size() {
        let blocks = Blocks::new();
        // SAFETY: each block is used within its layout, and given back by it.
        unsafe {
            let (one, other) = (blocks.alloc(layout(17, 1)), blocks.alloc(layout(32, 16)));
            assert_eq!(one.addr() + 32, other.addr());
            assert!(other.addr().is_multiple_of(STEP));
            blocks.dealloc(one, layout(17, 1));
            assert_ne!(blocks.alloc(layout(16, 8)), one);
            assert_eq!(blocks.alloc(layout(20, 4)), one);
        }
    }

    #[test]
    fn growing_keeps_what_was_written() {
        let blocks = Blocks::new();
        // SAFETY: as above.
        unsafe {
            let mut block = blocks.alloc(layout(8, 8));
            block.cast::<u64>().write(7);
            for (from, to) in
                [(8, 16), (16, 1_000), (1_000, 1_024), (1_024, 5_000), (5_000, 90_000), (90_000, 9)]
            {
                block = blocks.realloc(block, layout(from, 8), to);
                assert_eq!(block.cast::<u64>().read(), 7, "{from} to {to}");
            }
            blocks.dealloc(block, layout(9, 8));
        }
    }

    #[test]
    fn blocks_never_overlap() {
        let blocks = Blocks::new();
        let mut taken: Vec<(*mut u8, usize, u8)> = Vec::new();
        let mut random = 1_u32;
        for turn in 0..20_000_u32 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // SAFETY: as above.
            unsafe {
                if random >> 31 == 0 || taken.is_empty() {
                    let (size, mark) = ((random >> 8) as usize % 1_400 + 1, turn as u8);
                    let block = blocks.alloc(layout(size, 1));
                    block.write_bytes(mark, size);
                    taken.push((block, size, mark));
                } else {
                    let (block, size, mark) = taken.swap_remove((random >> 8) as usize % taken.len());
                    assert!(std::slice::from_raw_parts(block, size).iter().all(|byte| *byte == mark));
                    blocks.dealloc(block, layout(size, 1));
                }
            }
        }
    }
}
