//! The console: what it costs while nobody looks at it, and while somebody does.

use std::io::Read as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use podstamp_test_support::bodies;
use serde_json::{Value, json};

use crate::load;
use crate::process::Process;
use crate::sample::median;
use crate::served::{Feature, Served};

pub(crate) fn run(quick: bool) -> Value {
    json!({"unwatched": compare(quick, false), "watched": compare(quick, true)})
}

/// The same load with the console on and off, in turns. The thread's share is what examining takes of one processor.
fn compare(quick: bool, watched: bool) -> Value {
    let who = if watched { "while a page is open" } else { "while nobody looks" };
    println!("\nThe console on, {who}, and off; they take turns.\n");
    println!(
        "{:>22} {:>5} {:>11} {:>11} {:>6} {:>9} {:>17}",
        "body", "conn", "CPU us/req", "off", "ratio", "thread %", "MiB on/off"
    );
    let (rounds, time) = if quick { (3, Duration::from_secs(1)) } else { (9, Duration::from_secs(3)) };
    let mut rows = Vec::new();
    for (label, spans) in BODIES {
        // A process of its own for each row: what one row left resident would count for the next.
        let sink = Process::start(&["--upstream"]);
        let sides = [Feature::Console, Feature::None].map(|feature| Served::start(&sink.address, feature));
        let _page = watched.then(|| Page::open(sides[0].admin));
        let request = load::request(&bodies::recent_spans(spans), "application/x-protobuf", false);
        for connections in [1, 16] {
            let mut cpu = [Vec::new(), Vec::new()];
            let (mut begun, mut thread) = (Instant::now(), 0.0);
            for round in 0..=rounds {
                if round == 1 {
                    (begun, thread) = (Instant::now(), thread_seconds(&sides[0].process));
                }
                for side in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                    let process = &sides[side].process;
                    let before = process.cpu_seconds();
                    let ran = load::run(process.address, &request, connections, time);
                    // The first round warms up and uses what was saved up.
                    if round > 0 {
                        let requests = ran.latencies.len() as f64;
                        cpu[side].push((process.cpu_seconds() - before) / requests * 1e6);
                    }
                }
            }
            let ratio = median(cpu[0].iter().zip(&cpu[1]).map(|(on, off)| on / off).collect());
            let [on, off] = cpu.map(median);
            // Of all the time: what may be taken is earned while the other side has its turn as well.
            let share = (thread_seconds(&sides[0].process) - thread) / begun.elapsed().as_secs_f64() * 100.0;
            let memory = sides.each_ref().map(|side| side.process.resident_mib());
            println!(
                "{label:>22} {connections:>5} {on:>11.1} {off:>11.1} {ratio:>6.3} {share:>9.2} {:>8.1}/{:>8.1}",
                memory[0], memory[1]
            );
            rows.push(json!({
                "label": label, "spans": spans, "connections": connections, "ratio": ratio,
                "thread_percent": share, "cpu_microseconds_per_request": {"on": on, "off": off},
                "resident_mib": {"on": memory[0], "off": memory[1]},
            }));
        }
    }
    json!(rows)
}

/// Processor time of the thread that examines requests.
fn thread_seconds(process: &Process) -> f64 {
    process.thread_seconds("console")
}

/// A page that is open: it reads the events, and asks for the services and the traces as the page does.
struct Page {
    closed: Arc<AtomicBool>,
}

impl Page {
    fn open(admin: SocketAddr) -> Self {
        let closed = Arc::new(AtomicBool::new(false));
        let (of_events, of_views) = (Arc::clone(&closed), Arc::clone(&closed));
        std::thread::spawn(move || {
            let mut stream = ask(admin, "/console/events");
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let mut buffer = vec![0; 64 << 10];
            while !of_events.load(Ordering::Relaxed) && stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
        });
        std::thread::spawn(move || {
            while !of_views.load(Ordering::Relaxed) {
                for path in ["/console/services", "/console/traces?limit=100"] {
                    let mut stream = ask(admin, path);
                    std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
                }
                std::thread::sleep(Duration::from_secs(2));
            }
        });
        Self { closed }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

fn ask(admin: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(admin).unwrap();
    let close = if path == "/console/events" { "" } else { "connection: close\r\n" };
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {admin}\r\n{close}\r\n").unwrap();
    stream
}

/// A small request, one of the usual size of a batch, and a large one.
const BODIES: [(&str, usize); 3] =
    [("5 KiB, 10 spans", 10), ("64 KiB, 130 spans", 130), ("1,000 spans", 1_000)];
