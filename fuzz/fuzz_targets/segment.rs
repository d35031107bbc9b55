//! The files of a partition's log that somebody changed (segments, indexes, a snapshot, notes), sealed or not, with
//! checksums that are true or not. The log is refused, or is read, searched, appended to and emptied without a panic.
#![no_main]

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use schloss_fuzz::{SEALED, Scratch, edit, files, mend_crc};
use schloss_log::{
    Durability, Flusher, Home, Identity, LogConfig, PartitionLog, Replay, Retention, Sealing, Watch,
};
use schloss_wire::records::{
    BatchHeader, Compression, Record, RecordBatch, RecordEncodeLimits, TimestampType, check_batch,
};

const HEADER_BYTES: usize = 144;
/// Of a batch: where its length, its CRC and what that covers begin.
const LENGTH: usize = 8;
const CRC: usize = 17;
const COVERED: usize = 21;
const MAX_READ_BYTES: usize = 1024 * 1024;

static DIRECTORY: LazyLock<Scratch> = LazyLock::new(|| Scratch::new("segment"));
static BATCH: LazyLock<(BatchHeader, Bytes)> = LazyLock::new(|| {
    let record = |offset_delta: i32| Record {
        attributes: 0,
        timestamp_delta: offset_delta.into(),
        offset_delta,
        key: None,
        value: Some(Bytes::from_static(b"value")),
        headers: Vec::new(),
    };
    let batch = RecordBatch {
        base_offset: 0,
        last_offset_delta: 1,
        partition_leader_epoch: 0,
        compression: Compression::None,
        timestamp_type: TimestampType::CreateTime,
        is_transactional: false,
        is_control: false,
        has_delete_horizon: false,
        base_timestamp: 1_000,
        max_timestamp: 1_001,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        records: (0..2).map(record).collect(),
    };
    let bytes = batch.encode_to_bytes(RecordEncodeLimits::default()).expect("a batch");
    (check_batch(&bytes).expect("a good batch"), bytes)
});
/// What the changes are made to, plain and sealed.
static FILES: LazyLock<[Vec<(String, Vec<u8>)>; 2]> = LazyLock::new(|| {
    [Sealing::InsecurePlain, SEALED.clone()].map(|sealing| {
        DIRECTORY.fill(&[]);
        let flusher = Flusher::start(1).expect("a thread");
        let log = open(&sealing, &flusher).expect("a new log");
        for _ in 0..6 {
            log.append(&[BATCH.clone()], 0).expect("room for a batch");
        }
        log.delete_before(1).expect("a record to delete");
        flusher.shutdown().expect("a clean end");
        files(&DIRECTORY.0)
    })
});

fuzz_target!(|data: &[u8]| {
    let Some(([mode], edits)) = data.split_first_chunk() else { return };
    let is_sealed = mode & 1 != 0;
    let sealing = if is_sealed { SEALED.clone() } else { Sealing::InsecurePlain };
    let mut files = FILES[usize::from(is_sealed)].clone();
    edit(&mut files, edits);
    if mode & 2 != 0 {
        for (name, content) in &mut files {
            mend(name, content, is_sealed);
        }
    }
    // As a process leaves them that was killed before it had noted anything.
    files.retain(|(name, _)| mode & 4 == 0 || name != "recovery-point");
    files.retain(|(name, _)| mode & 8 == 0 || !name.ends_with(".index"));
    DIRECTORY.fill(&files);
    // One for each input: when it has ended nothing is written to the directory any more.
    let flusher = Flusher::start(1).expect("a thread");
    if let Some(log) = open(&sealing, &flusher) {
        use_all(&log);
    }
    let _ = flusher.shutdown();
});

fn use_all(log: &PartitionLog) {
    read_all(log);
    for timestamp in [i64::MIN, 0, 1_001, i64::MAX] {
        let _ = log.offset_for_time(timestamp);
    }
    let _ = (log.max_timestamp(), log.segments(), log.size_bytes());
    let end = log.end_offset();
    if let Ok(appended) = log.append(&[BATCH.clone()], 0) {
        assert_eq!(appended.base_offset, end);
        let read = log.read(end, MAX_READ_BYTES, true).expect("what was appended is read");
        assert_eq!(check_batch(&read).map(|header| header.base_offset), Ok(end));
    }
    let _ = log.retain(&Retention { milliseconds: Some(i64::MAX), bytes: Some(300) }, i64::MIN);
    let _ = log.retain(&Retention { milliseconds: Some(0), bytes: None }, i64::MAX);
    let _ = log.delete_before(log.end_offset());
    read_all(log);
}

fn open(sealing: &Sealing, flusher: &Arc<Flusher>) -> Option<PartitionLog> {
    let identity = Identity { topic: [9; 16], partition: 3 };
    let home = Home { directory: DIRECTORY.0.clone(), identity, sealing: sealing.clone() };
    let config = LogConfig {
        segment_bytes: 400,
        index_interval_bytes: 1,
        durability: Durability::Os,
        ..LogConfig::default()
    };
    let mut told = Told;
    let snapshots: Box<schloss_log::Snapshots> = Box::new(|end| (end(), b"known".to_vec()));
    let watch = Watch { replay: Some(&mut told), snapshots: Some(snapshots), on_damage: None };
    PartitionLog::open(home, config, Arc::clone(flusher), watch).ok().map(|(log, _)| log)
}

struct Told;

impl Replay for Told {
    fn restore(&mut self, snapshot: &[u8]) -> bool {
        snapshot == b"known"
    }

    fn batch(&mut self, header: &BatchHeader, batch: &[u8]) {
        assert_eq!(header.total_bytes, batch.len());
    }
}

fn read_all(log: &PartitionLog) {
    let mut next = log.start_offset();
    while let Ok(batches) = log.read(next, MAX_READ_BYTES, true) {
        let mut last = None;
        let mut rest = &batches[..];
        while let Ok(header) = BatchHeader::parse(rest) {
            last = Some(header.last_offset());
            rest = &rest[header.total_bytes..];
        }
        assert!(rest.is_empty(), "whole batches only");
        match last {
            Some(last) if last < i64::MAX => {
                assert!(last >= next, "a read goes on");
                next = last + 1;
            }
            _ => return,
        }
    }
}

/// Makes the checksums of a file true, as far as somebody without the key can.
fn mend(name: &str, bytes: &mut Vec<u8>, is_sealed: bool) {
    if name.ends_with(".log") {
        mend_crc(bytes, 0..HEADER_BYTES - 4, HEADER_BYTES - 4);
        let mut at = HEADER_BYTES;
        while let Some(length) =
            bytes.get(at + LENGTH..).and_then(|rest| rest.first_chunk::<4>()).filter(|_| !is_sealed)
        {
            let end = at + LENGTH + 4 + u32::from_be_bytes(*length) as usize;
            mend_crc(bytes, at + COVERED..end, at + CRC);
            at = end;
        }
    } else if name.ends_with(".index") || name == "snapshot" {
        let end = bytes.len().saturating_sub(4);
        mend_crc(bytes, 0..end, end);
    } else if let Some(place) = bytes.iter().rposition(|byte| *byte == b' ') {
        bytes.truncate(place);
        let crc = format!(" {:08x}\n", crc32c::crc32c(bytes));
        bytes.extend_from_slice(crc.as_bytes());
    }
}
