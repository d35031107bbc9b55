//! One transactional id, one producer: the newest.

use std::time::Duration;

use super::*;
use crate::transactions::TransactionState;

async fn init(house: &House, version: i16, request: InitProducerIdRequest) -> (ErrorCode, i64, i16) {
    let Response::InitProducerId(response) = house.ask(version, request).await else { panic!() };
    let code = ErrorCode::from_code(response.error_code).unwrap();
    (code, response.producer_id, response.producer_epoch)
}

fn asking(id: &str, transaction_timeout_ms: i32) -> InitProducerIdRequest {
    build!(InitProducerIdRequest {
        transactional_id: Some(StrBytes::from(id)),
        transaction_timeout_ms,
        producer_id: -1,
        producer_epoch: -1,
    })
}

#[tokio::test]
async fn a_second_producer_aborts_the_transaction_of_the_first_and_fences_it() {
    for age in AGES {
        let house = house().await;
        let mut first = Producer::start(&house, age, "t").await;
        first.send(&house, 0, 2).await.unwrap();
        first.hold(&house, 0, 5).await;
        let mut second = first.clone();
        (second.producer_id, second.epoch) = (-1, -1);
        assert_eq!(second.init_once(&house).await, ErrorCode::ConcurrentTransactions);
        assert_eq!(second.init(&house).await, OK);
        assert_eq!(second.producer_id, first.producer_id);
        assert!(second.epoch > first.epoch);
        assert_eq!(stable(&house, 0).await, 3, "the abort is complete");
        let fenced = first.send(&house, 0, 1).await.unwrap_err();
        let expected =
            if age == Age::Old { ErrorCode::ProducerFenced } else { ErrorCode::InvalidProducerEpoch };
        assert_eq!(fenced, expected);
        assert_eq!(first.produce(&house, 1, 1).await.error_code, ErrorCode::InvalidProducerEpoch.code());
        assert_eq!(first.end(&house, true).await, ErrorCode::ProducerFenced);
        assert_eq!(first.hold_only(&house, 0, 6).await, ErrorCode::InvalidProducerEpoch);
        assert_eq!(first.init(&house).await, ErrorCode::ProducerFenced);
        assert_eq!(second.send(&house, 0, 1).await, Ok(3));
        assert_eq!(second.end(&house, true).await, OK);
        assert_eq!(committed(&house, 0).await, [3]);
        assert_eq!(group_offset(&house, 0, true).await, Ok(-1));
    }
}

#[tokio::test]
async fn older_clients_are_told_of_a_fence_in_their_words() {
    let house = house().await;
    let first = Producer::start(&house, Age::Old, "t").await;
    Producer::start(&house, Age::Old, "t").await;
    let mut request = asking("t", 1_000);
    (request.producer_id, request.producer_epoch) = (first.producer_id, first.epoch);
    assert_eq!(init(&house, 3, request.clone()).await.0, ErrorCode::InvalidProducerEpoch);
    assert_eq!(init(&house, 4, request).await.0, ErrorCode::ProducerFenced);
    let end = build!(EndTxnRequest {
        transactional_id: StrBytes::from("t"),
        producer_id: first.producer_id,
        producer_epoch: first.epoch,
        committed: true,
    });
    for (version, code) in [(1, ErrorCode::InvalidProducerEpoch), (2, ErrorCode::ProducerFenced)] {
        let Response::EndTxn(response) = house.ask(version, end.clone()).await else { panic!() };
        assert_eq!(response.error_code, code.code(), "version {version}");
    }
}

#[tokio::test]
async fn a_producer_goes_on_with_a_new_epoch_after_an_error() {
    for age in AGES {
        let house = house().await;
        let mut producer = Producer::start(&house, age, "t").await;
        producer.send(&house, 0, 1).await.unwrap();
        assert_eq!(producer.end(&house, false).await, OK);
        let before = producer.clone();
        assert_eq!(producer.init(&house).await, OK);
        assert_eq!((producer.producer_id, producer.epoch), (before.producer_id, before.epoch + 1));
        let mut lost_the_answer = before;
        assert_eq!(lost_the_answer.init(&house).await, OK);
        assert_eq!(lost_the_answer.epoch, producer.epoch);
        assert_eq!(producer.send(&house, 0, 1).await, Ok(2));
    }
}

#[tokio::test]
async fn ids_and_timeouts_have_bounds() {
    let house = house().await;
    assert_eq!(init(&house, 4, asking("", 1_000)).await.0, ErrorCode::InvalidRequest);
    assert_eq!(init(&house, 4, asking(&"x".repeat(1025), 1_000)).await.0, ErrorCode::InvalidRequest);
    for timeout in [0, -1, 15 * 60 * 1_000 + 1, i32::MAX] {
        assert_eq!(init(&house, 4, asking("t", timeout)).await.0, ErrorCode::InvalidTransactionTimeout);
    }
    assert_eq!(init(&house, 4, asking("t", 15 * 60 * 1_000)).await.0, OK);
    let small = House::with(|config| config.transactions.max_ids = 1);
    assert_eq!(init(&small, 4, asking("one", 1_000)).await.0, OK);
    assert_eq!(init(&small, 4, asking("two", 1_000)).await.0, ErrorCode::PolicyViolation);
    assert_eq!(init(&small, 4, asking("one", 1_000)).await.0, OK);
}

#[tokio::test]
async fn nobody_has_an_id_that_was_not_given_out() {
    let house = house().await;
    let mut stranger = Producer {
        age: Age::New,
        id: "t".to_owned(),
        producer_id: 4,
        epoch: 0,
        timeout_ms: 60_000,
        sequences: HashMap::new(),
    };
    let code = ErrorCode::InvalidProducerIdMapping;
    assert_eq!(stranger.send(&house, 0, 1).await, Err(code));
    assert_eq!(stranger.add_partition(&house, TOPIC, 0).await, code);
    assert_eq!(stranger.add_offsets(&house).await, code);
    assert_eq!(stranger.hold_only(&house, 0, 1).await, code);
    assert_eq!(stranger.end(&house, true).await, code);
    let other = Producer::start(&house, Age::New, "t").await;
    stranger.producer_id = other.producer_id + 1;
    assert_eq!(stranger.send(&house, 0, 1).await, Err(code));
}

#[tokio::test]
async fn a_transaction_that_is_open_for_too_long_is_aborted_and_its_producer_fenced() {
    for age in AGES {
        let house = house().await;
        let mut producer = Producer::start(&house, age, "t").await;
        producer.timeout_ms = 50;
        assert_eq!(producer.init(&house).await, OK);
        // Batches don't prolong it.
        let refused = loop {
            match producer.send(&house, 0, 1).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(code) => break code,
            }
        };
        until_complete(&house, "t").await;
        // Whichever of the two the last batch met: the coordinator or the marker.
        let met = [ErrorCode::ProducerFenced, ErrorCode::InvalidProducerEpoch];
        assert!(met.contains(&refused), "{refused}");
        assert!(stable(&house, 0).await > 1);
        assert_eq!(committed(&house, 0).await, [0; 0]);
        assert_eq!(producer.end(&house, true).await, ErrorCode::ProducerFenced);
        assert_eq!(producer.init(&house).await, ErrorCode::ProducerFenced);
    }
}

#[tokio::test]
async fn after_a_restart_a_transaction_has_only_the_rest_of_its_time() {
    let house = house().await;
    let mut producer = Producer::start(&house, Age::New, "t").await;
    producer.timeout_ms = 50;
    assert_eq!(producer.init(&house).await, OK);
    producer.send(&house, 0, 1).await.unwrap();
    let house = house.restart();
    until_complete(&house, "t").await;
    assert_eq!((stable(&house, 0).await, committed(&house, 0).await), (2, vec![]));
}

/// Waits for the markers, which need the real time of the disk.
async fn until_complete(house: &House, id: &str) {
    loop {
        let state = house.broker.transactions.describe(id).unwrap().state;
        match state {
            TransactionState::CompleteAbort | TransactionState::CompleteCommit => return,
            _ => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn ids_that_are_not_used_are_forgotten_and_open_transactions_are_not() {
    let house = House::with(|config| config.transactions.id_expiration = Duration::ZERO);
    house.topic(TOPIC, 2, &[]).await;
    let idle = Producer::start(&house, Age::New, "idle").await;
    let mut busy = Producer::start(&house, Age::New, "busy").await;
    busy.send(&house, 0, 1).await.unwrap();
    let known = |house: &House, id: &str| house.broker.transactions.describe(id).is_ok();
    assert!(known(&house, "idle"));
    house.broker.transactions.forget_unused_for_tests();
    assert!(!known(&house, "idle") && known(&house, "busy"));
    assert_eq!(busy.end(&house, true).await, OK);
    assert_eq!(idle.clone().end(&house, false).await, ErrorCode::InvalidProducerIdMapping);
    let killed = house.killed();
    assert!(!known(&killed, "idle") && known(&killed, "busy"));
}
