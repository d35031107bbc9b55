use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::Ordering;

use proptest::prelude::*;

use schloss_keys::WRAPPED_UNIT_KEY_BYTES;

use super::frame::HEAD_BYTES;
use super::*;
use crate::testing::{FaultyDisk, other_key, sealed, tempdir};

/// The frame that holds a wrapped key.
const KEY_FRAME_BYTES: u64 = (HEAD_BYTES + 1 + WRAPPED_UNIT_KEY_BYTES) as u64;

fn open(path: &Path, flusher: &Arc<Flusher>) -> Result<(Journal, JournalRecovery, Vec<Vec<u8>>), LogError> {
    let mut entries = Vec::new();
    let replay = |entry: &[u8]| {
        entries.push(entry.to_vec());
        Ok::<_, Infallible>(())
    };
    let (journal, recovery) = Journal::open(path, sealed(), Arc::clone(flusher), replay)?;
    Ok((journal, recovery, entries))
}

/// A journal in which every entry was on disk before the next was appended.
async fn durable(path: &Path, entries: &[&[u8]]) -> Vec<u64> {
    let flusher = Flusher::start(1).unwrap();
    let (journal, _, _) = open(path, &flusher).unwrap();
    let mut starts = Vec::new();
    for entry in entries {
        starts.push(journal.size_bytes());
        journal.wait(journal.append(entry).unwrap()).await.unwrap();
    }
    starts
}

#[tokio::test]
async fn entries_come_back_in_order() {
    let root = tempdir();
    let path = root.path().join("metadata/journal");
    durable(&path, &[b"one", b"two", b"three"]).await;
    let (journal, recovery, entries) = open(&path, &Flusher::start(1).unwrap()).unwrap();
    assert_eq!(entries, [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
    assert_eq!(recovery, JournalRecovery { entries: 3, ..Default::default() });
    assert_eq!(journal.size_bytes(), fs::metadata(&path).unwrap().len());
}

fn contains(path: &Path, text: &[u8]) -> bool {
    fs::read(path).unwrap().windows(text.len()).any(|window| window == text)
}

#[tokio::test]
async fn a_journal_hides_its_entries_and_takes_its_own_key_in_its_own_file() {
    let root = tempdir();
    let (path, plain) = (root.path().join("journal"), root.path().join("plain"));
    durable(&path, &[b"the first secret", b"the second one"]).await;
    let flusher = Flusher::start(1).unwrap();
    let (journal, _, _) = open(&path, &flusher).unwrap();
    journal.rewrite([b"the third secret"]).unwrap();
    journal.wait(journal.append(b"the fourth secret").unwrap()).await.unwrap();
    assert!(!contains(&path, b"secret") && !contains(&path, b"second"));

    let ignore = |_: &[u8]| Ok::<_, Infallible>(());
    let (journal, _) = Journal::open(&plain, Sealing::InsecurePlain, Arc::clone(&flusher), ignore).unwrap();
    journal.wait(journal.append(b"the first secret").unwrap()).await.unwrap();
    assert!(contains(&plain, b"the first secret"));
    let try_open = |path: &Path, sealing| Journal::open(path, sealing, Arc::clone(&flusher), ignore).err();
    assert!(matches!(try_open(&plain, sealed()), Some(LogError::Refused { .. })));
    assert!(matches!(try_open(&path, Sealing::InsecurePlain), Some(LogError::Refused { .. })));
    let other = Sealing::Sealed(other_key());
    assert!(matches!(try_open(&path, other), Some(LogError::Corrupt { position: 32, .. })));

    // The entries of one file in another, which has the same key above it.
    let moved = root.path().join("moved");
    durable(&moved, &[b"x"]).await;
    let mut bytes = fs::read(&moved).unwrap();
    bytes.splice(HEADER_BYTES.., fs::read(&path).unwrap().split_off(HEADER_BYTES));
    fs::write(&moved, bytes).unwrap();
    assert!(matches!(try_open(&moved, sealed()), Some(LogError::Corrupt { position: 32, .. })));

    let old = root.path().join("old");
    fs::write(&old, b"SCHLJNL1").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o600)).unwrap();
    let why = try_open(&old, sealed()).unwrap().to_string();
    assert!(why.contains("did not seal") && why.contains("docs/encryption.md"), "{why}");
}

/// The wrapped keys in a journal, with their places.
fn keys_in(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let file = File::open(path).unwrap();
    let mut frames = Frames::new(&file, file.metadata().unwrap().len());
    let (mut position, mut keys) = (HEADER_BYTES as u64, Vec::new());
    while let Frame::Content { content, next } = frames.at(position).unwrap() {
        if content.len() == 1 + WRAPPED_UNIT_KEY_BYTES && content[0] == 1 {
            keys.push((position, content[1..].to_vec()));
        }
        position = next;
    }
    keys
}

#[tokio::test]
async fn a_key_is_drawn_for_every_process_every_rewrite_and_after_every_failed_write() {
    let root = tempdir();
    let path = root.path().join("journal");
    durable(&path, &[b"one", b"two"]).await;
    durable(&path, &[b"three"]).await;
    assert_eq!(keys_in(&path).len(), 2);
    let (disk, flusher) = FaultyDisk::start();
    let (journal, _, _) = open(&path, &flusher).unwrap();
    journal.wait(journal.append(b"four").unwrap()).await.unwrap();
    let end = journal.size_bytes();
    // Part of it is written, and taken back: the position was used.
    disk.fill_after(30);
    assert!(journal.append(b"five").is_err());
    disk.make_room();
    journal.wait(journal.append(b"six").unwrap()).await.unwrap();
    let keys = keys_in(&path);
    assert_eq!((keys.len(), keys[3].0), (4, end));
    journal.rewrite([b"seven", b"eight"]).unwrap();
    journal.wait(journal.append(b"nine").unwrap()).await.unwrap();
    let rewritten = keys_in(&path);
    assert_eq!(rewritten.len(), 1);
    assert!(keys.iter().all(|key| key.1 != rewritten[0].1));
    let (_, _, entries) = open(&path, &flusher).unwrap();
    assert_eq!(entries, [b"seven".to_vec(), b"eight".to_vec(), b"nine".to_vec()]);
}

#[tokio::test]
async fn a_journal_cut_at_any_byte_keeps_its_whole_entries_and_takes_new_ones() {
    let root = tempdir();
    let path = root.path().join("journal");
    let starts = durable(&path, &[b"one", b"two", b"three"]).await;
    let whole = fs::read(&path).unwrap();
    let bounds = [starts[0], starts[0] + KEY_FRAME_BYTES, starts[1], starts[2], whole.len() as u64];
    let flusher = Flusher::start(1).unwrap();
    for length in HEADER_BYTES..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (journal, recovery, entries) = open(&path, &flusher).unwrap();
        let kept = bounds.iter().filter(|bound| **bound <= length as u64).count() - 1;
        assert_eq!(entries.len(), kept.saturating_sub(1), "{length}");
        assert_eq!(recovery.truncated_bytes, length as u64 - bounds[kept], "{length}");
        journal.wait(journal.append(b"more").unwrap()).await.unwrap();
        drop(journal);
        let (_, recovery, entries) = open(&path, &flusher).unwrap();
        assert_eq!((recovery.truncated_bytes, entries.last().unwrap().as_slice()), (0, b"more".as_slice()));
    }
    fs::write(&path, &whole[..3]).unwrap();
    assert!(matches!(open(&path, &flusher), Err(LogError::Corrupt { position: 0, .. })));
}

#[tokio::test]
async fn a_flipped_bit_before_the_last_entry_is_refused_with_its_place_and_changes_nothing() {
    let root = tempdir();
    let path = root.path().join("journal");
    let starts = durable(&path, &[b"one", b"two", b"three"]).await;
    let whole = fs::read(&path).unwrap();
    let bounds = [starts[0], starts[0] + KEY_FRAME_BYTES, starts[1], starts[2]];
    let flusher = Flusher::start(1).unwrap();
    for at in 0..usize::try_from(starts[2]).unwrap() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        fs::write(&path, &flipped).unwrap();
        let damaged = bounds.iter().copied().rfind(|bound| *bound <= at as u64).unwrap_or(0);
        match open(&path, &flusher) {
            Err(LogError::Corrupt { path: named, position, .. }) => {
                assert_eq!((named, position), (path.clone(), damaged), "{at}");
            }
            _ => panic!("byte {at} went unnoticed"),
        }
        assert_eq!(fs::read(&path).unwrap(), flipped);
    }
}

#[tokio::test]
async fn a_damaged_entry_behind_the_last_flush_is_a_torn_end_though_others_follow() {
    let root = tempdir();
    let path = root.path().join("journal");
    let starts = durable(&path, &[b"safe"]).await;
    let (disk, flusher) = FaultyDisk::start();
    let (journal, _, _) = open(&path, &flusher).unwrap();
    disk.sync_millis.store(200, Ordering::SeqCst);
    let first = journal.size_bytes();
    let ticket = journal.append_all(&[b"lost", b"follows"]).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[usize::try_from(first + KEY_FRAME_BYTES).unwrap() + HEAD_BYTES] ^= 1;
    let torn = root.path().join("torn");
    fs::copy(&path, &torn).unwrap();
    fs::write(&torn, &bytes).unwrap();
    journal.wait(ticket).await.unwrap();

    let (_, recovery, entries) = open(&torn, &flusher).unwrap();
    assert_eq!(entries, [b"safe".to_vec()]);
    assert_eq!(recovery.truncated_bytes, bytes.len() as u64 - first - KEY_FRAME_BYTES);
    assert_eq!(starts.len(), 1);
}

#[tokio::test]
async fn after_a_rewrite_only_the_new_entries_are_there_and_damage_to_them_is_found() {
    let root = tempdir();
    let path = root.path().join("journal");
    let flusher = Flusher::start(1).unwrap();
    let (journal, _, _) = open(&path, &flusher).unwrap();
    let old = journal.append(b"old").unwrap();
    journal.rewrite([b"new 1", b"new 2"]).unwrap();
    journal.wait(old).await.unwrap();
    journal.wait(journal.append(b"later").unwrap()).await.unwrap();
    drop(journal);
    let (journal, _, entries) = open(&path, &flusher).unwrap();
    assert_eq!(entries, [b"new 1".to_vec(), b"new 2".to_vec(), b"later".to_vec()]);
    drop(journal);

    let mut bytes = fs::read(&path).unwrap();
    bytes[HEADER_BYTES + HEAD_BYTES] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(open(&path, &flusher), Err(LogError::Corrupt { position: 32, .. })));
}

#[tokio::test]
async fn what_an_unfinished_rewrite_left_is_cleared_away() {
    let root = tempdir();
    let path = root.path().join("journal");
    durable(&path, &[b"one"]).await;
    fs::write(unfinished_name(&path), b"half").unwrap();
    let (_, recovery, entries) = open(&path, &Flusher::start(1).unwrap()).unwrap();
    assert!(recovery.removed_rewrite && !unfinished_name(&path).exists());
    assert_eq!(entries, [b"one".to_vec()]);
}

#[tokio::test]
async fn a_failed_rewrite_leaves_the_journal_as_it_was() {
    let root = tempdir();
    let path = root.path().join("journal");
    let (disk, flusher) = FaultyDisk::start();
    let (journal, _, _) = open(&path, &flusher).unwrap();
    journal.wait(journal.append(b"one").unwrap()).await.unwrap();
    disk.fail_sync.store(true, Ordering::SeqCst);
    assert!(matches!(journal.rewrite([b"two"]), Err(LogError::Io { .. })));
    disk.fail_sync.store(false, Ordering::SeqCst);
    assert!(!unfinished_name(&path).exists());
    journal.wait(journal.append(b"three").unwrap()).await.unwrap();
    let (_, _, entries) = open(&path, &flusher).unwrap();
    assert_eq!(entries, [b"one".to_vec(), b"three".to_vec()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_who_wait_share_a_few_flushes() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let (journal, _, _) = open(&root.path().join("journal"), &flusher).unwrap();
    disk.sync_millis.store(20, Ordering::SeqCst);
    let before = disk.syncs();
    let waits: Vec<_> =
        (0..50).map(|_| tokio::spawn(journal.wait(journal.append(b"entry").unwrap()))).collect();
    for wait in waits {
        wait.await.unwrap().unwrap();
    }
    assert!(disk.syncs() - before <= 10, "{} flushes", disk.syncs() - before);
}

#[tokio::test]
async fn a_failed_flush_fails_who_waits_and_every_later_append() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let (journal, _, _) = open(&root.path().join("journal"), &flusher).unwrap();
    disk.fail_sync.store(true, Ordering::SeqCst);
    let ticket = journal.append(b"entry").unwrap();
    assert!(matches!(journal.wait(ticket).await, Err(LogError::Failed { .. })));
    disk.fail_sync.store(false, Ordering::SeqCst);
    assert!(matches!(journal.append(b"entry"), Err(LogError::Failed { .. })));
    assert!(matches!(journal.rewrite([b"entry"]), Err(LogError::Failed { .. })));
    assert!(matches!(journal.wait(ticket).await, Err(LogError::Failed { .. })));
    assert!(matches!(flusher.shutdown(), Err(LogError::Failed { .. })));
}

#[tokio::test]
async fn a_full_disk_refuses_an_entry_and_takes_the_next_when_there_is_room() {
    let root = tempdir();
    let path = root.path().join("journal");
    let (disk, flusher) = FaultyDisk::start();
    let (journal, _, _) = open(&path, &flusher).unwrap();
    disk.fill_after(10);
    assert!(journal.append(b"does not fit").unwrap_err().is_disk_full());
    assert_eq!(fs::metadata(&path).unwrap().len(), HEADER_BYTES as u64);
    disk.make_room();
    journal.wait(journal.append(b"fits").unwrap()).await.unwrap();

    disk.fill_after(10);
    disk.fail_truncate.store(true, Ordering::SeqCst);
    assert!(matches!(journal.append(b"does not fit"), Err(LogError::Failed { .. })));
    let (_, recovery, entries) = open(&path, &Flusher::start(1).unwrap()).unwrap();
    assert_eq!((entries, recovery.truncated_bytes), (vec![b"fits".to_vec()], 10));
}

#[tokio::test]
async fn entries_have_a_bound_and_a_closed_journal_takes_none() {
    let root = tempdir();
    let flusher = Flusher::start(1).unwrap();
    let (journal, _, _) = open(&root.path().join("journal"), &flusher).unwrap();
    assert!(matches!(journal.append(b""), Err(LogError::EmptyEntry)));
    assert!(matches!(journal.append(&vec![0; MAX_ENTRY_BYTES + 1]), Err(LogError::TooLarge { .. })));
    let ticket = journal.append(&vec![0; MAX_ENTRY_BYTES]).unwrap();
    flusher.shutdown().unwrap();
    journal.wait(ticket).await.unwrap();
    assert!(matches!(journal.append(b"late"), Err(LogError::Closed { .. })));
    assert!(matches!(open(&root.path().join("other"), &flusher), Err(LogError::Closed { .. })));
}

#[tokio::test]
async fn an_entry_that_the_replay_refuses_is_named() {
    let root = tempdir();
    let path = root.path().join("journal");
    let starts = durable(&path, &[b"one", b"two"]).await;
    let refuse_two =
        |entry: &[u8]| if entry == b"two" { Err("kind 7 is unknown") } else { Ok::<(), &str>(()) };
    match Journal::open(&path, sealed(), Flusher::start(1).unwrap(), refuse_two) {
        Err(LogError::Replay { position, reason, .. }) => {
            assert_eq!((position, reason.as_str()), (starts[1], "kind 7 is unknown"));
        }
        _ => panic!("the entry was accepted"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_holds_what_a_list_would(
        steps in prop::collection::vec(
            prop_oneof![
                6 => prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 1..4).prop_map(Some),
                1 => Just(None),
            ],
            1..12,
        )
    ) {
        let root = tempdir();
        let path = root.path().join("journal");
        let mut flusher = Flusher::start(1).unwrap();
        let (mut journal, _, _) = open(&path, &flusher).unwrap();
        let mut model: Vec<Vec<u8>> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            if let Some(entries) = step {
                let slices: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
                let _ = journal.append_all(&slices).unwrap();
                model.extend(entries);
            } else if number % 2 == 0 {
                model.drain(..model.len() / 2);
                journal.rewrite(&model).unwrap();
            } else {
                flusher.shutdown().unwrap();
                flusher = Flusher::start(1).unwrap();
                let (reopened, _, entries) = open(&path, &flusher).unwrap();
                prop_assert_eq!(&entries, &model);
                journal = reopened;
            }
        }
        drop(journal);
        let (_, recovery, entries) = open(&path, &flusher).unwrap();
        prop_assert_eq!(entries, model);
        prop_assert_eq!(recovery.truncated_bytes, 0);
    }
}
