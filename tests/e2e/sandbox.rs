//! A guest that misbehaves: each way is an outcome of its own, and the next request works.

use std::path::PathBuf;
#[cfg(target_os = "linux")]
use std::time::Duration;

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

/// While there are no calls, what measures their time rests.
#[cfg(target_os = "linux")]
#[test]
fn a_call_that_does_not_end_is_ended_also_after_a_long_time_without_any() {
    let served = faulty();
    assert_eq!(export(served.address, b"fine").status, 200);
    wait_until("nothing ticks any more", || {
        let before = ticks(served.process());
        // Forty ticks of this limit.
        std::thread::sleep(Duration::from_millis(500));
        ticks(served.process()) == before
    });
    assert_eq!(export(served.address, b"loop").status, 500);
    assert_eq!(served.metric("podstamp_filter_failures_total", &["timeout"]), 1.0);
    assert_eq!(export(served.address, b"fine").status, 200);
}

/// How often the thread that ticks has gone to sleep.
#[cfg(target_os = "linux")]
fn ticks(process: u32) -> String {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    // Threads end meanwhile.
    let told = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("status")).ok());
    let told = told.filter(|status| status.starts_with("Name:\tepoch\n")).collect::<Vec<_>>();
    let [status] = told.as_slice() else { panic!("{} threads that tick", told.len()) };
    status.lines().find(|line| line.starts_with("voluntary_ctxt_switches:")).unwrap().to_owned()
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
