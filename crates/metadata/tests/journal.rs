//! The metadata and its journal: what survives, and as a whole.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{acl, credential, open, state, topic};
use schloss_identity::{CredentialStore as _, Mechanism};
use schloss_log::{Disk, Flusher, Journal, OsDisk, Sealing, Vault};
use schloss_metadata::{
    ConfigChange, ConfigResource, Metadata, MetadataError, Record, ScramChange, TopicRef,
};
use schloss_policy::{AclFilter, TopicNames as _};
use schloss_wire::{ErrorCode, Principal};

#[tokio::test]
async fn everything_survives_a_drop_without_a_close() {
    let home = common::home();
    let metadata = open(home.path());
    let made = metadata.create_topics(vec![topic("a"), topic("b"), topic("c")], false).await.unwrap();
    let a = made[0].clone().unwrap();
    metadata.create_partitions(vec![("b".to_owned(), 7)], false).await.unwrap()[0].clone().unwrap();
    metadata.delete_topics(vec![TopicRef::Name("c".to_owned())]).await.unwrap()[0].clone().unwrap();
    metadata.add_acls(vec![acl("alice", "a"), acl("bob", "a"), acl("bob", "b")]).await.unwrap();
    let bob = AclFilter { principal: Some("User:bob".to_owned()), ..AclFilter::default() };
    assert_eq!(metadata.delete_acls(vec![bob]).await.unwrap()[0].len(), 2);
    let scram = credential(Mechanism::ScramSha512, 4096);
    metadata.set_scram("alice", scram.clone()).await.unwrap();
    metadata.set_scram("alice", credential(Mechanism::ScramSha256, 5000)).await.unwrap();
    metadata.set_scram("bob", credential(Mechanism::ScramSha256, 5000)).await.unwrap();
    metadata.remove_scram("bob", Mechanism::ScramSha256).await.unwrap();
    let set = |resource, key: &str, value: Option<&str>| ConfigChange {
        resource,
        changes: BTreeMap::from([(key.to_owned(), value.map(str::to_owned))]),
    };
    let changes = vec![
        set(ConfigResource::Topic("a".to_owned()), "retention.ms", Some("1")),
        set(ConfigResource::Broker(String::new()), "x", Some("2")),
        set(ConfigResource::Broker("1".to_owned()), "x", Some("2")),
        set(ConfigResource::Broker("1".to_owned()), "x", None),
        set(ConfigResource::Group("app".to_owned()), "x", Some("3")),
        set(ConfigResource::Group("other".to_owned()), "x", Some("3")),
        set(ConfigResource::Group("other".to_owned()), "x", None),
    ];
    for outcome in metadata.alter_configs(changes, false).await.unwrap() {
        outcome.unwrap();
    }
    let before = metadata.snapshot();
    drop(metadata);

    let again = open(home.path());
    let after = again.snapshot();
    assert_eq!(state(&before), state(&after));
    assert_eq!(after.topic("a").unwrap().id, a.id);
    assert_eq!(after.topic("a").unwrap().configs["retention.ms"], "1");
    assert_eq!(after.topic("b").unwrap().partitions, 7);
    assert_eq!(after.name_of(a.id).as_deref(), Some("a"));
    assert!(!after.exists("c") && after.exists("a"));
    assert!(again.scram("alice", Mechanism::ScramSha512).is_some_and(|found| *found == scram));
    assert!(again.scram("bob", Mechanism::ScramSha256).is_none());
    assert_eq!(after.acls().iter().collect::<Vec<_>>(), [&acl("alice", "a")]);
    assert!(after.configs(&ConfigResource::Broker("1".to_owned())).is_none());
    assert_eq!(after.configured_groups().collect::<Vec<_>>(), ["app"]);
    assert_eq!(after.group_configs("app").unwrap()["x"], "3");
    assert_eq!(before.cluster_id().len(), 22);

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.path().join("journal")), 0o600);
}

#[tokio::test]
async fn a_new_directory_is_ours_alone_and_two_have_different_identities() {
    let home = common::home();
    let (one, two) = (open(&home.path().join("one")), open(&home.path().join("two")));
    assert_ne!(one.snapshot().cluster_id(), two.snapshot().cluster_id());
    assert_ne!(one.snapshot().fake_salt_key().as_bytes(), two.snapshot().fake_salt_key().as_bytes());
    let mode = fs::metadata(home.path().join("one")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_directory_that_is_in_use_is_refused() {
    let home = common::home();
    let metadata = open(home.path());
    let second = Metadata::open(home.path(), Vec::new(), &Vault::InsecurePlain, Flusher::start(1).unwrap());
    assert!(matches!(second, Err(MetadataError::InUse(_))));
    drop(metadata);
    open(home.path());
}

/// Cuts the journal at every byte of its last change.
#[tokio::test]
async fn a_change_that_was_torn_is_there_as_a_whole_or_not_at_all() {
    let home = common::home();
    let original = home.path().join("original");
    let metadata = open(&original);
    metadata.create_topics(vec![topic("before")], false).await.unwrap();
    let journal = original.join("journal");
    let start = fs::metadata(&journal).unwrap().len();
    metadata.create_topics(vec![topic("x"), topic("y"), topic("z")], false).await.unwrap();
    let whole = fs::read(&journal).unwrap();
    drop(metadata);
    assert!(whole.len() as u64 > start);

    for length in start as usize..=whole.len() {
        let copy = home.path().join(format!("copy{length}"));
        fs::DirBuilder::new().mode(0o700).create(&copy).unwrap();
        // With its mode.
        fs::copy(&journal, copy.join("journal")).unwrap();
        fs::write(copy.join("journal"), &whole[..length]).unwrap();
        let metadata = open(&copy);
        let expected = if length == whole.len() { 4 } else { 1 };
        assert_eq!(metadata.snapshot().topics().len(), expected, "cut at {length} of {}", whole.len());
        if length % 50 == 0 {
            // The next change is not harmed by what was cut.
            metadata.create_topics(vec![topic("after")], false).await.unwrap();
            drop(metadata);
            assert_eq!(open(&copy).snapshot().topics().len(), expected + 1);
        }
        fs::remove_dir_all(&copy).unwrap();
    }
}

/// Puts an entry into the journal behind the back of the metadata.
async fn append(directory: &Path, entry: &str) {
    let flusher = Flusher::start(1).unwrap();
    let replay = |_: &[u8]| Ok::<(), MetadataError>(());
    let (journal, _) =
        Journal::open(&directory.join("journal"), Sealing::InsecurePlain, Arc::clone(&flusher), replay)
            .unwrap();
    let ticket = journal.append(entry.as_bytes()).unwrap();
    journal.wait(ticket).await.unwrap();
    flusher.shutdown().unwrap();
}

#[tokio::test]
async fn a_change_that_takes_several_entries_is_not_there_before_its_last_one() {
    let home = common::home();
    drop(open(home.path()));
    let half = serde_json::json!({"more": true, "records": [Record::Acl(acl("alice", "a"))]}).to_string();
    append(home.path(), &half).await;
    let metadata = open(home.path());
    assert_eq!(metadata.snapshot().acls().iter().len(), 0);
    // The half must not be completed by the change that comes next.
    metadata.add_acls(vec![acl("bob", "a")]).await.unwrap();
    drop(metadata);
    assert_eq!(open(home.path()).snapshot().acls().iter().collect::<Vec<_>>(), [&acl("bob", "a")]);

    append(home.path(), &half).await;
    append(home.path(), &half.replace("true", "false").replace("alice", "carol")).await;
    assert_eq!(open(home.path()).snapshot().acls().iter().len(), 3);
}

#[tokio::test]
async fn a_change_larger_than_one_entry_survives() {
    let home = common::home();
    let metadata = open(home.path());
    let acls = (0..9000).map(|n| acl("alice", &format!("{n}{}", "x".repeat(1000)))).collect();
    assert!(metadata.add_acls(acls).await.unwrap().iter().all(|outcome| *outcome == Ok(true)));
    let before = metadata.snapshot();
    drop(metadata);
    let metadata = open(home.path());
    assert_eq!(state(&before), state(&metadata.snapshot()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_changes_lose_nothing() {
    let home = common::home();
    let metadata = open(home.path());
    let tasks: Vec<_> = (0..60)
        .map(|n| {
            let metadata = Arc::clone(&metadata);
            tokio::spawn(async move {
                let made = metadata.create_topics(vec![topic(&format!("t{n}")), topic("one")], false).await;
                let user = format!("u{n}");
                metadata.set_scram(&user, credential(Mechanism::ScramSha512, 4096)).await.unwrap();
                metadata.add_acls(vec![acl(&user, "one")]).await.unwrap();
                // Visible as soon as it was answered.
                assert!(metadata.snapshot().user(&user).is_some());
                let made = made.unwrap();
                assert!(made[0].is_ok());
                (made[1].is_ok(), metadata.allocate_producer_id().await.unwrap())
            })
        })
        .collect();
    let mut won = 0;
    let mut ids = BTreeSet::new();
    for task in tasks {
        let (made_one, id) = task.await.unwrap();
        won += usize::from(made_one);
        assert!(ids.insert(id), "producer id {id} came twice");
    }
    assert_eq!(won, 1, "one of them made the topic they all wanted");
    let before = metadata.snapshot();
    drop(metadata);
    let metadata = open(home.path());
    let after = metadata.snapshot();
    assert_eq!(state(&before), state(&after));
    assert_eq!((after.topics().len(), after.users().len(), after.acls().iter().len()), (61, 60, 60));
    assert!(!ids.contains(&metadata.allocate_producer_id().await.unwrap()));
}

#[tokio::test]
async fn producer_ids_never_repeat_within_blocks_and_across_restarts() {
    let home = common::home();
    let mut ids = BTreeSet::new();
    for _ in 0..2 {
        let metadata = open(home.path());
        for _ in 0..2100 {
            assert!(ids.insert(metadata.allocate_producer_id().await.unwrap()));
        }
    }
    assert!(*ids.first().unwrap() >= 0);
}

#[tokio::test]
async fn a_change_goes_through_when_its_caller_goes_away() {
    let home = common::home();
    let metadata = open(home.path());
    let mut changes = metadata.changes();
    // Polled once, so it is decided, then dropped while it waits for the disk, unless that was faster.
    tokio::select! {
        biased;
        _ = metadata.create_topics(vec![topic("a")], false) => {}
        () = std::future::ready(()) => {}
    }
    changes.changed().await.unwrap();
    assert!(changes.borrow().topic("a").is_some());
    metadata.create_topics(vec![topic("b")], false).await.unwrap();
    drop((metadata, changes));
    assert_eq!(open(home.path()).snapshot().topics().len(), 2);
}

#[tokio::test]
async fn a_change_that_is_refused_or_empty_leaves_no_trace() {
    let home = common::home();
    let metadata = open(home.path());
    let before = metadata.snapshot().version();
    let size = fs::metadata(home.path().join("journal")).unwrap().len();
    let refused: Result<(), MetadataError> =
        metadata.change(|_| Err(MetadataError::Inapplicable("no".to_owned()))).await;
    refused.unwrap_err();
    metadata.change(|_| Ok::<_, MetadataError>((Vec::new(), ()))).await.unwrap();
    // The second record does not fit, so the first is not applied either.
    let id = schloss_wire::Uuid::from_bytes([9; 16]);
    let records = vec![
        Record::Topic { name: "a".to_owned(), id, partitions: 1, configs: BTreeMap::new() },
        Record::Partitions { id, partitions: 1 },
    ];
    let unfit = metadata.change(|_| Ok::<_, MetadataError>((records.clone(), ()))).await;
    assert!(matches!(unfit, Err(MetadataError::Inapplicable(_))));
    let huge =
        ScramChange::Set { user: "x".repeat(300), credential: credential(Mechanism::ScramSha256, 4096) };
    let outcome = metadata.alter_scram(vec![huge]).await.unwrap().pop().unwrap();
    assert_eq!(outcome.result.unwrap_err().code, ErrorCode::UnacceptableCredential);
    assert_eq!(metadata.snapshot().version(), before);
    assert_eq!(metadata.snapshot().topics().len(), 0);
    assert_eq!(fs::metadata(home.path().join("journal")).unwrap().len(), size);
}

#[tokio::test]
async fn a_record_of_another_version_refuses_the_start_and_says_so() {
    for (entry, word) in [
        (r#"{"more":false,"records":[{"shadow":{"name":"x"}}]}"#, "unknown variant `shadow`"),
        (r#"{"more":false,"records":[{"producer_ids":{"next":1,"epoch":2}}]}"#, "unknown field `epoch`"),
        (r#"{"more":false,"records":[],"chain":"x"}"#, "unknown field `chain`"),
        (r#"{"more":false,"records":[{"producer_ids":{"next":-1}}]}"#, "producer ids go back"),
    ] {
        let home = common::home();
        open(home.path()).create_topics(vec![topic("a")], false).await.unwrap();
        append(home.path(), entry).await;
        let error =
            Metadata::open(home.path(), Vec::new(), &Vault::InsecurePlain, Flusher::start(1).unwrap())
                .unwrap_err()
                .to_string();
        assert!(error.contains(word), "{error}");
        assert!(error.contains("another version") || error.contains("can't be applied"), "{error}");
    }
}

#[tokio::test]
async fn the_journal_is_rewritten_when_it_has_grown_and_nothing_is_lost() {
    let home = common::home();
    let metadata = open(home.path());
    metadata.create_topics(vec![topic("a"), topic("gone")], false).await.unwrap();
    metadata.delete_topics(vec![TopicRef::Name("gone".to_owned())]).await.unwrap();
    metadata.add_acls(vec![acl("alice", "a")]).await.unwrap();
    metadata.set_scram("alice", credential(Mechanism::ScramSha512, 4096)).await.unwrap();
    metadata.allocate_producer_id().await.unwrap();
    let value = "x".repeat(16_000);
    let mut largest = 0;
    for n in 0..400 {
        let changes = BTreeMap::from([("x".to_owned(), Some(format!("{}{n}", &value[5..])))]);
        let change = ConfigChange { resource: ConfigResource::Broker(String::new()), changes };
        metadata.alter_configs(vec![change], false).await.unwrap()[0].clone().unwrap();
        largest = largest.max(fs::metadata(home.path().join("journal")).unwrap().len());
    }
    assert!(largest < 5 * 1024 * 1024, "{largest}");
    let before = metadata.snapshot();
    drop(metadata);
    let metadata = open(home.path());
    assert_eq!(state(&before), state(&metadata.snapshot()));
    assert!(metadata.allocate_producer_id().await.unwrap() >= 1000);
}

/// A disk whose flushes and writes can fail.
#[derive(Default)]
struct Faulty {
    full: AtomicBool,
    broken: AtomicBool,
}

impl Disk for Faulty {
    fn write(&self, file: &File, buffers: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        OsDisk.write(file, buffers, position)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("lost a page"));
        }
        OsDisk.sync(file)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        OsDisk.truncate(file, length)
    }
}

#[tokio::test]
async fn what_is_not_on_disk_is_not_visible() {
    let home = common::home();
    let disk = Arc::new(Faulty::default());
    let flusher = Flusher::start_on(Arc::clone(&disk) as Arc<dyn Disk>, 1).unwrap();
    let metadata =
        Metadata::open(home.path(), vec![Principal::user("admin")], &Vault::InsecurePlain, flusher).unwrap();
    metadata.create_topics(vec![topic("a")], false).await.unwrap();

    disk.full.store(true, Ordering::SeqCst);
    let full = metadata.create_topics(vec![topic("b")], false).await.unwrap_err();
    assert_eq!(full.code(), ErrorCode::KafkaStorageError);
    disk.full.store(false, Ordering::SeqCst);
    metadata.create_topics(vec![topic("c")], false).await.unwrap()[0].clone().unwrap();

    disk.broken.store(true, Ordering::SeqCst);
    metadata.create_topics(vec![topic("d")], false).await.unwrap_err();
    disk.broken.store(false, Ordering::SeqCst);
    // What the disk holds is not known any more, so nothing is built upon it.
    metadata.create_topics(vec![topic("e")], false).await.unwrap_err();
    let topics: Vec<String> = metadata.snapshot().topics().map(|topic| topic.name.to_string()).collect();
    assert_eq!(topics, ["a", "c"]);
    drop(metadata);
    let topics = open(home.path()).snapshot().topics().len();
    assert!((2..=3).contains(&topics), "the one that failed may have got there");
}
