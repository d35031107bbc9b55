use bytes::Bytes;

use super::*;
use crate::messages::FetchResponse;
use crate::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData,
};
use crate::{Response, build};

/// A batch header that counts `records`, and `padding` bytes of them.
fn batch(records: i32, padding: usize) -> Vec<u8> {
    let mut batch = vec![0; BATCH_HEADER_BYTES + padding];
    let length = i32::try_from(batch.len() - 12).unwrap();
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[16] = 2;
    batch[57..61].copy_from_slice(&records.to_be_bytes());
    batch
}

fn response(version: i16) -> Response {
    let mut records = batch(3, 100);
    records.extend(batch(4, 0));
    let mut cut = batch(5, 30);
    cut.extend_from_slice(&batch(9, 9)[..40]);
    let aborted = build!(AbortedTransaction { producer_id: 7, first_offset: 8 });
    let mut busy = build!(PartitionData {
        partition_index: 1,
        aborted_transactions: Some(vec![aborted.clone(), aborted]),
        records: Some(Bytes::from(records)),
    });
    if version >= 12 {
        busy.current_leader = build!(LeaderIdAndEpoch { leader_id: 3, leader_epoch: 300 });
    }
    let failed = build!(PartitionData {
        partition_index: 2,
        error_code: 6,
        aborted_transactions: None,
        records: None,
    });
    let last = build!(PartitionData { partition_index: 0, records: Some(Bytes::from(cut)) });
    let topic = |name: &str, id: u8, partitions| {
        let (by_name, by_id) = (version < 13, version >= 13);
        build!(FetchableTopicResponse {
            topic: StrBytes::from(if by_name { name } else { "" }),
            topic_id: if by_id { Uuid::from_bytes([id; 16]) } else { Uuid::ZERO },
            partitions: partitions,
        })
    };
    let responses =
        vec![topic("one", 1, vec![busy, failed]), topic("none", 2, Vec::new()), topic("two", 3, vec![last])];
    build!(FetchResponse { responses }).into()
}

type Seen = Vec<(ScannedTopic, ScannedPartition)>;

fn expected(version: i16) -> Seen {
    let topic = |name: &str, id: u8| {
        if version < 13 {
            ScannedTopic::Name(StrBytes::from(name))
        } else {
            ScannedTopic::Id(Uuid::from_bytes([id; 16]))
        }
    };
    let partition = |error_code, bytes, records| ScannedPartition { error_code, bytes, records };
    vec![
        (topic("one", 1), partition(0, 61 + 100 + 61, 7)),
        (topic("one", 1), partition(6, 0, 0)),
        (topic("two", 3), partition(0, 61 + 30 + 40, 5)),
    ]
}

fn scan(version: i16, frame: &[u8], piece: usize) -> Result<Seen, ScanError> {
    let mut scan = FetchScan::new(version);
    let mut seen = Seen::new();
    for bytes in frame.chunks(piece) {
        scan.feed(bytes, |topic, partition| seen.push((topic.clone(), partition)))?;
    }
    assert!(scan.is_at_end(), "v{version} in pieces of {piece}: {scan:?}");
    Ok(seen)
}

#[test]
fn every_version_is_read_in_pieces_of_any_size() {
    let range = Api::Fetch.range();
    for version in range.min.max(4)..=range.max {
        let frame = response(version).encode_frame(1, version).unwrap();
        for piece in [1, 2, 3, 7, 61, 64, 100, frame.len()] {
            assert_eq!(scan(version, &frame, piece).unwrap(), expected(version), "v{version} by {piece}");
        }
    }
}

#[test]
fn an_answer_without_topics_ends() {
    for version in [4, 11, 12, 17] {
        let frame = Response::from(FetchResponse::default()).encode_frame(1, version).unwrap();
        assert_eq!(scan(version, &frame, 5).unwrap(), [], "v{version}");
    }
}

#[test]
fn what_is_no_response_is_an_error_or_never_ends() {
    let frame = response(12).encode_frame(1, 12).unwrap();
    let mut longer = frame.to_vec();
    longer.push(0);
    assert_eq!(scan(12, &longer, 16), Err(ScanError("bytes after its end")));
    let mut scan = FetchScan::new(12);
    scan.feed(&frame[..frame.len() - 1], |_, _| {}).unwrap();
    assert!(!scan.is_at_end());
    // A name that would have to be kept for ever.
    let mut endless = vec![0; 4 + 5 + 10];
    endless.extend_from_slice(&[2, 0xff, 0xff, 0xff, 0x7f]);
    assert!(FetchScan::new(12).feed(&endless, |_, _| {}).is_err());
    // Tagged fields without an end.
    let mut scan = FetchScan::new(12);
    let mut tags = vec![0; 4 + 5 + 10];
    tags.extend_from_slice(&[1, 1, 0, 0xff, 0xff, 0xff, 0x0f]);
    scan.feed(&tags, |_, _| {}).unwrap();
    let fed = (0..100).try_for_each(|_| scan.feed(&[0; 4096], |_, _| {}));
    assert_eq!(fed, Err(ScanError("an element without an end")));
}
