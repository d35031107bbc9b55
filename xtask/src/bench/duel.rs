//! Two contenders against each other, turn by turn.

use super::progress::Progress;
use super::results::{Pair, Side};
use super::turn::{Contender, Load, Turn};

/// How long a producing run may take at the slower side, unless a comparison has so many that it sets less.
pub(super) const PRODUCE_SECONDS: f64 = 20.0;
/// Fewer records are not worth measuring.
const MIN_RECORDS: u64 = 10_000;
/// A warm-up writes this share of a turn's records, and at most so many.
const WARM_UP_SHARE: u64 = 4;
const MAX_WARM_UP_RECORDS: u64 = 200_000;

/// Two contenders whose servers run and whose topics are there.
pub(super) struct Duel<'a> {
    pub(super) title: &'a str,
    /// For progress.
    pub(super) word: &'a str,
    pub(super) ours: Contender<'a>,
    pub(super) theirs: Contender<'a>,
    /// How long a producing run may take at the slower side; more records are not written then.
    pub(super) produce_seconds: f64,
    pub(super) progress: &'a Progress,
}

impl Duel<'_> {
    /// Lets each take one turn that is not counted, and says how much load a turn can make in its time.
    ///
    /// # Errors
    /// A client's.
    pub(super) fn warm_up(&self, wanted: Load) -> anyhow::Result<Load> {
        let warm_up =
            Load { records: (wanted.records / WARM_UP_SHARE).clamp(1, MAX_WARM_UP_RECORDS), ..wanted };
        let mut slowest = f64::INFINITY;
        for side in order(1) {
            let turn = self.turn(side, 0, warm_up, "warm-up")?;
            slowest = slowest.min(turn.produce.mib_per_second);
        }
        let load = Load { records: bounded(&wanted, slowest, self.produce_seconds), ..wanted };
        if load.records < wanted.records {
            self.progress.step(&format!("{}: {} records a turn, to stay in time", self.word, load.records));
        }
        Ok(load)
    }

    /// Lets them take turns that count.
    ///
    /// # Errors
    /// A client's.
    pub(super) fn fight(&self, rounds: u32, load: Load) -> anyhow::Result<Pair> {
        let mut turns = Vec::new();
        for round in 1..=rounds {
            for side in order(round) {
                turns.push(self.turn(side, round, load, &format!("round {round}/{rounds}"))?);
            }
        }
        let (ours, theirs) = (self.ours.named.clone(), self.theirs.named.clone());
        Ok(Pair { title: self.title.to_owned(), ours, theirs, load, turns })
    }

    fn turn(&self, side: Side, round: u32, load: Load, step: &str) -> anyhow::Result<Turn> {
        let contender = match side {
            Side::Ours => &self.ours,
            Side::Theirs => &self.theirs,
        };
        contender.take_turn(round, load, &mut |words| {
            self.progress.step(&format!("{}, {step}, {}: {words}", self.word, contender.named.name));
        })
    }
}

/// Who begins changes from round to round: what grows or slows down with time hits both alike.
pub(super) fn order(round: u32) -> [Side; 2] {
    if round.is_multiple_of(2) { [Side::Theirs, Side::Ours] } else { [Side::Ours, Side::Theirs] }
}

/// As many records as the slower side takes in the time of one run.
fn bounded(wanted: &Load, slowest_mib_per_second: f64, seconds: f64) -> u64 {
    // What is too large or no number becomes a bound by the conversion.
    let fitting = wanted.shape.records_of(slowest_mib_per_second * seconds);
    wanted.records.min(fitting.max(MIN_RECORDS))
}

#[cfg(test)]
mod tests {
    use super::super::shape::Shape;
    use super::*;

    #[test]
    fn servers_begin_in_turn() {
        let four: Vec<Side> = (1..=2).flat_map(order).collect();
        assert_eq!(four, [Side::Ours, Side::Theirs, Side::Theirs, Side::Ours]);
    }

    #[test]
    fn a_slow_server_gets_fewer_records_but_never_too_few() {
        let load = |records| Load { shape: Shape::USUAL, records, paced_per_second: 0, paced_seconds: 0 };
        assert_eq!(bounded(&load(1_000_000), 100.0, 20.0), 1_000_000);
        assert_eq!(bounded(&load(1_000_000), 10.0, 20.0), 204_800);
        assert_eq!(bounded(&load(1_000_000), 0.001, 20.0), MIN_RECORDS);
        assert_eq!(bounded(&load(500), 0.001, 20.0), 500);
        assert_eq!(bounded(&load(500), f64::INFINITY, 20.0), 500);
    }
}
