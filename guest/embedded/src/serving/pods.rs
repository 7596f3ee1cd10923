//! The pods, asked for at a podstamp that knows them: `GET /pods` on its admin listener, first for all of them and then for what has
//! changed, for as long as the server lives.

use podstamp_core::config::{Config, PodsFrom};
use podstamp_core::interface::{Level, Notice};

use super::world::{Outgoing, Sent, World};
use crate::Embedded;

/// Where pods come from, and when they are asked for.
#[derive(Debug)]
pub(super) struct Feed {
    url: String,
    /// The time of the next question.
    due: u64,
    /// Whether all pods have to come again: what came of the last change cannot be told.
    is_astray: bool,
}

impl Feed {
    /// The podstamp that the document names; `None` where it names none.
    pub(super) fn of(config: &Config) -> Option<Self> {
        match &config.pods.from {
            Some(PodsFrom::Podstamp { url, .. }) => Some(Self { url: url.clone(), due: 0, is_astray: false }),
            Some(PodsFrom::File(_) | PodsFrom::Kubernetes) | None => None,
        }
    }

    /// Asks for pods if it is time to. Where that fails, those that are known stay.
    pub(super) fn refresh(&mut self, embedded: &mut Embedded, world: &impl World) {
        let path = embedded.pods_path();
        let now = world.now();
        if path.is_empty() || now < self.due {
            return;
        }
        let known = embedded.pods().filter(|_| !self.is_astray);
        let since = known.map(|table| format!("&since={}", table.version())).unwrap_or_default();
        let url = format!("{}{path}{since}", self.url);
        let asked = Outgoing { url: &url, headers: &[], body: None, time: TIMEOUT, limit: MAX_LISTING };
        let read = match world.send(&asked) {
            Sent::Response { status: 200, body, .. } => {
                let read = embedded.read_pods(body).map(|_| ());
                self.is_astray = read.is_err();
                read.map_err(|error| format!("what it sends is no list of pods: {error}"))
            }
            Sent::Response { status, body, .. } => {
                let said = String::from_utf8_lossy(body.get(..MAX_SAID).unwrap_or(&body)).trim().to_owned();
                Err(format!("it answers {status}: {said}"))
            }
            Sent::NotConnected(reason) => Err(format!("no connection: {reason}")),
            Sent::Closed => Err("it closed the connection".to_owned()),
            Sent::TimedOut => Err(format!("no answer within {TIMEOUT} ms")),
            Sent::Oversized => Err(format!("its answer is over {MAX_LISTING} bytes")),
        };
        self.due = world.now() + if read.is_ok() { INTERVAL } else { RETRY };
        if let Err(reason) = read {
            let message = format!("no pods from {} (podstamp.pods.from): {reason}", self.url);
            world.tell(&Notice { level: Level::Warning, key: "pods-missing".into(), message });
        }
    }
}

/// Milliseconds between two questions. A pod's spans come seconds after its address at the earliest.
const INTERVAL: u64 = 10_000;

/// Milliseconds until a failure is followed by another question.
const RETRY: u64 = 1_000;

/// Milliseconds for an answer: a client waits meanwhile, and has 10 s.
const TIMEOUT: u32 = 2_000;

/// Bytes of a listing: some 400,000 pods.
const MAX_LISTING: usize = 64 << 20;

const MAX_SAID: usize = 200;
