//! Memory: what only starting needed is given back, and with a `memory_limiter` requests are refused while the process takes too much of
//! it.

use podstamp_fake_agent::Latch;
use podstamp_test_support::blocking::http::export;
use podstamp_test_support::spans;

use crate::fake_agent::FakeAgent;
use crate::served::{Served, Setup, wait_until};

fn limited(agent: &FakeAgent, limiter: &str) -> Served {
    Setup::load_balancer(&agent.url()).processing("memory_limiter", limiter).serve()
}

#[test]
fn a_process_over_its_limit_refuses_requests_over_http_and_grpc_and_says_so() {
    let agent = FakeAgent::start();
    let served = limited(&agent, "{check_interval: 10ms, limit_mib: 1}");
    let answer = export(served.address, &spans::export(&[("shop", "web-1")]));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(answer.message().contains("too much memory"), "{}", answer.message());
    assert_eq!(agent.records().len(), 0);
    assert!(served.metric("podstamp_limited_total", &["memory_limiter"]) >= 1.0);
    served.wait_for_log("memory-limited");
}

#[test]
fn a_process_that_takes_less_again_takes_requests_again() {
    let agent = FakeAgent::start();
    let resting = limited(&agent, "{check_interval: 10ms, limit_percentage: 100}");
    assert_eq!(export(resting.address, &spans::export(&[("shop", "web-1")])).status, 200);
    let rest = resting.metric("podstamp_memory_bytes", &[]) as u64 >> 20;
    drop(resting);

    // Requests that wait for the agent hold their bodies.
    let (latch, held) = (Latch::default(), 96_u64);
    let slow = FakeAgent::behind(&latch);
    let limit = rest + held / 2;
    let served = limited(&slow, &format!("{{check_interval: 10ms, limit_mib: {limit}, spike_limit_mib: 1}}"));
    let address = served.address;
    let body = spans::large(8 << 20, "web-1");
    let clients: Vec<_> = (0..held / 8)
        .map(|_| {
            let body = body.clone();
            std::thread::spawn(move || export(address, &body).status)
        })
        .collect();
    wait_until("the limit is met", || export(address, &spans::export(&[("shop", "web-1")])).status == 503);
    latch.open();
    clients.into_iter().for_each(|client| drop(client.join()));
    wait_until("memory is back", || export(address, &spans::export(&[("shop", "web-1")])).status == 200);
    served.wait_for_log("memory-back");
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_has_started_holds_little_of_its_program() {
    let served = Setup::load_balancer("http://127.0.0.1:1").serve();
    // Starting takes half of it.
    wait_until("most of the program is let go", || {
        let (size, resident) = program(served.process());
        4 * resident < size
    });
}

/// The size of a process's program as far as nobody writes there, and how much of it is in memory, KiB.
#[cfg(target_os = "linux")]
fn program(process: u32) -> (u64, u64) {
    let [exe, smaps] = ["exe", "smaps"].map(|name| format!("/proc/{process}/{name}"));
    let file = std::fs::read_link(exe).unwrap().display().to_string();
    let (mut size, mut resident, mut is_it) = (0, 0, false);
    for line in std::fs::read_to_string(smaps).unwrap().lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["Size:", kib, _] if is_it => size += kib.parse::<u64>().unwrap(),
            ["Rss:", kib, _] if is_it => resident += kib.parse::<u64>().unwrap(),
            [range, rights, ..] if range.contains('-') => {
                is_it = line.ends_with(&file) && !rights.contains('w')
            }
            _ => (),
        }
    }
    (size, resident)
}
