//! Whether clocks agree: ours, and those of the API server and the agent, by the `Date` of their answers.

use std::time::Duration;

use super::finding::Finding;
use crate::dated::Dated;

/// What a difference means. `is_podstamps`: our clock is the one that podstamp goes by.
pub(super) fn judge(dated: Dated, is_podstamps: bool) -> Finding {
    let (difference, side) = match dated {
        Dated::Agrees => return Finding::fine("agrees with the clock here"),
        Dated::Ahead(difference) => (difference, "ahead of"),
        Dated::Behind(difference) => (difference, "behind"),
    };
    let told = format!("{} {side} the clock here", seconds(difference));
    let advice = "set both clocks by NTP (chrony, systemd-timesyncd): spans whose clock is ahead are moved back by podstamp or \
                  blank the agent's metrics, and those of one trace stand apart";
    match difference {
        small if small <= CLOSE => Finding::fine(told),
        _ if !is_podstamps => Finding::warning(
            told,
            format!("{advice}. It may be the clock of this machine, which podstamp does not go by"),
        ),
        large if large > FAR => Finding::failed(told, advice),
        _ => Finding::warning(told, advice),
    }
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds => format!("{seconds} s"),
    }
}

/// Two hosts with NTP are closer than that, a slow network included.
const CLOSE: Duration = Duration::from_secs(2);

/// From here on the guard takes a span for one from the future.
const FAR: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State;

    #[test]
    fn what_the_guard_takes_for_the_future_fails_where_podstamp_goes_by_this_clock() {
        let state =
            |seconds, is_podstamps| judge(Dated::Ahead(Duration::from_secs(seconds)), is_podstamps).state;
        assert_eq!(judge(Dated::Agrees, true).state, State::Fine);
        assert_eq!(
            (state(2, true), state(3, true), state(6, true)),
            (State::Fine, State::Warning, State::Failed)
        );
        assert_eq!((state(2, false), state(3600, false)), (State::Fine, State::Warning));
        let behind = judge(Dated::Behind(Duration::from_secs(90)), true);
        assert_eq!(behind.summary, "90 s behind the clock here");
    }
}
