//! Compaction and what it leaves of transactions.

use super::super::cleanup::settle;
use super::*;
use crate::reply::now_ms;
use crate::testing::{Patch as _, keyed};

/// Sends a record of a transaction with a key.
async fn send_keyed(producer: &mut Producer, house: &House, key: &str, value: &str) -> i64 {
    let sequence = producer.sequences.get(&(TOPIC.to_owned(), 0)).copied().unwrap_or(0);
    let batch = keyed(&[(key, Some(value))])
        .patched(21, &0x10i16.to_be_bytes())
        .patched(43, &producer.producer_id.to_be_bytes())
        .patched(51, &producer.epoch.to_be_bytes())
        .patched(53, &sequence.to_be_bytes());
    let mut request = request(TOPIC, 0, batch, ALL);
    request.transactional_id = Some(StrBytes::from(producer.id.as_str()));
    let sent = only(house.ask(producer.age.produce(), request).await);
    assert_eq!(sent.error_code, 0);
    *producer.sequences.entry((TOPIC.to_owned(), 0)).or_default() += 1;
    sent.base_offset
}

async fn compacted_house() -> House {
    let house = House::new();
    let configs =
        [("cleanup.policy", "compact"), ("delete.retention.ms", "0"), ("min.cleanable.dirty.ratio", "0")];
    house.topic(TOPIC, 1, &configs).await;
    house
}

/// Writes something of nobody's, closes the segment and compacts.
async fn round(house: &House) {
    let sent = only(house.ask(9, request(TOPIC, 0, keyed(&[("other", Some("1"))]), ALL)).await);
    assert_eq!(sent.error_code, 0);
    settle(house, TOPIC);
    house.broker.cleaner.turn(now_ms());
}

#[tokio::test]
async fn committed_records_survive_compaction_and_aborted_ones_never_come_back() {
    let house = compacted_house().await;
    let mut producer = Producer::start(&house, Age::New, "one").await;
    let kept = send_keyed(&mut producer, &house, "a", "1").await;
    assert_eq!(producer.end(&house, true).await, OK);
    let aborted = send_keyed(&mut producer, &house, "a", "2").await;
    assert_eq!(producer.end(&house, false).await, OK);
    // Rounds that take the records away, then the markers, and restarts of both kinds after each: what a snapshot
    // held of aborted transactions must not outlive their markers.
    let mut house = house.restart();
    for _ in 0..4 {
        round(&house).await;
        let killed = house.killed();
        for house in [&house, &killed] {
            let seen = committed(house, 0).await;
            assert!(seen.contains(&kept) && !seen.contains(&aborted), "{seen:?}");
        }
        let mut later = producer.clone();
        let next = send_keyed(&mut later, &killed, "b", "1").await;
        assert_eq!(later.end(&killed, true).await, OK);
        let seen = committed(&killed, 0).await;
        assert!(seen.contains(&next), "the next transaction is no part of the aborted one: {seen:?}");
    }
    let again = send_keyed(&mut producer, &house, "a", "3").await;
    assert_eq!(producer.end(&house, true).await, OK);
    for step in 0..4 {
        for house in [&house, &house.killed()] {
            let seen = committed(house, 0).await;
            assert!(seen.contains(&again) && !seen.contains(&aborted), "{step}: {seen:?}");
            assert!(!house.broker.partitions.open_transactions().iter().any(|open| open.1 == 0));
        }
        round(&house).await;
        house = house.restart();
    }
    assert!(!committed(&house, 0).await.contains(&kept), "a newer one took its place");
}

#[tokio::test]
async fn records_of_an_open_transaction_and_after_it_are_not_compacted() {
    let house = compacted_house().await;
    let mut producer = Producer::start(&house, Age::New, "one").await;
    round(&house).await;
    let open = send_keyed(&mut producer, &house, "other", "2").await;
    for _ in 0..2 {
        round(&house).await;
    }
    assert_eq!(uncommitted(&house, 0).await, [0, open, open + 1, open + 2]);
    assert_eq!(producer.end(&house, false).await, OK);
    round(&house).await;
    let left = uncommitted(&house, 0).await;
    assert_eq!(left, [open + 4], "the newest of its key, behind the marker");
}

#[tokio::test]
async fn a_producer_goes_on_where_it_was_after_its_records_were_compacted_away() {
    let house = compacted_house().await;
    let keyed_in_sequence = |sequence: i32| {
        keyed(&[("other", Some("1"))])
            .patched(43, &7i64.to_be_bytes())
            .patched(51, &0i16.to_be_bytes())
            .patched(53, &sequence.to_be_bytes())
    };
    for sequence in 0..3 {
        let sent = only(house.ask(9, request(TOPIC, 0, keyed_in_sequence(sequence), ALL)).await);
        assert_eq!(sent.error_code, 0);
    }
    round(&house).await;
    assert_eq!(uncommitted(&house, 0).await, [3], "nobody's record is the newest");
    for house in [&house, &house.killed()] {
        let gap = only(house.ask(9, request(TOPIC, 0, keyed_in_sequence(4), ALL)).await);
        assert_eq!(gap.error_code, ErrorCode::OutOfOrderSequenceNumber.code());
        let again = only(house.ask(9, request(TOPIC, 0, keyed_in_sequence(2), ALL)).await);
        assert_eq!((again.error_code, again.base_offset), (0, 2), "it was sent before");
        let next = only(house.ask(9, request(TOPIC, 0, keyed_in_sequence(3), ALL)).await);
        assert_eq!(next.error_code, 0);
    }
}
