//! How much memory this process takes, and who gives back what it does not need.

use std::fmt;
use std::fs;
use std::sync::Arc;

/// The memory of a process.
#[derive(Clone)]
pub struct Memory {
    resident: Arc<Measure>,
    give_back: fn(),
}

/// Bytes; `None` where they are unknown.
type Measure = dyn Fn() -> Option<u64> + Send + Sync;

impl Memory {
    /// The memory of this process. `give_back` hands to the system what the allocator keeps and nobody uses; it may block.
    pub fn of_process(give_back: fn()) -> Self {
        Self { resident: Arc::new(resident), give_back }
    }

    /// What somebody else measures, in bytes.
    pub fn measured_by(measure: impl Fn() -> Option<u64> + Send + Sync + 'static) -> Self {
        Self { resident: Arc::new(measure), give_back: || () }
    }

    /// Bytes of memory that the process has; `None` where that is unknown.
    pub fn resident(&self) -> Option<u64> {
        (self.resident)()
    }

    /// Gives back what is not needed, on a thread that may block.
    pub(crate) async fn give_back(&self) {
        if let Err(error) = tokio::task::spawn_blocking(self.give_back).await {
            tracing::debug!(%error, "memory was not given back");
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::of_process(|| ())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Memory").field("resident", &self.resident()).finish_non_exhaustive()
    }
}

/// `VmRSS`, as Linux has it; a few microseconds.
fn resident() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// Bytes of memory that this machine has.
pub(crate) fn of_machine() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_memory_in_kilobytes() {
        let text = "Name:\tpodstamp\nVmPeak:\t 4021 kB\nVmRSS:\t   12345 kB\nThreads:\t3\n";
        assert_eq!(kilobytes(text, "VmRSS:"), Some(12_345 << 10));
        for text in ["", "VmRSS: many kB", "VmRSS: 1 MB", "VmRSS:"] {
            assert_eq!(kilobytes(text, "VmRSS:"), None, "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_takes_less_than_the_machine_has() {
        let (own, all) = (Memory::default().resident().unwrap(), of_machine().unwrap());
        assert!(own > 1 << 20 && own < all, "{own} {all}");
    }
}
