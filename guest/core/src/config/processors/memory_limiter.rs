//! The `memory_limiter` processor.

use crate::config::document::Entry;

/// From how much memory of the process on requests are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryLimiter {
    /// The processor's section, for example `processors.memory_limiter`.
    pub path: String,
    /// How often memory is looked at, milliseconds.
    pub check_interval: u32,
    /// The limit in MiB; 0: a percentage.
    pub limit_mib: u32,
    /// By how much less requests are refused, MiB; 0: a fifth of the limit.
    pub spike_limit_mib: u32,
    /// The limit as a percentage of what there is.
    pub limit_percentage: u32,
    /// By how much less requests are refused, as a percentage of what there is; 0: a fifth of the limit.
    pub spike_limit_percentage: u32,
}

pub(crate) fn read_memory_limiter(entry: &Entry<'_>) -> MemoryLimiter {
    let mut section = entry.section();
    let check_interval = section.take("check_interval");
    let sizes = ["limit_mib", "spike_limit_mib", "limit_percentage", "spike_limit_percentage"]
        .map(|key| section.take(key));
    let [limit_mib, spike_limit_mib, limit_percentage, spike_limit_percentage] =
        sizes.each_ref().map(|size| size.count().unwrap_or_default());
    // There is no garbage to collect.
    section.pass(&[
        "min_gc_interval_when_soft_limited",
        "min_gc_interval_when_hard_limited",
        "max_gc_interval_when_soft_limited",
        "max_gc_interval_when_hard_limited",
    ]);
    section.close();
    let limiter = MemoryLimiter {
        path: entry.path().to_owned(),
        check_interval: check_interval.duration().unwrap_or_default(),
        limit_mib,
        spike_limit_mib,
        limit_percentage,
        spike_limit_percentage,
    };
    if limiter.check_interval == 0 {
        check_interval.fault("has to be over 0: how often memory is looked at, such as `1s`");
    }
    let [mib, spike_mib, percentage, spike_percentage] = &sizes;
    if limit_mib == 0 && limit_percentage == 0 {
        mib.fault("is missing, and so is `limit_percentage`: write one of them");
    }
    for (entry, percentage) in [(percentage, limit_percentage), (spike_percentage, spike_limit_percentage)] {
        if percentage > 100 {
            entry.fault("is over 100");
        }
    }
    for (entry, limit, spike) in [
        (spike_mib, limit_mib, spike_limit_mib),
        (spike_percentage, limit_percentage, spike_limit_percentage),
    ] {
        if limit > 0 && spike >= limit {
            entry.fault(format!("has to be under the limit, {limit}"));
        }
    }
    limiter
}
