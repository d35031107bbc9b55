//! Transactions of one partition that were aborted: what tells consumers of committed records which to skip.

use serde::{Deserialize, Serialize};

/// An aborted transaction in one partition.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    /// Offset of its first record.
    pub(crate) first_offset: i64,
    /// Offset of its marker.
    pub(crate) last_offset: i64,
    /// The last stable offset once the marker was there: no transaction that ended later began before it.
    pub(crate) stable: i64,
}

/// All of them, in the order of their markers.
#[derive(Default)]
pub(super) struct AbortedTransactions(Vec<Aborted>);

impl AbortedTransactions {
    pub(super) fn push(&mut self, transaction: Aborted) {
        self.0.push(transaction);
    }

    pub(super) fn all(&self) -> &[Aborted] {
        &self.0
    }

    /// Those with records from offset `from` up to before `to`.
    pub(super) fn overlapping(&self, from: i64, to: i64) -> Vec<Aborted> {
        let mut found = Vec::new();
        for one in &self.0[self.0.partition_point(|one| one.last_offset < from)..] {
            if one.first_offset < to {
                found.push(*one);
            }
            if one.stable >= to {
                break;
            }
        }
        found
    }

    /// Those that began before offset `end`.
    pub(super) fn before(&self, end: i64) -> Vec<Aborted> {
        self.0.iter().filter(|one| one.first_offset < end).copied().collect()
    }

    /// Forgets those with markers at these offsets, which are in order.
    pub(super) fn forget(&mut self, markers: &[i64]) {
        if !markers.is_empty() {
            self.0.retain(|one| markers.binary_search(&one.last_offset).is_err());
        }
    }

    /// Forgets those whose records are all before offset `start`.
    pub(super) fn forget_before(&mut self, start: i64) {
        if self.0.first().is_some_and(|oldest| oldest.last_offset < start) {
            self.0.drain(..self.0.partition_point(|one| one.last_offset < start));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn aborted(producer_id: i64, first_offset: i64, last_offset: i64, stable: i64) -> Aborted {
        Aborted { producer_id, first_offset, last_offset, stable }
    }

    /// Producer 1 has 0..=9, producer 2 has 3..=5 and then 10..=20.
    fn some() -> AbortedTransactions {
        AbortedTransactions(vec![aborted(2, 3, 5, 0), aborted(1, 0, 9, 10), aborted(2, 10, 20, 21)])
    }

    /// Producers and first offsets.
    fn within(some: &AbortedTransactions, from: i64, to: i64) -> Vec<(i64, i64)> {
        some.overlapping(from, to).iter().map(|one| (one.producer_id, one.first_offset)).collect()
    }

    #[test]
    fn those_that_overlap_the_range_are_found() {
        assert_eq!(within(&some(), 0, 3), [(1, 0)]);
        assert_eq!(within(&some(), 0, 4), [(2, 3), (1, 0)]);
        assert_eq!(within(&some(), 6, 10), [(1, 0)]);
        assert_eq!(within(&some(), 6, 11), [(1, 0), (2, 10)]);
        assert_eq!(within(&some(), 10, 100), [(2, 10)]);
        assert_eq!(within(&some(), 21, 100), []);
        assert_eq!(within(&some(), 7, 7), [(1, 0)], "a long one goes on at an empty range");
    }

    #[test]
    fn what_the_log_has_lost_is_forgotten() {
        let mut some = some();
        some.forget_before(9);
        assert_eq!(within(&some, 0, 100), [(1, 0), (2, 10)]);
        some.forget_before(10);
        assert_eq!(some.0.len(), 1);
    }

    #[test]
    fn those_without_a_marker_are_forgotten() {
        let mut some = some();
        assert_eq!(some.before(3), [aborted(1, 0, 9, 10)]);
        assert_eq!(some.before(10).len(), 2);
        some.forget(&[1, 9, 20]);
        assert_eq!(within(&some, 0, 100), [(2, 3)]);
    }
}
