//! What a log looks like after a crash, a power cut or damage.

use std::fs;
use std::path::{Path, PathBuf};

use schloss_keys::UNIT_TAG_BYTES;

use super::*;
use crate::header::HEADER_BYTES;
use crate::segment::base_offset_of;
use crate::testing::{FaultyDisk, Seen, batch, copy, open, tempdir, try_open};
use crate::{Durability, Flusher};

const SEGMENT: &str = "00000000000000000000.log";

fn config(segment_bytes: u64) -> LogConfig {
    LogConfig { segment_bytes, index_interval_bytes: 200, ..LogConfig::default() }
}

/// A log of `count` batches with two records each, never closed; its directory is what a killed process leaves.
fn killed(segment_bytes: u64, count: i64) -> (tempfile::TempDir, Vec<u64>) {
    let root = tempdir();
    // A flusher that was not told to flush: nothing but the page cache has the records.
    let config = LogConfig { durability: Durability::Os, ..config(segment_bytes) };
    let (log, _) = open(root.path(), config, &Flusher::start(1).unwrap());
    let mut ends = vec![log.size_bytes()];
    for number in 0..count {
        log.append(&[batch(2, 30, number)], 0).unwrap();
        ends.push(log.size_bytes());
    }
    (copy(root.path()), ends)
}

fn end_of(directory: &Path, config: LogConfig) -> (i64, Recovery) {
    let (log, recovery) = open(directory, config, &Flusher::start(1).unwrap());
    (log.end_offset(), recovery)
}

/// A log of several segments, closed in good order.
fn closed() -> tempfile::TempDir {
    closed_with(400)
}

fn closed_with(segment_bytes: u64) -> tempfile::TempDir {
    let root = tempdir();
    let flusher = Flusher::start(1).unwrap();
    let (log, _) = open(root.path(), config(segment_bytes), &flusher);
    for number in 0..10 {
        log.append(&[batch(2, 30, number)], 0).unwrap();
    }
    flusher.shutdown().unwrap();
    root
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .collect();
    files.sort();
    files
}

#[test]
fn records_of_a_killed_process_are_all_there() {
    let (directory, ends) = killed(100_000, 8);
    let (end, recovery) = end_of(directory.path(), config(100_000));
    assert_eq!((end, recovery.truncated_bytes, recovery.verified_bytes), (16, 0, ends[8] - ends[0]));
    // What was recovered is known to be on disk, and not verified again.
    let (end, recovery) = end_of(directory.path(), config(100_000));
    assert_eq!((end, recovery.verified_bytes), (16, 0));
}

#[test]
fn a_segment_cut_at_any_byte_recovers_to_its_whole_batches() {
    let (directory, ends) = killed(100_000, 4);
    let path = directory.path().join(SEGMENT);
    let whole = fs::read(&path).unwrap();
    let point = fs::read(directory.path().join("recovery-point")).unwrap();
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        fs::write(directory.path().join("recovery-point"), &point).unwrap();
        let (end, recovery) = end_of(directory.path(), config(100_000));
        if length < HEADER_BYTES {
            assert_eq!((end, recovery.removed_segments, recovery.truncated_bytes), (0, 1, length as u64));
            continue;
        }
        let kept = ends.iter().filter(|end| **end <= length as u64).count() - 1;
        assert_eq!(end, 2 * i64::try_from(kept).unwrap(), "{length}");
        assert_eq!(recovery.truncated_bytes, length as u64 - ends[kept], "{length}");
        assert_eq!(fs::metadata(&path).unwrap().len(), ends[kept], "{length}");
    }
}

#[test]
fn a_flipped_bit_in_what_was_not_flushed_cuts_the_log_there() {
    let (directory, ends) = killed(100_000, 3);
    let path = directory.path().join(SEGMENT);
    let whole = fs::read(&path).unwrap();
    let point = fs::read(directory.path().join("recovery-point")).unwrap();
    for at in HEADER_BYTES..whole.len() {
        for bit in [0x01, 0x80] {
            let mut flipped = whole.clone();
            flipped[at] ^= bit;
            fs::write(&path, &flipped).unwrap();
            fs::write(directory.path().join("recovery-point"), &point).unwrap();
            let (end, _) = end_of(directory.path(), config(100_000));
            let kept = ends.iter().filter(|end| **end <= at as u64).count() - 1;
            assert_eq!(end, 2 * i64::try_from(kept).unwrap(), "byte {at}, bit {bit:02x}");
        }
    }
}

#[test]
fn zeros_behind_the_last_batch_are_cut_off_as_a_power_cut_leaves_them() {
    let (directory, ends) = killed(100_000, 3);
    let path = directory.path().join(SEGMENT);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(&[0; 4_096]);
    fs::write(&path, bytes).unwrap();
    let (end, recovery) = end_of(directory.path(), config(100_000));
    assert_eq!((end, recovery.truncated_bytes), (6, 4_096));
    assert_eq!(fs::metadata(&path).unwrap().len(), ends[3]);
}

#[tokio::test]
async fn what_was_waited_for_survives_when_the_rest_is_lost() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let (log, _) = open(root.path(), config(100_000), &flusher);
    log.append(&[batch(2, 30, 1)], 0).unwrap();
    log.wait_flushed(2).await.unwrap();
    let safe = log.size_bytes();
    disk.sync_millis.store(500, std::sync::atomic::Ordering::SeqCst);
    log.append(&[batch(2, 30, 1)], 0).unwrap();
    let directory = copy(root.path());
    let path = directory.path().join(SEGMENT);
    fs::write(&path, &fs::read(&path).unwrap()[..usize::try_from(safe).unwrap() + 7]).unwrap();
    let (end, recovery) = end_of(directory.path(), config(100_000));
    assert_eq!((end, recovery.truncated_bytes), (2, 7));
}

#[test]
fn segments_behind_a_torn_one_that_was_not_flushed_are_removed() {
    let (directory, _) = killed(400, 10);
    let segments = files(directory.path(), "log");
    assert!(segments.len() > 3);
    // As if none of it had been flushed since the log was made.
    Checkpoint { segment: 0, position: 0, offset: 0 }.store(directory.path(), Survives::PowerCut).unwrap();
    let torn = fs::read(&segments[1]).unwrap();
    fs::write(&segments[1], &torn[..torn.len() - 1]).unwrap();
    let (end, recovery) = end_of(directory.path(), config(400));
    assert_eq!(recovery.removed_segments, segments.len() - 2);
    assert_eq!(files(directory.path(), "log"), segments[..2]);
    let base = base_offset_of(&segments[2]).unwrap();
    assert_eq!(end, base - 2);
}

#[test]
fn after_a_shutdown_in_good_order_nothing_is_verified_and_indexes_are_loaded() {
    let directory = closed();
    let (end, recovery) = end_of(directory.path(), config(400));
    let segments = files(directory.path(), "log").len();
    assert_eq!((end, recovery), (20, Recovery { segments, ..Recovery::default() }));
    assert_eq!(files(directory.path(), "index").len(), segments);
}

#[test]
fn missing_and_damaged_indexes_are_made_anew() {
    let directory = closed();
    let indexes = files(directory.path(), "index");
    fs::remove_file(&indexes[0]).unwrap();
    let mut damaged = fs::read(&indexes[1]).unwrap();
    damaged[12] ^= 1;
    fs::write(&indexes[1], damaged).unwrap();
    fs::write(directory.path().join("00000000000000009999.index"), b"of no segment").unwrap();
    let (log, recovery) = open(directory.path(), config(400), &Flusher::start(1).unwrap());
    assert_eq!((recovery.rebuilt_indexes, recovery.verified_bytes), (2, 0));
    for offset in 0..20 {
        let read = crate::testing::offsets(&log.read(offset, 1, true).unwrap());
        assert_eq!(read, [(offset / 2 * 2, offset / 2 * 2 + 1)]);
    }
    assert!(!directory.path().join("00000000000000009999.index").exists());
    assert_eq!(end_of(directory.path(), config(400)).1.rebuilt_indexes, 0);
}

#[test]
fn damage_to_what_was_flushed_is_refused_if_the_index_is_gone_too_and_changes_nothing() {
    let directory = closed_with(900);
    let segments = files(directory.path(), "log");
    let damaged = &segments[1];
    let mut bytes = fs::read(damaged).unwrap();
    let second = HEADER_BYTES + batch(2, 30, 0).1.len() + UNIT_TAG_BYTES;
    // The length of the second batch.
    bytes[second + 9] ^= 0x40;
    fs::write(damaged, &bytes).unwrap();
    let (log, recovery) = open(directory.path(), config(900), &Flusher::start(1).unwrap());
    assert_eq!((recovery.verified_bytes, log.end_offset()), (0, 20));
    let first = base_offset_of(damaged).unwrap();
    assert!(log.read(first, 1, true).is_ok());
    drop(log);
    fs::remove_file(damaged.with_extension("index")).unwrap();
    match try_open(directory.path(), config(900), &Flusher::start(1).unwrap()) {
        Err(LogError::Corrupt { path, position, .. }) => {
            assert_eq!((&path, position), (damaged, second as u64));
        }
        _ => panic!("the damage went unnoticed"),
    }
    assert_eq!(fs::read(damaged).unwrap(), bytes);
    assert_eq!(files(directory.path(), "log"), segments);
}

#[test]
fn a_header_that_was_changed_is_refused_and_left_as_it_is() {
    let (directory, _) = killed(100_000, 1);
    let path = directory.path().join(SEGMENT);
    let whole = fs::read(&path).unwrap();
    for at in 0..HEADER_BYTES {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        fs::write(&path, &flipped).unwrap();
        let opened = try_open(directory.path(), config(100_000), &Flusher::start(1).unwrap());
        assert!(matches!(opened, Err(LogError::Refused { .. })), "{at}");
        assert_eq!(fs::read(&path).unwrap(), flipped);
    }
    // As a power cut leaves it.
    fs::write(&path, [0; HEADER_BYTES]).unwrap();
    assert_eq!(end_of(directory.path(), config(100_000)).0, 0);
}

#[test]
fn a_flushed_segment_that_is_missing_or_too_short_is_refused_and_nothing_is_removed() {
    let directory = closed();
    let segments = files(directory.path(), "log");
    let last = segments.last().unwrap();
    let bytes = fs::read(last).unwrap();
    fs::write(last, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(
        try_open(directory.path(), config(400), &Flusher::start(1).unwrap()),
        Err(LogError::Corrupt { .. })
    ));
    for missing in &segments[1..] {
        fs::write(last, &bytes).unwrap();
        let aside = directory.path().join("aside");
        fs::rename(missing, &aside).unwrap();
        assert!(matches!(
            try_open(directory.path(), config(400), &Flusher::start(1).unwrap()),
            Err(LogError::Corrupt { .. })
        ));
        assert_eq!(files(directory.path(), "log").len(), segments.len() - 1);
        fs::rename(&aside, missing).unwrap();
    }
}

#[test]
fn a_gap_at_the_recovery_point_is_refused_before_anything_is_removed() {
    let directory = closed();
    let segments = files(directory.path(), "log");
    let middle = base_offset_of(&segments[1]).unwrap();
    Checkpoint { segment: middle, position: 10, offset: middle + 1 }
        .store(directory.path(), Survives::PowerCut)
        .unwrap();
    fs::remove_file(&segments[1]).unwrap();
    match try_open(directory.path(), config(400), &Flusher::start(1).unwrap()) {
        Err(LogError::Corrupt { path, .. }) => assert_eq!(path, segments[1]),
        _ => panic!("the gap went unnoticed"),
    }
    assert_eq!(files(directory.path(), "log").len(), segments.len() - 1);
}

#[test]
fn an_index_is_not_taken_as_proof_that_what_it_covers_is_on_disk() {
    let directory = closed();
    let last = files(directory.path(), "log").pop().unwrap();
    let base = base_offset_of(&last).unwrap();
    Checkpoint { segment: base, position: 0, offset: base }
        .store(directory.path(), Survives::PowerCut)
        .unwrap();
    let mut bytes = fs::read(&last).unwrap();
    bytes[HEADER_BYTES + 80] ^= 1;
    fs::write(&last, &bytes).unwrap();
    let (end, recovery) = end_of(directory.path(), config(400));
    assert_eq!((end, recovery.truncated_bytes), (base, (bytes.len() - HEADER_BYTES) as u64));
}

#[test]
fn what_a_killed_process_left_is_flushed_before_it_is_shown_and_only_then() {
    let (directory, _) = killed(100_000, 3);
    let (disk, flusher) = FaultyDisk::start();
    open(directory.path(), config(100_000), &flusher);
    assert_eq!(disk.syncs(), 1);
    open(directory.path(), config(100_000), &flusher);
    assert_eq!(disk.syncs(), 1);
    fs::remove_file(directory.path().join("recovery-point")).unwrap();
    disk.fail_sync.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(matches!(try_open(directory.path(), config(100_000), &flusher), Err(LogError::Io { .. })));
}

#[test]
fn without_a_recovery_point_the_last_segment_is_verified_as_a_whole() {
    let directory = closed();
    fs::remove_file(directory.path().join("recovery-point")).unwrap();
    let last = files(directory.path(), "log").pop().unwrap();
    let size = fs::metadata(last).unwrap().len();
    let (end, recovery) = end_of(directory.path(), config(400));
    assert_eq!((end, recovery.verified_bytes, recovery.truncated_bytes), (20, size - FIRST_POSITION, 0));
}

#[test]
fn a_snapshot_spares_the_replay_of_all_that_was_there_when_the_log_was_closed() {
    let root = tempdir();
    let flusher = Flusher::start(1).unwrap();
    let (seen, log, _) = Seen::open(root.path(), config(900), &flusher);
    for number in 0..10 {
        seen.append(&log, &[batch(2, 30, number)]);
    }
    flusher.shutdown().unwrap();
    let due = seen.all();
    let flusher = Flusher::start(1).unwrap();
    let (seen, log, recovery) = Seen::open(root.path(), config(900), &flusher);
    assert_eq!((seen.all(), recovery.replayed_batches), (due.clone(), 0));
    seen.append(&log, &[batch(2, 30, 1)]);
    let killed = copy(root.path());
    let (again, _, recovery) = Seen::open(killed.path(), config(900), &Flusher::start(1).unwrap());
    assert_eq!((again.all(), recovery.replayed_batches), (seen.all(), 1));

    let snapshot = killed.path().join("snapshot");
    let good = fs::read(&snapshot).unwrap();
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        fs::write(&snapshot, flipped).unwrap();
        let (again, _, recovery) = Seen::open(killed.path(), config(900), &Flusher::start(1).unwrap());
        assert_eq!((again.all(), recovery.replayed_batches), (seen.all(), 11));
    }
}

#[test]
fn a_snapshot_of_batches_that_were_lost_is_not_used_and_not_kept() {
    let root = tempdir();
    let flusher = Flusher::start(1).unwrap();
    let (seen, log, _) = Seen::open(root.path(), config(100_000), &flusher);
    seen.append(&log, &[batch(2, 30, 1)]);
    seen.append(&log, &[batch(2, 30, 1)]);
    flusher.shutdown().unwrap();
    let path = root.path().join(SEGMENT);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    fs::remove_file(root.path().join("recovery-point")).unwrap();
    let (seen, _, recovery) = Seen::open(root.path(), config(100_000), &Flusher::start(1).unwrap());
    assert_eq!((seen.all(), recovery.replayed_batches), (vec![(0, 1)], 1));
    assert!(!root.path().join("snapshot").exists());
}

#[tokio::test]
async fn after_a_crash_only_what_came_after_the_last_note_is_read_again() {
    let root = tempdir();
    let flusher = Flusher::start(1).unwrap();
    let (seen, log, _) = Seen::open(root.path(), config(2_000), &flusher);
    for number in 0..100 {
        let appended = seen.append(&log, &[batch(2, 30, number)]);
        log.wait_flushed(appended.last_offset + 1).await.unwrap();
    }
    let killed = copy(root.path());
    let (again, log, recovery) = Seen::open(killed.path(), config(2_000), &Flusher::start(1).unwrap());
    assert_eq!((again.all(), log.end_offset()), (seen.all(), 200));
    // A segment holds ten batches or so, and every new one is noted.
    assert!(recovery.segments >= 8 && recovery.verified_bytes <= 2_000, "{recovery:?}");
    assert!(recovery.replayed_batches <= 24, "{recovery:?}");
}

#[test]
fn unfinished_files_are_cleared_away_and_a_recovered_log_takes_appends() {
    let (directory, _) = killed(400, 10);
    let leftover = directory.path().join("recovery-point.new");
    fs::write(&leftover, b"half").unwrap();
    let flusher = Flusher::start(1).unwrap();
    let (log, _) = open(directory.path(), config(400), &flusher);
    assert!(!leftover.exists());
    assert_eq!(log.append(&[batch(1, 10, 1)], 0).unwrap().base_offset, 20);
    flusher.shutdown().unwrap();
    assert_eq!(end_of(directory.path(), config(400)).0, 21);
}
