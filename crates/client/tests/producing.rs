//! What a producer does when things go well and when they don't.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod fake;

use std::time::Duration;

use fake::broker::{Broker, Mishap, TOPIC};
use schloss_client::{ClientError, Compression, ErrorClass, Producer, ProducerOptions, ProducerRecord};

fn numbered(from: u32, to: u32) -> Vec<String> {
    (from..to).map(|number| number.to_string()).collect()
}

fn small_batches() -> ProducerOptions {
    ProducerOptions { batch_bytes: 200, linger: Duration::from_millis(1), ..ProducerOptions::default() }
}

async fn produce(broker: &Broker, options: ProducerOptions, count: u32) -> schloss_client::DeliveryReport {
    let mut producer = Producer::new(broker.cluster().await, options).await.unwrap();
    for value in numbered(0, count) {
        let mut record = ProducerRecord::new(TOPIC, value);
        record.partition = Some(0);
        if producer.send(record).await.is_err() {
            break;
        }
    }
    producer.close().await
}

#[tokio::test]
async fn records_arrive_once_in_order_under_every_compression() {
    for compression in
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
    {
        let broker = Broker::start(1).await;
        let report = produce(&broker, ProducerOptions { compression, ..small_batches() }, 200).await;
        assert_eq!((report.delivered, report.failed), (200, 0), "{:?}", report.error);
        assert_eq!(broker.values(0), numbered(0, 200));
    }
}

#[tokio::test]
async fn passing_failures_neither_lose_nor_repeat_nor_reorder_records() {
    let mishaps = [
        Mishap::Refuse(6),
        Mishap::LoseAnswer,
        Mishap::Refuse(5),
        Mishap::LoseRequest,
        Mishap::Refuse(19),
        Mishap::LoseAnswer,
    ];
    for first in 0..mishaps.len() {
        let broker = Broker::start(1).await;
        broker.state.lock().unwrap().mishaps.extend(mishaps.iter().cycle().skip(first).take(4));
        let report = produce(&broker, small_batches(), 200).await;
        assert_eq!((report.delivered, report.failed), (200, 0), "{:?}", report.error);
        assert_eq!(broker.values(0), numbered(0, 200));
    }
}

#[tokio::test]
async fn without_idempotence_order_holds_and_a_lost_answer_repeats_at_most() {
    let broker = Broker::start(1).await;
    broker.state.lock().unwrap().mishaps.extend([Mishap::Refuse(6), Mishap::LoseAnswer]);
    let options = ProducerOptions { idempotent: false, ..small_batches() };
    let report = produce(&broker, options, 100).await;
    assert_eq!(report.delivered, 100);
    let mut values = broker.values(0);
    assert!(values.len() > 100, "the batch whose answer was lost is there twice");
    let mut seen = std::collections::HashSet::new();
    values.retain(|value| seen.insert(value.clone()));
    assert_eq!(values, numbered(0, 100));
}

#[tokio::test]
async fn a_denial_names_the_topic_and_ends_the_producer() {
    let broker = Broker::start(1).await;
    broker.state.lock().unwrap().mishaps.push_back(Mishap::Refuse(29));
    let mut producer = Producer::new(broker.cluster().await, ProducerOptions::default()).await.unwrap();
    let error = producer.send_and_wait(ProducerRecord::new(TOPIC, "x")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Denied);
    assert!(error.to_string().contains("WRITE on topic orders"), "{error}");
    assert!(producer.send(ProducerRecord::new(TOPIC, "y")).await.is_err(), "nothing follows a lost record");
    let report = producer.close().await;
    assert_eq!((report.delivered, report.failed), (0, 1));
    assert_eq!(broker.state.lock().unwrap().produces, 1);
}

#[tokio::test]
async fn a_refused_producer_id_is_a_missing_permission_to_write() {
    let broker = Broker::start(1).await;
    broker.state.lock().unwrap().init_producer_error = 31;
    let mut producer = Producer::new(broker.cluster().await, ProducerOptions::default()).await.unwrap();
    let error = producer.send_and_wait(ProducerRecord::new(TOPIC, "x")).await.unwrap_err();
    assert!(error.to_string().contains("CLUSTER_AUTHORIZATION_FAILED"), "{error}");
    assert!(error.to_string().contains("WRITE on topic orders"), "{error}");
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_and_the_others_go_on() {
    let broker = Broker::start(1).await;
    let mut producer = Producer::new(broker.cluster().await, ProducerOptions::default()).await.unwrap();
    let large = ProducerRecord::new(TOPIC, vec![b'x'; 2 << 20]);
    assert!(matches!(producer.send(large).await, Err(ClientError::Record(_))));
    let delivered = producer.send_and_wait(ProducerRecord::new(TOPIC, "small")).await.unwrap();
    assert_eq!((delivered.partition, delivered.offset), (0, 0));
    assert_eq!(producer.send_and_wait(ProducerRecord::new(TOPIC, "next")).await.unwrap().offset, 1);
}

#[tokio::test]
async fn keys_stay_in_their_partition_and_unknown_partitions_are_refused() {
    let broker = Broker::start(10).await;
    let mut producer = Producer::new(broker.cluster().await, ProducerOptions::default()).await.unwrap();
    for _ in 0..3 {
        let record = ProducerRecord::new(TOPIC, "v").with_key("foobar");
        assert_eq!(producer.send_and_wait(record).await.unwrap().partition, 6, "as Java chooses");
    }
    let mut record = ProducerRecord::new(TOPIC, "v");
    record.partition = Some(10);
    let error = producer.send_and_wait(record).await.unwrap_err();
    assert!(error.to_string().contains("no partition 10"), "{error}");
}

#[tokio::test]
async fn an_endless_failure_ends_with_the_delivery_time() {
    let broker = Broker::start(1).await;
    broker.state.lock().unwrap().mishaps.extend([Mishap::Refuse(6); 50]);
    let options = ProducerOptions { delivery_timeout: Duration::from_millis(300), ..small_batches() };
    let report = produce(&broker, options, 20).await;
    assert_eq!((report.delivered, report.failed), (0, 20));
    assert!(report.error.is_some());
}
