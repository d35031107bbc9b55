use schloss_wire::records::BatchHeader;

use super::states::{EXPIRATION_MS, MAX_PRODUCERS};
use super::*;
use crate::control::Marker;
use crate::producers::TransactionVersion::{V1, V2};

fn header(producer_id: i64, epoch: i16, base_sequence: i32, count: i32, base_offset: i64) -> BatchHeader {
    BatchHeader {
        base_offset,
        total_bytes: 100,
        partition_leader_epoch: 0,
        crc: 0,
        attributes: 0,
        last_offset_delta: count - 1,
        base_timestamp: 1,
        max_timestamp: 1,
        producer_id,
        producer_epoch: epoch,
        base_sequence,
        record_count: count,
    }
}

fn states(headers: &[BatchHeader]) -> ProducerStates {
    let mut states = ProducerStates::default();
    for header in headers {
        states.appended(header, 1);
    }
    states
}

#[test]
fn the_next_sequence_is_appended_and_a_gap_is_refused() {
    let states = states(&[header(7, 0, 0, 10, 100)]);
    assert_eq!(states.check(&header(7, 0, 10, 1, -1), V1), Ok(SequenceCheck::Append));
    assert_eq!(
        states.check(&header(7, 0, 11, 1, -1), V1),
        Err(ProducerError::OutOfOrder { producer: 7, first: 11, last: 9 })
    );
}

#[test]
fn each_of_the_last_five_batches_is_recognised_and_no_older_one() {
    let headers: Vec<_> = (0..6).map(|n| header(7, 0, n * 2, 2, i64::from(n) * 2)).collect();
    let states = states(&headers);
    assert!(matches!(states.check(&headers[0], V1), Err(ProducerError::OutOfOrder { .. })));
    for sent_again in &headers[1..] {
        let check = states.check(sent_again, V1);
        let Ok(SequenceCheck::Duplicate(batch)) = check else { panic!("{check:?}") };
        assert_eq!(
            (batch.base_offset, batch.last_offset),
            (sent_again.base_offset, sent_again.base_offset + 1)
        );
    }
}

#[test]
fn a_batch_that_only_overlaps_is_no_duplicate() {
    let states = states(&[header(7, 0, 0, 4, 0)]);
    assert!(matches!(states.check(&header(7, 0, 0, 3, -1), V1), Err(ProducerError::OutOfOrder { .. })));
    assert!(matches!(states.check(&header(7, 0, 2, 4, -1), V1), Err(ProducerError::OutOfOrder { .. })));
}

#[test]
fn an_unknown_producer_may_start_anywhere() {
    let states = ProducerStates::default();
    assert_eq!(states.check(&header(7, 3, 1_000, 1, -1), V1), Ok(SequenceCheck::Append));
}

#[test]
fn an_older_epoch_is_fenced_and_a_newer_one_starts_from_zero() {
    let mut states = states(&[header(7, 3, 0, 5, 0)]);
    assert!(matches!(states.check(&header(7, 2, 5, 1, -1), V1), Err(ProducerError::StaleEpoch { .. })));
    // A duplicate by number, yet of an epoch that is over.
    assert!(matches!(states.check(&header(7, 2, 0, 5, -1), V1), Err(ProducerError::StaleEpoch { .. })));
    assert!(matches!(
        states.check(&header(7, 4, 5, 1, -1), V1),
        Err(ProducerError::NewEpochNotFromZero { .. })
    ));
    assert_eq!(states.check(&header(7, 4, 0, 5, -1), V1), Ok(SequenceCheck::Append));
    states.appended(&header(7, 4, 0, 5, 5), 1);
    assert_eq!(states.check(&header(7, 4, 5, 1, -1), V1), Ok(SequenceCheck::Append));
}

#[test]
fn sequences_wrap_around_after_the_largest() {
    let states = states(&[header(7, 0, i32::MAX - 1, 4, 0)]);
    // MAX-1, MAX, 0, 1
    assert_eq!(states.check(&header(7, 0, 2, 1, -1), V1), Ok(SequenceCheck::Append));
    assert!(matches!(states.check(&header(7, 0, i32::MAX - 1, 4, -1), V1), Ok(SequenceCheck::Duplicate(_))));
    let full = self::states(&[header(7, 0, i32::MAX, 1, 0)]);
    assert_eq!(full.check(&header(7, 0, 0, 1, -1), V1), Ok(SequenceCheck::Append));
}

#[test]
fn memory_is_bounded_and_the_newest_producers_are_kept() {
    let mut states = ProducerStates::default();
    let many = i64::try_from(MAX_PRODUCERS).unwrap() + 10;
    for id in 0..many {
        states.appended(&header(id, 0, 0, 1, id), id);
    }
    assert!(states.view().len() <= MAX_PRODUCERS);
    let ids: Vec<i64> = states.view().iter().map(|view| view.id).collect();
    assert!(ids.contains(&(many - 1)) && !ids.contains(&0));
}

#[test]
fn producers_silent_for_a_day_go_first() {
    let mut states = ProducerStates::default();
    for id in 0..i64::try_from(MAX_PRODUCERS).unwrap() {
        states.appended(&header(id, 0, 0, 1, id), 0);
    }
    states.appended(&header(-1, 0, 0, 1, 0), EXPIRATION_MS);
    states.appended(&header(1_000_000, 0, 0, 1, 0), EXPIRATION_MS);
    assert_eq!(states.view().len(), 1);
}

/// A batch of a transaction.
fn part_of(producer_id: i64, epoch: i16, sequence: i32, count: i32, offset: i64) -> BatchHeader {
    BatchHeader { attributes: 0x10, ..header(producer_id, epoch, sequence, count, offset) }
}

/// The marker of a transaction.
fn end_of(producer_id: i64, epoch: i16, offset: i64) -> BatchHeader {
    BatchHeader { attributes: 0x30, ..header(producer_id, epoch, -1, 1, offset) }
}

fn marker(producer_id: i64, producer_epoch: i16) -> Marker {
    Marker { producer_id, producer_epoch, commit: true, coordinator_epoch: 0 }
}

#[test]
fn nothing_is_stable_from_the_first_open_transaction_on_until_its_marker_is_on_disk() {
    let mut states = states(&[header(1, 0, 0, 5, 0), part_of(2, 0, 0, 5, 5), part_of(3, 0, 0, 5, 10)]);
    assert_eq!(states.last_stable_offset(4), 4, "never beyond what is on disk");
    assert_eq!(states.last_stable_offset(15), 5);
    assert!(
        states.is_in_transaction(2, 0) && !states.is_in_transaction(2, 1) && !states.is_in_transaction(1, 0)
    );
    let ended = states.ended(&end_of(2, 0, 15), 1).unwrap();
    assert_eq!(ended, Aborted { producer_id: 2, first_offset: 5, last_offset: 15, stable: 10 });
    assert_eq!(states.last_stable_offset(15), 5, "the marker is not on disk");
    assert_eq!(states.last_stable_offset(16), 10);
    assert_eq!(states.open_transactions(), [(3, 0)]);
    assert_eq!(states.ended(&end_of(3, 0, 16), 1).unwrap().stable, 17);
    assert_eq!(states.last_stable_offset(17), 17);
    assert_eq!(states.ended(&end_of(3, 0, 17), 1), None, "there is nothing left to end");
}

#[test]
fn a_transaction_takes_no_batch_from_outside_of_it() {
    let states = states(&[part_of(2, 0, 0, 1, 0)]);
    assert_eq!(states.check(&part_of(2, 0, 1, 1, -1), V1), Ok(SequenceCheck::Append));
    assert_eq!(
        states.check(&header(2, 0, 1, 1, -1), V1),
        Err(ProducerError::OutsideTransaction { producer: 2 })
    );
}

#[test]
fn sequences_go_on_after_a_marker_of_the_same_epoch_and_begin_again_after_a_newer_one() {
    let mut states = states(&[part_of(2, 0, 0, 3, 0)]);
    states.ended(&end_of(2, 0, 3), 1);
    assert_eq!(states.check(&part_of(2, 0, 3, 1, -1), V1), Ok(SequenceCheck::Append));
    assert!(states.check(&part_of(2, 0, 4, 1, -1), V1).is_err());
    states.ended(&end_of(2, 1, 4), 1);
    assert!(matches!(states.check(&part_of(2, 0, 3, 1, -1), V1), Err(ProducerError::StaleEpoch { .. })));
    assert!(matches!(states.check(&part_of(2, 1, 3, 1, -1), V2), Err(ProducerError::OutOfOrder { .. })));
    assert_eq!(states.check(&part_of(2, 1, 0, 1, -1), V2), Ok(SequenceCheck::Append));
}

#[test]
fn an_unknown_producer_with_an_epoch_for_each_transaction_begins_at_zero() {
    let states = ProducerStates::default();
    assert_eq!(states.check(&part_of(2, 1, 7, 1, -1), V1), Ok(SequenceCheck::Append));
    assert!(matches!(states.check(&part_of(2, 1, 7, 1, -1), V2), Err(ProducerError::OutOfOrder { .. })));
    assert_eq!(states.check(&header(2, 1, 7, 1, -1), V2), Ok(SequenceCheck::Append));
}

#[test]
fn markers_are_fenced_by_epoch_and_by_coordinator() {
    let mut states = states(&[part_of(2, 5, 0, 1, 0)]);
    let stale = |result| matches!(result, Err(ProducerError::StaleEpoch { .. }));
    assert!(stale(states.check_marker(&marker(2, 4), V1)) && stale(states.check_marker(&marker(2, 4), V2)));
    assert_eq!(states.check_marker(&marker(2, 5), V1), Ok(()));
    assert!(stale(states.check_marker(&marker(2, 5), V2)), "it would end a transaction that is not its own");
    assert_eq!(states.check_marker(&marker(2, 6), V2), Ok(()));
    assert_eq!(states.check_marker(&marker(9, 0), V2), Ok(()), "of a producer that is not known");
    states.ended(&end_of(2, 6, 1), 1);
    assert_eq!(states.check_marker(&marker(2, 6), V2), Ok(()), "written again");
    states.coordinated(&Marker { coordinator_epoch: 3, ..marker(2, 6) });
    assert!(matches!(
        states.check_marker(&marker(2, 7), V2),
        Err(ProducerError::StaleCoordinator { current: 3, .. })
    ));
}

#[test]
fn aborted_transactions_are_told_until_the_log_begins_after_them() {
    let mut states = states(&[part_of(2, 0, 0, 3, 0)]);
    let aborted = states.ended(&end_of(2, 0, 3), 1).unwrap();
    states.aborted(aborted);
    assert_eq!(states.aborted_within(0, 1, 2), [aborted]);
    assert_eq!(states.aborted_within(0, 4, 9), []);
    assert_eq!(states.aborted_within(4, 0, 9), []);
}

#[test]
fn producers_in_a_transaction_are_never_forgotten() {
    let mut states = states(&[part_of(-7 + 10, 0, 0, 1, 0)]);
    for id in 100..100 + i64::try_from(MAX_PRODUCERS).unwrap() + 10 {
        states.appended(&header(id, 0, 0, 1, id), 2 * EXPIRATION_MS);
    }
    assert!(states.is_in_transaction(3, 0));
}

#[test]
fn a_snapshot_holds_all_there_is_to_know() {
    let mut states = states(&[header(7, 0, 0, 2, 0), header(7, 0, 2, 2, 2), header(8, 3, 0, 1, 4)]);
    let transactional =
        |producer, offset| BatchHeader { attributes: 0x10, ..header(producer, 0, 0, 1, offset) };
    let marker = |producer, offset| BatchHeader { attributes: 0x30, ..header(producer, 0, -1, 1, offset) };
    for (producer, offset) in [(20, 5), (21, 6), (22, 7)] {
        states.appended(&transactional(producer, offset), 9);
    }
    let ended = states.ended(&marker(20, 8), 9).unwrap();
    states.coordinated(&Marker { producer_id: 20, producer_epoch: 0, coordinator_epoch: 4, commit: false });
    states.aborted(ended);
    states.ended(&marker(22, 9), 9).unwrap();

    let mut restored = ProducerStates::decode(&states.encode()).unwrap();
    assert_eq!(restored.view(), states.view());
    assert_eq!(restored.open_transactions(), [(21, 0)]);
    assert_eq!(restored.aborted_within(0, 0, 100), [ended]);
    // The end of one of them is not on disk yet.
    for high_watermark in [9, 10] {
        let stable = states.last_stable_offset(high_watermark);
        assert_eq!(restored.last_stable_offset(high_watermark), stable);
    }
    for sent in
        [header(7, 0, 0, 2, -1), header(7, 0, 2, 2, -1), header(7, 0, 4, 1, -1), header(8, 3, 9, 1, -1)]
    {
        assert_eq!(restored.check(&sent, V1), states.check(&sent, V1));
    }
}

#[test]
fn what_is_no_snapshot_of_this_version_is_not_taken_over() {
    let good = String::from_utf8(states(&[header(7, 0, 0, 2, 0)]).encode()).unwrap();
    assert!(ProducerStates::decode(good.as_bytes()).is_some());
    assert!(ProducerStates::decode(good.replacen("\"version\":2", "\"version\":3", 1).as_bytes()).is_none());
    assert!(ProducerStates::decode(&good.as_bytes()[1..]).is_none());
    let batch = &good[good.find("[{\"first").unwrap() + 1..good.find("}]").unwrap() + 1];
    let too_many = good.replacen(batch, &[batch; 6].join(","), 1);
    assert!(ProducerStates::decode(too_many.as_bytes()).is_none(), "more than are remembered");
}
