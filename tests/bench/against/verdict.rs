//! What a figure's rounds say: whether it has become worse, and by how much.

use super::figures::Better;
use crate::sample::median;

/// The outcome for one figure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    /// The middle of the rounds' ratios, turned so that more than 1 is worse.
    pub(super) ratio: f64,
    /// The least and the greatest of them.
    pub(super) range: [f64; 2],
}

impl Verdict {
    /// Of pairs of theirs and ours, each of one round; `None` where nothing can be divided.
    pub(super) fn of(better: Better, pairs: &[(f64, f64)]) -> Option<Self> {
        let ratios = pairs.iter().map(|(theirs, ours)| match better {
            Better::Less => ours / theirs,
            Better::More => theirs / ours,
        });
        let ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite() && *ratio > 0.0).collect();
        let least = ratios.iter().copied().min_by(f64::total_cmp)?;
        let most = ratios.iter().copied().max_by(f64::total_cmp)?;
        Some(Self { ratio: median(ratios), range: [least, most] })
    }

    /// Beyond noise: all rounds agree, of which seven do by chance once in 64 times, and the middle one is off by [`LEAST`].
    pub(super) fn is_worse(self) -> bool {
        self.range[0] > 1.0 && self.ratio >= 1.0 + LEAST
    }

    pub(super) fn word(self) -> &'static str {
        let is_better = self.range[1] < 1.0 && self.ratio <= 1.0 / (1.0 + LEAST);
        match (self.is_worse(), is_better) {
            (true, _) => "WORSE",
            (_, true) => "better",
            _ => "",
        }
    }

    /// Whether it is worse, and by more than `limit`.
    pub(super) fn exceeds(self, limit: f64) -> bool {
        self.is_worse() && self.ratio > limit
    }
}

/// The middles of theirs and ours.
pub(super) fn middles(pairs: &[(f64, f64)]) -> [f64; 2] {
    [pairs.iter().map(|pair| pair.0).collect(), pairs.iter().map(|pair| pair.1).collect()].map(median)
}

/// Two builds of the same source differ by as much, for where their code comes to lie.
pub(super) const LEAST: f64 = 0.03;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_rounds_agree_on_is_beyond_noise() {
        let times = |pairs: &[(f64, f64)]| Verdict::of(Better::Less, pairs).unwrap().word();
        assert_eq!(times(&[(1.0, 1.1), (1.0, 1.2), (2.0, 2.1)]), "WORSE");
        assert_eq!(times(&[(1.0, 1.1), (1.0, 1.2), (2.0, 1.9)]), "");
        assert_eq!(times(&[(1.0, 1.01), (1.0, 1.02), (2.0, 2.01)]), "");
        assert_eq!(times(&[(1.0, 0.5), (1.0, 0.6), (2.0, 1.1)]), "better");
    }

    #[test]
    fn a_rate_is_worse_where_it_falls() {
        let verdict = Verdict::of(Better::More, &[(100.0, 50.0), (100.0, 80.0), (100.0, 90.0)]).unwrap();
        assert_eq!((verdict.ratio, verdict.range), (1.25, [100.0 / 90.0, 2.0]));
        assert!(verdict.exceeds(1.2) && !verdict.exceeds(1.3));
    }

    #[test]
    fn what_was_not_measured_has_no_verdict() {
        assert!(Verdict::of(Better::Less, &[(0.0, 1.0), (f64::NAN, 1.0)]).is_none());
        assert!(Verdict::of(Better::Less, &[]).is_none());
    }
}
