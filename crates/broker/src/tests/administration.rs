//! The smaller requests of administrators.

use schloss_wire::messages::alter_configs_request::{
    AlterConfigsRequest, AlterConfigsResource, AlterableConfig,
};
use schloss_wire::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use schloss_wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use schloss_wire::messages::describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest};
use schloss_wire::messages::describe_log_dirs_response::DescribeLogDirsResult;
use schloss_wire::messages::describe_topic_partitions_request::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use schloss_wire::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponse;
use schloss_wire::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use schloss_wire::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use schloss_wire::messages::{
    ElectLeadersResponse, ListConfigResourcesRequest, ListPartitionReassignmentsRequest,
};
use schloss_wire::{ErrorCode, Response, StrBytes, build};

use super::produce::produce;
use crate::testing::{House, batch};

const OK: i16 = 0;

#[tokio::test]
async fn the_only_epoch_ends_where_the_log_does() {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    produce(&house, "orders", 0, batch(5)).await;
    let ask = async |topic: &str, current_leader_epoch, leader_epoch| {
        let partition = build!(OffsetForLeaderPartition { current_leader_epoch, leader_epoch });
        let topic =
            build!(OffsetForLeaderTopic { topic: StrBytes::from(topic), partitions: vec![partition] });
        let request = build!(OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic] });
        let Response::OffsetForLeaderEpoch(response) = house.ask(4, request).await else { panic!() };
        let found = &response.topics[0].partitions[0];
        (found.error_code, found.leader_epoch, found.end_offset)
    };
    assert_eq!(ask("orders", 0, 0).await, (OK, 0, 5));
    assert_eq!(ask("orders", -1, 0).await, (OK, 0, 5));
    assert_eq!(ask("orders", -1, 1).await, (OK, -1, -1), "it is still to come");
    assert_eq!(ask("orders", -1, -1).await, (OK, -1, -1));
    assert_eq!(ask("orders", 1, 0).await, (ErrorCode::UnknownLeaderEpoch.code(), -1, -1));
    assert_eq!(ask("nowhere", -1, 0).await, (ErrorCode::UnknownTopicOrPartition.code(), -1, -1));
}

async fn pages(
    house: &House,
    names: &[&str],
    limit: i32,
    cursor: Option<(&str, i32)>,
) -> DescribeTopicPartitionsResponse {
    let topic = |name: &&str| build!(TopicRequest { name: StrBytes::from(*name) });
    let cursor = cursor
        .map(|(name, partition_index)| build!(Cursor { topic_name: StrBytes::from(name), partition_index }));
    let request = build!(DescribeTopicPartitionsRequest {
        topics: names.iter().map(topic).collect(),
        response_partition_limit: limit,
        cursor,
    });
    let Response::DescribeTopicPartitions(response) = house.ask(0, request).await else { panic!() };
    response
}

fn rows(page: &DescribeTopicPartitionsResponse) -> Vec<(String, i16, Vec<i32>)> {
    let row = |topic: &schloss_wire::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic| {
        let partitions = topic.partitions.iter().map(|one| one.partition_index).collect();
        (topic.name.as_deref().unwrap().to_owned(), topic.error_code, partitions)
    };
    page.topics.iter().map(row).collect()
}

fn next(page: &DescribeTopicPartitionsResponse) -> Option<(&str, i32)> {
    page.next_cursor.as_ref().map(|cursor| (cursor.topic_name.as_str(), cursor.partition_index))
}

#[tokio::test]
async fn all_partitions_come_once_whatever_the_size_of_the_pages() {
    let house = House::new();
    for (name, partitions) in [("c", 1), ("a", 3), ("b", 2)] {
        house.topic(name, partitions, &[]).await;
    }
    let all: Vec<(String, i32)> = [("a", 3), ("b", 2), ("c", 1)]
        .iter()
        .flat_map(|(name, count)| (0..*count).map(|index| ((*name).to_owned(), index)))
        .collect();
    for limit in 1..=7 {
        let (mut seen, mut cursor) = (Vec::new(), None::<(String, i32)>);
        loop {
            let from = cursor.as_ref().map(|(name, index)| (name.as_str(), *index));
            let page = pages(&house, &[], limit, from).await;
            let found = rows(&page);
            let here = found.iter().flat_map(|(name, code, partitions)| {
                assert_eq!(*code, OK);
                partitions.iter().map(|index| (name.clone(), *index))
            });
            let before = seen.len();
            seen.extend(here);
            assert!(seen.len() - before <= usize::try_from(limit).unwrap());
            match next(&page) {
                Some((name, index)) => cursor = Some((name.to_owned(), index)),
                None => break,
            }
        }
        assert_eq!(seen, all, "pages of {limit}");
    }
}

#[tokio::test]
async fn topics_that_are_named_and_missing_are_told() {
    let house = House::new();
    house.topic("a", 1, &[]).await;
    let page = pages(&house, &["b", "a", "a", "b/c"], 10, None).await;
    let (unknown, invalid) =
        (ErrorCode::UnknownTopicOrPartition.code(), ErrorCode::InvalidTopicException.code());
    assert_eq!(
        rows(&page),
        [
            ("a".to_owned(), OK, vec![0]),
            ("b".to_owned(), unknown, vec![]),
            ("b/c".to_owned(), invalid, vec![])
        ]
    );
    let partition = &page.topics[0].partitions[0];
    assert_eq!((partition.leader_id, &partition.isr_nodes[..]), (1, &[1][..]));
}

async fn directory(house: &House, topics: Option<Vec<DescribableLogDirTopic>>) -> DescribeLogDirsResult {
    let Response::DescribeLogDirs(mut response) =
        house.ask(5, build!(DescribeLogDirsRequest { topics })).await
    else {
        panic!()
    };
    assert_eq!((response.error_code, response.results.len()), (OK, 1));
    response.results.remove(0)
}

#[tokio::test]
async fn the_disk_is_described_by_partition() {
    let house = House::new();
    house.topic("orders", 2, &[]).await;
    let sent = batch(5);
    produce(&house, "orders", 1, sent.clone()).await;
    let all = directory(&house, None).await;
    assert_eq!(all.log_dir.as_str(), house.path().join("topics").to_str().unwrap());
    assert!(all.total_bytes > all.usable_bytes && all.usable_bytes > 0);
    let sizes = |found: &DescribeLogDirsResult| {
        let partitions = found.topics.iter().flat_map(|topic| &topic.partitions);
        partitions.map(|one| (one.partition_index, one.partition_size)).collect::<Vec<_>>()
    };
    let bytes = i64::try_from(sent.len()).unwrap();
    // Each file begins with a header.
    assert!(sizes(&all)[0].1 + bytes <= sizes(&all)[1].1, "{:?}", sizes(&all));
    let wanted =
        |name: &str, partitions| build!(DescribableLogDirTopic { topic: StrBytes::from(name), partitions });
    let some = directory(&house, Some(vec![wanted("orders", vec![1, 7]), wanted("nowhere", vec![0])])).await;
    assert_eq!(sizes(&some), sizes(&all)[1..]);
    assert_eq!(directory(&house, Some(vec![])).await.topics.len(), 0);
}

#[tokio::test]
async fn resources_are_listed_by_type() {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    let ask = async |version, resource_types| {
        let request = build!(ListConfigResourcesRequest { resource_types });
        let Response::ListConfigResources(response) = house.ask(version, request).await else { panic!() };
        let row = |one: &schloss_wire::messages::list_config_resources_response::ConfigResource| {
            (one.resource_type, one.resource_name.as_str().to_owned())
        };
        (response.error_code, response.config_resources.iter().map(row).collect::<Vec<_>>())
    };
    let (topic, broker) = ((2, "orders".to_owned()), (4, "1".to_owned()));
    assert_eq!(ask(1, vec![]).await, (OK, vec![topic.clone(), broker.clone()]));
    assert_eq!(ask(1, vec![2]).await, (OK, vec![topic]));
    assert_eq!(ask(1, vec![4, 16]).await, (OK, vec![broker]));
    assert_eq!(ask(1, vec![32, 8]).await, (OK, vec![]));
    assert_eq!(ask(1, vec![2, 3]).await, (ErrorCode::UnsupportedVersion.code(), vec![]));
    assert_eq!(ask(0, vec![]).await, (OK, vec![]), "client metrics, of which there are none");
}

async fn elect(
    house: &House,
    election_type: i8,
    topics: Option<Vec<TopicPartitions>>,
) -> ElectLeadersResponse {
    let request = build!(ElectLeadersRequest { election_type, topic_partitions: topics, timeout_ms: 1_000 });
    let Response::ElectLeaders(response) = house.ask(2, request).await else { panic!() };
    response
}

#[tokio::test]
async fn no_election_is_needed() {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    let wanted = |name: &str, partitions| build!(TopicPartitions { topic: StrBytes::from(name), partitions });
    let named = || Some(vec![wanted("orders", vec![0, 1]), wanted("nowhere", vec![0])]);
    for election_type in [0, 1] {
        let response = elect(&house, election_type, named()).await;
        let codes = response.replica_election_results.iter().flat_map(|topic| &topic.partition_result);
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        assert_eq!(
            codes.map(|one| one.error_code).collect::<Vec<_>>(),
            [ErrorCode::ElectionNotNeeded.code(), unknown, unknown]
        );
    }
    let all = elect(&house, 0, None).await;
    assert_eq!((all.error_code, all.replica_election_results.len()), (OK, 0));
    assert_eq!(elect(&house, 2, named()).await.error_code, ErrorCode::InvalidRequest.code());
}

#[tokio::test]
async fn a_partition_stays_where_it_is() {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    let ask = async |name: &str, replicas: Option<Vec<i32>>| {
        let partitions = vec![build!(ReassignablePartition { replicas })];
        let topic = build!(ReassignableTopic { name: StrBytes::from(name), partitions });
        let request = build!(AlterPartitionReassignmentsRequest { topics: vec![topic] });
        let Response::AlterPartitionReassignments(response) = house.ask(1, request).await else { panic!() };
        assert_eq!(response.error_code, OK);
        ErrorCode::from_code(response.responses[0].partitions[0].error_code).unwrap()
    };
    assert_eq!(ask("orders", Some(vec![1])).await, ErrorCode::None);
    for elsewhere in [vec![], vec![2], vec![1, 2], vec![1, 1]] {
        assert_eq!(ask("orders", Some(elsewhere)).await, ErrorCode::InvalidReplicaAssignment);
    }
    assert_eq!(ask("orders", None).await, ErrorCode::NoReassignmentInProgress);
    assert_eq!(ask("nowhere", Some(vec![1])).await, ErrorCode::UnknownTopicOrPartition);
    let request = build!(ListPartitionReassignmentsRequest { topics: None });
    let Response::ListPartitionReassignments(response) = house.ask(0, request).await else { panic!() };
    assert_eq!((response.error_code, response.topics.len()), (OK, 0));
}

#[tokio::test]
async fn all_settings_at_once_are_those_that_are_named_and_the_defaults() {
    let house = House::new();
    house.topic("orders", 1, &[("max.message.bytes", "1000"), ("min.insync.replicas", "2")]).await;
    let alter = async |resource_type, configs: &[(&str, Option<&str>)], validate_only| {
        let config = |(name, value): &(&str, Option<&str>)| {
            build!(AlterableConfig { name: StrBytes::from(*name), value: value.map(StrBytes::from) })
        };
        let resource = build!(AlterConfigsResource {
            resource_type,
            resource_name: StrBytes::from("orders"),
            configs: configs.iter().map(config).collect(),
        });
        let request = build!(AlterConfigsRequest { resources: vec![resource], validate_only });
        let Response::AlterConfigs(response) = house.ask(2, request).await else { panic!() };
        ErrorCode::from_code(response.responses[0].error_code).unwrap()
    };
    let own = async || {
        let resource = build!(DescribeConfigsResource {
            resource_type: 2,
            resource_name: StrBytes::from("orders"),
            configuration_keys: None
        });
        let request = build!(DescribeConfigsRequest { resources: vec![resource] });
        let Response::DescribeConfigs(response) = house.ask(4, request).await else { panic!() };
        let set = response.results[0].configs.iter().filter(|config| config.config_source == 1);
        set.map(|config| (config.name.as_str().to_owned(), config.value.as_deref().unwrap().to_owned()))
            .collect::<Vec<_>>()
    };
    let before = own().await;
    assert_eq!(before.len(), 2);
    let change = [("max.message.bytes", Some("2000"))];
    assert_eq!(alter(2, &change, true).await, ErrorCode::None);
    assert_eq!(alter(2, &[("no.such", Some("1"))], false).await, ErrorCode::InvalidConfig);
    assert_eq!(alter(2, &[("max.message.bytes", None)], false).await, ErrorCode::InvalidRequest);
    assert_eq!(alter(4, &change, false).await, ErrorCode::InvalidRequest);
    assert_eq!(own().await, before, "nothing was changed");
    assert_eq!(alter(2, &change, false).await, ErrorCode::None);
    assert_eq!(own().await, [("max.message.bytes".to_owned(), "2000".to_owned())]);
    assert_eq!(alter(2, &[], false).await, ErrorCode::None);
    assert_eq!(own().await, []);
}
