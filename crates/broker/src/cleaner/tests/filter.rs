//! One batch at a time.

use std::collections::HashMap;

use bytes::Bytes;
use schloss_wire::records::{BatchHeader, Compression, Record, RecordBatch, TimestampType};

use crate::cleaner::filter::{Filter, Kept};
use crate::cleaner::offset_map::OffsetMap;
use crate::cleaner::transactions::{AbortedRecords, Unended};
use crate::control::Marker;
use crate::producers::{Aborted, LastRecord};
use crate::records::{decode, encode};
use crate::testing::Patch as _;

/// Key and value; a record without a value is a delete marker.
pub(super) type Content<'a> = (Option<&'a str>, Option<&'a str>);

pub(super) fn batch(
    base_offset: i64,
    producer_id: i64,
    transactional: bool,
    records: &[Content<'_>],
) -> RecordBatch {
    let bytes = |text: &str| Bytes::from(text.to_owned());
    let record = |(offset_delta, (key, value)): (i32, &Content<'_>)| Record {
        attributes: 0,
        timestamp_delta: offset_delta.into(),
        offset_delta,
        key: key.map(bytes),
        value: value.map(bytes),
        headers: Vec::new(),
    };
    let count = i32::try_from(records.len()).unwrap();
    RecordBatch {
        base_offset,
        last_offset_delta: count - 1,
        partition_leader_epoch: 0,
        compression: Compression::None,
        timestamp_type: TimestampType::CreateTime,
        is_transactional: transactional,
        is_control: false,
        has_delete_horizon: false,
        base_timestamp: 5_000,
        max_timestamp: 5_000 + i64::from(count) - 1,
        producer_id,
        producer_epoch: if producer_id < 0 { -1 } else { 0 },
        base_sequence: if producer_id < 0 { -1 } else { 0 },
        records: (0..).zip(records).map(record).collect(),
    }
}

const NOW: i64 = 100_000;
const DELETE_RETENTION: i64 = 1_000;

struct Setup {
    keys: OffsetMap,
    aborted: AbortedRecords,
    producers: HashMap<i64, LastRecord>,
}

impl Setup {
    /// Key `k` is newest at offset 50, and everything before 100 is known.
    fn new() -> Self {
        let mut keys = OffsetMap::new(0, 10);
        keys.put(b"k", 50);
        keys.reach(100);
        Self { keys, aborted: AbortedRecords::default(), producers: HashMap::new() }
    }

    fn filter(&self, now_ms: i64) -> Filter<'_> {
        Filter {
            keys: &self.keys,
            aborted: &self.aborted,
            producers: &self.producers,
            now_ms,
            delete_retention_ms: DELETE_RETENTION,
            unended: Unended::default(),
            removed_markers: Vec::new(),
            unreadable: 0,
        }
    }
}

fn through(filter: &mut Filter<'_>, batch: &Bytes, stays: bool) -> Kept {
    filter.batch(&BatchHeader::parse(batch).unwrap(), batch, stays).unwrap()
}

fn decoded(kept: &Kept) -> RecordBatch {
    let Kept::As(header, bytes) = kept else { panic!("{kept:?}") };
    assert_eq!(BatchHeader::parse(bytes).unwrap(), *header);
    decode(bytes).unwrap()
}

#[test]
fn what_is_superseded_goes_and_the_rest_keeps_offset_time_and_codec() {
    let setup = Setup::new();
    let records = [
        (Some("k"), Some("old")),
        (Some("other"), Some("1")),
        (None, Some("no key")),
        (Some("z"), Some("2")),
    ];
    for compression in [Compression::None, Compression::Gzip] {
        let before = RecordBatch { compression, ..batch(10, 7, false, &records) };
        let kept = through(&mut setup.filter(NOW), &encode(&before).unwrap(), false);
        let mut expected = before.clone();
        expected.records.remove(2);
        expected.records.remove(0);
        assert_eq!(decoded(&kept), expected);
    }
}

#[test]
fn a_batch_that_loses_nothing_stays_as_the_bytes_it_is() {
    let setup = Setup::new();
    for (offset, records) in
        [(50, [(Some("k"), Some("newest"))]), (100, [(None, Some("x"))]), (3, [(Some("a"), Some("1"))])]
    {
        let bytes = encode(&batch(offset, -1, false, &records)).unwrap();
        assert_eq!(through(&mut setup.filter(NOW), &bytes, false), Kept::Whole, "{offset}");
    }
}

#[test]
fn a_batch_without_records_stays_if_its_offsets_have_to() {
    let mut setup = Setup::new();
    let bytes = encode(&batch(10, 7, false, &[(Some("k"), Some("old"))])).unwrap();
    assert_eq!(through(&mut setup.filter(NOW), &bytes, false), Kept::Nothing);
    let kept = decoded(&through(&mut setup.filter(NOW), &bytes, true));
    assert_eq!(
        (kept.records.len(), kept.base_offset, kept.last_offset_delta, kept.producer_id),
        (0, 10, 0, 7)
    );
    // The last of its producer stays by itself; and goes when it is not that any more.
    setup.producers.insert(7, LastRecord { offset: Some(10), epoch: 0 });
    let Kept::As(_, empty) = through(&mut setup.filter(NOW), &bytes, false) else { panic!() };
    assert_eq!(through(&mut setup.filter(NOW), &empty, false), Kept::Whole);
    setup.producers.insert(7, LastRecord { offset: Some(11), epoch: 0 });
    assert_eq!(through(&mut setup.filter(NOW), &bytes, false), Kept::Nothing);
    assert_eq!(through(&mut setup.filter(NOW), &empty, false), Kept::Nothing);
}

#[test]
fn a_delete_marker_gets_its_horizon_once_and_goes_with_it() {
    let setup = Setup::new();
    let before = batch(10, -1, false, &[(Some("gone"), None), (Some("here"), Some("1"))]);
    let kept = through(&mut setup.filter(NOW), &encode(&before).unwrap(), false);
    let first = decoded(&kept);
    assert_eq!((first.has_delete_horizon, first.base_timestamp), (true, NOW + DELETE_RETENTION));
    let stamps = |batch: &RecordBatch| -> Vec<i64> {
        batch.records.iter().map(|record| batch.base_timestamp + record.timestamp_delta).collect()
    };
    assert_eq!((stamps(&first), first.max_timestamp), (stamps(&before), before.max_timestamp));
    let Kept::As(_, bytes) = kept else { panic!() };
    assert_eq!(through(&mut setup.filter(NOW + DELETE_RETENTION - 1), &bytes, false), Kept::Whole);
    let last = decoded(&through(&mut setup.filter(NOW + DELETE_RETENTION), &bytes, false));
    assert_eq!(last.records.len(), 1);
    assert_eq!((stamps(&last), last.records[0].offset_delta), (vec![5_001], 1));
}

#[test]
fn aborted_records_go_and_their_marker_goes_later() {
    let mut setup = Setup::new();
    let aborted = Aborted { producer_id: 7, first_offset: 10, last_offset: 11, stable: 12 };
    setup.aborted = AbortedRecords::new(&[aborted]);
    let data = encode(&batch(10, 7, true, &[(Some("a"), Some("1"))])).unwrap();
    let marker = Marker { producer_id: 7, producer_epoch: 0, commit: false, coordinator_epoch: 0 };
    let (_, marker) = marker.encode(1).unwrap();
    let mut filter = setup.filter(NOW);
    assert_eq!(through(&mut filter, &data, false), Kept::Nothing);
    assert_eq!(through(&mut filter, &marker, false), Kept::Whole, "there was something to end");
    // The next time there is nothing left to end.
    let Kept::As(header, marker) = through(&mut setup.filter(NOW), &marker, false) else { panic!() };
    assert!(header.is_control() && Marker::decode(marker.clone()).is_some());
    let mut filter = setup.filter(NOW + DELETE_RETENTION - 1);
    assert_eq!(through(&mut filter, &marker, false), Kept::Whole);
    let mut filter = setup.filter(NOW + DELETE_RETENTION);
    assert_eq!(through(&mut filter, &marker, false), Kept::Nothing);
    assert_eq!(filter.removed_markers, [0]);
    // As long as the producer wrote nothing since, its epoch is kept by an empty batch.
    setup.producers.insert(7, LastRecord { offset: None, epoch: 0 });
    let empty = decoded(&through(&mut setup.filter(NOW + DELETE_RETENTION), &marker, false));
    assert!(empty.is_control && empty.records.is_empty());
}

#[test]
fn what_cannot_be_read_stays_unless_it_counts_for_nothing() {
    let mut setup = Setup::new();
    let records = [(Some("k"), Some("old")), (Some("k"), Some("older"))];
    let mut lying = batch(10, 7, true, &records);
    lying.records[0].offset_delta = 40;
    let garbage = encode(&batch(10, 7, true, &records)).unwrap().patched(21, &0x11i16.to_be_bytes());
    for bytes in [encode(&lying).unwrap(), garbage] {
        let mut filter = setup.filter(NOW);
        assert_eq!(through(&mut filter, &bytes, false), Kept::Whole);
        assert_eq!(filter.unreadable, 1);
        let aborted = Aborted { producer_id: 7, first_offset: 10, last_offset: 12, stable: 13 };
        setup.aborted = AbortedRecords::new(&[aborted]);
        assert_eq!(through(&mut setup.filter(NOW), &bytes, false), Kept::Nothing);
        setup.aborted = AbortedRecords::default();
    }
}
