//! One transactional id as a state machine, against Kafka's tables of what is allowed when.

use schloss_wire::{ErrorCode, Uuid};

use super::transaction::*;
use crate::producers::TransactionVersion::{V1, V2};

const TOPIC: Uuid = Uuid::from_bytes([1; 16]);
const TIMEOUT: i32 = 60_000;

/// A producer with this id and epoch.
fn producer(producer_id: i64, epoch: i16) -> Claimant<'static> {
    Claimant { transactional_id: "t", producer_id, epoch }
}

/// Producer 7 in epoch 5, which it asked for in epoch 4.
fn empty() -> Transaction {
    let mut transaction = Transaction::first(0);
    transaction.apply(Change::Init { producer_id: 7, epoch: 5, last_epoch: 4, timeout_ms: TIMEOUT }, 1);
    transaction
}

fn ongoing() -> Transaction {
    let mut transaction = empty();
    transaction.apply(Place::Partition(TOPIC, 0).into_change(), 2);
    transaction
}

fn made(mut transaction: Transaction, decision: Result<EndDecision, ErrorCode>) -> Transaction {
    let Ok(EndDecision::Change(change)) = decision else { panic!("{decision:?}") };
    transaction.apply(change, 3);
    transaction
}

fn complete(mut transaction: Transaction) -> Transaction {
    transaction.apply(Change::Complete, 4);
    transaction
}

fn prepared_v1(commit: bool) -> Transaction {
    made(ongoing(), ongoing().decide_end_v1(producer(7, 5), commit))
}

fn prepared_v2(commit: bool) -> Transaction {
    made(ongoing(), ongoing().decide_end_v2(producer(7, 5), commit, None))
}

/// At the last epoch that a client gets.
fn exhausted(mut transaction: Transaction) -> Transaction {
    transaction.epoch = i16::MAX - 1;
    transaction
}

fn init(transaction: &Transaction, expected: Expected) -> Result<(i64, i16, i16), ErrorCode> {
    match transaction.decide_init(expected, TIMEOUT, Some(99))? {
        InitDecision::Change(Change::Init { producer_id, epoch, last_epoch, .. }) => {
            Ok((producer_id, epoch, last_epoch))
        }
        decision => panic!("{decision:?}"),
    }
}

#[test]
fn a_new_producer_fences_the_one_before_and_one_that_comes_back_goes_on() {
    for state in [empty(), complete(prepared_v1(true)), complete(prepared_v1(false))] {
        assert_eq!(init(&state, None), Ok((7, 6, -1)));
        assert_eq!(init(&state, Some((7, 5))), Ok((7, 6, 5)), "after an error");
        assert_eq!(init(&state, Some((7, 4))), Ok((7, 5, 4)), "the answer got lost");
        assert_eq!(init(&state, Some((7, 3))), Err(ErrorCode::ProducerFenced));
        assert_eq!(init(&state, Some((8, 5))), Err(ErrorCode::ProducerFenced));
    }
    let mut fenced = empty();
    fenced.apply(Change::Init { producer_id: 7, epoch: 6, last_epoch: -1, timeout_ms: TIMEOUT }, 2);
    assert_eq!(init(&fenced, Some((7, 5))), Err(ErrorCode::ProducerFenced));
}

#[test]
fn nobody_gets_an_epoch_while_a_transaction_is_open_or_ending() {
    for state in [prepared_v1(true), prepared_v1(false), prepared_v2(true), prepared_v2(false)] {
        let decision = state.decide_init(None, TIMEOUT, None);
        assert_eq!(decision, Err(ErrorCode::ConcurrentTransactions));
    }
    let Ok(InitDecision::Abort(fence)) = ongoing().decide_init(None, TIMEOUT, None) else { panic!() };
    let mut fenced = ongoing();
    fenced.apply(fence, 3);
    assert_eq!((fenced.state, fenced.epoch), (TransactionState::PrepareAbort, 7));
    assert!(fenced.newest_ended_epoch() >= 5, "what was written is ended");
    let fenced = complete(fenced);
    assert_eq!(init(&fenced, Some((7, 5))), Err(ErrorCode::ProducerFenced));
    assert_eq!(init(&fenced, None), Ok((7, 8, -1)));
}

#[test]
fn a_producer_whose_epochs_are_used_up_gets_another_id() {
    let last = exhausted(empty());
    assert_eq!(last.decide_init(None, TIMEOUT, None), Ok(InitDecision::NeedsProducerId));
    assert_eq!(init(&last, None), Ok((99, 0, -1)));
    assert_eq!(init(&last, Some((7, i16::MAX - 1))), Ok((99, 0, i16::MAX - 1)));
    let mut replaced = last;
    let change = Change::Init { producer_id: 99, epoch: 0, last_epoch: i16::MAX - 1, timeout_ms: TIMEOUT };
    replaced.apply(change, 2);
    assert_eq!(init(&replaced, Some((7, i16::MAX - 1))), Ok((99, 0, i16::MAX - 1)), "the answer got lost");
    assert_eq!(init(&replaced, Some((7, 5))), Err(ErrorCode::ProducerFenced));
}

#[test]
fn partitions_and_groups_join_an_open_transaction_of_their_producer_only() {
    let place = [(TOPIC, 1)];
    for (claim, code) in [
        (producer(8, 5), ErrorCode::InvalidProducerIdMapping),
        (producer(7, 4), ErrorCode::ProducerFenced),
        (producer(7, 6), ErrorCode::ProducerFenced),
    ] {
        assert_eq!(ongoing().decide_add(claim, &place, &[]), Err(code));
        assert_eq!(ongoing().verify(claim, &Place::Partition(TOPIC, 0)), Err(code));
    }
    let claim = producer(7, 5);
    assert_eq!(prepared_v1(true).decide_add(claim, &place, &[]), Err(ErrorCode::ConcurrentTransactions));
    assert!(matches!(ongoing().decide_add(claim, &place, &[]), Ok(Some(_))));
    assert!(matches!(ongoing().decide_add(claim, &[], &["g".into()]), Ok(Some(_))));
    assert_eq!(ongoing().decide_add(claim, &[(TOPIC, 0)], &[]), Ok(None), "it is there");
    assert!(matches!(empty().decide_add(claim, &[], &[]), Ok(Some(_))), "it begins");
    assert_eq!(ongoing().verify(claim, &Place::Partition(TOPIC, 0)), Ok(()));
    for (state, place) in [
        (ongoing(), Place::Partition(TOPIC, 1)),
        (ongoing(), Place::Group("g".into())),
        (empty(), Place::Partition(TOPIC, 0)),
        (complete(prepared_v1(true)), Place::Partition(TOPIC, 0)),
    ] {
        assert_eq!(state.verify(claim, &place), Err(ErrorCode::TransactionAbortable));
    }
}

#[test]
fn a_transaction_begins_when_its_first_partition_joins() {
    let mut transaction = ongoing();
    transaction.apply(Place::Partition(TOPIC, 1).into_change(), 9);
    assert_eq!((transaction.started_ms, transaction.updated_ms), (2, 9));
    let mut next = complete(prepared_v1(true));
    assert!(next.partitions.is_empty());
    next.apply(Place::Partition(TOPIC, 1).into_change(), 10);
    assert_eq!((next.state, next.started_ms), (TransactionState::Ongoing, 10));
}

#[test]
fn what_is_left_of_a_time_out_is_never_more_than_all_of_it() {
    let left = |now| ongoing().left(now).as_millis();
    let whole = u128::try_from(TIMEOUT).unwrap();
    assert_eq!((left(2), left(1_002), left(2 + i64::from(TIMEOUT))), (whole, whole - 1_000, 0));
    assert_eq!((left(i64::MAX), left(-3_600_000), left(i64::MIN)), (0, whole, whole));
}

/// `TransactionCoordinator.endTransactionWithTV1`.
#[test]
fn ends_of_older_producers() {
    use ErrorCode::{ConcurrentTransactions, InvalidTxnState};
    for (state, on_commit, on_abort) in [
        (empty(), Err(InvalidTxnState), Err(InvalidTxnState)),
        (prepared_v1(true), Err(ConcurrentTransactions), Err(InvalidTxnState)),
        (prepared_v1(false), Err(InvalidTxnState), Err(ConcurrentTransactions)),
        (complete(prepared_v1(true)), Ok(EndDecision::Done), Err(InvalidTxnState)),
        (complete(prepared_v1(false)), Err(InvalidTxnState), Ok(EndDecision::Done)),
    ] {
        assert_eq!(state.decide_end_v1(producer(7, 5), true), on_commit, "commit in {:?}", state.state);
        assert_eq!(state.decide_end_v1(producer(7, 5), false), on_abort, "abort in {:?}", state.state);
        assert_eq!(state.decide_end_v1(producer(7, 4), true), Err(ErrorCode::ProducerFenced));
        assert_eq!(state.decide_end_v1(producer(8, 5), true), Err(ErrorCode::InvalidProducerIdMapping));
    }
    let committed = complete(prepared_v1(true));
    assert_eq!((committed.state, committed.epoch), (TransactionState::CompleteCommit, 5));
    assert_eq!((prepared_v1(true).newest_ended_epoch(), prepared_v1(true).version), (5, V1));
}

/// The table in `TransactionCoordinator.endTransaction` (KIP-890).
#[test]
fn ends_of_newer_producers() {
    use ErrorCode::{ConcurrentTransactions, InvalidTxnState, ProducerFenced};
    let bump = |commit| {
        Ok(EndDecision::Change(Change::End {
            commit,
            epoch: 6,
            last_epoch: 5,
            next_producer_id: -1,
            version: V2,
        }))
    };
    // In epoch 5, whichever way they came to it.
    let at_5 = |mut state: Transaction| {
        state.epoch = 5;
        state
    };
    let (committed, aborted) = (at_5(complete(prepared_v2(true))), at_5(complete(prepared_v2(false))));
    let done = || Ok(EndDecision::Done);
    for (state, retry_abort, abort, retry_commit, commit) in [
        (empty(), Err(ProducerFenced), bump(false), Err(ProducerFenced), Err(InvalidTxnState)),
        (ongoing(), Err(ProducerFenced), bump(false), Err(ProducerFenced), bump(true)),
        (aborted, done(), bump(false), Err(InvalidTxnState), Err(InvalidTxnState)),
        (committed, Err(InvalidTxnState), bump(false), done(), Err(InvalidTxnState)),
        (
            at_5(prepared_v2(true)),
            Err(InvalidTxnState),
            Err(ProducerFenced),
            Err(ConcurrentTransactions),
            Err(ProducerFenced),
        ),
        (
            at_5(prepared_v2(false)),
            Err(ConcurrentTransactions),
            Err(ProducerFenced),
            Err(InvalidTxnState),
            Err(ProducerFenced),
        ),
    ] {
        let end = |epoch, commit| state.decide_end_v2(producer(7, epoch), commit, None);
        assert_eq!(end(4, false), retry_abort, "abort again in {:?}", state.state);
        assert_eq!(end(5, false), abort, "abort in {:?}", state.state);
        assert_eq!(end(4, true), retry_commit, "commit again in {:?}", state.state);
        assert_eq!(end(5, true), commit, "commit in {:?}", state.state);
        assert_eq!(end(3, false), Err(ProducerFenced));
        assert_eq!(end(6, false), Err(ProducerFenced));
        assert_eq!(state.decide_end_v2(producer(8, 5), true, None), Err(ErrorCode::InvalidProducerIdMapping));
    }
    assert_eq!((prepared_v2(true).newest_ended_epoch(), prepared_v2(true).version), (5, V2));
    assert_eq!(prepared_v2(true).after_completion(), (7, 6));
    assert_eq!(complete(prepared_v2(true)).epoch, 6);
}

#[test]
fn the_last_epoch_of_a_producer_ends_with_another_id() {
    let last = exhausted(ongoing());
    let claim = producer(7, i16::MAX - 1);
    assert_eq!(last.decide_end_v2(claim, true, None), Ok(EndDecision::NeedsProducerId));
    let prepared = made(last.clone(), last.decide_end_v2(claim, true, Some(99)));
    assert_eq!((prepared.producer_id, prepared.epoch), (7, i16::MAX), "what the marker says");
    assert_eq!(prepared.after_completion(), (99, 0));
    let committed = complete(prepared);
    assert_eq!((committed.producer_id, committed.epoch, committed.last_epoch), (99, 0, i16::MAX - 1));
    assert_eq!(committed.decide_end_v2(claim, true, None), Ok(EndDecision::Done), "the answer got lost");
    assert_eq!(committed.decide_end_v2(producer(7, 5), true, None), Err(ErrorCode::InvalidProducerIdMapping));
    // A fence at the end of the epochs leaves the next init to take another id.
    let mut fenced = last;
    fenced.apply(fenced.fence(), 3);
    assert_eq!(fenced.epoch, i16::MAX);
    let fenced = complete(fenced);
    assert_eq!(init(&fenced, None), Ok((99, 0, -1)));
}
