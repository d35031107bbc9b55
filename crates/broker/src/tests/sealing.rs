//! What is on disk: nothing that can be read, nothing that can be changed unnoticed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use schloss_wire::messages::delete_topics_request::DeleteTopicsRequest;
use schloss_wire::messages::init_producer_id_request::InitProducerIdRequest;
use schloss_wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use schloss_wire::{ErrorCode, Response, StrBytes, build};

use super::fetch::{fetch, offsets, part};
use super::produce::produce;
use crate::testing::{House, batch, idempotent};

const SEGMENT: &str = "topics/orders-0/00000000000000000000.log";

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn no_file_shows_records_offsets_transactions_or_settings() {
    let house = House::new();
    let id = house.topic("orders", 1, &[("segment.bytes", "1048576")]).await;
    produce(&house, "orders", 0, idempotent(3, 7, 0, 0)).await;
    house.broker.shares.reset("sealed-share-group", &[((id, 0), 2)]).await.unwrap();
    let row = build!(OffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: 2,
        committed_metadata: Some(StrBytes::from("sealed-note")),
    });
    let topic = build!(OffsetCommitRequestTopic { name: StrBytes::from("orders"), partitions: vec![row] });
    let commit = build!(OffsetCommitRequest {
        group_id: StrBytes::from("sealed-group"),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
    });
    let Response::OffsetCommit(answer) = house.ask(8, commit).await else { panic!() };
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    let init = build!(InitProducerIdRequest {
        transactional_id: Some(StrBytes::from("sealed-transactions")),
        transaction_timeout_ms: 10_000,
    });
    let Response::InitProducerId(answer) = house.ask(4, init).await else { panic!() };
    assert_eq!(answer.error_code, 0);

    // As it is while the broker runs, and as it is after a stop.
    let killed = house.killed();
    let stopped = house.restart();
    for house in [killed, stopped] {
        let found = files(house.path());
        assert!(found.len() > 12, "{found:?}");
        for path in found {
            let bytes = fs::read(&path).unwrap();
            for secret in ["value", "sealed-", "orders", "segment.bytes"] {
                let shows = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!shows, "{} shows {secret}", path.display());
            }
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
        }
        assert_eq!(offsets(&fetch(&house, vec![part(0, 0)]).await[0]), [0]);
    }
}

#[tokio::test]
async fn a_flipped_byte_is_an_error_for_its_batch_and_told_of_once() {
    let house = House::new();
    house.topic("orders", 2, &[]).await;
    for partition in [0, 1] {
        produce(&house, "orders", partition, batch(2)).await;
        produce(&house, "orders", partition, batch(2)).await;
    }
    let house = house.restart_after(|directory| {
        let path = directory.join(SEGMENT);
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 20;
        bytes[last] ^= 1;
        fs::write(&path, bytes).unwrap();
    });
    assert!(house.damages.lock().is_empty(), "nobody has looked at it yet");
    for _ in 0..2 {
        let parts = fetch(&house, vec![part(0, 2), part(1, 2)]).await;
        assert_eq!(parts[0].error_code, ErrorCode::CorruptMessage.code());
        assert!(parts[0].records.as_ref().is_none_or(bytes::Bytes::is_empty));
        assert_eq!(offsets(&parts[1]), [2]);
    }
    assert_eq!(offsets(&fetch(&house, vec![part(0, 0)]).await[0]), [0], "the batch before it is good");
    let damages = house.damages.lock();
    assert_eq!((damages.len(), damages[0].identity.partition), (1, 0));
    assert!(damages[0].path.ends_with(SEGMENT));
}

#[tokio::test]
async fn a_deleted_topic_takes_its_key_along() {
    let house = House::new();
    let id = house.topic("orders", 1, &[]).await;
    house.topic("others", 1, &[]).await;
    let keys = house.path().join("keys");
    let key = keys.join(format!("topic-{:032x}.key", u128::from_be_bytes(id.to_bytes())));
    assert!(key.exists());
    let before = fs::read_dir(&keys).unwrap().count();
    let request = build!(DeleteTopicsRequest { topic_names: vec![StrBytes::from("orders")] });
    house.ask(5, request).await;
    assert!(!key.exists());
    assert_eq!(fs::read_dir(&keys).unwrap().count(), before - 1);
}

#[tokio::test]
async fn a_topic_whose_key_is_gone_is_offline_and_the_others_are_served() {
    let house = House::new();
    let id = house.topic("orders", 1, &[]).await;
    house.topic("others", 1, &[]).await;
    produce(&house, "orders", 0, batch(1)).await;
    let name = format!("keys/topic-{:032x}.key", u128::from_be_bytes(id.to_bytes()));
    let house = house.restart_after(|directory| fs::remove_file(directory.join(&name)).unwrap());
    assert_eq!(produce(&house, "orders", 0, batch(1)).await.error_code, ErrorCode::KafkaStorageError.code());
    assert!(!house.path().join(name).exists(), "no other key takes its place");
    assert_eq!(produce(&house, "others", 0, batch(1)).await.error_code, 0);
}

#[tokio::test]
#[should_panic(expected = "run chmod 600")]
async fn a_segment_that_others_can_read_refuses_the_start() {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    house.restart_after(|directory| {
        fs::set_permissions(directory.join(SEGMENT), fs::Permissions::from_mode(0o644)).unwrap();
    });
}
