//! What a podstamp says of itself, asked for once a second.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::told::State;
use crate::admin::Admin;
use crate::exit::{Exit, Failed};

/// What was told last, for the screen.
pub(super) struct Feed {
    latest: Mutex<Latest>,
    is_over: AtomicBool,
}

/// The last answer, and why there has been none since.
#[derive(Clone)]
pub(super) struct Latest {
    pub(super) state: Arc<State>,
    pub(super) at: Instant,
    pub(super) problem: Option<String>,
}

/// Both answers of a podstamp, as they came.
pub(super) struct Answers {
    live: Bytes,
    services: Bytes,
}

impl Feed {
    pub(super) fn new(first: State) -> Self {
        let latest = Latest { state: Arc::new(first), at: Instant::now(), problem: None };
        Self { latest: Mutex::new(latest), is_over: AtomicBool::new(false) }
    }

    pub(super) fn latest(&self) -> Latest {
        self.lock().clone()
    }

    /// Whether the process was told to end.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Asks again and again, also where there was no answer: a podstamp that restarts comes back.
    pub(super) async fn follow(self: Arc<Self>, admin: Admin) {
        let over = Arc::clone(&self);
        tokio::spawn(async move {
            told_to_end().await;
            over.is_over.store(true, Ordering::Relaxed);
        });
        loop {
            tokio::time::sleep(PERIOD).await;
            let answer = ask(&admin).await.and_then(|answers| answers.read(&admin));
            let mut latest = self.lock();
            match answer {
                Ok(state) => *latest = Latest { state: Arc::new(state), at: Instant::now(), problem: None },
                Err(failed) => latest.problem = Some(failed.to_string()),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    /// What they say.
    pub(super) fn read(&self, admin: &Admin) -> Result<State, Failed> {
        Ok(State { live: read(&self.live, admin)?, services: read(&self.services, admin)? })
    }

    /// Both in one document, whatever else they say.
    pub(super) fn read_json(&self, admin: &Admin) -> Result<Json, Failed> {
        let [live, services]: [Json; 2] = [read(&self.live, admin)?, read(&self.services, admin)?];
        Ok(json!({"live": live, "services": services}))
    }
}

/// Asks a podstamp.
pub(super) async fn ask(admin: &Admin) -> Result<Answers, Failed> {
    Ok(Answers { live: admin.ask("/console/live").await?, services: admin.ask("/console/services").await? })
}

fn read<T: DeserializeOwned>(answer: &[u8], admin: &Admin) -> Result<T, Failed> {
    serde_json::from_slice(answer).map_err(|error| {
        let message = format!("{} is no console of podstamp, or of another version: {error}", admin.url());
        Failed::message(Exit::Unavailable, message)
    })
}

/// Waits until somebody ends the process by another way than a key.
#[cfg(unix)]
async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()].map(signal);
    let [Ok(mut terminate), Ok(mut hangup), Ok(mut interrupt)] = signals else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => (),
        _ = hangup.recv() => (),
        _ = interrupt.recv() => (),
    }
}

#[cfg(not(unix))]
async fn told_to_end() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

/// How often a podstamp is asked: it counts anew each second.
pub(super) const PERIOD: Duration = Duration::from_secs(1);
