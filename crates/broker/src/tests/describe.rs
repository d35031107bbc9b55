use schloss_wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use schloss_wire::messages::metadata_response::MetadataResponse;
use schloss_wire::messages::{DescribeClusterRequest, DescribeClusterResponse};
use schloss_wire::{Api, ErrorCode, Response, StrBytes, Uuid, build};

use crate::testing::House;

async fn metadata(
    house: &House,
    version: i16,
    topics: Option<Vec<MetadataRequestTopic>>,
) -> MetadataResponse {
    let mut request = build!(MetadataRequest { topics });
    request.allow_auto_topic_creation = version < 4;
    let Response::Metadata(response) = house.ask(version, request).await else { panic!() };
    response
}

fn by_name(name: &str) -> MetadataRequestTopic {
    build!(MetadataRequestTopic { name: Some(StrBytes::from(name)) })
}

#[tokio::test]
async fn every_version_shows_the_node_and_its_topics() {
    let house = House::new();
    let topic_id = house.topic("orders", 3, &[]).await;
    let range = Api::Metadata.range();
    for version in range.min..=range.max {
        let response = metadata(&house, version, Some(vec![by_name("orders")])).await;
        let node = &response.brokers[0];
        assert_eq!((node.node_id, node.host.as_str(), node.port), (1, "schloss.example", 9092));
        assert_eq!(response.controller_id, 1);
        assert_eq!(response.cluster_id.unwrap().len(), 22);
        let topic = &response.topics[0];
        assert_eq!((topic.error_code, topic.topic_id, topic.is_internal), (0, topic_id, false));
        let partitions: Vec<_> = topic.partitions.iter().map(|part| part.partition_index).collect();
        assert_eq!(partitions, [0, 1, 2]);
        let first = &topic.partitions[0];
        assert_eq!((first.error_code, first.leader_id, first.leader_epoch), (0, 1, 0));
        assert_eq!((&first.replica_nodes, &first.isr_nodes), (&vec![1], &vec![1]));
    }
}

#[tokio::test]
async fn all_topics_and_none_are_asked_for_as_each_version_does() {
    let house = House::new();
    house.topic("a", 1, &[]).await;
    house.topic("b", 1, &[]).await;
    assert_eq!(metadata(&house, 0, Some(Vec::new())).await.topics.len(), 2);
    assert_eq!(metadata(&house, 1, Some(Vec::new())).await.topics.len(), 0);
    assert_eq!(metadata(&house, 1, None).await.topics.len(), 2);
    assert_eq!(metadata(&house, 13, None).await.topics.len(), 2);
}

#[tokio::test]
async fn missing_topics_stay_missing() {
    let house = House::new();
    let request = build!(MetadataRequest { topics: Some(vec![by_name("misspelt"), by_name("a/b")]) });
    let Response::Metadata(response) = house.ask(9, request).await else { panic!() };
    let code = |name: &str| {
        let found =
            response.topics.iter().find(|topic| topic.name.as_ref().is_some_and(|n| n.as_str() == name));
        ErrorCode::from_code(found.unwrap().error_code).unwrap()
    };
    assert_eq!(code("misspelt"), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(code("a/b"), ErrorCode::InvalidTopicException);
    assert_eq!(house.broker.metadata.snapshot().topics().len(), 0);
}

#[tokio::test]
async fn topics_are_found_by_id_from_version_12() {
    let house = House::new();
    let id = house.topic("orders", 1, &[]).await;
    let by_id = |topic_id| build!(MetadataRequestTopic { topic_id, name: None });
    let found = metadata(&house, 12, Some(vec![by_id(id)])).await;
    assert_eq!(found.topics[0].name.as_ref().unwrap().as_str(), "orders");
    let missing = metadata(&house, 12, Some(vec![by_id(Uuid::from_bytes([9; 16]))])).await;
    assert_eq!(missing.topics[0].error_code, ErrorCode::UnknownTopicId.code());
}

async fn cluster(house: &House, version: i16, endpoint_type: i8) -> DescribeClusterResponse {
    let request = build!(DescribeClusterRequest { endpoint_type });
    let Response::DescribeCluster(response) = house.ask(version, request).await else { panic!() };
    response
}

#[tokio::test]
async fn the_cluster_is_one_node() {
    let house = House::new();
    for version in 0..=2 {
        let response = cluster(&house, version, 1).await;
        assert_eq!((response.error_code, response.controller_id, response.brokers.len()), (0, 1, 1));
        assert_eq!(response.cluster_id.as_str(), &**house.broker.metadata.snapshot().cluster_id());
    }
    assert_eq!(cluster(&house, 1, 2).await.error_code, ErrorCode::MismatchedEndpointType.code());
    assert_eq!(cluster(&house, 1, 3).await.error_code, ErrorCode::UnsupportedEndpointType.code());
}
