//! The disk is slow, full or broken.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use schloss_wire::ErrorCode;

use super::fetch::{fetch, offsets, part};
use super::produce::{ALL, only, produce, request};
use crate::testing::{FaultyDisk, House, batch, idempotent};

async fn house() -> (House, Arc<FaultyDisk>) {
    let disk = Arc::new(FaultyDisk::default());
    let house = House::on_faulty(&disk);
    house.topic("orders", 2, &[]).await;
    (house, disk)
}

#[tokio::test]
async fn acks_all_waits_for_the_disk_and_so_do_readers() {
    let (house, disk) = house().await;
    disk.hold(true);
    // acks=1 is answered though nothing can be flushed.
    let leader = only(house.ask(9, request("orders", 0, batch(2), 1)).await);
    assert_eq!((leader.error_code, leader.base_offset), (0, 0));
    assert!(offsets(&fetch(&house, vec![part(0, 0)]).await[0]).is_empty());
    let mut impatient = request("orders", 0, batch(1), ALL);
    impatient.timeout_ms = 50;
    let late = only(house.ask(9, impatient).await);
    assert_eq!(late.error_code, ErrorCode::RequestTimedOut.code());
    let (patient, ()) = tokio::join!(produce(&house, "orders", 0, batch(1)), async {
        disk.hold(false);
    });
    assert_eq!((patient.error_code, patient.base_offset), (0, 3));
    assert_eq!(offsets(&fetch(&house, vec![part(0, 0)]).await[0]), [0, 2, 3]);
}

#[tokio::test]
async fn a_full_disk_refuses_writes_serves_reads_and_recovers() {
    let (house, disk) = house().await;
    produce(&house, "orders", 0, idempotent(1, 7, 0, 0)).await;
    disk.full.store(true, Ordering::Relaxed);
    let refused = produce(&house, "orders", 0, idempotent(1, 7, 0, 1)).await;
    assert_eq!((refused.error_code, refused.base_offset), (ErrorCode::KafkaStorageError.code(), -1));
    let message = refused.error_message.unwrap();
    assert!(!message.contains('/'), "no path of this node: {}", message.as_str());
    assert_eq!(offsets(&fetch(&house, vec![part(0, 0)]).await[0]), [0]);
    disk.full.store(false, Ordering::Relaxed);
    // The refused batch was not noted, so sending it again is the next in sequence.
    let again = produce(&house, "orders", 0, idempotent(1, 7, 0, 1)).await;
    assert_eq!((again.error_code, again.base_offset), (0, 1));
}

#[tokio::test]
async fn a_batch_whose_flush_failed_is_never_acknowledged_nor_shown() {
    let (house, disk) = house().await;
    produce(&house, "orders", 1, batch(1)).await;
    disk.broken.store(true, Ordering::Relaxed);
    let failed = produce(&house, "orders", 0, batch(1)).await;
    assert_eq!((failed.error_code, failed.base_offset), (ErrorCode::KafkaStorageError.code(), -1));
    disk.broken.store(false, Ordering::Relaxed);
    // What the disk holds of it is not known, so nothing more is taken until a restart.
    let later = produce(&house, "orders", 0, batch(1)).await;
    assert_eq!(later.error_code, ErrorCode::KafkaStorageError.code());
    let parts = fetch(&house, vec![part(0, 0), part(1, 0)]).await;
    assert_eq!(parts[0].error_code, ErrorCode::KafkaStorageError.code());
    assert_eq!(offsets(&parts[1]), [0]);
    assert_eq!(produce(&house, "orders", 1, batch(1)).await.base_offset, 1);
}

#[tokio::test]
async fn a_topic_that_could_not_be_recorded_does_not_exist() {
    use schloss_wire::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
    use schloss_wire::{Response, StrBytes, build};

    let (house, disk) = house().await;
    disk.full.store(true, Ordering::Relaxed);
    let topic =
        || build!(CreatableTopic { name: StrBytes::from("new"), num_partitions: 1, replication_factor: 1 });
    let create = || build!(CreateTopicsRequest { topics: vec![topic()] });
    let Response::CreateTopics(response) = house.ask(7, create()).await else { panic!() };
    assert_eq!(response.topics[0].error_code, ErrorCode::KafkaStorageError.code());
    assert!(house.broker.metadata.snapshot().topic("new").is_none());
    disk.full.store(false, Ordering::Relaxed);
    let Response::CreateTopics(response) = house.ask(7, create()).await else { panic!() };
    assert_eq!(response.topics[0].error_code, 0);
    assert_eq!(produce(&house, "new", 0, batch(1)).await.base_offset, 0);
}
