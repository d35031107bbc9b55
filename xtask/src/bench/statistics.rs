//! Medians, spreads and ratios.

use serde::Serialize;

/// What several rounds of one measurement say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Summary {
    /// `None` where nothing was measured. A value that is no number was not measured.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(*sorted.get(upper - 1)?, *sorted.get(upper)?)
        } else {
            *sorted.get(upper)?
        };
        Some(Self { median, min, max })
    }

    /// How far the rounds lie apart, as a share of the median; `None` for a median of 0.
    pub(super) fn spread(&self) -> Option<f64> {
        ratio(self.max - self.min, self.median)
    }
}

/// `ours / theirs`, where that means something.
pub(super) fn ratio(ours: f64, theirs: f64) -> Option<f64> {
    let ratio = ours / theirs;
    ratio.is_finite().then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_odd_count_is_the_middle_one_and_of_an_even_count_lies_between_two() {
        assert_eq!(Summary::of(&[9.0, 1.0, 2.0]), Some(Summary { median: 2.0, min: 1.0, max: 9.0 }));
        assert_eq!(Summary::of(&[4.0, 1.0, 2.0, 9.0]), Some(Summary { median: 3.0, min: 1.0, max: 9.0 }));
        assert_eq!(Summary::of(&[5.0]), Some(Summary { median: 5.0, min: 5.0, max: 5.0 }));
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&[f64::NAN, 5.0]), Summary::of(&[5.0]));
    }

    #[test]
    fn the_spread_is_a_share_of_the_median() {
        let summary = Summary { median: 4.0, min: 3.0, max: 5.0 };
        assert_eq!(summary.spread(), Some(0.5));
        assert_eq!(Summary { median: 0.0, min: 0.0, max: 5.0 }.spread(), None);
    }

    #[test]
    fn a_ratio_to_nothing_is_no_ratio() {
        assert_eq!(ratio(1.0, 4.0), Some(0.25));
        assert_eq!(ratio(1.0, 0.0), None);
        assert_eq!(ratio(0.0, 0.0), None);
    }
}
