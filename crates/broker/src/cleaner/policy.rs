//! What is to be done with a log: decided from its segments and its topic's settings alone.
//!
//! The rules are Kafka's (`LogSegment.shouldRoll`, `LogCleanerManager`).

use schloss_log::{Retention, SegmentView};

/// A topic's settings, as far as they are about keeping its logs small. Times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Policy {
    /// Which segments go; none unless `cleanup.policy` has `delete`.
    pub(crate) retention: Retention,
    /// `cleanup.policy` has `compact`.
    pub(crate) compact: bool,
    pub(crate) segment_bytes: u64,
    pub(crate) segment_ms: i64,
    pub(crate) delete_retention_ms: i64,
    pub(crate) min_compaction_lag_ms: i64,
    pub(crate) max_compaction_lag_ms: i64,
    pub(crate) min_dirty_ratio: f64,
}

/// What of a log can be compacted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dirty {
    /// From this offset on nothing was compacted.
    pub(crate) start: i64,
    /// Up to here it can be, the front of a segment.
    pub(crate) end: i64,
    /// The part of the bytes that is not compacted.
    pub(crate) ratio: f64,
}

impl Policy {
    /// Whether the segment that takes the appends is old enough to be closed.
    pub(crate) fn is_roll_due(&self, segments: &[SegmentView], active_since_ms: i64, now_ms: i64) -> bool {
        let age = now_ms.saturating_sub(active_since_ms);
        let limit =
            if self.compact { self.segment_ms.min(self.max_compaction_lag_ms) } else { self.segment_ms };
        segments.last().is_some_and(|active| active.base_offset < active.end_offset) && age >= limit
    }

    /// What can be compacted: whole segments that are settled, below `stable`, before which every transaction has
    /// ended, and old enough.
    pub(crate) fn dirty(
        &self,
        segments: &[SegmentView],
        cleaned_to: i64,
        stable: i64,
        now_ms: i64,
    ) -> Option<Dirty> {
        let first = segments.first()?.base_offset;
        // A note that is beyond what can be compacted is not of this log.
        let is_possible = segments.last().is_some_and(|last| cleaned_to <= last.base_offset);
        let start = if is_possible { cleaned_to.max(first) } else { first };
        let youngest = now_ms.saturating_sub(self.min_compaction_lag_ms);
        let can_be = |segment: &&SegmentView| {
            let is_old = self.min_compaction_lag_ms == 0
                || segment.end_offset <= start
                || segment.newest_ms.is_none_or(|newest| newest <= youngest);
            segment.is_settled && segment.end_offset <= stable && is_old
        };
        let mut end = first;
        let (mut clean_bytes, mut dirty_bytes) = (0, 0);
        for segment in segments.iter().take_while(can_be) {
            end = segment.end_offset;
            let bytes = if end <= start { &mut clean_bytes } else { &mut dirty_bytes };
            *bytes += segment.bytes;
        }
        let ratio = dirty_bytes as f64 / (clean_bytes + dirty_bytes).max(1) as f64;
        (end > start).then_some(Dirty { start, end, ratio })
    }

    /// Whether it is time to compact. `oldest_ms` is the time of the first batch that was not.
    pub(crate) fn is_compaction_due(&self, dirty: &Dirty, oldest_ms: Option<i64>, now_ms: i64) -> bool {
        let overdue =
            oldest_ms.is_some_and(|oldest| now_ms.saturating_sub(oldest) > self.max_compaction_lag_ms);
        dirty.ratio > self.min_dirty_ratio || overdue
    }

    /// The segments before `end` in groups that become one segment each.
    pub(crate) fn groups(&self, segments: &[SegmentView], end: i64) -> Vec<Vec<SegmentView>> {
        let mut groups: Vec<Vec<SegmentView>> = Vec::new();
        for segment in segments.iter().filter(|segment| segment.base_offset < end) {
            let joins = groups.last().filter(|group| {
                let bytes: u64 = group.iter().map(|member| member.bytes).sum();
                let base = group.first().map_or(segment.base_offset, |first| first.base_offset);
                bytes + segment.bytes <= self.segment_bytes
                    && i32::try_from(segment.end_offset - base).is_ok()
            });
            match joins.is_some().then(|| groups.last_mut()).flatten() {
                Some(group) => group.push(*segment),
                None => groups.push(vec![*segment]),
            }
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn policy() -> Policy {
        Policy {
            retention: Retention::default(),
            compact: true,
            segment_bytes: 250,
            segment_ms: 5_000,
            delete_retention_ms: 0,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_dirty_ratio: 0.5,
        }
    }

    /// Segments of 10 records and 100 bytes, each 1000 ms older than the one after it; the last is of now.
    fn segments(count: i64) -> Vec<SegmentView> {
        let segment = |number| SegmentView {
            base_offset: number * 10,
            end_offset: number * 10 + 10,
            bytes: 100,
            newest_ms: Some(NOW - (count - 1 - number) * 1_000),
            is_settled: number < count - 1,
        };
        (0..count).map(segment).collect()
    }

    #[test]
    fn a_segment_is_closed_by_age_unless_it_is_empty() {
        let due = |policy: Policy, age| policy.is_roll_due(&segments(1), NOW - age, NOW);
        assert!(due(policy(), 5_000) && !due(policy(), 4_999));
        let lag = Policy { max_compaction_lag_ms: 100, ..policy() };
        assert!(due(lag.clone(), 100) && !due(lag.clone(), 99));
        assert!(!due(Policy { compact: false, ..lag }, 100));
        let empty =
            [SegmentView { base_offset: 7, end_offset: 7, bytes: 0, newest_ms: None, is_settled: false }];
        assert!(!policy().is_roll_due(&empty, 0, NOW));
    }

    #[test]
    fn closed_stable_and_old_segments_can_be_compacted() {
        let range = |dirty: Option<Dirty>| dirty.map(|dirty| (dirty.start, dirty.end));
        assert_eq!(range(policy().dirty(&segments(4), 0, 40, NOW)), Some((0, 30)));
        assert_eq!(range(policy().dirty(&segments(4), 0, 29, NOW)), Some((0, 20)));
        assert_eq!(range(policy().dirty(&segments(4), 15, 40, NOW)), Some((15, 30)));
        assert_eq!(range(policy().dirty(&segments(4), 30, 40, NOW)), None);
        assert_eq!(range(policy().dirty(&segments(4), 31, 40, NOW)), Some((0, 30)), "no note of this log");
        let lag = Policy { min_compaction_lag_ms: 2_000, ..policy() };
        assert_eq!(range(lag.dirty(&segments(4), 0, 40, NOW)), Some((0, 20)));
        assert_eq!(range(lag.dirty(&segments(4), 30, 40, NOW)), None);
        assert_eq!(range(policy().dirty(&segments(1), 0, 40, NOW)), None);
        let mut unsettled = segments(4);
        unsettled[1].is_settled = false;
        assert_eq!(range(policy().dirty(&unsettled, 0, 40, NOW)), Some((0, 10)));
    }

    #[test]
    fn it_is_time_to_compact_when_much_is_dirty_or_something_is_for_too_long() {
        let dirty = |cleaned_to| policy().dirty(&segments(5), cleaned_to, 50, NOW).unwrap();
        assert_eq!(dirty(0).ratio, 1.0);
        assert_eq!(dirty(20).ratio, 0.5);
        assert!(policy().is_compaction_due(&dirty(10), None, NOW));
        assert!(!policy().is_compaction_due(&dirty(20), None, NOW), "more than the ratio is asked for");
        let lag = Policy { max_compaction_lag_ms: 100, ..policy() };
        assert!(lag.is_compaction_due(&dirty(20), Some(NOW - 101), NOW));
        assert!(!lag.is_compaction_due(&dirty(20), Some(NOW - 100), NOW));
    }

    #[test]
    fn small_segments_become_one_as_long_as_that_is_not_too_large() {
        let bases = |end| -> Vec<Vec<i64>> {
            let groups = policy().groups(&segments(6), end);
            groups.iter().map(|group| group.iter().map(|one| one.base_offset).collect()).collect()
        };
        assert_eq!(bases(50), [vec![0, 10], vec![20, 30], vec![40]]);
        assert_eq!(bases(11), [vec![0, 10]]);
        assert_eq!(bases(0), Vec::<Vec<i64>>::new());
    }
}
