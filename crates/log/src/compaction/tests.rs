//! Rewritten segments, and what a crash at any step leaves of them.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use schloss_wire::records::{BATCH_HEADER_BYTES, BatchHeader};

use super::*;
use crate::testing::{FaultyDisk, Seen, batch, copy, offsets, open, tempdir};
use crate::{Durability, Flusher, LogConfig, Retention};

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 500,
        durability: Durability::Os,
        index_interval_bytes: 1,
        ..LogConfig::default()
    }
}

/// Ten batches of two records, two batches to a segment; all but the last segment are settled.
fn filled(directory: &Path) -> (PartitionLog, Arc<Flusher>) {
    filled_on(directory, Flusher::start(1).unwrap())
}

fn filled_on(directory: &Path, flusher: Arc<Flusher>) -> (PartitionLog, Arc<Flusher>) {
    let (log, _) = open(directory, config(), &flusher);
    for number in 0..10 {
        log.append(&[batch(2, 30, 1_000 * number)], 0).unwrap();
    }
    while log.segments().iter().rev().skip(1).any(|segment| !segment.is_settled) {
        std::thread::yield_now();
    }
    (log, flusher)
}

/// The batches of the whole log.
fn all(log: &PartitionLog) -> Vec<(BatchHeader, Bytes)> {
    let mut found: Vec<(BatchHeader, Bytes)> = Vec::new();
    let mut next = log.start_offset();
    loop {
        let read = log.read(next, 1 << 20, true).unwrap();
        if read.is_empty() {
            return found;
        }
        for batch in schloss_wire::records::check_batches(&read).unwrap() {
            next = batch.0.last_offset() + 1;
            found.push(batch);
        }
    }
}

fn bounds(log: &PartitionLog) -> Vec<(i64, i64)> {
    all(log).iter().map(|(header, _)| (header.base_offset, header.last_offset())).collect()
}

/// Begins to rewrite the settled segments, of whose batches those in `kept` stay, by number.
fn rewritten<'a>(log: &'a PartitionLog, kept: &[usize]) -> Rewrite<'a> {
    let settled: Vec<_> = log.segments().into_iter().filter(|segment| segment.is_settled).collect();
    assert!(settled.len() > 2, "{settled:?}");
    let range = settled[0].base_offset..settled.last().unwrap().end_offset;
    let batches = all(log);
    let mut rewrite = log.rewrite(range).unwrap();
    for number in kept {
        rewrite.append(&batches[*number].0, &batches[*number].1).unwrap();
    }
    rewrite
}

/// The number of the last batch that is settled.
fn last_settled(log: &PartitionLog) -> usize {
    let end = log.segments().iter().rfind(|segment| segment.is_settled).unwrap().end_offset;
    usize::try_from(end).unwrap() / 2 - 1
}

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_rewritten_segment_takes_the_place_of_many_and_what_is_left_keeps_its_offsets() {
    let root = tempdir();
    let (log, flusher) = filled(root.path());
    let (before, last) = (bounds(&log), last_settled(&log));
    let reader = log.read(2, 0, true).unwrap();
    assert!(rewritten(&log, &[1, 4, last]).commit(false).unwrap());
    let mut expected = vec![before[1], before[4], before[last]];
    expected.extend(&before[last + 1..]);
    assert_eq!(bounds(&log), expected);
    assert_eq!(offsets(&reader), [before[1]], "what was read stays what it is");
    // A read within a gap goes on behind it, also at the front.
    assert_eq!(offsets(&log.read(0, 0, true).unwrap()), [before[1]]);
    assert_eq!(offsets(&log.read(4, 0, true).unwrap()), [before[4]]);
    assert_eq!(log.offset_for_time(1_500).unwrap(), Some((8, 4_000)));
    assert_eq!((log.start_offset(), log.end_offset()), (0, 20));
    assert_eq!(log.append(&[batch(1, 30, 1)], 0).unwrap().base_offset, 20);
    flusher.shutdown().unwrap();
    let (again, recovery) = open(root.path(), config(), &Flusher::start(1).unwrap());
    expected.push((20, 20));
    assert_eq!((bounds(&again), recovery.rebuilt_indexes), (expected, 0));
    assert!(names(root.path()).iter().all(|name| !name.ends_with("new")));
}

#[test]
fn the_index_of_a_rewritten_segment_can_be_made_anew_over_its_gaps() {
    let root = tempdir();
    let (log, flusher) = filled(root.path());
    rewritten(&log, &[1, 4, last_settled(&log)]).commit(false).unwrap();
    let expected = bounds(&log);
    flusher.shutdown().unwrap();
    fs::remove_file(file_name(root.path(), 0, INDEX_EXTENSION)).unwrap();
    let (again, recovery) = open(root.path(), config(), &Flusher::start(1).unwrap());
    assert_eq!((bounds(&again), recovery.rebuilt_indexes), (expected, 1));
}

#[test]
fn batches_without_records_are_no_damage() {
    for sealing in [crate::testing::sealed(), crate::Sealing::InsecurePlain] {
        let root = tempdir();
        let opened = || {
            let home = crate::testing::home(root.path(), sealing.clone());
            let flusher = Flusher::start(1).unwrap();
            PartitionLog::open(home, config(), Arc::clone(&flusher), crate::Watch::default()).unwrap().0
        };
        let log = opened();
        for number in 0..3 {
            log.append(&[batch(2, 30, number)], 0).unwrap();
            log.roll().unwrap();
        }
        while !log.segments()[1].is_settled {
            std::thread::yield_now();
        }
        let (_, bytes) = all(&log).remove(1);
        // As compaction empties it: no records, the same offsets.
        let mut empty = bytes[..BATCH_HEADER_BYTES].to_vec();
        empty[8..12].copy_from_slice(&i32::try_from(BATCH_HEADER_BYTES - 12).unwrap().to_be_bytes());
        empty[57..61].copy_from_slice(&0i32.to_be_bytes());
        let crc = crc32c::crc32c(&empty[21..]);
        empty[17..21].copy_from_slice(&crc.to_be_bytes());
        let header = BatchHeader::parse(&empty).unwrap();
        let mut rewrite = log.rewrite(0..4).unwrap();
        rewrite.append(&header, &Bytes::from(empty.clone())).unwrap();
        assert!(rewrite.commit(false).unwrap());
        drop(log);
        fs::remove_file(file_name(root.path(), 0, INDEX_EXTENSION)).unwrap();
        assert_eq!(opened().read(0, 1, true).unwrap(), empty);
    }
}

#[test]
fn before_the_rename_a_crash_leaves_the_old_log() {
    let root = tempdir();
    let (log, _flusher) = filled(root.path());
    let expected = bounds(&log);
    let rewrite = rewritten(&log, &[1, last_settled(&log)]);
    let killed = copy(root.path());
    assert!(names(killed.path()).iter().any(|name| name.ends_with(".rewritten.new")));
    let (again, _) = open(killed.path(), config(), &Flusher::start(1).unwrap());
    assert_eq!(bounds(&again), expected);
    assert!(names(killed.path()).iter().all(|name| !name.ends_with("new")));
    // One that is given up is gone at once.
    drop(rewrite);
    assert!(names(root.path()).iter().all(|name| !name.ends_with("new")));
    assert_eq!(bounds(&log), expected);
}

#[test]
fn after_the_rename_a_crash_leaves_the_new_log_whatever_is_left_of_the_old_files() {
    let root = tempdir();
    let (log, _flusher) = filled(root.path());
    let before = copy(root.path());
    assert!(rewritten(&log, &[1, last_settled(&log)]).commit(false).unwrap());
    let expected = bounds(&log);
    let gone: Vec<String> =
        names(before.path()).into_iter().filter(|name| !names(root.path()).contains(name)).collect();
    assert!(gone.iter().filter(|name| name.ends_with(".log")).count() > 1, "{gone:?}");
    // Every set of files that removing one after the other, or a power cut in between, can leave.
    for left in 0..1u32 << gone.len() {
        for index in ["new", "old", "none"] {
            let killed = copy(root.path());
            for (_, name) in gone.iter().enumerate().filter(|(bit, _)| left & (1 << bit) != 0) {
                fs::copy(before.path().join(name), killed.path().join(name)).unwrap();
            }
            let first = file_name(Path::new(""), 0, INDEX_EXTENSION);
            match index {
                "old" => drop(fs::copy(before.path().join(&first), killed.path().join(&first)).unwrap()),
                "none" => fs::remove_file(killed.path().join(&first)).unwrap(),
                _ => {}
            }
            let (again, recovery) = open(killed.path(), config(), &Flusher::start(1).unwrap());
            assert_eq!(bounds(&again), expected, "{left:b} {index}");
            assert_eq!(recovery.truncated_bytes, 0);
            assert!(gone.iter().all(|name| !names(killed.path()).contains(name)), "{left:b}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let root = tempdir();
    let (log, _flusher) = filled(root.path());
    let (before, batches, segments) = (bounds(&log), all(&log), log.segments());
    let end = segments.last().unwrap().end_offset;
    for range in [0..end, 1..segments[0].end_offset, 0..segments[0].end_offset - 1, 40..50, 0..0] {
        assert!(log.rewrite(range.clone()).is_err(), "{range:?}");
    }
    let mut rewrite = log.rewrite(0..segments[1].end_offset).unwrap();
    rewrite.append(&batches[1].0, &batches[1].1).unwrap();
    assert!(rewrite.append(&batches[0].0, &batches[0].1).is_err(), "out of order");
    assert!(rewrite.append(&batches[9].0, &batches[9].1).is_err(), "beyond the range");
    assert!(rewrite.commit(false).is_err(), "it ends too early");
    assert_eq!(bounds(&log), before);
    assert!(names(root.path()).iter().all(|name| !name.ends_with("new")));
}

#[test]
fn what_was_removed_meanwhile_does_not_come_back() {
    let root = tempdir();
    let (log, _flusher) = filled(root.path());
    let rewrite = rewritten(&log, &[1, last_settled(&log)]);
    log.delete_before(log.segments()[1].base_offset).unwrap();
    let expected = bounds(&log);
    assert!(!rewrite.commit(false).unwrap());
    assert_eq!(bounds(&log), expected);
    let rewrite = rewritten(&log, &[]);
    log.delete().unwrap();
    fs::create_dir(root.path()).unwrap();
    fs::write(root.path().join("00000000000000000004.rewritten.new"), "another log's").unwrap();
    assert!(matches!(rewrite.commit(false), Err(LogError::InvalidBatch { .. } | LogError::Deleted { .. })));
    assert_eq!(names(root.path()).len(), 1);
}

#[test]
fn a_full_or_failing_disk_leaves_the_old_log_at_work() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let (log, _flusher) = filled_on(root.path(), flusher);
    let expected = bounds(&log);
    let batches = all(&log);
    disk.fill_after(200);
    let mut rewrite = log.rewrite(0..log.segments()[1].end_offset).unwrap();
    let full = batches.iter().find_map(|(header, bytes)| rewrite.append(header, bytes).err()).unwrap();
    assert!(full.is_disk_full(), "{full}");
    drop(rewrite);
    disk.make_room();
    disk.fail_sync.store(true, Ordering::SeqCst);
    let rewrite = rewritten(&log, &[1, last_settled(&log)]);
    assert!(matches!(rewrite.commit(false), Err(LogError::Io { .. })));
    disk.fail_sync.store(false, Ordering::SeqCst);
    assert_eq!(bounds(&log), expected);
    assert!(rewritten(&log, &[1, last_settled(&log)]).commit(false).unwrap());
}

#[test]
fn a_snapshot_that_is_no_longer_true_is_forgotten() {
    for drop_snapshot in [false, true] {
        let root = tempdir();
        let flusher = Flusher::start(1).unwrap();
        let (seen, log, _) = Seen::open(root.path(), config(), &flusher);
        for number in 0..10 {
            seen.append(&log, &[batch(2, 30, number)]);
        }
        flusher.shutdown().unwrap();
        drop(log);
        let flusher = Flusher::start(1).unwrap();
        let (_seen, log, _) = Seen::open(root.path(), config(), &flusher);
        assert!(rewritten(&log, &[1, last_settled(&log)]).commit(drop_snapshot).unwrap());
        let killed = copy(root.path());
        let (_, _, recovery) = Seen::open(killed.path(), config(), &Flusher::start(1).unwrap());
        assert_eq!(recovery.replayed_batches > 0, drop_snapshot);
    }
}

#[test]
fn segments_tell_their_age_and_go_by_retention_after_compaction() {
    let root = tempdir();
    let (log, _flusher) = filled(root.path());
    assert!(log.active_since_ms().unwrap() > 1_700_000_000_000);
    assert!(rewritten(&log, &[1, last_settled(&log)]).commit(false).unwrap());
    let segments = log.segments();
    let last = i64::try_from(last_settled(&log)).unwrap();
    assert_eq!(segments[0].newest_ms, Some(last * 1_000 + 1));
    assert_eq!(log.retain(&Retention { milliseconds: Some(0), bytes: None }, last * 1_000 + 2).unwrap(), 1);
    assert_eq!(log.start_offset(), segments[1].base_offset);
}

#[test]
fn how_far_a_log_was_compacted_is_noted() {
    let root = tempdir();
    let (log, flusher) = filled(root.path());
    assert_eq!(log.cleaned_to(), 0);
    log.set_cleaned_to(12).unwrap();
    flusher.shutdown().unwrap();
    assert!(log.set_cleaned_to(14).is_err());
    drop(log);
    let (log, _) = open(root.path(), config(), &Flusher::start(1).unwrap());
    assert_eq!(log.cleaned_to(), 12);
    fs::write(root.path().join("cleaned-to"), "schloss-cleaned-to-1 99\n").unwrap();
    assert_eq!(log.cleaned_to(), 0);
}
