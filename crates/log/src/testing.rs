//! What the tests of this crate share.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use schloss_keys::{DataKey, Keyring, SealingKey, Unlock};
use schloss_wire::records::{
    BatchHeader, Compression, Record, RecordBatch, RecordEncodeLimits, TimestampType, check_batch,
    check_batches,
};

use crate::{
    Appended, Disk, Flusher, Home, Identity, LogConfig, LogError, OsDisk, PartitionLog, Recovery, Replay,
    Sealing, Watch,
};

/// A directory for its owner only, as logs want it.
pub(crate) fn tempdir() -> tempfile::TempDir {
    let mode = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(mode).tempdir().unwrap()
}

/// A batch of `count` records with `value_bytes` each, one millisecond apart from `timestamp` on.
pub(crate) fn batch(count: i32, value_bytes: usize, timestamp: i64) -> (BatchHeader, Bytes) {
    let deltas: Vec<i64> = (0..i64::from(count)).collect();
    batch_at(&deltas, value_bytes, timestamp, Compression::None)
}

/// A batch with one record for each timestamp delta.
pub(crate) fn batch_at(
    deltas: &[i64],
    value_bytes: usize,
    timestamp: i64,
    compression: Compression,
) -> (BatchHeader, Bytes) {
    let records = deltas.iter().enumerate().map(|(index, delta)| Record {
        attributes: 0,
        timestamp_delta: *delta,
        offset_delta: i32::try_from(index).unwrap(),
        key: None,
        value: Some(Bytes::from(vec![b'a' + u8::try_from(index % 26).unwrap(); value_bytes])),
        headers: Vec::new(),
    });
    let bytes = RecordBatch {
        base_offset: 0,
        last_offset_delta: i32::try_from(deltas.len()).unwrap() - 1,
        partition_leader_epoch: -1,
        compression,
        timestamp_type: TimestampType::CreateTime,
        is_transactional: false,
        is_control: false,
        has_delete_horizon: false,
        base_timestamp: timestamp,
        max_timestamp: timestamp + deltas.iter().max().unwrap(),
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        records: records.collect(),
    }
    .encode_to_bytes(RecordEncodeLimits::default())
    .unwrap();
    (check_batch(&bytes).unwrap(), bytes)
}

pub(crate) const IDENTITY: Identity = Identity { topic: [9; 16], partition: 3 };

/// A key of a topic, the same one for all tests.
pub(crate) fn key() -> Arc<DataKey> {
    static KEY: OnceLock<Arc<DataKey>> = OnceLock::new();
    Arc::clone(KEY.get_or_init(other_key))
}

/// Another key.
pub(crate) fn other_key() -> Arc<DataKey> {
    let home = tempdir();
    let unlock = Unlock::KeyFile(SealingKey::generate().unwrap());
    let keyring = Keyring::create(&home.path().join("keyring"), &unlock, "default").unwrap();
    DataKey::create(&home.path().join("key"), "topic 01", &keyring, "default").unwrap()
}

pub(crate) fn sealed() -> Sealing {
    Sealing::Sealed(key())
}

pub(crate) fn home(directory: &Path, sealing: Sealing) -> Home {
    Home { directory: directory.to_owned(), identity: IDENTITY, sealing }
}

/// Opens a log that is in order.
pub(crate) fn open(directory: &Path, config: LogConfig, flusher: &Arc<Flusher>) -> (PartitionLog, Recovery) {
    try_open(directory, config, flusher).unwrap()
}

pub(crate) fn try_open(
    directory: &Path,
    config: LogConfig,
    flusher: &Arc<Flusher>,
) -> Result<(PartitionLog, Recovery), LogError> {
    PartitionLog::open(home(directory, sealed()), config, Arc::clone(flusher), Watch::default())
}

/// First and last offsets of all batches that a log was told to have, which is also what its snapshots hold.
#[derive(Clone, Default)]
pub(crate) struct Seen(pub(crate) Arc<Mutex<Vec<(i64, i64)>>>);

impl Seen {
    pub(crate) fn all(&self) -> Vec<(i64, i64)> {
        self.0.lock().clone()
    }

    /// Appends in step with the snapshots.
    pub(crate) fn append(&self, log: &PartitionLog, batches: &[(BatchHeader, Bytes)]) -> Appended {
        let mut seen = self.0.lock();
        let appended = log.append(batches, 0).unwrap();
        let mut next = appended.base_offset;
        for (header, _) in batches {
            seen.push((next, next + i64::from(header.last_offset_delta)));
            next = seen.last().unwrap().1 + 1;
        }
        appended
    }

    /// Opens a log that tells all of its batches.
    pub(crate) fn open(
        directory: &Path,
        config: LogConfig,
        flusher: &Arc<Flusher>,
    ) -> (Self, PartitionLog, Recovery) {
        let seen = Self::default();
        let mut told = seen.clone();
        let snapshots = seen.clone();
        let watch = Watch {
            replay: Some(&mut told),
            snapshots: Some(Box::new(move |end| {
                let seen = snapshots.0.lock();
                let numbers = seen.iter().flat_map(|(first, last)| [*first, *last]);
                (end(), numbers.flat_map(i64::to_be_bytes).collect())
            })),
            on_damage: None,
        };
        let home = home(directory, sealed());
        let (log, recovery) = PartitionLog::open(home, config, Arc::clone(flusher), watch).unwrap();
        (seen, log, recovery)
    }
}

impl Replay for Seen {
    fn restore(&mut self, snapshot: &[u8]) -> bool {
        let numbers: Vec<i64> =
            snapshot.as_chunks().0.iter().map(|bytes| i64::from_be_bytes(*bytes)).collect();
        *self.0.lock() = numbers.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        true
    }

    fn batch(&mut self, header: &BatchHeader, batch: &[u8]) {
        assert_eq!(check_batch(batch).unwrap(), *header);
        self.0.lock().push((header.base_offset, header.last_offset()));
    }
}

/// First and last offset of each batch in `bytes`, each checked.
pub(crate) fn offsets(bytes: &Bytes) -> Vec<(i64, i64)> {
    check_batches(bytes)
        .unwrap()
        .iter()
        .map(|(header, _)| (header.base_offset, header.last_offset()))
        .collect()
}

/// A copy of a directory as a process that dies would leave it.
pub(crate) fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempdir();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match std::fs::copy(entry.path(), to.path().join(entry.file_name())) {
            // A flusher at work has renamed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => drop(other.unwrap()),
        }
    }
    to
}

/// A disk that fails, or is slow, when told to, and counts.
#[derive(Default)]
pub(crate) struct FaultyDisk {
    pub(crate) syncs: AtomicUsize,
    /// Inodes of the files that were flushed.
    pub(crate) synced: Mutex<HashSet<u64>>,
    pub(crate) fail_sync: AtomicBool,
    pub(crate) fail_truncate: AtomicBool,
    /// Bytes that still fit, plus one; 0 is no limit.
    pub(crate) room: AtomicU64,
    pub(crate) sync_millis: AtomicU64,
}

impl FaultyDisk {
    pub(crate) fn start() -> (Arc<Self>, Arc<Flusher>) {
        let disk = Arc::new(Self::default());
        let flusher = Flusher::start_on(Arc::clone(&disk) as Arc<dyn Disk>, 2).unwrap();
        (disk, flusher)
    }

    /// Lets `bytes` more be written, then is full.
    pub(crate) fn fill_after(&self, bytes: u64) {
        self.room.store(bytes + 1, Ordering::SeqCst);
    }

    pub(crate) fn make_room(&self) {
        self.room.store(0, Ordering::SeqCst);
    }

    pub(crate) fn syncs(&self) -> usize {
        self.syncs.load(Ordering::SeqCst)
    }
}

impl Disk for FaultyDisk {
    fn write(&self, file: &File, buffers: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let room = self.room.load(Ordering::SeqCst);
        if room == 0 {
            return OsDisk.write(file, buffers, position);
        }
        let whole: Vec<u8> = buffers.iter().flat_map(|buffer| buffer.iter().copied()).collect();
        let fits = whole.len().min(usize::try_from(room - 1).unwrap());
        if fits == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = OsDisk.write(file, &[IoSlice::new(&whole[..fits])], position)?;
        self.room.fetch_sub(written as u64, Ordering::SeqCst);
        Ok(written)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        std::thread::sleep(Duration::from_millis(self.sync_millis.load(Ordering::SeqCst)));
        self.syncs.fetch_add(1, Ordering::SeqCst);
        self.synced.lock().insert(file.metadata()?.ino());
        if self.fail_sync.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        OsDisk.sync(file)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        if self.fail_truncate.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        OsDisk.truncate(file, length)
    }
}
