//! The labels by which things are counted.

use super::counters::Label;

macro_rules! label {
    ($(#[$doc:meta])* $name:ident, $key:literal, { $($case:ident => $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($case),* }

        impl Label for $name {
            const KEY: &'static str = $key;
            const NAMES: &'static [&'static str] = &[$($text),*];

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label!(
    /// What became of resources and spans that the filter met.
    Fate, "outcome", {
        Accepted => "accepted",
        Refused => "refused",
        Failed => "failed",
        Cancelled => "cancelled",
    }
);

label!(
    /// How an attempt to send ended.
    Attempted, "outcome", {
        Informational => "1xx",
        Success => "2xx",
        Redirection => "3xx",
        ClientError => "4xx",
        ServerError => "5xx",
        NotConnected => "not_connected",
        Closed => "closed",
        TimedOut => "timed_out",
        Oversized => "oversized",
    }
);

label!(
    /// Where a resource's `app.host.ip` came from.
    Found, "from", {
        Kept => "kept",
        Pipeline => "pipeline",
        PodIp => "pod_ip",
        Pod => "pod",
        Connection => "connection",
        Unknown => "unknown",
    }
);

label!(
    /// What the guard did.
    Repair, "rule", {
        Refused => "refused",
        KindCleared => "kind_cleared",
        ResourceCreated => "resource_created",
        AddressNormalised => "address_normalised",
        AddressRepaired => "address_repaired",
    }
);

label!(
    /// What became of a changed file with certificates, tokens or passwords.
    Reloaded, "outcome", {
        Loaded => "loaded",
        Failed => "failed",
    }
);

label!(
    /// Why the filter gave no answer.
    GuestFailure, "kind", {
        Trap => "trap",
        Timeout => "timeout",
        MemoryLimit => "memory_limit",
        InvalidAnswer => "invalid_answer",
        Busy => "busy",
    }
);

label!(
    /// What became of a copy.
    Copied, "outcome", {
        Delivered => "delivered",
        Failed => "failed",
        Dropped => "dropped",
    }
);
