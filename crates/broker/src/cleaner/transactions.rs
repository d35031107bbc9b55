//! What a walk over a log has to know of its transactions.

use std::collections::{HashMap, HashSet};

use schloss_wire::records::BatchHeader;

use crate::producers::Aborted;

/// The transactions that were aborted: their records count for nothing.
#[derive(Default)]
pub(crate) struct AbortedRecords(HashMap<i64, Vec<(i64, i64)>>);

impl AbortedRecords {
    /// Those of these transactions.
    pub(crate) fn new(transactions: &[Aborted]) -> Self {
        let mut ranges: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
        for aborted in transactions {
            ranges.entry(aborted.producer_id).or_default().push((aborted.first_offset, aborted.last_offset));
        }
        for of_producer in ranges.values_mut() {
            of_producer.sort_unstable();
        }
        Self(ranges)
    }

    /// Whether the records of this batch are of such a transaction. A producer has one transaction at a time, so
    /// all it wrote in one between the first record and the marker belongs to it.
    pub(crate) fn contain(&self, header: &BatchHeader) -> bool {
        if !header.is_transactional() || header.is_control() {
            return false;
        }
        let Some(ranges) = self.0.get(&header.producer_id) else { return false };
        let before = ranges.partition_point(|(first, _)| *first <= header.base_offset);
        before.checked_sub(1).is_some_and(|last| header.base_offset <= ranges[last].1)
    }
}

/// Tells markers that still end something in the log from those that do not.
///
/// A marker has to stay as long as there is a batch of its transaction, be it empty: without it the transaction
/// would look as if it were open.
#[derive(Default)]
pub(crate) struct Unended(HashSet<i64>);

impl Unended {
    /// Notes the next batch; true for a marker whose transaction has nothing left in the log.
    pub(crate) fn ends_nothing(&mut self, header: &BatchHeader) -> bool {
        if header.is_control() {
            return !self.0.remove(&header.producer_id);
        }
        if header.is_transactional() {
            self.0.insert(header.producer_id);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::transactional;

    fn header(producer_id: i64, base_offset: i64) -> BatchHeader {
        let header = BatchHeader::parse(&transactional(1, producer_id, 0, 0)).unwrap();
        BatchHeader { base_offset, ..header }
    }

    const CONTROL_BIT: i16 = 0x20;

    #[test]
    fn records_between_the_first_and_the_marker_are_aborted_and_no_others() {
        let aborted =
            |first_offset, last_offset| Aborted { producer_id: 7, first_offset, last_offset, stable: 0 };
        let records = AbortedRecords::new(&[aborted(20, 29), aborted(3, 9)]);
        for (offset, expected) in [(2, false), (3, true), (8, true), (10, false), (20, true), (30, false)] {
            assert_eq!(records.contain(&header(7, offset)), expected, "{offset}");
        }
        assert!(!records.contain(&header(8, 5)));
        let plain = BatchHeader { attributes: 0, ..header(7, 5) };
        assert!(!records.contain(&plain));
    }

    #[test]
    fn a_marker_is_needed_as_long_as_a_batch_of_its_transaction_is_there() {
        let marker = |id| BatchHeader { attributes: 0x10 | CONTROL_BIT, ..header(id, 9) };
        let mut unended = Unended::default();
        assert!(!unended.ends_nothing(&header(1, 0)));
        assert!(unended.ends_nothing(&marker(2)));
        assert!(!unended.ends_nothing(&marker(1)));
        assert!(unended.ends_nothing(&marker(1)), "the transaction has ended before");
    }
}
