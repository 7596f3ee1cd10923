//! What the document's `memory_limiter` comes to in bytes.

use podstamp_core::config;
use podstamp_core::interface::{Level, Notice};

use crate::settings::{MemoryLimiter, milliseconds};

/// The limiter in bytes, of a process for which there are `total` bytes. `None`: that is needed and unknown.
pub(super) fn limiter(config: &config::MemoryLimiter, total: Option<u64>) -> Option<MemoryLimiter> {
    let (limit, spike) = match config.limit_mib {
        0 => {
            let part = |percentage: u32| Some(total? / 100 * u64::from(percentage));
            (part(config.limit_percentage)?, part(config.spike_limit_percentage)?)
        }
        mib => (u64::from(mib) << 20, u64::from(config.spike_limit_mib) << 20),
    };
    let spike = if spike == 0 { limit / 5 } else { spike };
    Some(MemoryLimiter {
        path: config.path.clone(),
        limit,
        refused_from: limit.saturating_sub(spike),
        check_interval: milliseconds(config.check_interval),
    })
}

/// The warning about a limiter that cannot do what it is there for. `resident`: bytes that the process takes at rest.
pub(super) fn warning(
    config: &config::MemoryLimiter,
    total: Option<u64>,
    resident: Option<u64>,
) -> Option<Notice> {
    let message = match (limiter(config, total), total, resident) {
        (None, ..) | (_, _, None) => {
            "how much memory there is cannot be told on this system: no request is refused for it".to_owned()
        }
        (Some(limiter), Some(total), _) if limiter.limit > total => format!(
            "the limit of {} MiB is over the {} MiB that there are: the system would end this process first",
            limiter.limit >> 20,
            total >> 20
        ),
        _ => return None,
    };
    let message = format!("{}: {message}", config.path);
    Some(Notice { level: Level::Warning, key: "memory-limiter".into(), message })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn document(mib: [u32; 2], percentages: [u32; 2]) -> config::MemoryLimiter {
        config::MemoryLimiter {
            path: "processors.memory_limiter".to_owned(),
            check_interval: 500,
            limit_mib: mib[0],
            spike_limit_mib: mib[1],
            limit_percentage: percentages[0],
            spike_limit_percentage: percentages[1],
        }
    }

    #[test]
    fn a_limit_is_in_mebibytes_or_a_percentage_and_its_spike_a_fifth_of_it() {
        let total = Some(1_000 * MIB);
        for (mib, percentages, limit, refused_from) in [
            ([100, 30], [0, 0], 100, 70),
            ([100, 0], [50, 25], 100, 80),
            ([0, 0], [50, 0], 500, 400),
            ([0, 30], [80, 15], 800, 650),
        ] {
            let found = limiter(&document(mib, percentages), total).unwrap();
            assert_eq!((found.limit, found.refused_from), (limit * MIB, refused_from * MIB));
            assert_eq!(found.check_interval, Duration::from_millis(500));
        }
        assert_eq!(limiter(&document([0, 0], [50, 0]), None), None);
        assert!(limiter(&document([9, 0], [50, 0]), None).is_some());
    }

    #[test]
    fn a_limiter_that_does_nothing_is_told() {
        let (usual, total) = (document([100, 0], [0, 0]), Some(1_000 * MIB));
        assert_eq!(warning(&usual, total, Some(MIB)), None);
        assert_eq!(warning(&usual, None, Some(MIB)), None);
        let told = |config, total, resident| warning(&config, total, resident).unwrap().message;
        assert!(told(usual.clone(), total, None).contains("cannot be told"));
        assert!(told(document([0, 0], [50, 0]), None, Some(MIB)).contains("cannot be told"));
        let over = told(usual, Some(99 * MIB), Some(MIB));
        assert!(
            over.starts_with("processors.memory_limiter: the limit of 100 MiB is over the 99 MiB"),
            "{over}"
        );
    }
}
