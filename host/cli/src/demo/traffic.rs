//! Requests through the shop, one after the other, for as long as the demo is kept: its console then has something to show.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;
use tokio::time::sleep;

use super::send::Connection;
use super::shop::{self, Course, RELAY, SERVICES, Way};

/// Sends until it is dropped. A connection that breaks is opened again.
pub(super) async fn flow(to: SocketAddr) {
    let mut dice = Dice(now());
    loop {
        if let Err(error) = send(to, &mut dice).await {
            tracing::warn!("the demo's own traffic: {error:#}");
        }
        sleep(PAUSE).await;
    }
}

/// Sends one trace after the other over one connection, until that breaks.
async fn send(to: SocketAddr, dice: &mut Dice) -> anyhow::Result<()> {
    let mut balanced = Connection::open(to).await?;
    loop {
        // Most requests are quick, some take several times as long, and one in fifteen fails.
        let slow = if dice.below(8) == 0 { 100 + dice.below(600) } else { 0 };
        let course = Course { pace: 60 + dice.below(80) + slow, fails: dice.below(15) == 0 };
        let trace = u128::from(dice.roll()) << 64 | u128::from(dice.roll());
        // It has just ended, or the guard would move its spans.
        let begin = now().saturating_sub(TAKES * course.pace / 100);
        for service in &SERVICES {
            let body = shop::export(service, trace, begin, &course).encode_to_vec();
            let relay = (service.way == Way::Relay).then_some(RELAY);
            balanced.post("/v1/traces", relay, body).await?;
        }
        sleep(PAUSE.mul_f64(0.5 + dice.below(100) as f64 / 100.0)).await;
    }
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Numbers that look random: splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }
}

/// Some four traces a second: enough to watch, and nothing for a processor.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a request usually takes in the shop, nanoseconds.
const TAKES: u64 = 48_200_000;
