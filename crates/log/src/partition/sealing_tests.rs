//! What is sealed, and what becomes of it when somebody changes or moves it.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use schloss_keys::{DATA_SEAL_BYTES, UNIT_TAG_BYTES};

use crate::header::{HEADER_BYTES, PLACE_BYTES};
use crate::testing::{FaultyDisk, IDENTITY, batch, copy, home, offsets, open, other_key, sealed, tempdir};
use crate::{Damage, Durability, Flusher, Home, Identity, LogConfig, LogError, PartitionLog, Sealing, Watch};

const SEGMENT: &str = "00000000000000000000.log";

fn config() -> LogConfig {
    LogConfig { index_interval_bytes: 1, durability: Durability::Os, ..LogConfig::default() }
}

fn open_as(home: Home) -> Result<PartitionLog, LogError> {
    PartitionLog::open(home, config(), Flusher::start(1).unwrap(), Watch::default()).map(|(log, _)| log)
}

/// A log of three batches, closed in good order.
fn closed() -> tempfile::TempDir {
    let root = tempdir();
    let flusher = Flusher::start(1).unwrap();
    let (log, _) = open(root.path(), config(), &flusher);
    for number in 0..3 {
        log.append(&[batch(2, 40, number)], 0).unwrap();
    }
    flusher.shutdown().unwrap();
    root
}

fn wrapped_key(segment: &Path) -> Vec<u8> {
    fs::read(segment).unwrap()[PLACE_BYTES..PLACE_BYTES + 32 + DATA_SEAL_BYTES].to_vec()
}

#[test]
fn no_file_of_a_log_shows_what_is_in_its_records() {
    let root = closed();
    // The values of the records, and the header field that says how many there are of the first.
    for entry in fs::read_dir(root.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        for value in [[b'a'; 8], [b'b'; 8]] {
            assert!(!bytes.windows(8).any(|window| window == value), "{}", path.display());
        }
    }
}

#[test]
fn whatever_byte_of_a_segment_is_flipped_no_wrong_data_comes_out_and_its_batch_is_told_of() {
    let root = closed();
    let path = root.path().join(SEGMENT);
    let whole = fs::read(&path).unwrap();
    let stored = batch(2, 40, 0).1.len() + UNIT_TAG_BYTES;
    let (intact, _) = open(root.path(), config(), &Flusher::start(1).unwrap());
    let good: Vec<_> = (0..3).map(|number| intact.read(2 * number, 0, true).unwrap()).collect();
    for at in HEADER_BYTES..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x08;
        fs::write(&path, &flipped).unwrap();
        let told = Arc::new(Mutex::new(Vec::<Damage>::new()));
        let teller = Arc::clone(&told);
        let watch = Watch {
            on_damage: Some(Arc::new(move |damage: &Damage| teller.lock().push(damage.clone()))),
            ..Watch::default()
        };
        let flusher = Flusher::start(1).unwrap();
        let home = home(root.path(), sealed());
        let (log, _) = PartitionLog::open(home, config(), flusher, watch).unwrap();
        let damaged = (at - HEADER_BYTES) / stored;
        for (number, good) in good.iter().enumerate() {
            let offset = 2 * i64::try_from(number).unwrap();
            for _ in 0..2 {
                match log.read(offset, 0, true) {
                    Ok(read) => assert!(number != damaged && read == *good, "byte {at}, offset {offset}"),
                    Err(LogError::Corrupt { position, .. }) => {
                        let begins = HEADER_BYTES + damaged * stored;
                        assert_eq!((number, position), (damaged, begins as u64), "byte {at}");
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
        let told = told.lock();
        assert_eq!((told.len(), told[0].identity, &told[0].path), (1, IDENTITY, &path), "told once");
    }
}

#[test]
fn a_batch_that_was_moved_within_its_segment_or_to_another_does_not_open() {
    let root = closed();
    let path = root.path().join(SEGMENT);
    let mut bytes = fs::read(&path).unwrap();
    let stored = batch(2, 40, 0).1.len() + UNIT_TAG_BYTES;
    let (first, rest) = bytes[HEADER_BYTES..].split_at_mut(stored);
    first.swap_with_slice(&mut rest[..stored]);
    fs::write(&path, &bytes).unwrap();
    let (log, _) = open(root.path(), config(), &Flusher::start(1).unwrap());
    assert!(log.read(0, 0, true).is_err() && log.read(2, 0, true).is_err());
    assert_eq!(offsets(&log.read(4, 0, true).unwrap()), [(4, 5)]);

    // The same batches, at the same positions of another segment with the same name.
    let other = closed();
    let path = other.path().join(SEGMENT);
    let frames = fs::read(&path).unwrap().split_off(HEADER_BYTES);
    let third = closed();
    let path = third.path().join(SEGMENT);
    let mut bytes = fs::read(&path).unwrap();
    bytes.splice(HEADER_BYTES.., frames);
    fs::write(&path, &bytes).unwrap();
    let (log, _) = open(third.path(), config(), &Flusher::start(1).unwrap());
    assert!((0..6).all(|offset| matches!(log.read(offset, 0, true), Err(LogError::Corrupt { .. }))));
}

#[test]
fn a_segment_opens_for_its_topic_and_partition_with_its_key_only() {
    let root = closed();
    let elsewhere = |identity| Home { identity, ..home(root.path(), sealed()) };
    let mut homes = vec![
        elsewhere(Identity { topic: [8; 16], ..IDENTITY }),
        elsewhere(Identity { partition: 4, ..IDENTITY }),
        home(root.path(), Sealing::Sealed(other_key())),
        home(root.path(), Sealing::InsecurePlain),
    ];
    let plain = tempdir();
    drop(open_as(home(plain.path(), Sealing::InsecurePlain)).unwrap());
    homes.push(home(plain.path(), sealed()));
    for home in homes {
        assert!(matches!(open_as(home), Err(LogError::Refused { .. })));
    }
    assert!(open_as(home(root.path(), sealed())).is_ok());
}

#[test]
fn a_segment_of_a_version_that_did_not_seal_is_refused_with_what_to_do() {
    let root = closed();
    fs::write(root.path().join(SEGMENT), &batch(2, 40, 0).1[..]).unwrap();
    let why = open_as(home(root.path(), sealed())).err().unwrap().to_string();
    assert!(why.contains("docs/encryption.md"), "{why}");
}

#[test]
fn what_is_appended_after_a_crash_or_a_stop_gets_a_key_of_its_own_and_touches_no_old_byte() {
    let root = closed();
    let old = fs::read(root.path().join(SEGMENT)).unwrap();
    let mut directory = copy(root.path());
    let mut keys = HashSet::from([wrapped_key(&directory.path().join(SEGMENT))]);
    for restart in 0..4 {
        let flusher = Flusher::start(1).unwrap();
        let (log, _) = open(directory.path(), config(), &flusher);
        let appended = log.append(&[batch(1, 40, 1)], 0).unwrap();
        let segment = directory.path().join(format!("{:020}.log", appended.base_offset));
        assert!(keys.insert(wrapped_key(&segment)), "restart {restart}");
        assert_eq!(fs::read(directory.path().join(SEGMENT)).unwrap(), old);
        // With a torn end every other time: it is cut off, and its position is not used again with this key.
        let killed = copy(directory.path());
        if restart % 2 == 1 {
            let segment = killed.path().join(segment.file_name().unwrap());
            let bytes = fs::read(&segment).unwrap();
            fs::write(&segment, &bytes[..bytes.len() - 1]).unwrap();
        }
        directory = killed;
    }
    assert_eq!(keys.len(), 5);
}

#[test]
fn after_a_write_that_failed_half_way_the_next_batch_gets_a_key_of_its_own() {
    let root = tempdir();
    let (disk, flusher) = FaultyDisk::start();
    let (log, _) = open(root.path(), config(), &flusher);
    let path = root.path().join(SEGMENT);
    let first = wrapped_key(&path);
    disk.fill_after(60);
    assert!(log.append(&[batch(2, 40, 1)], 0).unwrap_err().is_disk_full());
    disk.make_room();
    // In the place of the empty one.
    log.append(&[batch(2, 40, 1)], 0).unwrap();
    assert_ne!(wrapped_key(&path), first);
    disk.fill_after(60);
    assert!(log.append(&[batch(2, 40, 1)], 0).is_err());
    disk.make_room();
    log.append(&[batch(2, 40, 1)], 0).unwrap();
    assert!(root.path().join("00000000000000000002.log").exists());
    assert_eq!(offsets(&log.read(0, 0, true).unwrap()), [(0, 1)]);
    assert_eq!(offsets(&log.read(2, 0, true).unwrap()), [(2, 3)]);
    flusher.shutdown().unwrap();
    let (log, recovery) = open(root.path(), config(), &Flusher::start(1).unwrap());
    assert_eq!((log.end_offset(), recovery.truncated_bytes), (4, 0));
}
