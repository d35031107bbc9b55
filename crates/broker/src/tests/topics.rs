use std::collections::BTreeSet;

use schloss_wire::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use schloss_wire::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use schloss_wire::messages::create_topics_response::CreatableTopicResult;
use schloss_wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use schloss_wire::messages::{InitProducerIdRequest, InitProducerIdResponse};
use schloss_wire::{ErrorCode, Response, StrBytes, Uuid, build};

use super::produce::produce;
use crate::testing::{House, batch};

fn named(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    build!(CreatableTopic { name: StrBytes::from(name), num_partitions, replication_factor })
}

async fn create_all(
    house: &House,
    topics: Vec<CreatableTopic>,
    validate_only: bool,
) -> Vec<CreatableTopicResult> {
    let request = build!(CreateTopicsRequest { topics, validate_only });
    let Response::CreateTopics(response) = house.ask(7, request).await else { panic!() };
    response.topics
}

async fn create(house: &House, topic: CreatableTopic) -> ErrorCode {
    let result = create_all(house, vec![topic], false).await.remove(0);
    let code = ErrorCode::from_code(result.error_code).unwrap();
    assert_eq!(code == ErrorCode::None, result.error_message.is_none(), "{result:?}");
    code
}

pub(super) async fn delete(house: &House, name: &str) {
    let topic = build!(DeleteTopicState { name: Some(StrBytes::from(name)) });
    assert_eq!(delete_all(house, vec![topic]).await, [ErrorCode::None]);
}

async fn delete_all(house: &House, topics: Vec<DeleteTopicState>) -> Vec<ErrorCode> {
    let Response::DeleteTopics(response) = house.ask(6, build!(DeleteTopicsRequest { topics })).await else {
        panic!()
    };
    response.responses.iter().map(|result| ErrorCode::from_code(result.error_code).unwrap()).collect()
}

/// Names of what is in the directory of partitions, hidden ones left out.
fn directories(house: &House) -> BTreeSet<String> {
    let entries = std::fs::read_dir(house.path().join("topics")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).collect()
}

#[tokio::test]
async fn a_created_topic_is_described_and_on_disk() {
    let house = House::new();
    let mut topic = named("orders", 3, 1);
    topic.configs.push(build!(CreatableTopicConfig {
        name: StrBytes::from("max.message.bytes"),
        value: Some(StrBytes::from("1000"))
    }));
    let result = create_all(&house, vec![topic], false).await.remove(0);
    assert_eq!((result.error_code, result.num_partitions, result.replication_factor), (0, 3, 1));
    assert!(!result.topic_id.is_zero());
    let size = result.configs.unwrap().into_iter().find(|config| config.name.as_str() == "max.message.bytes");
    let size = size.unwrap();
    assert_eq!((size.value.unwrap().as_str(), size.config_source), ("1000", 1));
    let expected = ["orders-0", "orders-1", "orders-2"].map(str::to_owned);
    assert_eq!(directories(&house), BTreeSet::from(expected));
}

#[tokio::test]
async fn validating_makes_nothing() {
    let house = House::new();
    let result = create_all(&house, vec![named("orders", -1, -1)], true).await.remove(0);
    assert_eq!((result.error_code, result.num_partitions), (0, 1));
    assert!(directories(&house).is_empty());
    assert!(house.broker.metadata.snapshot().topic("orders").is_none());
}

#[tokio::test]
async fn each_mistake_has_kafkas_error() {
    let house = House::new();
    house.topic("there.is", 1, &[]).await;
    assert_eq!(create(&house, named("there.is", 1, 1)).await, ErrorCode::TopicAlreadyExists);
    assert_eq!(create(&house, named("there_is", 1, 1)).await, ErrorCode::InvalidTopicException);
    assert_eq!(create(&house, named("../etc", 1, 1)).await, ErrorCode::InvalidTopicException);
    assert_eq!(create(&house, named("a", 1, 2)).await, ErrorCode::InvalidReplicationFactor);
    assert_eq!(create(&house, named("a", 1, 0)).await, ErrorCode::InvalidReplicationFactor);
    assert_eq!(create(&house, named("a", 0, 1)).await, ErrorCode::InvalidPartitions);
    assert_eq!(create(&house, named("a", -2, 1)).await, ErrorCode::InvalidPartitions);
    assert_eq!(create(&house, named("a", 1_000_000, 1)).await, ErrorCode::PolicyViolation);
    let with = |name: &'static str, value: Option<&'static str>| {
        let mut topic = named("a", 1, 1);
        let (name, value) = (StrBytes::from(name), value.map(StrBytes::from));
        topic.configs.push(build!(CreatableTopicConfig { name, value }));
        topic
    };
    for (name, value) in [
        ("no.such", Some("1")),
        ("retention.ms", Some("x")),
        ("cleanup.policy", Some("compress")),
        ("max.message.bytes", None),
    ] {
        assert_eq!(create(&house, with(name, value)).await, ErrorCode::InvalidConfig, "{name}");
    }
    assert_eq!(directories(&house).len(), 1);
}

#[tokio::test]
async fn manual_assignments_name_this_node_for_each_partition() {
    let house = House::new();
    let assigned = |assignments: &[(i32, &[i32])]| {
        let assignment = |(partition_index, brokers): &(i32, &[i32])| {
            build!(CreatableReplicaAssignment {
                partition_index: *partition_index,
                broker_ids: brokers.to_vec()
            })
        };
        let mut topic = named("a", -1, -1);
        topic.assignments = assignments.iter().map(assignment).collect();
        topic
    };
    for wrong in [&[(0, &[2][..])][..], &[(0, &[][..])], &[(0, &[1, 1][..])], &[(1, &[1][..])]] {
        assert_eq!(create(&house, assigned(wrong)).await, ErrorCode::InvalidReplicaAssignment);
    }
    let twice = assigned(&[(0, &[1]), (0, &[1])]);
    assert_eq!(create(&house, twice).await, ErrorCode::InvalidReplicaAssignment);
    let mut both = assigned(&[(0, &[1])]);
    both.num_partitions = 1;
    assert_eq!(create(&house, both).await, ErrorCode::InvalidRequest);
    assert_eq!(create(&house, assigned(&[(1, &[1]), (0, &[1])])).await, ErrorCode::None);
    assert_eq!(directories(&house).len(), 2);
}

#[tokio::test]
async fn a_topic_named_twice_is_refused_once_and_others_are_made() {
    let house = House::new();
    let topics = vec![named("a", 1, 1), named("b", 1, 1), named("a", 2, 1)];
    let results = create_all(&house, topics, false).await;
    let mut codes: Vec<_> =
        results.iter().map(|result| (result.name.as_str().to_owned(), result.error_code)).collect();
    codes.sort();
    assert_eq!(codes, [("a".to_owned(), ErrorCode::InvalidRequest.code()), ("b".to_owned(), 0)]);
}

#[tokio::test]
async fn a_topic_made_anew_never_shows_what_the_old_one_held() {
    let house = House::new();
    let old = house.topic("orders", 2, &[]).await;
    produce(&house, "orders", 0, batch(5)).await;
    delete(&house, "orders").await;
    assert!(directories(&house).is_empty());
    assert_eq!(
        produce(&house, "orders", 0, batch(1)).await.error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
    let new = house.topic("orders", 1, &[]).await;
    assert_ne!(old, new);
    assert_eq!(produce(&house, "orders", 0, batch(1)).await.base_offset, 0);
}

#[tokio::test]
async fn a_deletion_that_the_process_did_not_survive_is_no_way_back_either() {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    produce(&house, "orders", 0, batch(5)).await;
    // As if the process died after the metadata was written, and the topic was made anew by the next run,
    // which died as well before it got to the disk.
    let old = house.path().join("topics/orders-0");
    let kept = house.path().join("kept");
    std::fs::rename(&old, &kept).unwrap();
    delete(&house, "orders").await;
    house.topic("orders", 1, &[]).await;
    std::fs::remove_dir_all(&old).unwrap();
    std::fs::rename(&kept, &old).unwrap();
    let house = house.killed();
    assert_eq!(produce(&house, "orders", 0, batch(1)).await.base_offset, 0);
}

#[tokio::test]
async fn topics_and_records_survive_a_kill() {
    let house = House::new();
    house.topic("orders", 2, &[]).await;
    produce(&house, "orders", 1, batch(3)).await;
    delete(&house, "orders").await;
    house.topic("orders", 2, &[("max.message.bytes", "1000")]).await;
    produce(&house, "orders", 1, batch(4)).await;
    let killed = house.killed();
    assert_eq!(produce(&killed, "orders", 1, batch(1)).await.base_offset, 4);
    let snapshot = killed.broker.metadata.snapshot();
    assert_eq!(snapshot.topic("orders").unwrap().configs["max.message.bytes"], "1000");
}

#[tokio::test]
async fn topics_are_deleted_by_name_and_by_id() {
    let house = House::new();
    let id = house.topic("a", 1, &[]).await;
    house.topic("b", 1, &[]).await;
    let by_name = |name: &'static str| build!(DeleteTopicState { name: Some(StrBytes::from(name)) });
    let by_id = |topic_id| build!(DeleteTopicState { topic_id });
    let unknown = Uuid::from_bytes([9; 16]);
    assert_eq!(
        delete_all(&house, vec![by_name("c"), by_id(unknown)]).await.into_iter().collect::<Vec<_>>().len(),
        2
    );
    assert_eq!(delete_all(&house, vec![by_name("c")]).await, [ErrorCode::UnknownTopicOrPartition]);
    assert_eq!(delete_all(&house, vec![by_id(unknown)]).await, [ErrorCode::UnknownTopicId]);
    assert_eq!(delete_all(&house, vec![by_id(id)]).await, [ErrorCode::None]);
    assert_eq!(delete_all(&house, vec![by_name("b")]).await, [ErrorCode::None]);
    assert!(directories(&house).is_empty());
    // The form before version 6: a list of names.
    house.topic("d", 1, &[]).await;
    let request = build!(DeleteTopicsRequest { topic_names: vec![StrBytes::from("d")] });
    let Response::DeleteTopics(response) = house.ask(5, request).await else { panic!() };
    assert_eq!(response.responses[0].error_code, 0);
    assert!(directories(&house).is_empty());
}

async fn grow(
    house: &House,
    topic: &str,
    count: i32,
    assigned: Option<&[i32]>,
    validate_only: bool,
) -> ErrorCode {
    let assignments = assigned.map(|brokers| {
        brokers.iter().map(|id| build!(CreatePartitionsAssignment { broker_ids: vec![*id] })).collect()
    });
    let topic = build!(CreatePartitionsTopic { name: StrBytes::from(topic), count, assignments });
    let request = build!(CreatePartitionsRequest { topics: vec![topic], validate_only });
    let Response::CreatePartitions(response) = house.ask(3, request).await else { panic!() };
    ErrorCode::from_code(response.results[0].error_code).unwrap()
}

#[tokio::test]
async fn a_topic_grows_and_never_shrinks() {
    let house = House::new();
    house.topic("orders", 2, &[]).await;
    produce(&house, "orders", 1, batch(3)).await;
    assert_eq!(grow(&house, "orders", 2, None, false).await, ErrorCode::InvalidPartitions);
    assert_eq!(grow(&house, "orders", 1, None, false).await, ErrorCode::InvalidPartitions);
    assert_eq!(grow(&house, "missing", 2, None, false).await, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(grow(&house, "orders", 3, Some(&[2]), false).await, ErrorCode::InvalidReplicaAssignment);
    assert_eq!(grow(&house, "orders", 3, Some(&[1, 1]), false).await, ErrorCode::InvalidReplicaAssignment);
    assert_eq!(grow(&house, "orders", 1_000_000, None, false).await, ErrorCode::PolicyViolation);
    assert_eq!(grow(&house, "orders", 3, None, true).await, ErrorCode::None);
    assert_eq!(directories(&house).len(), 2);
    assert_eq!(grow(&house, "orders", 4, Some(&[1, 1]), false).await, ErrorCode::None);
    assert_eq!(directories(&house).len(), 4);
    assert_eq!(produce(&house, "orders", 3, batch(1)).await.error_code, 0);
    assert_eq!(produce(&house, "orders", 1, batch(1)).await.base_offset, 3);
    let killed = house.killed();
    assert_eq!(produce(&killed, "orders", 3, batch(1)).await.base_offset, 1);
}

#[tokio::test]
async fn a_damaged_partition_is_offline_and_the_others_are_served() {
    let house = House::new();
    house.topic("orders", 2, &[]).await;
    produce(&house, "orders", 0, batch(5)).await;
    produce(&house, "orders", 0, batch(5)).await;
    let house = house.restart_after(|path| {
        let directory = path.join("topics/orders-0");
        for entry in std::fs::read_dir(directory).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_some_and(|extension| extension == "log") {
                // The records are on disk for certain, so this is no torn write.
                let bytes = std::fs::read(&file).unwrap();
                std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
            }
        }
    });
    assert_eq!(produce(&house, "orders", 0, batch(1)).await.error_code, ErrorCode::KafkaStorageError.code());
    assert_eq!(produce(&house, "orders", 1, batch(1)).await.error_code, 0);
}

async fn init(house: &House, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let Response::InitProducerId(response) = house.ask(5, request).await else { panic!() };
    response
}

#[tokio::test]
async fn producer_ids_are_never_given_out_twice() {
    let house = House::new();
    let fresh =
        || build!(InitProducerIdRequest { transactional_id: None, producer_id: -1, producer_epoch: -1 });
    let mut seen = BTreeSet::new();
    for _ in 0..5 {
        let response = init(&house, fresh()).await;
        assert_eq!((response.error_code, response.producer_epoch), (0, 0));
        assert!(seen.insert(response.producer_id));
    }
    let killed = house.killed();
    assert!(seen.insert(init(&killed, fresh()).await.producer_id));
    // An idempotent producer that brings its id along gets a new one, as in Kafka.
    let known = build!(InitProducerIdRequest { transactional_id: None, producer_id: 3, producer_epoch: 1 });
    assert!(seen.insert(init(&killed, known).await.producer_id));
}

#[tokio::test]
async fn half_an_identity_is_refused() {
    let house = House::new();
    for transactional_id in [None, Some(StrBytes::from("t"))] {
        let request = build!(InitProducerIdRequest {
            transactional_id,
            transaction_timeout_ms: 1_000,
            producer_id: 4,
            producer_epoch: -1,
        });
        let refused = init(&house, request).await;
        assert_eq!((refused.error_code, refused.producer_id), (ErrorCode::InvalidRequest.code(), -1));
    }
}

#[tokio::test]
async fn the_longest_name_can_be_created_written_and_deleted() {
    let house = House::new();
    let name = "x".repeat(249);
    house.topic(&name, 1, &[]).await;
    assert_eq!(produce(&house, &name, 0, batch(1)).await.error_code, 0);
    delete(&house, &name).await;
    assert!(directories(&house).is_empty());
}
