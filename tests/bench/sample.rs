//! Timing: interleaved samples, medians.

use std::time::{Duration, Instant};

/// Something to time, and its name.
pub(crate) type Task<'a> = (&'static str, Box<dyn FnMut() + 'a>);

/// Times each of `tasks` in turn, round by round, so that all of them meet the same noise. Gives the median seconds of
/// one call of each.
pub(crate) fn medians(tasks: &mut [Task<'_>], quick: bool) -> Vec<f64> {
    let (rounds, slice) = if quick { (5, Duration::from_millis(4)) } else { (11, Duration::from_millis(20)) };
    let calls: Vec<u32> = tasks.iter_mut().map(|(_, task)| calls_in(task, slice)).collect();
    let mut samples = vec![Vec::with_capacity(rounds); tasks.len()];
    for _ in 0..rounds {
        for (index, (_, task)) in tasks.iter_mut().enumerate() {
            let begin = Instant::now();
            for _ in 0..calls[index] {
                task();
            }
            samples[index].push(begin.elapsed().as_secs_f64() / f64::from(calls[index]));
        }
    }
    samples.into_iter().map(median).collect()
}

/// The middle of some samples.
pub(crate) fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// How many calls fill a slice of time; warms up on the way.
fn calls_in(task: &mut dyn FnMut(), slice: Duration) -> u32 {
    let mut calls = 1;
    loop {
        let begin = Instant::now();
        for _ in 0..calls {
            task();
        }
        let elapsed = begin.elapsed();
        if elapsed * 2 >= slice || calls >= 1 << 24 {
            let each = elapsed.as_secs_f64() / f64::from(calls);
            return ((slice.as_secs_f64() / each.max(1e-9)) as u32).max(1);
        }
        calls *= 4;
    }
}
