//! Retention and the deletion of records.

use std::fs;
use std::path::Path;

use crate::testing::{batch, copy, offsets, open, tempdir};
use crate::{Durability, Flusher, LogConfig, LogError, PartitionLog, Retention};

fn config(durability: Durability) -> LogConfig {
    LogConfig { segment_bytes: 500, durability, ..LogConfig::default() }
}

fn segments(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "log")).count()
}

/// Ten batches of two records, stamped 0 and 1, 1000 and 1001 and so on, two batches to a segment or so.
fn filled(directory: &Path) -> PartitionLog {
    let (log, _) = open(directory, config(Durability::Os), &Flusher::start(1).unwrap());
    for number in 0..10 {
        log.append(&[batch(2, 30, 1_000 * number)], 0).unwrap();
    }
    log
}

#[test]
fn records_before_an_offset_are_gone_at_once_and_after_a_crash() {
    let root = tempdir();
    let log = filled(root.path());
    let before = segments(root.path());
    assert_eq!(log.delete_before(7).unwrap(), 7);
    assert_eq!(log.delete_before(3).unwrap(), 7, "never back");
    assert!(segments(root.path()) < before);
    assert!(matches!(log.delete_before(21), Err(LogError::OffsetOutOfRange { end: 20, .. })));
    let killed = copy(root.path());
    let (again, _) = open(killed.path(), config(Durability::Os), &Flusher::start(1).unwrap());
    for log in [&log, &again] {
        assert_eq!((log.start_offset(), log.end_offset()), (7, 20));
        assert!(matches!(log.read(6, 1, true), Err(LogError::OffsetOutOfRange { start: 7, .. })));
        assert_eq!(offsets(&log.read(7, 0, true).unwrap()), [(6, 7)]);
        assert_eq!(log.offset_for_time(0).unwrap(), Some((7, 3_001)), "not before the start");
    }
    assert_eq!(log.delete_before(20).unwrap(), 20);
    assert_eq!((log.start_offset(), segments(root.path())), (20, 1));
    assert_eq!(log.offset_for_time(0).unwrap(), None);
    assert_eq!(log.append(&[batch(1, 30, 1)], 0).unwrap().base_offset, 20);
}

#[test]
fn a_start_that_outlived_the_records_behind_it_is_where_the_log_begins() {
    let root = tempdir();
    filled(root.path()).delete_before(20).unwrap();
    let killed = copy(root.path());
    let last = fs::read_dir(killed.path()).unwrap().map(|entry| entry.unwrap().path());
    let last = last.filter(|path| path.extension().is_some_and(|it| it == "log")).max().unwrap();
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() - 1]).unwrap();
    let (log, _) = open(killed.path(), config(Durability::Os), &Flusher::start(1).unwrap());
    assert_eq!((log.start_offset(), log.end_offset()), (20, 20));
    assert_eq!(log.append(&[batch(1, 30, 1)], 0).unwrap().base_offset, 20);
}

#[test]
fn a_damaged_start_is_refused_since_deleted_records_must_not_come_back() {
    let root = tempdir();
    filled(root.path()).delete_before(7).unwrap();
    let killed = copy(root.path());
    fs::write(killed.path().join("start-offset"), "schloss-start-offset-1 0\n").unwrap();
    let opened = crate::testing::try_open(killed.path(), config(Durability::Os), &Flusher::start(1).unwrap());
    assert!(matches!(opened, Err(LogError::Corrupt { .. })));
}

#[test]
fn segments_go_when_their_newest_record_is_too_old_and_the_last_one_too() {
    let root = tempdir();
    let log = filled(root.path());
    let retention = Retention { milliseconds: Some(5_000), bytes: None };
    assert_eq!(log.retain(&retention, 5_001).unwrap(), 0);
    assert!(log.retain(&retention, 8_500).unwrap() > 0);
    let start = log.start_offset();
    assert!(start > 0 && start <= 8, "{start}");
    assert_eq!(log.offset_for_time(0).unwrap().unwrap().0, start);
    assert!(log.retain(&retention, 1_000_000).unwrap() > 0);
    assert_eq!((log.start_offset(), log.end_offset(), segments(root.path())), (20, 20, 1));
    assert_eq!(log.retain(&retention, 2_000_000).unwrap(), 0, "an empty one stays");
    let killed = copy(root.path());
    let (log, _) = open(killed.path(), config(Durability::Os), &Flusher::start(1).unwrap());
    assert_eq!((log.start_offset(), log.end_offset()), (20, 20));
}

#[test]
fn the_oldest_segments_go_as_long_as_the_others_hold_what_is_to_be_kept() {
    let root = tempdir();
    let log = filled(root.path());
    let keep = log.size_bytes() / 2;
    assert!(log.retain(&Retention { milliseconds: None, bytes: Some(keep) }, 0).unwrap() > 0);
    let left = log.size_bytes();
    assert!(left >= keep && left < keep + 500 + 144, "{left} of {keep}");
    assert_eq!(log.retain(&Retention::default(), 1_000_000).unwrap(), 0);
}

#[test]
fn what_is_not_on_disk_yet_is_not_removed() {
    let root = tempdir();
    let (disk, flusher) = crate::testing::FaultyDisk::start();
    let (log, _) = open(root.path(), config(Durability::Fsync), &flusher);
    disk.sync_millis.store(300, std::sync::atomic::Ordering::SeqCst);
    log.append(&[batch(2, 30, 1)], 0).unwrap();
    assert_eq!(log.retain(&Retention { milliseconds: Some(1), bytes: Some(0) }, 1_000).unwrap(), 0);
    assert!(matches!(log.delete_before(1), Err(LogError::OffsetOutOfRange { .. })));
}
