//! A guest that misbehaves: each way is an outcome of its own, and the next request works.

use std::path::PathBuf;

use podstamp_test_support::blocking::http::export;
use podstamp_test_support::ports::absent_agent;

use crate::served::{Served, Setup, wait_until};

fn faulty() -> Served {
    let url = absent_agent();
    // Memory so small that filling it takes no time to speak of.
    let own =
        "  limits:\n    body: 4MiB\n    guest_memory: 16MiB\n    guest_timeout: 500ms\n    instances: 2\n";
    let guest = PathBuf::from(podstamp_test_guests::FAULTY);
    Setup { guest: Some(guest), ..Setup::load_balancer(&url).own(own) }.serve()
}

#[test]
fn traps_time_outs_and_memory_limits_are_told_apart_and_survived() {
    let served = faulty();
    for (body, status, kind) in [
        (&b"trap"[..], 500, "trap"),
        (b"loop", 500, "timeout"),
        (b"memory", 500, "memory_limit"),
        (b"edits", 500, "invalid_answer"),
    ] {
        for round in 1..=3_u8 {
            assert_eq!(export(served.address, body).status, status, "{kind}");
            assert_eq!(export(served.address, b"fine").status, 200, "after {kind}");
            let count = served.metric("podstamp_filter_failures_total", &[kind]);
            assert_eq!(count, f64::from(round), "{kind}");
        }
    }
}

#[test]
fn many_failures_at_a_time_leave_no_instance_behind() {
    let served = faulty();
    let address = served.address;
    let threads: Vec<_> = (0..8)
        .map(|index| {
            std::thread::spawn(move || {
                for _ in 0..10 {
                    export(address, if index % 2 == 0 { b"trap" } else { b"fine" });
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    wait_until("it serves again", || export(address, b"fine").status == 200);
}
