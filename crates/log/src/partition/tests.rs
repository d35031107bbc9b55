//! Appending, reading, waiting and deleting. Crashes are in `recovery/tests.rs`.

use std::os::unix::fs::DirEntryExt as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use schloss_wire::records::Compression;

use super::*;
use schloss_keys::UNIT_TAG_BYTES;

use crate::TimestampSource;
use crate::files::read_without_waiting;
use crate::header::{FIRST_POSITION, HEADER_BYTES};
use crate::testing::{FaultyDisk, Seen, batch, batch_at, copy, offsets, open, tempdir};

fn small(segment_bytes: u64) -> LogConfig {
    LogConfig { segment_bytes, index_interval_bytes: 300, ..LogConfig::default() }
}

async fn append(log: &PartitionLog, batches: &[(BatchHeader, Bytes)]) -> Appended {
    let appended = log.append(batches, 0).unwrap();
    log.wait_flushed(appended.last_offset + 1).await.unwrap();
    appended
}

#[tokio::test]
async fn an_append_takes_its_place_at_once_and_is_readable_once_it_is_on_disk() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let (log, recovery) = open(root.path(), small(10_000), &flusher);
    assert_eq!(recovery, Recovery { segments: 1, ..Recovery::default() });
    disk.sync_millis.store(100, Ordering::SeqCst);
    let first = log.append(&[batch(2, 10, 1), batch(1, 10, 2)], 0).unwrap();
    let second = log.append(&[batch(4, 10, 3)], 0).unwrap();
    assert_eq!((first.base_offset, first.last_offset, first.log_append_time), (0, 2, -1));
    assert_eq!((second.base_offset, second.last_offset), (3, 6));
    assert_eq!((log.end_offset(), log.high_watermark()), (7, 0));
    assert!(log.read(0, 10_000, true).unwrap().is_empty());
    log.wait_flushed(7).await.unwrap();
    assert_eq!(log.high_watermark(), 7);
    assert_eq!(offsets(&log.read(0, 10_000, true).unwrap()), [(0, 1), (2, 2), (3, 6)]);
}

#[tokio::test]
async fn with_durability_os_a_record_is_readable_at_once_without_a_flush() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let config = LogConfig { durability: Durability::Os, ..small(10_000) };
    let (log, _) = open(root.path(), config, &flusher);
    let before = disk.syncs();
    append(&log, &[batch(3, 10, 1)]).await;
    assert_eq!((log.high_watermark(), disk.syncs()), (3, before));
    flusher.shutdown().unwrap();
    assert_eq!(disk.syncs(), before + 1);
}

#[tokio::test]
async fn a_read_gives_whole_batches_within_its_bound_from_the_one_that_holds_the_offset() {
    let root = tempdir();
    let flusher = Flusher::start(1).unwrap();
    let (log, _) = open(root.path(), small(100_000), &flusher);
    let batches: Vec<_> = (0..40).map(|number| batch(2, 20, number)).collect();
    let size = batches[0].1.len();
    append(&log, &batches).await;
    for offset in 0..80 {
        let first = offset / 2 * 2;
        assert!(log.read(offset, size - 1, false).unwrap().is_empty());
        assert_eq!(offsets(&log.read(offset, size - 1, true).unwrap()), [(first, first + 1)]);
        assert_eq!(offsets(&log.read(offset, 0, true).unwrap()).len(), 1);
        for count in [1, 2, 5, 11, 40] {
            let read = offsets(&log.read(offset, size * count + size - 1, false).unwrap());
            assert_eq!(read.first(), Some(&(first, first + 1)));
            let left = usize::try_from((80 - first) / 2).unwrap();
            assert_eq!(read.len(), count.min(left), "{offset} {count}");
        }
    }
    assert!(log.read(80, 1_000, true).unwrap().is_empty());
    assert!(matches!(
        log.read(81, 1_000, true),
        Err(LogError::OffsetOutOfRange { offset: 81, start: 0, end: 80 })
    ));
    assert!(matches!(log.read(-1, 1_000, true), Err(LogError::OffsetOutOfRange { .. })));
}

#[tokio::test]
async fn what_is_little_and_in_memory_is_read_without_waiting() {
    let root = tempdir();
    let flusher = Flusher::start(1).unwrap();
    let (log, _) = open(root.path(), small(1_000_000), &flusher);
    append(&log, &[batch(1, 60_000, 1), batch(1, 60_000, 2), batch(1, 100, 3)]).await;
    let at_once = |offset| log.read_without_waiting(offset, 1_000_000, true).unwrap();
    assert_eq!(at_once(0), None, "too much");
    assert_eq!(at_once(3), Some(Bytes::new()), "nothing");
    assert!(matches!(
        log.read_without_waiting(4, 1_000_000, true),
        Err(LogError::OffsetOutOfRange { offset: 4, start: 0, end: 3 })
    ));
    // Not every file system can tell what it has in memory.
    let file = root.path().join("probe");
    fs::write(&file, b"x").unwrap();
    if read_without_waiting(&fs::File::open(&file).unwrap(), 0, &mut [0]) {
        for offset in [1, 2] {
            assert_eq!(at_once(offset), Some(log.read(offset, 1_000_000, true).unwrap()));
        }
    }
}

#[tokio::test]
async fn a_full_segment_is_followed_by_the_next_and_reads_go_on_there() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let (log, _) = open(root.path(), small(500), &flusher);
    for number in 0..20 {
        append(&log, &[batch(2, 50, number)]).await;
    }
    let segments = fs::read_dir(root.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|it| it == "log"))
        .count();
    assert!(segments >= 5, "{segments}");
    assert!(disk.syncs() >= 20);
    let mut next = 0;
    while next < log.high_watermark() {
        let read = offsets(&log.read(next, 1_000_000, false).unwrap());
        assert_eq!(read[0].0, next);
        next = read.last().unwrap().1 + 1;
    }
    assert_eq!(next, 40);
    let stored = 20 * (batch(2, 50, 0).1.len() + UNIT_TAG_BYTES) + segments * HEADER_BYTES;
    assert_eq!(log.size_bytes(), stored as u64);
}

#[tokio::test]
async fn a_flush_reaches_every_segment_that_was_written() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let (log, _) = open(root.path(), small(300), &flusher);
    disk.sync_millis.store(20, Ordering::SeqCst);
    for number in 0..10 {
        log.append(&[batch(2, 50, number)], 0).unwrap();
    }
    log.wait_flushed(20).await.unwrap();
    let synced = disk.synced.lock().clone();
    for entry in fs::read_dir(root.path()).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            assert!(synced.contains(&entry.ino()), "{:?}", entry.path());
        }
    }
}

#[tokio::test]
async fn a_disk_that_is_full_when_a_segment_begins_leaves_a_log_that_opens_again() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let (log, _) = open(root.path(), small(300), &flusher);
    append(&log, &[batch(2, 80, 1)]).await;
    disk.fill_after(10);
    assert!(log.append(&[batch(2, 80, 2)], 0).unwrap_err().is_disk_full());
    flusher.shutdown().unwrap();
    let flusher = Flusher::start(1).unwrap();
    let (log, recovery) = open(root.path(), small(300), &flusher);
    assert_eq!((recovery.segments, recovery.truncated_bytes), (1, 0));
    assert_eq!(append(&log, &[batch(2, 80, 2)]).await.base_offset, 2);
    assert_eq!(offsets(&log.read(3, 1_000, true).unwrap()), [(2, 3)]);
}

#[tokio::test]
async fn what_is_no_batch_or_too_large_is_refused_and_leaves_no_trace() {
    let root = tempdir();
    let flusher = Flusher::start(1).unwrap();
    let (log, _) = open(root.path(), small(500), &flusher);
    let (header, bytes) = batch(1, 10, 1);
    assert!(matches!(log.append(&[], 0), Err(LogError::InvalidBatch { .. })));
    assert!(matches!(log.append(&[(header, bytes.slice(1..))], 0), Err(LogError::InvalidBatch { .. })));
    assert!(matches!(
        log.append(&[batch(1, 10, 1), batch(1, 450, 1)], 0),
        Err(LogError::TooLarge { limit: 500, .. })
    ));
    assert_eq!((log.end_offset(), log.size_bytes()), (0, FIRST_POSITION));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_who_wait_share_a_few_flushes() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let (log, _) = open(root.path(), LogConfig::default(), &flusher);
    disk.sync_millis.store(20, Ordering::SeqCst);
    let before = disk.syncs();
    let waits: Vec<_> = (0..50)
        .map(|number| {
            let appended = log.append(&[batch(1, 100, number)], 0).unwrap();
            tokio::spawn(log.wait_flushed(appended.last_offset + 1))
        })
        .collect();
    for wait in waits {
        wait.await.unwrap().unwrap();
    }
    assert!(disk.syncs() - before <= 10, "{} flushes", disk.syncs() - before);
}

#[tokio::test]
async fn a_failed_flush_fails_who_waits_and_later_appends_but_what_was_safe_stays_readable() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let (log, _) = open(root.path(), small(10_000), &flusher);
    append(&log, &[batch(1, 10, 1)]).await;
    let mut changed = log.changed();
    changed.mark_unchanged();
    disk.fail_sync.store(true, Ordering::SeqCst);
    let appended = log.append(&[batch(1, 10, 1)], 0).unwrap();
    let error = log.wait_flushed(appended.last_offset + 1).await.unwrap_err();
    assert!(matches!(error, LogError::Failed { .. }), "{error}");
    changed.changed().await.unwrap();
    disk.fail_sync.store(false, Ordering::SeqCst);
    assert!(matches!(log.append(&[batch(1, 10, 1)], 0), Err(LogError::Failed { .. })));
    assert!(matches!(log.check(), Err(LogError::Failed { .. })));
    assert_eq!(log.high_watermark(), 1);
    assert_eq!(offsets(&log.read(0, 10_000, true).unwrap()), [(0, 0)]);
    let syncs = disk.syncs();
    assert!(matches!(flusher.shutdown(), Err(LogError::Failed { .. })));
    assert_eq!(disk.syncs(), syncs, "a flush that failed is not tried again");
}

#[tokio::test]
async fn a_full_disk_refuses_an_append_and_takes_the_next_when_there_is_room() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let (log, _) = open(root.path(), small(10_000), &flusher);
    append(&log, &[batch(1, 10, 1)]).await;
    disk.fill_after(90);
    let error = log.append(&[batch(2, 100, 1)], 0).unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    assert_eq!(log.end_offset(), 1);
    disk.make_room();
    assert_eq!(append(&log, &[batch(2, 10, 1)]).await.base_offset, 1);
    assert_eq!(offsets(&log.read(0, 10_000, true).unwrap()), [(0, 0)]);
    assert_eq!(offsets(&log.read(1, 10_000, true).unwrap()), [(1, 2)]);
    flusher.shutdown().unwrap();
    let (_, recovery) = open(root.path(), small(10_000), &Flusher::start(1).unwrap());
    assert_eq!((recovery.truncated_bytes, recovery.verified_bytes), (0, 0));
}

#[tokio::test]
async fn a_failed_write_that_can_not_be_taken_back_fails_the_log_and_a_restart_recovers_it() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let (log, _) = open(root.path(), small(10_000), &flusher);
    append(&log, &[batch(1, 10, 1)]).await;
    disk.fill_after(90);
    disk.fail_truncate.store(true, Ordering::SeqCst);
    assert!(matches!(log.append(&[batch(2, 100, 1)], 0), Err(LogError::Failed { .. })));
    assert!(matches!(log.append(&[batch(2, 100, 1)], 0), Err(LogError::Failed { .. })));
    let (log, recovery) = open(root.path(), small(10_000), &Flusher::start(1).unwrap());
    assert_eq!((recovery.truncated_bytes, log.end_offset()), (90, 1));
}

#[tokio::test]
async fn a_long_poll_wakes_when_the_high_watermark_moves() {
    let root = tempdir();
    let flusher = Flusher::start(1).unwrap();
    let (log, _) = open(root.path(), small(10_000), &flusher);
    let mut changed = log.changed();
    assert_eq!(*changed.borrow_and_update(), 0);
    let poll = tokio::spawn(async move {
        changed.changed().await.unwrap();
        *changed.borrow()
    });
    log.append(&[batch(3, 10, 1)], 0).unwrap();
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), poll).await.unwrap().unwrap(), 3);
}

#[tokio::test]
async fn a_deleted_log_is_gone_with_its_directory_and_wakes_who_waits() {
    let root = tempdir();
    let directory = root.path().join("orders-0");
    let flusher = Flusher::start(1).unwrap();
    let (log, _) = open(&directory, small(10_000), &flusher);
    append(&log, &[batch(1, 10, 1)]).await;
    let wait = log.wait_flushed(100);
    log.delete().unwrap();
    assert!(matches!(wait.await, Err(LogError::Deleted { .. })));
    assert!(matches!(log.append(&[batch(1, 10, 1)], 0), Err(LogError::Deleted { .. })));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    log.delete().unwrap();
    let (log, _) = open(&directory, small(10_000), &flusher);
    assert_eq!(log.end_offset(), 0);

    fs::create_dir(root.path().join("orders-1.deleted")).unwrap();
    assert_eq!(remove_deleted(root.path()).unwrap(), 1);
    assert!(directory.exists());
    flusher.shutdown().unwrap();
}

#[tokio::test]
async fn records_are_found_by_time_exactly_and_compressed_ones_too() {
    let root = tempdir();
    let flusher = Flusher::start(1).unwrap();
    let (log, _) = open(root.path(), small(600), &flusher);
    assert_eq!((log.offset_for_time(0).unwrap(), log.max_timestamp().unwrap()), (None, None));
    append(&log, &[batch_at(&[0, 10, 20], 50, 1_000, Compression::None)]).await;
    append(&log, &[batch_at(&[5, 0, 9], 50, 900, Compression::None)]).await;
    append(&log, &[batch_at(&[0, 700, 30], 50, 2_000, Compression::Gzip)]).await;
    append(&log, &[batch_at(&[0], 200, 2_700, Compression::None)]).await;
    append(&log, &[batch_at(&[0, 1], 200, 1_500, Compression::None)]).await;
    for (time, found) in [
        (0, Some((0, 1_000))),
        (1_001, Some((1, 1_010))),
        (1_020, Some((2, 1_020))),
        (1_021, Some((6, 2_000))),
        (2_001, Some((7, 2_700))),
        (2_701, None),
    ] {
        assert_eq!(log.offset_for_time(time).unwrap(), found, "{time}");
    }
    assert_eq!(log.max_timestamp().unwrap(), Some((7, 2_700)));
}

#[tokio::test]
async fn with_log_append_time_the_time_of_the_append_counts() {
    let root = tempdir();
    let flusher = Flusher::start(1).unwrap();
    let config = LogConfig { timestamps: TimestampSource::LogAppendTime, ..small(10_000) };
    let (log, _) = open(root.path(), config, &flusher);
    let appended = log.append(&[batch(3, 10, 1)], 5_000).unwrap();
    log.wait_flushed(3).await.unwrap();
    assert_eq!(appended.log_append_time, 5_000);
    assert_eq!(log.offset_for_time(4_999).unwrap(), Some((0, 5_000)));
    assert_eq!(offsets(&log.read(0, 10_000, true).unwrap()), [(0, 2)]);
}

#[test]
fn a_damaged_batch_is_an_error_with_file_and_position_and_the_others_are_read() {
    let root = tempdir();
    let flusher = Flusher::start(1).unwrap();
    let config = LogConfig { index_interval_bytes: 1_000_000, durability: Durability::Os, ..small(10_000) };
    let (log, _) = open(root.path(), config, &flusher);
    let batches = [batch(1, 10, 1), batch(1, 10, 1), batch(1, 10, 1)];
    log.append(&batches, 0).unwrap();
    let path = root.path().join("00000000000000000000.log");
    let at = HEADER_BYTES + batches[0].1.len() + UNIT_TAG_BYTES;
    let mut bytes = fs::read(&path).unwrap();
    bytes[at + 16] ^= 9;
    fs::write(&path, bytes).unwrap();
    assert_eq!(offsets(&log.read(0, 1_000, true).unwrap()), [(0, 0)]);
    assert_eq!(offsets(&log.read(2, 1_000, true).unwrap()), [(2, 2)]);
    for result in [log.read(1, 1_000, true), log.read(1, 0, true)] {
        match result {
            Err(LogError::Corrupt { path: named, position, .. }) => {
                assert_eq!((named, position), (path.clone(), at as u64));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(i32, usize, i64)>),
    Reopen { clean: bool },
    DeleteBefore(prop::sample::Index),
    KeepBytes(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let batches = prop::collection::vec((1..6i32, 0..200usize, 0..1_000i64), 1..4);
    prop::collection::vec(
        prop_oneof![8 => batches.prop_map(Step::Append), 1 => any::<bool>().prop_map(|clean| Step::Reopen { clean }),
            1 => any::<prop::sample::Index>().prop_map(Step::DeleteBefore), 1 => (0..9_000u64).prop_map(Step::KeepBytes)],
        1..30,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_holds_what_a_list_would(
        steps in steps(),
        reads in prop::collection::vec((any::<prop::sample::Index>(), 0..3_000usize, any::<bool>()), 20),
        times in prop::collection::vec(0..1_010i64, 10),
        interval in 1..2_000u32,
    ) {
        let mut root = tempdir();
        // Os: what was appended is readable without a wait, so that every step can be looked at.
        let config = LogConfig {
            segment_bytes: 4_000,
            index_interval_bytes: interval,
            durability: Durability::Os,
            ..LogConfig::default()
        };
        let mut flusher = Flusher::start(1).unwrap();
        let (mut seen, mut log, _) = Seen::open(root.path(), config.clone(), &flusher);
        let mut start = 0;
        // Base offset, last offset, stored bytes and base timestamp of each batch.
        let mut model: Vec<(i64, i64, usize, i64)> = Vec::new();
        for step in steps {
            match step {
                Step::Append(shapes) => {
                    let batches: Vec<_> =
                        shapes.iter().map(|(count, bytes, time)| batch(*count, *bytes, *time)).collect();
                    let total: usize = batches.iter().map(|(_, bytes)| bytes.len()).sum();
                    if total > 4_000 {
                        prop_assert!(log.append(&batches, 0).is_err());
                        continue;
                    }
                    let appended = seen.append(&log, &batches);
                    let mut next = model.last().map_or(0, |last| last.1 + 1);
                    prop_assert_eq!(appended.base_offset, next);
                    for ((count, _, time), (_, bytes)) in shapes.iter().zip(&batches) {
                        model.push((next, next + i64::from(*count) - 1, bytes.len(), *time));
                        next += i64::from(*count);
                    }
                    prop_assert_eq!(appended.last_offset, next - 1);
                }
                Step::Reopen { clean } => {
                    if clean {
                        flusher.shutdown().unwrap();
                    }
                    // The old log's flusher may still be at work on the old directory.
                    root = copy(root.path());
                    flusher = Flusher::start(1).unwrap();
                    let recovery;
                    (seen, log, recovery) = Seen::open(root.path(), config.clone(), &flusher);
                    let all: Vec<_> = model.iter().map(|batch| (batch.0, batch.1)).collect();
                    // Of what was deleted a snapshot may still know.
                    let mut told = seen.all();
                    told.retain(|batch| batch.1 >= start);
                    let due: Vec<_> = all.into_iter().filter(|batch| batch.1 >= start).collect();
                    prop_assert_eq!(told, due);
                    prop_assert_eq!(recovery.truncated_bytes, 0);
                    if clean {
                        prop_assert_eq!(
                            (recovery.verified_bytes, recovery.rebuilt_indexes, recovery.replayed_batches),
                            (0, 0, 0)
                        );
                    }
                }
                Step::DeleteBefore(pick) => {
                    let end = log.end_offset();
                    let offset = i64::try_from(pick.index(usize::try_from(end).unwrap() + 1)).unwrap();
                    start = start.max(offset);
                    prop_assert_eq!(log.delete_before(offset).unwrap(), start);
                    prop_assert!(log.delete_before(end + 1).is_err());
                }
                Step::KeepBytes(bytes) => {
                    let before = log.size_bytes();
                    let retention = Retention { bytes: Some(bytes), milliseconds: None };
                    log.retain(&retention, 0).unwrap();
                    prop_assert!(log.size_bytes() >= bytes.min(before));
                    prop_assert!(log.start_offset() >= start);
                    start = log.start_offset();
                }
            }
        }
        let end = model.last().map_or(0, |last| last.1 + 1);
        prop_assert_eq!((log.start_offset(), log.end_offset(), log.high_watermark()), (start, end, end));
        for (pick, max_bytes, at_least_one) in reads {
            let offset = i64::try_from(pick.index(usize::try_from(end).unwrap() + 1)).unwrap();
            if offset < start {
                prop_assert!(log.read(offset, max_bytes, at_least_one).is_err());
                prop_assert!(log.read_without_waiting(offset, max_bytes, at_least_one).is_err());
                continue;
            }
            let batches = log.read(offset, max_bytes, at_least_one).unwrap();
            let at_once = log.read_without_waiting(offset, max_bytes, at_least_one).unwrap();
            prop_assert!(at_once.is_none_or(|at_once| at_once == batches));
            let read = offsets(&batches);
            let first = model.partition_point(|batch| batch.1 < offset);
            let due: Vec<_> = model[first..].iter().map(|batch| (batch.0, batch.1)).take(read.len()).collect();
            prop_assert_eq!(&read, &due);
            let bytes: usize = model[first..first + read.len()].iter().map(|batch| batch.2).sum();
            prop_assert!(bytes <= max_bytes || (at_least_one && read.len() == 1));
            let fits = model.get(first).is_some_and(|batch| at_least_one || batch.2 <= max_bytes);
            prop_assert_eq!(!read.is_empty(), fits);
        }
        for time in times {
            // Records of a batch are a millisecond apart.
            let due = model.iter().find_map(|(base, last, _, first)| {
                (*first + (last - base) >= time && *last >= start).then(|| {
                    let record = (time - first).max(start - base).max(0);
                    (base + record, first + record)
                })
            });
            prop_assert_eq!(log.offset_for_time(time).unwrap(), due);
        }
    }
}

#[test]
fn new_settings_hold_for_the_next_append() {
    let root = tempdir();
    let config = LogConfig { durability: Durability::Os, ..LogConfig::default() };
    let (log, _) = open(root.path(), config.clone(), &Flusher::start(1).unwrap());
    for _ in 0..5 {
        assert_eq!(log.append(&[batch(2, 30, 1)], 9_000).unwrap().log_append_time, -1);
    }
    assert_eq!(log.segments().len(), 1);
    let smaller = LogConfig { segment_bytes: 500, timestamps: TimestampSource::LogAppendTime, ..config };
    log.reconfigure(&smaller);
    for _ in 0..4 {
        assert_eq!(log.append(&[batch(2, 30, 1)], 9_000).unwrap().log_append_time, 9_000);
    }
    assert_eq!(log.segments().len(), 3);
    assert_eq!(log.segments().last().unwrap().newest_ms, Some(9_000));
}

#[test]
fn a_segment_is_closed_when_asked_to_unless_it_is_empty() {
    let root = tempdir();
    let (log, _) = open(root.path(), LogConfig::default(), &Flusher::start(1).unwrap());
    log.roll().unwrap();
    assert_eq!(log.segments().len(), 1);
    log.append(&[batch(2, 30, 1)], 0).unwrap();
    log.roll().unwrap();
    log.roll().unwrap();
    let bases: Vec<_> = log.segments().iter().map(|segment| segment.base_offset).collect();
    assert_eq!(bases, [0, 2]);
    while log.high_watermark() < 2 || !log.segments()[0].is_settled {
        std::thread::yield_now();
    }
    assert_eq!(log.append(&[batch(1, 30, 1)], 0).unwrap().base_offset, 2);
}
