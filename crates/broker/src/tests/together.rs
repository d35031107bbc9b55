//! Many producers and a reader at once.

use std::collections::HashMap;
use std::sync::Arc;

use schloss_wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use schloss_wire::records::check_batches;
use schloss_wire::{Response, StrBytes, build};

use super::produce::produce;
use crate::testing::{House, idempotent};

const PRODUCERS: i64 = 8;
const BATCHES: i32 = 30;
const PARTITIONS: i32 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_batch_is_read_once_and_in_its_producers_order_though_all_are_sent_twice() {
    let house = Arc::new(House::new());
    house.topic("orders", PARTITIONS, &[]).await;
    let write = |producer: i64| {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            let partition = i32::try_from(producer).unwrap() % PARTITIONS;
            for n in 0..BATCHES {
                let batch = || idempotent(3, producer, 0, n * 3);
                let (first, again) = tokio::join!(
                    produce(&house, "orders", partition, batch()),
                    produce(&house, "orders", partition, batch())
                );
                assert_eq!((first.error_code, again.error_code), (0, 0));
                assert_eq!(first.base_offset, again.base_offset);
            }
        })
    };
    let writers: Vec<_> = (0..PRODUCERS).map(write).collect();
    let mut positions: HashMap<i32, i64> = (0..PARTITIONS).map(|index| (index, 0)).collect();
    let mut sequences: HashMap<i64, Vec<i32>> = HashMap::new();
    let expected = i64::from(BATCHES) * 3 * PRODUCERS;
    while positions.values().sum::<i64>() < expected {
        let partition = |(partition, offset): (&i32, &i64)| {
            let (partition, fetch_offset) = (*partition, *offset);
            build!(FetchPartition { partition, fetch_offset, partition_max_bytes: 1_000 })
        };
        let partitions = positions.iter().map(partition).collect();
        let topic = build!(FetchTopic { topic: StrBytes::from("orders"), partitions });
        let request =
            build!(FetchRequest { max_wait_ms: 30_000, min_bytes: 1, max_bytes: 1_500, topics: vec![topic] });
        let Response::Fetch(response) = house.ask(12, request).await else { panic!() };
        for part in &response.responses[0].partitions {
            let position = positions.get_mut(&part.partition_index).unwrap();
            for (header, _) in check_batches(part.records.as_ref().unwrap()).unwrap() {
                assert_eq!(header.base_offset, *position, "no gap and nothing twice");
                *position = header.last_offset() + 1;
                sequences.entry(header.producer_id).or_default().push(header.base_sequence);
            }
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(positions.values().sum::<i64>(), expected);
    for producer in 0..PRODUCERS {
        assert_eq!(sequences[&producer], (0..BATCHES).map(|n| n * 3).collect::<Vec<_>>());
    }
}
