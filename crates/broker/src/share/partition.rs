//! The records of one partition as one share group sees them.

use std::ops::Range;
use std::sync::Arc;

use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::acknowledgement::{Acknowledgement, Kind};

/// The state of one share group in one partition.
///
/// What is before `start` is done with. What is in no run was never delivered. Memory is bounded by how many
/// records may be under way: settled runs lie between those that are not, or vanish at the front.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct SharePartition {
    start: i64,
    /// In order, none empty, none overlapping.
    runs: Vec<Run>,
}

/// Offsets in the same state.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Run {
    first: i64,
    last: i64,
    state: State,
    /// How often they were delivered.
    deliveries: i16,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum State {
    /// To be delivered once more.
    Available,
    /// With a member.
    Acquired { member: Arc<str>, until: Instant },
    /// Accepted, rejected, given up, or no record at all.
    Settled,
}

/// What is written down of offsets: first, last, whether they are settled, and how often they were delivered.
pub(super) type Row = (i64, i64, bool, i16);

/// Records that a member was given: first and last offset, and which delivery of them it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Acquired {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) delivery: i16,
}

/// Who takes records, and how many.
pub(super) struct Taker<'a> {
    pub(super) member: &'a Arc<str>,
    /// Until when it may work on them.
    pub(super) until: Instant,
    /// Most records that it takes.
    pub(super) most: i64,
    /// Most that are under way in the partition.
    pub(super) most_under_way: i64,
}

impl SharePartition {
    /// Everything from `start` on is to be delivered.
    pub(super) const fn new(start: i64) -> Self {
        Self { start, runs: Vec::new() }
    }

    /// The offset before which all is done with.
    pub(super) const fn start(&self) -> i64 {
        self.start
    }

    /// How many runs there are, which is what it takes in memory.
    pub(super) const fn runs(&self) -> usize {
        self.runs.len()
    }

    /// How many records from the start on are done with all the same.
    pub(super) fn settled(&self) -> i64 {
        self.runs.iter().filter(|run| run.state == State::Settled).map(Run::length).sum()
    }

    /// When the next lock ends.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let until = |run: &Run| match run.state {
            State::Acquired { until, .. } => Some(until),
            _ => None,
        };
        self.runs.iter().filter_map(until).min()
    }

    /// The first offset that may be delivered now, whether or not there is a record yet; nothing if no more
    /// may be under way.
    pub(super) fn next_offset(&self, most_under_way: i64) -> Option<i64> {
        let mut next = self.start;
        let has_room = self.under_way() < most_under_way;
        for run in &self.runs {
            if run.first > next && has_room {
                return Some(next);
            }
            if run.state == State::Available {
                return Some(run.first);
            }
            next = run.last + 1;
        }
        has_room.then_some(next)
    }

    /// Gives a member what is to be had of the offsets from `first` to `last`.
    pub(super) fn acquire(&mut self, first: i64, last: i64, taker: &Taker<'_>) -> Vec<Acquired> {
        let mut left = taker.most;
        let mut room = taker.most_under_way - self.under_way();
        let mut taken = Vec::new();
        for (first, last, deliveries) in self.available(first.max(self.start), last) {
            let bound = if deliveries == 0 { left.min(room) } else { left };
            let last = last.min(first.saturating_add(bound - 1));
            if last < first {
                continue;
            }
            left -= last - first + 1;
            if deliveries == 0 {
                room -= last - first + 1;
            }
            taken.push(Acquired { first, last, delivery: deliveries.saturating_add(1) });
        }
        for one in &taken {
            let state = State::Acquired { member: Arc::clone(taker.member), until: taker.until };
            self.set(one.first, one.last, state, one.delivery);
        }
        self.tidy();
        taken
    }

    /// Notes that there is nothing to deliver at these offsets.
    pub(super) fn skip(&mut self, first: i64, last: i64) {
        for (first, last, deliveries) in self.available(first.max(self.start), last) {
            self.set(first, last, State::Settled, deliveries);
        }
        self.tidy();
    }

    /// Takes over what a member says of records that it was given. What is before the start was done with
    /// meanwhile.
    ///
    /// # Errors
    /// INVALID_RECORD_STATE if any of them is not with this member; nothing has changed then.
    pub(super) fn acknowledge(
        &mut self,
        member: &str,
        all: &[Acknowledgement],
        renewed_until: Instant,
        max_deliveries: i16,
    ) -> Result<(), ErrorCode> {
        if !all.iter().all(|one| self.is_with(member, one.first.max(self.start), one.last)) {
            return Err(ErrorCode::InvalidRecordState);
        }
        for one in all {
            let first = one.first.max(self.start);
            match one.kind {
                Kind::Gap | Kind::Accept | Kind::Reject => {
                    self.change(first, one.last, |run| run.state = State::Settled)
                }
                Kind::Release => self.change(first, one.last, |run| run.give_back(max_deliveries)),
                Kind::Renew => self.change(first, one.last, |run| {
                    if let State::Acquired { until, .. } = &mut run.state {
                        *until = renewed_until;
                    }
                }),
            }
        }
        self.tidy();
        Ok(())
    }

    /// Takes back what is with members for longer than they may work on it. Where that was, if anywhere.
    pub(super) fn expire(&mut self, now: Instant, max_deliveries: i16) -> Vec<(i64, i64)> {
        let mut expired = Vec::new();
        for run in &mut self.runs {
            if matches!(run.state, State::Acquired { until, .. } if until <= now) {
                run.give_back(max_deliveries);
                expired.push((run.first, run.last));
            }
        }
        if !expired.is_empty() {
            self.tidy();
        }
        expired
    }

    /// Takes back what is with a member that goes. It may not have seen it, so that was no delivery.
    pub(super) fn release(&mut self, member: &str) {
        for run in &mut self.runs {
            if run.is_with(member) {
                run.state = State::Available;
                run.deliveries -= 1;
            }
        }
        self.tidy();
    }

    /// Whether all that was delivered or is done with is before the end of the log.
    pub(super) fn is_within(&self, log_end: i64) -> bool {
        self.start <= log_end && self.runs.last().is_none_or(|run| run.last < log_end)
    }

    /// Follows a log that has lost records: at its front, or at its end in a crash.
    pub(super) fn follow(&mut self, log_start: i64, log_end: i64) {
        if self.start < log_start {
            self.split(log_start);
            self.runs.retain(|run| run.first >= log_start);
            self.start = log_start;
            self.tidy();
        }
        if !self.is_within(log_end) {
            self.split(log_end);
            self.runs.retain(|run| run.first < log_end);
            self.start = self.start.min(log_end);
        }
    }

    /// What is to be written down of these offsets. What is with a member is written as it was before.
    pub(super) fn rows(&self, first: i64, last: i64) -> impl Iterator<Item = Row> {
        let here = self.from(first).iter().take_while(move |run| run.first <= last);
        here.filter_map(move |run| {
            let settled = match run.state {
                State::Available => false,
                State::Settled => true,
                State::Acquired { .. } => return None,
            };
            Some((run.first.max(first), run.last.min(last), settled, run.deliveries))
        })
    }

    /// What is to be written down of all. What is with a member counts as not delivered this time.
    pub(super) fn all_rows(&self) -> impl Iterator<Item = Row> {
        let row = |run: &Run| match run.state {
            State::Available => (run.first, run.last, false, run.deliveries),
            State::Settled => (run.first, run.last, true, run.deliveries),
            State::Acquired { .. } => (run.first, run.last, false, run.deliveries - 1),
        };
        self.runs.iter().map(row).filter(|(_, _, settled, deliveries)| *settled || *deliveries > 0)
    }

    /// Takes over what was written down.
    pub(super) fn replay(&mut self, start: i64, rows: &[Row]) {
        for &(first, last, settled, deliveries) in rows.iter().filter(|row| row.0 <= row.1) {
            self.set(first, last, if settled { State::Settled } else { State::Available }, deliveries);
        }
        if start > self.start {
            self.split(start);
            self.runs.retain(|run| run.first >= start);
            self.start = start;
        }
        self.tidy();
    }

    /// How many records are with members or to be delivered once more.
    fn under_way(&self) -> i64 {
        self.runs.iter().filter(|run| run.state != State::Settled).map(Run::length).sum()
    }

    /// What is to be had of these offsets, in order: first, last, and how often it was delivered.
    fn available(&self, first: i64, last: i64) -> Vec<(i64, i64, i16)> {
        let (mut found, mut next) = (Vec::new(), first);
        for run in self.from(first).iter().take_while(|run| run.first <= last) {
            if next < run.first {
                found.push((next, run.first - 1, 0));
            }
            if run.state == State::Available {
                found.push((run.first.max(first), run.last.min(last), run.deliveries));
            }
            next = run.last + 1;
        }
        if next <= last {
            found.push((next, last, 0));
        }
        found
    }

    /// Whether all these offsets are with this member; so is nothing.
    fn is_with(&self, member: &str, first: i64, last: i64) -> bool {
        let mut next = first;
        for run in self.from(first) {
            if next > last {
                break;
            }
            if run.first > next || !run.is_with(member) {
                return false;
            }
            next = run.last + 1;
        }
        next > last
    }

    /// Changes the runs of these offsets, all of which are in some.
    fn change(&mut self, first: i64, last: i64, change: impl Fn(&mut Run)) {
        if first > last {
            return;
        }
        let range = self.cut_out(first, last);
        self.runs[range].iter_mut().for_each(change);
    }

    /// Puts these offsets into one state, whatever they were in.
    fn set(&mut self, first: i64, last: i64, state: State, deliveries: i16) {
        let range = self.cut_out(first, last);
        self.runs.splice(range, [Run { first, last, state, deliveries }]);
    }

    /// The runs that end at `first` or later.
    fn from(&self, first: i64) -> &[Run] {
        &self.runs[self.runs.partition_point(|run| run.last < first)..]
    }

    /// Where the runs of these offsets are, once runs begin and end with them.
    fn cut_out(&mut self, first: i64, last: i64) -> Range<usize> {
        self.split(first);
        self.split(last + 1);
        let from = self.runs.partition_point(|run| run.first < first);
        from..self.runs.partition_point(|run| run.first <= last)
    }

    /// Makes a run begin at `offset` if it is inside of one.
    fn split(&mut self, offset: i64) {
        let at = self.runs.partition_point(|run| run.last < offset);
        if let Some(run) = self.runs.get_mut(at)
            && run.first < offset
        {
            let rest = Run { first: offset, ..run.clone() };
            run.last = offset - 1;
            self.runs.insert(at + 1, rest);
        }
    }

    /// Makes one of runs alike, forgets those that tell nothing, and moves the start behind what is settled.
    fn tidy(&mut self) {
        self.runs.retain(|run| run.state != State::Available || run.deliveries > 0);
        let front = self.runs.iter().take_while(|run| {
            let done = run.first <= self.start && run.state == State::Settled;
            self.start = if done { self.start.max(run.last + 1) } else { self.start };
            done
        });
        let done = front.count();
        self.runs.drain(..done);
        self.runs.dedup_by(|run, before| {
            let follows = before.last + 1 == run.first;
            let alike = before.state == run.state
                && (run.state == State::Settled || before.deliveries == run.deliveries);
            if follows && alike {
                before.last = run.last;
            }
            follows && alike
        });
    }
}

impl Run {
    const fn length(&self) -> i64 {
        self.last - self.first + 1
    }

    fn is_with(&self, with: &str) -> bool {
        matches!(&self.state, State::Acquired { member, .. } if **member == *with)
    }

    /// It is to be had again, unless it was delivered as often as it may be.
    fn give_back(&mut self, max_deliveries: i16) {
        self.state = if self.deliveries < max_deliveries { State::Available } else { State::Settled };
    }
}
