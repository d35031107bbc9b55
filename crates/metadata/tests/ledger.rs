//! Metadata on a ledger that others write too, here one in memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use common::{acl, credential};
use parking_lot::Mutex;
use schloss_identity::Mechanism;
use schloss_metadata::{
    Commit, Ledger, LedgerFuture, Metadata, MetadataError, Record, SaltKeyRecord, State, Turn,
};
use schloss_policy::AclFilter;
use schloss_wire::{ErrorCode, Principal};

/// What all members share: the records of every change, and their states.
#[derive(Default)]
struct Log {
    changes: Mutex<Vec<Vec<Record>>>,
    members: Mutex<Vec<Weak<State>>>,
}

/// Optimistic: a turn is superseded when the log has grown since it began.
struct Member {
    log: Arc<Log>,
    state: Arc<State>,
    attempts: Arc<AtomicU32>,
}

struct Place {
    log: Arc<Log>,
    at: usize,
}

impl Ledger for Member {
    fn begin(&self, attempt: u32) -> LedgerFuture<'_, Box<dyn Turn>> {
        Box::pin(async move {
            self.attempts.fetch_max(attempt, Ordering::SeqCst);
            let at = self.log.changes.lock().len();
            // Lets others in between the place and the decision.
            tokio::task::yield_now().await;
            Ok(Box::new(Place { log: Arc::clone(&self.log), at }) as Box<dyn Turn>)
        })
    }
}

impl Turn for Place {
    fn commit(self: Box<Self>, records: Vec<Record>) -> LedgerFuture<'static, Commit> {
        Box::pin(async move {
            let mut changes = self.log.changes.lock();
            if changes.len() != self.at {
                return Ok(Commit::Superseded { why: "another".to_owned() });
            }
            for state in self.log.members.lock().iter().filter_map(Weak::upgrade) {
                state.publish(state.after(records.clone())?);
            }
            changes.push(records);
            Ok(Commit::Made)
        })
    }
}

fn founded(key: &SaltKeyRecord) -> Vec<Record> {
    vec![Record::ClusterId { id: "4L6g3nShT-eMCtK--X86sw".to_owned() }, Record::FakeSaltKey(key.clone())]
}

fn join(log: &Arc<Log>, key: &SaltKeyRecord) -> (Arc<Metadata>, Arc<AtomicU32>) {
    let state = Arc::new(State::new(founded(key), vec![Principal::user("admin")]).unwrap());
    log.members.lock().push(Arc::downgrade(&state));
    let attempts = Arc::new(AtomicU32::new(0));
    let member = Member { log: Arc::clone(log), state: Arc::clone(&state), attempts: Arc::clone(&attempts) };
    assert_eq!(member.state.snapshot().version(), 1);
    (Metadata::on(state, member), attempts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_change_at_once_lose_nothing_and_decide_again_on_what_the_other_left() {
    let (log, key) = (Arc::new(Log::default()), SaltKeyRecord::generate());
    let (one, one_attempts) = join(&log, &key);
    let (two, two_attempts) = join(&log, &key);
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let metadata = Arc::clone(if n % 2 == 0 { &one } else { &two });
            tokio::spawn(async move {
                let added = metadata.add_acls(vec![acl(&format!("u{n}"), "a"), acl("all", "a")]).await;
                let added = added.unwrap();
                assert_eq!(added[0], Ok(true));
                u32::from(added[1] == Ok(true))
            })
        })
        .collect();
    let mut first = 0;
    for task in tasks {
        first += task.await.unwrap();
    }
    assert_eq!(first, 1, "exactly one of them added the ACL that they all wanted");
    assert_eq!(one.snapshot().acls().iter().count(), 101);
    assert!(one.snapshot().acls().iter().eq(two.snapshot().acls().iter()));
    let retried = one_attempts.load(Ordering::SeqCst).max(two_attempts.load(Ordering::SeqCst));
    assert!(retried > 0, "no turn was superseded, so nothing was tested");
}

#[tokio::test]
async fn what_another_changed_is_told_and_decided_upon() {
    let (log, key) = (Arc::new(Log::default()), SaltKeyRecord::generate());
    let ((one, _), (two, _)) = (join(&log, &key), join(&log, &key));
    let mut changes = two.changes();
    one.set_scram("alice", credential(Mechanism::ScramSha512, 4096)).await.unwrap();
    changes.changed().await.unwrap();
    assert!(changes.borrow().user("alice").is_some());
    two.remove_scram("alice", Mechanism::ScramSha512).await.unwrap();
    one.remove_scram("alice", Mechanism::ScramSha512).await.unwrap_err();
    one.add_acls(vec![acl("alice", "a")]).await.unwrap();
    assert_eq!(two.delete_acls(vec![AclFilter::default()]).await.unwrap()[0].len(), 1);
}

/// A ledger where somebody else is always faster.
struct Crowded;

impl Ledger for Crowded {
    fn begin(&self, _attempt: u32) -> LedgerFuture<'_, Box<dyn Turn>> {
        Box::pin(async {
            tokio::time::sleep(std::time::Duration::from_millis(700)).await;
            Ok(Box::new(Crowded) as Box<dyn Turn>)
        })
    }
}

impl Turn for Crowded {
    fn commit(self: Box<Self>, _records: Vec<Record>) -> LedgerFuture<'static, Commit> {
        Box::pin(async { Ok(Commit::Superseded { why: "a crowd".to_owned() }) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_never_gets_its_turn_ends_with_an_error() {
    let state = Arc::new(State::new(founded(&SaltKeyRecord::generate()), Vec::new()).unwrap());
    let metadata = Metadata::on(Arc::clone(&state), Crowded);
    let begun = tokio::time::Instant::now();
    let error = metadata.add_acls(vec![acl("alice", "a")]).await.unwrap_err();
    assert!(matches!(error, MetadataError::Contended { seconds: 10, .. }), "{error}");
    assert_eq!(error.code(), ErrorCode::RequestTimedOut);
    assert!((10..13).contains(&begun.elapsed().as_secs()));
    assert_eq!(state.snapshot().version(), 1);
}

#[test]
fn a_state_made_anew_goes_on_from_the_one_before() {
    let key = SaltKeyRecord::generate();
    let state = State::new(founded(&key), Vec::new()).unwrap();
    let with_acl = state.after([Record::Acl(acl("alice", "a"))]).unwrap();
    state.publish(Arc::clone(&with_acl));

    let same = state.anew(with_acl.records()).unwrap();
    assert_eq!(same.version(), with_acl.version() + 1);
    assert_eq!(same.generation(), with_acl.generation(), "no decision comes out differently");
    let other = state.anew(founded(&key)).unwrap();
    assert_eq!(other.acls().iter().count(), 0);
    assert!(other.generation() > with_acl.generation());
    assert!(state.anew([Record::Acl(acl("alice", "a"))]).is_err(), "it lacks what is made once");
}
