//! What the tests of this crate share: a broker in a directory of its own, and record batches.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use schloss_gate::{Caller, Engine as _, EngineSession, Outcome};
use schloss_keys::{KeyStore, Keyring, SealingKey, Unlock};
use schloss_log::{Damage, Disk, Flusher, LogConfig, OnDamage, OsDisk, Vault};
use schloss_metadata::Metadata;
use schloss_policy::{AclSet, Admitted, DecisionCache, Judge, Subject, Verdict, admit};
use schloss_wire::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use schloss_wire::records::{Compression, Record, RecordBatch, RecordEncodeLimits, TimestampType};
use schloss_wire::{Principal, Request, Response, StrBytes, build};
use tempfile::TempDir;

use crate::broker::{Advertised, Broker, BrokerConfig};
use crate::storage::Storage;

const LISTENER: &str = "SASL_SSL";

/// A configuration that names no directory that exists.
pub(crate) fn config() -> BrokerConfig {
    config_in(Path::new("/nonexistent"))
}

fn config_in(directory: &Path) -> BrokerConfig {
    let advertised = Advertised { host: "schloss.example".to_owned(), port: 9092 };
    let advertised = HashMap::from([(LISTENER.to_owned(), advertised)]);
    let config = BrokerConfig::new(directory.to_owned(), 1, advertised, LogConfig::default());
    // Most records of the tests are from 1970.
    BrokerConfig { retention_ms: -1, ..config }
}

/// A broker on a directory of its own.
pub(crate) struct House {
    pub(crate) broker: Arc<Broker>,
    flusher: Arc<Flusher>,
    directory: TempDir,
    /// What the logs told of.
    pub(crate) damages: Arc<Mutex<Vec<Damage>>>,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    fn on(directory: TempDir) -> Self {
        Self::on_disk(Arc::new(OsDisk), directory)
    }

    /// A broker on a disk that can be made to fail.
    pub(crate) fn on_faulty(disk: &Arc<FaultyDisk>) -> Self {
        let disk: Arc<FaultyDisk> = Arc::clone(disk);
        Self::on_disk(disk, tempfile::tempdir().unwrap())
    }

    /// A broker that allows other things than usual.
    pub(crate) fn with(change: impl FnOnce(&mut BrokerConfig)) -> Self {
        Self::on_disk_with(Arc::new(OsDisk), tempfile::tempdir().unwrap(), change)
    }

    fn on_disk(disk: Arc<dyn Disk>, directory: TempDir) -> Self {
        Self::on_disk_with(disk, directory, |_| ())
    }

    fn on_disk_with(disk: Arc<dyn Disk>, directory: TempDir, change: impl FnOnce(&mut BrokerConfig)) -> Self {
        let flusher = Flusher::start_on(disk, 1).unwrap();
        let vault = vault(directory.path());
        let metadata =
            Metadata::open(&directory.path().join("metadata"), vec![root()], &vault, Arc::clone(&flusher));
        let damages: Arc<Mutex<Vec<Damage>>> = Arc::default();
        let told = Arc::clone(&damages);
        let on_damage: OnDamage = Arc::new(move |damage| told.lock().push(damage.clone()));
        let storage = Storage { flusher: Arc::clone(&flusher), vault, on_damage: Some(on_damage) };
        let mut config = config_in(directory.path());
        change(&mut config);
        let broker = Broker::open(config, metadata.unwrap(), storage);
        let broker = broker.unwrap_or_else(|error| panic!("{error}"));
        // Tests have clocks of their own.
        broker.cleaner.take_over();
        Self { broker, flusher, directory, damages }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Stops in good order and starts again.
    pub(crate) fn restart(self) -> Self {
        self.restart_after(|_| ())
    }

    /// Stops in good order, does something to the directory, and starts again.
    pub(crate) fn restart_after(self, meanwhile: impl FnOnce(&Path)) -> Self {
        self.flusher.shutdown().unwrap();
        let Self { broker, flusher, directory, damages: _ } = self;
        drop((broker, flusher));
        meanwhile(directory.path());
        Self::on(directory)
    }

    /// Stops in good order and starts again on a disk that can be made to fail.
    pub(crate) fn restart_on(self, disk: &Arc<FaultyDisk>) -> Self {
        self.flusher.shutdown().unwrap();
        let Self { broker, flusher, directory, damages: _ } = self;
        drop((broker, flusher));
        let disk: Arc<FaultyDisk> = Arc::clone(disk);
        Self::on_disk(disk, directory)
    }

    /// What the next start finds after `kill -9` now: the files as they are, nothing said goodbye.
    pub(crate) fn killed(&self) -> Self {
        let copy = tempfile::tempdir().unwrap();
        copy_all(self.path(), copy.path());
        Self::on(copy)
    }

    /// As [`killed`](Self::killed), after something was done to the files, on a disk that can be made to
    /// fail.
    pub(crate) fn killed_on(&self, disk: &Arc<FaultyDisk>, meanwhile: impl FnOnce(&Path)) -> Self {
        let copy = tempfile::tempdir().unwrap();
        copy_all(self.path(), copy.path());
        meanwhile(copy.path());
        let disk: Arc<FaultyDisk> = Arc::clone(disk);
        Self::on_disk(disk, copy)
    }

    /// Sends a request of a super user through the policy and the engine.
    pub(crate) async fn send(&self, version: i16, request: impl Into<Request>) -> Outcome {
        let mut cache = DecisionCache::default();
        self.send_over(&mut Broker::clone(&self.broker), &mut cache, caller(version), request).await
    }

    /// As [`send`](Self::send), over a connection of which the policy remembers something.
    pub(crate) async fn send_over(
        &self,
        connection: &mut dyn EngineSession,
        cache: &mut DecisionCache,
        caller: Caller,
        request: impl Into<Request>,
    ) -> Outcome {
        let version = caller.api_version;
        let acls = AclSet::new(Vec::new(), vec![root()], 1);
        let subject = Subject::new(root(), [127, 0, 0, 1].into());
        let mut judge = Judge::new(&acls, &subject, cache);
        let topics = self.broker.topics();
        let (admitted, repair) = match admit(request.into(), version, &mut judge, &*topics) {
            Verdict::Admitted(admitted, repair) => (admitted, repair),
            Verdict::Refused(response) => return Outcome::Reply(response),
        };
        let outcome = connection.call(caller, admitted).await;
        match outcome {
            Outcome::Reply(mut response) => {
                repair.apply(&mut response, &mut judge, &*topics);
                // Every answer must be one that can go out.
                response.encode_frame(1, version).unwrap();
                Outcome::Reply(response)
            }
            outcome => outcome,
        }
    }

    pub(crate) async fn ask(&self, version: i16, request: impl Into<Request>) -> Response {
        match self.send(version, request).await {
            Outcome::Reply(response) => response,
            outcome => panic!("no reply: {outcome:?}"),
        }
    }

    /// Makes a topic and returns its id.
    pub(crate) async fn topic(
        &self,
        name: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> schloss_wire::Uuid {
        let config = |(name, value): &(&str, &str)| {
            build!(CreatableTopicConfig { name: StrBytes::from(*name), value: Some(StrBytes::from(*value)) })
        };
        let topic = build!(CreatableTopic {
            name: StrBytes::from(name),
            num_partitions: partitions,
            replication_factor: -1,
            configs: configs.iter().map(config).collect(),
        });
        let response = self.ask(7, build!(CreateTopicsRequest { topics: vec![topic] })).await;
        let Response::CreateTopics(response) = response else { panic!("{response:?}") };
        assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
        response.topics[0].topic_id
    }
}

/// The keys of a broker, kept in its directory.
fn vault(directory: &Path) -> Vault {
    const KEK: &str = "default";
    let (path, unlock) = (directory.join("keyring"), Unlock::KeyFile(SealingKey::from_bytes(&[7; 32])));
    let keyring =
        if path.exists() { Keyring::open(&path, &unlock) } else { Keyring::create(&path, &unlock, KEK) };
    let store = KeyStore::open(&directory.join("keys"), Arc::new(keyring.unwrap()), KEK).unwrap();
    Vault::Sealed(Arc::new(store))
}

/// What is kept as it is.
pub(crate) fn plain(flusher: Arc<Flusher>) -> Storage {
    Storage { flusher, vault: Vault::InsecurePlain, on_damage: None }
}

/// A directory for its owner only, as journals want it.
pub(crate) fn private_directory() -> TempDir {
    let mode = fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(mode).tempdir().unwrap()
}

fn root() -> Principal {
    Principal::user("root")
}

/// The request of a super user, all of which the policy admits.
pub(crate) fn admitted(house: &House, version: i16, request: impl Into<Request>) -> Admitted {
    let acls = AclSet::new(Vec::new(), vec![root()], 1);
    let subject = Subject::new(root(), [127, 0, 0, 1].into());
    let mut cache = DecisionCache::default();
    let mut judge = Judge::new(&acls, &subject, &mut cache);
    match admit(request.into(), version, &mut judge, &*house.broker.topics()) {
        Verdict::Admitted(admitted, _) => admitted,
        Verdict::Refused(response) => panic!("refused: {response:?}"),
    }
}

pub(crate) fn caller(api_version: i16) -> Caller {
    Caller {
        principal: root(),
        groups: Arc::default(),
        address: ([127, 0, 0, 1], 50_000).into(),
        client_id: "test".into(),
        connection_id: 1,
        listener: LISTENER.into(),
        api_version,
        correlation_id: 1,
    }
}

/// A disk that fails on demand.
#[derive(Default)]
pub(crate) struct FaultyDisk {
    /// Writes find no space.
    pub(crate) full: AtomicBool,
    /// Flushes fail.
    pub(crate) broken: AtomicBool,
    held: Mutex<bool>,
    released: Condvar,
    /// Where writes ended: inode and position.
    writes: Mutex<Vec<(u64, u64)>>,
}

impl FaultyDisk {
    /// Lets flushes wait, or go on.
    pub(crate) fn hold(&self, held: bool) {
        *self.held.lock() = held;
        self.released.notify_all();
    }

    /// Where the writes to a file ended, in order.
    pub(crate) fn ends_of_writes(&self, file: &Path) -> Vec<u64> {
        let inode = fs::metadata(file).unwrap().ino();
        self.writes.lock().iter().filter(|(of, _)| *of == inode).map(|(_, end)| *end).collect()
    }
}

impl Disk for FaultyDisk {
    fn write(&self, file: &File, buffers: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        if self.full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = OsDisk.write(file, buffers, position)?;
        self.writes.lock().push((file.metadata()?.ino(), position + written as u64));
        Ok(written)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let mut held = self.held.lock();
        self.released.wait_while(&mut held, |held| *held);
        drop(held);
        if self.broken.load(Ordering::Relaxed) {
            return Err(io::Error::other("the disk is broken"));
        }
        OsDisk.sync(file)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        OsDisk.truncate(file, length)
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::DirBuilder::new().mode(0o700).create(&target).unwrap();
            copy_all(&entry.path(), &target);
        } else if let Err(error) = fs::copy(entry.path(), &target) {
            // A file that was replaced meanwhile: the copy is from before.
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
        }
    }
}

/// A batch of `count` small records, stamped 1000, 1001 and so on.
pub(crate) fn batch(count: i32) -> Bytes {
    made(count, 1_000, (-1, -1, -1))
}

/// As [`batch`], stamped from `timestamp` on.
pub(crate) fn batch_at(count: i32, timestamp: i64) -> Bytes {
    made(count, timestamp, (-1, -1, -1))
}

/// As [`batch`], with a key and a value for each record; without a value it is a delete marker.
pub(crate) fn keyed(records: &[(&str, Option<&str>)]) -> Bytes {
    let mut batch = crate::records::decode(&batch(i32::try_from(records.len()).unwrap())).unwrap();
    for (record, (key, value)) in batch.records.iter_mut().zip(records) {
        record.key = Some(Bytes::from((*key).to_owned()));
        record.value = value.map(|value| Bytes::from(value.to_owned()));
    }
    crate::records::encode(&batch).unwrap()
}

/// As [`batch`], of an idempotent producer.
pub(crate) fn idempotent(count: i32, producer_id: i64, epoch: i16, sequence: i32) -> Bytes {
    made(count, 1_000, (producer_id, epoch, sequence))
}

/// As [`idempotent`], of a transaction.
pub(crate) fn transactional(count: i32, producer_id: i64, epoch: i16, sequence: i32) -> Bytes {
    idempotent(count, producer_id, epoch, sequence).patched(21, &0x10i16.to_be_bytes())
}

fn made(count: i32, timestamp: i64, (producer_id, producer_epoch, base_sequence): (i64, i16, i32)) -> Bytes {
    let record = |offset_delta: i32| Record {
        attributes: 0,
        timestamp_delta: offset_delta.into(),
        offset_delta,
        key: None,
        value: Some(Bytes::from_static(b"value")),
        headers: Vec::new(),
    };
    RecordBatch {
        base_offset: 0,
        last_offset_delta: count - 1,
        partition_leader_epoch: -1,
        compression: Compression::None,
        timestamp_type: TimestampType::CreateTime,
        is_transactional: false,
        is_control: false,
        has_delete_horizon: false,
        base_timestamp: timestamp,
        max_timestamp: timestamp + i64::from(count) - 1,
        producer_id,
        producer_epoch,
        base_sequence,
        records: (0..count).map(record).collect(),
    }
    .encode_to_bytes(RecordEncodeLimits::default())
    .unwrap()
}

/// Bytes with some of them replaced.
pub(crate) trait Patch {
    /// Replaces what is at `at`; the CRC of the batch is made true again.
    fn patched(&self, at: usize, bytes: &[u8]) -> Bytes;
}

impl Patch for Bytes {
    fn patched(&self, at: usize, bytes: &[u8]) -> Bytes {
        let mut patched = self.to_vec();
        patched[at..at + bytes.len()].copy_from_slice(bytes);
        let crc = crc32c::crc32c(&patched[21..]);
        patched[17..21].copy_from_slice(&crc.to_be_bytes());
        patched.into()
    }
}
