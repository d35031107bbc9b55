//! Committed offsets on a real disk: what was answered is there after a crash, and nothing else counts.

use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use schloss_log::{Disk, OsDisk, Sealing};
use schloss_wire::Uuid;

use super::*;

const ORDERS: Uuid = Uuid::from_bytes([1; 16]);
const OTHERS: Uuid = Uuid::from_bytes([2; 16]);
const NOBODY: Claim<'_> = Claim { member_id: "", instance_id: None, generation: -1 };

fn open(directory: &Path) -> Groups {
    open_with(directory, GroupsConfig::default())
}

fn open_with(directory: &Path, config: GroupsConfig) -> Groups {
    Groups::open_with(directory, &plain(Flusher::start(1).unwrap()), config).unwrap()
}

/// Opens what is on disk now, as the next start after `kill -9` would.
fn after_kill(directory: &Path) -> (Groups, TempDir) {
    let copy = private_directory();
    for file in fs::read_dir(directory).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    (open(copy.path()), copy)
}

fn commit(topic: Uuid, partition: i32, offset: i64) -> Commit {
    let committed = Committed { offset, leader_epoch: 0, metadata: "m".into(), time_ms: 5 };
    Commit { topic, partition, committed }
}

async fn offset(groups: &Groups, group: &str, topic: Uuid, partition: i32) -> Option<i64> {
    let found = groups.fetch(group, &[(topic, partition)], false).await.unwrap();
    assert_eq!((found[0].0, found[0].1, found.len()), (topic, partition, 1));
    match &found[0].2 {
        Found::Offset(committed) => Some(committed.offset),
        Found::Nothing => None,
        Found::Unstable => panic!("nobody asked whether it is stable"),
    }
}

#[tokio::test]
async fn offsets_and_the_count_of_generations_survive_a_kill() {
    let directory = private_directory();
    let groups = open(directory.path());
    let joined = groups.join("app", join("", "a")).await.unwrap();
    let claim = Claim { member_id: "a", instance_id: None, generation: 1 };
    assert_eq!(
        groups.commit("app", claim, vec![commit(ORDERS, 0, 7)]).await,
        Err(ErrorCode::RebalanceInProgress),
        "a member without assignment must not commit"
    );
    groups.sync("app", sync_of(&joined)).await.unwrap();
    groups.commit("app", claim, vec![commit(ORDERS, 0, 8), commit(ORDERS, 1, 9)]).await.unwrap();
    groups.commit("app", claim, vec![commit(ORDERS, 0, 10)]).await.unwrap();

    let (groups, _copy) = after_kill(directory.path());
    assert_eq!(offset(&groups, "app", ORDERS, 0).await, Some(10));
    assert_eq!(offset(&groups, "app", ORDERS, 1).await, Some(9));
    assert_eq!(offset(&groups, "app", OTHERS, 0).await, None);
    let description = groups.describe("app").unwrap().unwrap();
    assert_eq!((description.state, description.members.len()), (GroupState::Empty, 0));
    assert_eq!(groups.list()[0].protocol_type.as_deref(), Some("consumer"));
    let late = groups.commit("app", claim, vec![commit(ORDERS, 0, 11)]).await;
    assert_eq!(late, Err(ErrorCode::UnknownMemberId), "the members of before are no members");
    assert_eq!(groups.join("app", join("", "b")).await.unwrap().generation, 2);
}

#[tokio::test]
async fn a_commit_of_an_old_generation_or_of_a_stranger_is_refused() {
    let directory = private_directory();
    let groups = open(directory.path());
    let refuse = async |claim: Claim<'static>| {
        groups.commit("app", claim, vec![commit(ORDERS, 0, 1)]).await.unwrap_err()
    };
    let claim = |member_id, generation| Claim { member_id, instance_id: None, generation };
    assert_eq!(refuse(claim("a", 1)).await, ErrorCode::GroupIdNotFound);
    let joined = groups.join("app", join("", "a")).await.unwrap();
    groups.sync("app", sync_of(&joined)).await.unwrap();
    assert_eq!(refuse(claim("a", 0)).await, ErrorCode::IllegalGeneration);
    assert_eq!(refuse(claim("a", 2)).await, ErrorCode::IllegalGeneration);
    assert_eq!(refuse(claim("z", 1)).await, ErrorCode::UnknownMemberId);
    assert_eq!(refuse(Claim { instance_id: Some("i"), ..claim("a", 1) }).await, ErrorCode::UnknownMemberId);
    assert_eq!(refuse(NOBODY).await, ErrorCode::UnknownMemberId, "the group has members");
    assert_eq!(offset(&groups, "app", ORDERS, 0).await, None);
}

#[tokio::test]
async fn a_deleted_group_stays_deleted_and_one_with_members_is_not_deleted() {
    let directory = private_directory();
    let groups = open(directory.path());
    groups.commit("app", NOBODY, vec![commit(ORDERS, 0, 7)]).await.unwrap();
    groups.join("app", join("", "a")).await.unwrap();
    assert_eq!(groups.delete("app").await, Err(ErrorCode::NonEmptyGroup));
    groups.leave("app", &[Leaving { member_id: "a".into(), instance_id: None }])[0].unwrap();
    groups.delete("app").await.unwrap();
    assert_eq!(groups.delete("app").await, Err(ErrorCode::GroupIdNotFound));
    let (groups, _copy) = after_kill(directory.path());
    assert_eq!(groups.list(), []);
    assert_eq!(offset(&groups, "app", ORDERS, 0).await, None);
}

#[tokio::test]
async fn what_a_group_may_keep_is_bounded() {
    let directory = private_directory();
    let config = GroupsConfig { max_offsets_per_group: 2, max_offsets_bytes: 500, ..GroupsConfig::default() };
    let groups = open_with(directory.path(), config);
    let both = || vec![commit(ORDERS, 0, 1), commit(ORDERS, 1, 1)];
    groups.commit("app", NOBODY, both()).await.unwrap();
    groups.commit("app", NOBODY, both()).await.unwrap();
    let third = groups.commit("app", NOBODY, vec![commit(ORDERS, 0, 2), commit(OTHERS, 0, 2)]).await;
    assert_eq!(third, Err(ErrorCode::InvalidCommitOffsetSize));
    assert_eq!(offset(&groups, "app", ORDERS, 0).await, Some(1), "all or nothing");
    groups.commit("second", NOBODY, both()).await.unwrap();
    let fifth = groups.commit("third", NOBODY, both()).await;
    assert_eq!(fifth, Err(ErrorCode::InvalidCommitOffsetSize), "all groups together");
}

#[tokio::test]
async fn offsets_of_topics_that_are_gone_are_forgotten() {
    let directory = private_directory();
    let groups = open(directory.path());
    groups.commit("app", NOBODY, vec![commit(ORDERS, 0, 1), commit(OTHERS, 0, 2)]).await.unwrap();
    groups.retain_topics(|topic| topic == OTHERS);
    let all = groups.fetch_all("app", false).await.unwrap();
    assert_eq!(all.iter().map(|(topic, ..)| *topic).collect::<Vec<_>>(), [OTHERS]);
    groups.compact().await;
    let (groups, _copy) = after_kill(directory.path());
    assert_eq!(groups.fetch_all("app", false).await.unwrap(), all);
}

#[tokio::test]
async fn the_journal_stays_small_however_often_is_committed() {
    let directory = private_directory();
    let config = GroupsConfig { compact_above_bytes: 4_096, ..GroupsConfig::default() };
    let groups = open_with(directory.path(), config);
    for offset in 0..300 {
        groups.commit("app", NOBODY, vec![commit(ORDERS, 0, offset)]).await.unwrap();
        groups.commit("other", NOBODY, vec![commit(OTHERS, 3, offset)]).await.unwrap();
    }
    // The turn comes when a rewrite under way has ended.
    drop(groups.inner.offsets_turn.lock().await);
    let size = groups.inner.journal.size_bytes();
    assert!(size < 3 * 4_096, "{size} bytes");
    let (groups, _copy) = after_kill(directory.path());
    assert_eq!(offset(&groups, "app", ORDERS, 0).await, Some(299));
    assert_eq!(offset(&groups, "other", OTHERS, 3).await, Some(299));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_meet_a_rewrite_are_not_lost() {
    let directory = private_directory();
    let groups = open(directory.path());
    let commit_range = |first: i32| {
        let groups = groups.clone();
        tokio::spawn(async move {
            for partition in first..first + 100 {
                groups.commit("app", NOBODY, vec![commit(ORDERS, partition, 1)]).await.unwrap();
            }
        })
    };
    let tasks: Vec<_> = (0..4).map(|index| commit_range(index * 100)).collect();
    while !tasks.iter().all(JoinHandle::is_finished) {
        groups.compact().await;
    }
    let (groups, _copy) = after_kill(directory.path());
    assert_eq!(groups.fetch_all("app", false).await.unwrap().len(), 400);
}

/// A disk whose syncs wait while it is held, and fail once it is broken.
#[derive(Clone, Default)]
struct SlowDisk {
    held: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
}

impl Disk for SlowDisk {
    fn write(&self, file: &File, buffers: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        OsDisk.write(file, buffers, position)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        while self.held.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.broken.load(Ordering::Acquire) {
            Err(io::Error::other("worn out"))
        } else {
            OsDisk.sync(file)
        }
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        OsDisk.truncate(file, length)
    }
}

fn open_on(disk: &SlowDisk) -> (Groups, TempDir) {
    let directory = private_directory();
    let flusher = Flusher::start_on(Arc::new(disk.clone()), 1).unwrap();
    let groups = Groups::open_with(directory.path(), &plain(flusher), GroupsConfig::default()).unwrap();
    (groups, directory)
}

#[tokio::test]
async fn a_commit_and_who_reads_it_are_answered_when_it_is_on_disk() {
    let disk = SlowDisk::default();
    let (groups, _directory) = open_on(&disk);
    disk.held.store(true, Ordering::Release);
    let committing = groups.clone();
    let commit =
        tokio::spawn(async move { committing.commit("app", NOBODY, vec![commit(ORDERS, 0, 7)]).await });
    while groups.inner.with_group_as_is("app", |group, _| group.ticket).flatten().is_none() {
        tokio::task::yield_now().await;
    }
    let reading = groups.clone();
    let read = tokio::spawn(async move { offset(&reading, "app", ORDERS, 0).await });
    sleep(Duration::from_millis(50)).await;
    assert!(!commit.is_finished() && !read.is_finished(), "answered before the disk did");
    disk.held.store(false, Ordering::Release);
    commit.await.unwrap().unwrap();
    assert_eq!(read.await.unwrap(), Some(7));
}

#[tokio::test]
async fn what_a_failing_disk_did_not_take_is_neither_confirmed_nor_shown() {
    let disk = SlowDisk::default();
    let (groups, _directory) = open_on(&disk);
    disk.broken.store(true, Ordering::Release);
    let refused = groups.commit("app", NOBODY, vec![commit(ORDERS, 0, 7)]).await;
    assert_eq!(refused, Err(ErrorCode::CoordinatorNotAvailable));
    let read = groups.fetch("app", &[(ORDERS, 0)], false).await;
    assert_eq!(read, Err(ErrorCode::CoordinatorNotAvailable));
}

#[tokio::test]
async fn a_journal_that_can_not_be_written_fails_commits_and_says_so() {
    let directory = private_directory();
    let flusher = Flusher::start(1).unwrap();
    let groups =
        Groups::open_with(directory.path(), &plain(Arc::clone(&flusher)), GroupsConfig::default()).unwrap();
    flusher.shutdown().unwrap();
    let refused = groups.commit("app", NOBODY, vec![commit(ORDERS, 0, 1)]).await;
    assert_eq!(refused, Err(ErrorCode::CoordinatorNotAvailable));
    assert_eq!(offset(&groups, "app", ORDERS, 0).await, None);
}

#[test]
fn a_journal_of_another_kind_refuses_the_start() {
    let directory = private_directory();
    let flusher = Flusher::start(1).unwrap();
    let path = directory.path().join("offsets.journal");
    let ignore = |_: &[u8]| Ok::<_, std::convert::Infallible>(());
    let (journal, _) =
        schloss_log::Journal::open(&path, Sealing::InsecurePlain, Arc::clone(&flusher), ignore).unwrap();
    let _ticket = journal.append(br#"{"record":"from_the_future"}"#).unwrap();
    flusher.shutdown().unwrap();
    drop(journal);
    let flusher = Flusher::start(1).unwrap();
    let Err(error) = Groups::open_with(directory.path(), &plain(flusher), GroupsConfig::default()) else {
        panic!("it started and would have lost what it can't read");
    };
    assert!(error.to_string().contains("unknown variant `from_the_future`"), "{error}");
}
