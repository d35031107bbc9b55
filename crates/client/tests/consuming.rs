//! What a consumer without a group reads.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod fake;

use std::time::Duration;

use fake::broker::{Broker, TOPIC};
use schloss_client::{
    ClientError, Compression, Consumer, ConsumerOptions, ErrorClass, Producer, ProducerOptions,
    ProducerRecord, StartAt,
};

const WAIT: Duration = Duration::from_secs(5);

async fn filled(partitions: usize, count: u32) -> Broker {
    let broker = Broker::start(partitions).await;
    let options = ProducerOptions {
        compression: Compression::Lz4,
        batch_bytes: 300,
        linger: Duration::ZERO,
        ..ProducerOptions::default()
    };
    let mut producer = Producer::new(broker.cluster().await, options).await.unwrap();
    for number in 0..count {
        producer.send(ProducerRecord::new(TOPIC, number.to_string())).await.unwrap();
    }
    assert_eq!(producer.close().await.delivered, u64::from(count));
    broker
}

async fn consumer(broker: &Broker, start: StartAt) -> Result<Consumer, ClientError> {
    let options =
        ConsumerOptions { start, fetch_wait: Duration::from_millis(10), ..ConsumerOptions::default() };
    Consumer::assign(broker.cluster().await, &[TOPIC.to_owned()], options).await
}

async fn read(consumer: &mut Consumer, count: usize, at_once: usize) -> Vec<u32> {
    let mut values = Vec::new();
    while values.len() < count {
        let records = consumer.poll(WAIT, at_once).await.unwrap();
        assert!(!records.is_empty() && records.len() <= at_once);
        values.extend(records.iter().map(|record| {
            std::str::from_utf8(record.value.as_ref().unwrap()).unwrap().parse::<u32>().unwrap()
        }));
    }
    values
}

#[tokio::test]
async fn everything_is_read_once_from_the_beginning() {
    let broker = filled(3, 300).await;
    let mut consumer = consumer(&broker, StartAt::Beginning).await.unwrap();
    let mut values = read(&mut consumer, 300, 7).await;
    values.sort_unstable();
    assert_eq!(values, (0..300).collect::<Vec<_>>());
    assert!(consumer.poll(Duration::from_millis(30), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn reading_begins_at_the_offset_asked_for_even_within_a_batch() {
    let broker = filled(1, 50).await;
    let mut consumer = consumer(&broker, StartAt::Offset(13)).await.unwrap();
    assert_eq!(read(&mut consumer, 37, 100).await, (13..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn at_the_end_only_what_comes_later_is_read() {
    let broker = filled(1, 50).await;
    let mut consumer = consumer(&broker, StartAt::End).await.unwrap();
    // The broker in memory tells producers apart by their sequences alone.
    let options = ProducerOptions { idempotent: false, ..ProducerOptions::default() };
    let mut producer = Producer::new(broker.cluster().await, options).await.unwrap();
    producer.send_and_wait(ProducerRecord::new(TOPIC, "1000")).await.unwrap();
    assert_eq!(read(&mut consumer, 1, 10).await, [1000]);
}

#[tokio::test]
async fn an_offset_past_the_end_is_an_error_that_says_so() {
    let broker = filled(1, 5).await;
    let mut consumer = consumer(&broker, StartAt::Offset(99)).await.unwrap();
    let error = consumer.poll(WAIT, 10).await.unwrap_err();
    assert!(error.to_string().contains("OFFSET_OUT_OF_RANGE"), "{error}");
    assert!(error.to_string().contains("partition 0 from offset 99"), "{error}");
}

#[tokio::test]
async fn passing_failures_are_borne_and_a_denial_is_not() {
    let broker = filled(1, 5).await;
    broker.state.lock().unwrap().fetch_errors.extend([6, 5, 9]);
    let mut reader = consumer(&broker, StartAt::Beginning).await.unwrap();
    assert_eq!(read(&mut reader, 5, 10).await, [0, 1, 2, 3, 4]);

    let broker = filled(1, 5).await;
    broker.state.lock().unwrap().fetch_errors.push_back(29);
    let mut reader = consumer(&broker, StartAt::Beginning).await.unwrap();
    let error = reader.poll(WAIT, 10).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Denied);
    assert!(error.to_string().contains("READ on topic orders"), "{error}");
}

#[tokio::test]
async fn dropping_a_poll_loses_nothing() {
    let broker = filled(1, 100).await;
    let mut consumer = consumer(&broker, StartAt::Beginning).await.unwrap();
    let mut values = Vec::new();
    while values.len() < 100 {
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            records = consumer.poll(WAIT, 3) => {
                values.extend(records.unwrap().iter().map(|record| record.offset));
            }
        }
        tokio::task::yield_now().await;
        if let Ok(records) = tokio::time::timeout(Duration::from_millis(1), consumer.poll(WAIT, 3)).await {
            values.extend(records.unwrap().iter().map(|record| record.offset));
        }
    }
    assert_eq!(values, (0..100).collect::<Vec<_>>());
}
