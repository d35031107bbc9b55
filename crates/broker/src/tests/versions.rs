//! Every API of records, topics and settings in every version that is offered: answered, and the answer can go out.

use schloss_wire::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use schloss_wire::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use schloss_wire::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use schloss_wire::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use schloss_wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use schloss_wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use schloss_wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use schloss_wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use schloss_wire::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use schloss_wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use schloss_wire::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use schloss_wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use schloss_wire::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use schloss_wire::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest,
};
use schloss_wire::messages::{
    AddOffsetsToTxnRequest, AlterConfigsRequest, DescribeClusterRequest, DescribeLogDirsRequest,
    DescribeProducersRequest, DescribeTopicPartitionsRequest, DescribeTransactionsRequest,
    ElectLeadersRequest, EndTxnRequest, InitProducerIdRequest, ListConfigResourcesRequest,
    ListPartitionReassignmentsRequest, ListTransactionsRequest, alter_configs_request,
    describe_producers_request, describe_topic_partitions_request,
};
use schloss_wire::{Api, ErrorCode, Request, Response, StrBytes, Uuid, build};

use crate::testing::{House, batch};

const TOPIC: &str = "orders";

/// A request that succeeds, in the form that `version` has for it.
fn request(api: Api, version: i16, id: Uuid) -> Request {
    let name = || StrBytes::from(TOPIC);
    let fresh = || StrBytes::from(format!("{}-{version}", api.name()));
    match api {
        Api::Produce => build!(ProduceRequest {
            acks: -1,
            timeout_ms: 1_000,
            topic_data: vec![build!(TopicProduceData {
                name: if version < 13 { name() } else { StrBytes::default() },
                topic_id: if version < 13 { Uuid::ZERO } else { id },
                partition_data: vec![build!(PartitionProduceData { records: Some(batch(2)) })],
            })],
        })
        .into(),
        Api::Fetch => build!(FetchRequest {
            replica_id: -1,
            max_bytes: 1 << 20,
            session_epoch: -1,
            topics: vec![build!(FetchTopic {
                topic: if version < 13 { name() } else { StrBytes::default() },
                topic_id: if version < 13 { Uuid::ZERO } else { id },
                partitions: vec![build!(FetchPartition {
                    current_leader_epoch: -1,
                    partition_max_bytes: 1 << 20,
                })],
            })],
        })
        .into(),
        Api::ListOffsets => build!(ListOffsetsRequest {
            replica_id: -1,
            topics: vec![build!(ListOffsetsTopic {
                name: name(),
                partitions: vec![build!(ListOffsetsPartition { timestamp: -1 })],
            })],
        })
        .into(),
        Api::Metadata => build!(MetadataRequest {
            topics: Some(vec![build!(MetadataRequestTopic { name: Some(name()) })])
        })
        .into(),
        Api::CreateTopics => build!(CreateTopicsRequest {
            topics: vec![build!(CreatableTopic { name: fresh(), num_partitions: 1, replication_factor: 1 })],
        })
        .into(),
        Api::DeleteTopics if version < 6 => build!(DeleteTopicsRequest { topic_names: vec![fresh()] }).into(),
        Api::DeleteTopics => {
            build!(DeleteTopicsRequest { topics: vec![build!(DeleteTopicState { name: Some(fresh()) })] })
                .into()
        }
        Api::InitProducerId => build!(InitProducerIdRequest { transactional_id: None }).into(),
        Api::DescribeConfigs => build!(DescribeConfigsRequest {
            resources: vec![build!(DescribeConfigsResource { resource_type: 2, resource_name: name() })],
        })
        .into(),
        Api::CreatePartitions => build!(CreatePartitionsRequest {
            topics: vec![build!(CreatePartitionsTopic { name: fresh(), count: 3, assignments: None })],
        })
        .into(),
        Api::IncrementalAlterConfigs => build!(IncrementalAlterConfigsRequest {
            resources: vec![build!(AlterConfigsResource {
                resource_type: 2,
                resource_name: name(),
                configs: vec![build!(AlterableConfig {
                    name: StrBytes::from("max.message.bytes"),
                    value: Some(StrBytes::from("100000")),
                })],
            })],
        })
        .into(),
        Api::OffsetForLeaderEpoch => build!(OffsetForLeaderEpochRequest {
            replica_id: -1,
            topics: vec![build!(OffsetForLeaderTopic {
                topic: name(),
                partitions: vec![build!(OffsetForLeaderPartition { current_leader_epoch: -1 })],
            })],
        })
        .into(),
        Api::AddPartitionsToTxn if version < 4 => build!(AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: StrBytes::from("t"),
            v3_and_below_topics: vec![build!(AddPartitionsToTxnTopic { name: name(), partitions: vec![0] })],
        })
        .into(),
        Api::AddPartitionsToTxn => build!(AddPartitionsToTxnRequest {
            transactions: vec![build!(AddPartitionsToTxnTransaction {
                transactional_id: StrBytes::from("t"),
                topics: vec![build!(AddPartitionsToTxnTopic { name: name(), partitions: vec![0] })],
            })],
        })
        .into(),
        Api::AddOffsetsToTxn => build!(AddOffsetsToTxnRequest {
            transactional_id: StrBytes::from("t"),
            group_id: StrBytes::from("g"),
        })
        .into(),
        Api::EndTxn => build!(EndTxnRequest { transactional_id: StrBytes::from("t") }).into(),
        Api::WriteTxnMarkers => build!(WriteTxnMarkersRequest {
            markers: vec![build!(WritableTxnMarker {
                producer_id: 900_000,
                topics: vec![build!(WritableTxnMarkerTopic { name: name(), partition_indexes: vec![0] })],
            })],
        })
        .into(),
        Api::TxnOffsetCommit => build!(TxnOffsetCommitRequest {
            transactional_id: StrBytes::from("t"),
            group_id: StrBytes::from("g"),
            generation_id_or_member_epoch: -1,
            group_instance_id: None,
            topics: vec![build!(TxnOffsetCommitRequestTopic {
                name: if version < 6 { name() } else { StrBytes::default() },
                topic_id: if version < 6 { Uuid::ZERO } else { id },
                partitions: vec![build!(TxnOffsetCommitRequestPartition { committed_leader_epoch: -1 })],
            })],
        })
        .into(),
        Api::AlterConfigs => build!(AlterConfigsRequest {
            resources: vec![build!(alter_configs_request::AlterConfigsResource {
                resource_type: 2,
                resource_name: name(),
            })],
        })
        .into(),
        Api::DescribeLogDirs => build!(DescribeLogDirsRequest { topics: None }).into(),
        Api::ElectLeaders => build!(ElectLeadersRequest { topic_partitions: None }).into(),
        Api::AlterPartitionReassignments => build!(AlterPartitionReassignmentsRequest {
            topics: vec![build!(ReassignableTopic {
                name: name(),
                partitions: vec![build!(ReassignablePartition { replicas: Some(vec![1]) })],
            })],
        })
        .into(),
        Api::ListPartitionReassignments => build!(ListPartitionReassignmentsRequest { topics: None }).into(),
        Api::DescribeProducers => build!(DescribeProducersRequest {
            topics: vec![build!(describe_producers_request::TopicRequest {
                name: name(),
                partition_indexes: vec![0],
            })],
        })
        .into(),
        Api::DescribeTransactions => {
            build!(DescribeTransactionsRequest { transactional_ids: vec![StrBytes::from("t")] }).into()
        }
        Api::ListTransactions => {
            build!(ListTransactionsRequest { duration_filter: -1, transactional_id_pattern: None }).into()
        }
        Api::ListConfigResources => ListConfigResourcesRequest::default().into(),
        Api::DescribeTopicPartitions => build!(DescribeTopicPartitionsRequest {
            topics: vec![build!(describe_topic_partitions_request::TopicRequest { name: name() })],
            response_partition_limit: 10,
            cursor: None,
        })
        .into(),
        Api::DescribeCluster => DescribeClusterRequest::default().into(),
        other => panic!("{} is not of this test", other.name()),
    }
}

/// Gives a request of a transaction the id and epoch of a producer, and something to end.
async fn in_transaction(house: &House, api: Api, mut request: Request) -> Request {
    let transactional = [Api::AddPartitionsToTxn, Api::AddOffsetsToTxn, Api::EndTxn, Api::TxnOffsetCommit];
    if !transactional.contains(&api) {
        return request;
    }
    let (id, epoch) = loop {
        let init = build!(InitProducerIdRequest {
            transactional_id: Some(StrBytes::from("t")),
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
        });
        let Response::InitProducerId(response) = house.ask(5, init).await else { panic!() };
        match response.error_code {
            0 => break (response.producer_id, response.producer_epoch),
            code => {
                assert_eq!(code, ErrorCode::ConcurrentTransactions.code());
                tokio::task::yield_now().await;
            }
        }
    };
    let add = build!(AddOffsetsToTxnRequest {
        transactional_id: StrBytes::from("t"),
        producer_id: id,
        producer_epoch: epoch,
        group_id: StrBytes::from("g"),
    });
    house.ask(3, add).await;
    match &mut request {
        Request::AddPartitionsToTxn(body) => match body.transactions.first_mut() {
            Some(one) => (one.producer_id, one.producer_epoch) = (id, epoch),
            None => {
                (body.v3_and_below_producer_id, body.v3_and_below_producer_epoch) = (id, epoch);
            }
        },
        Request::AddOffsetsToTxn(body) => (body.producer_id, body.producer_epoch) = (id, epoch),
        Request::EndTxn(body) => (body.producer_id, body.producer_epoch) = (id, epoch),
        Request::TxnOffsetCommit(body) => (body.producer_id, body.producer_epoch) = (id, epoch),
        other => panic!("{other:?}"),
    }
    request
}

/// The error code of the one thing that was asked for.
fn code(response: &Response) -> i16 {
    match response {
        Response::Produce(body) => body.responses[0].partition_responses[0].error_code,
        Response::Fetch(body) => body.responses[0].partitions[0].error_code,
        Response::ListOffsets(body) => body.topics[0].partitions[0].error_code,
        Response::Metadata(body) => body.topics[0].error_code,
        Response::CreateTopics(body) => body.topics[0].error_code,
        Response::DeleteTopics(body) => body.responses[0].error_code,
        Response::InitProducerId(body) => body.error_code,
        Response::DescribeConfigs(body) => body.results[0].error_code,
        Response::CreatePartitions(body) => body.results[0].error_code,
        Response::IncrementalAlterConfigs(body) => body.responses[0].error_code,
        Response::DescribeCluster(body) => body.error_code,
        Response::OffsetForLeaderEpoch(body) => body.topics[0].partitions[0].error_code,
        Response::AddPartitionsToTxn(body) => {
            let many = body.results_by_transaction.iter().flat_map(|one| &one.topic_results);
            let topic = body.results_by_topic_v3_and_below.iter().chain(many).next().unwrap();
            topic.results_by_partition[0].partition_error_code
        }
        Response::AddOffsetsToTxn(body) => body.error_code,
        Response::EndTxn(body) => body.error_code,
        Response::WriteTxnMarkers(body) => body.markers[0].topics[0].partitions[0].error_code,
        Response::TxnOffsetCommit(body) => body.topics[0].partitions[0].error_code,
        Response::AlterConfigs(body) => body.responses[0].error_code,
        Response::DescribeLogDirs(body) => body.results[0].error_code,
        Response::ElectLeaders(body) => body.error_code,
        Response::AlterPartitionReassignments(body) => body.responses[0].partitions[0].error_code,
        Response::ListPartitionReassignments(body) => body.error_code,
        Response::DescribeProducers(body) => body.topics[0].partitions[0].error_code,
        Response::DescribeTransactions(body) => body.transaction_states[0].error_code,
        Response::ListTransactions(body) => body.error_code,
        Response::ListConfigResources(body) => body.error_code,
        Response::DescribeTopicPartitions(body) => body.topics[0].error_code,
        other => panic!("{} is not of this test", other.api().name()),
    }
}

#[tokio::test]
async fn every_offered_version_is_answered_with_success() {
    const APIS: [Api; 27] = [
        Api::Produce,
        Api::Fetch,
        Api::ListOffsets,
        Api::Metadata,
        Api::CreateTopics,
        Api::DeleteTopics,
        Api::InitProducerId,
        Api::DescribeConfigs,
        Api::CreatePartitions,
        Api::IncrementalAlterConfigs,
        Api::DescribeCluster,
        Api::OffsetForLeaderEpoch,
        Api::AddPartitionsToTxn,
        Api::AddOffsetsToTxn,
        Api::EndTxn,
        Api::WriteTxnMarkers,
        Api::TxnOffsetCommit,
        Api::AlterConfigs,
        Api::DescribeLogDirs,
        Api::ElectLeaders,
        Api::AlterPartitionReassignments,
        Api::ListPartitionReassignments,
        Api::DescribeProducers,
        Api::DescribeTransactions,
        Api::ListTransactions,
        Api::ListConfigResources,
        Api::DescribeTopicPartitions,
    ];
    let house = House::new();
    let id = house.topic(TOPIC, 1, &[]).await;
    for api in APIS {
        let range = api.range();
        for version in range.min..=range.max {
            if matches!(api, Api::DeleteTopics | Api::CreatePartitions) {
                house.topic(&format!("{}-{version}", api.name()), 1, &[]).await;
            }
            let sent = in_transaction(&house, api, request(api, version, id)).await;
            // What a client of that version can't write is no request of that version.
            let mut bytes = bytes::BytesMut::new();
            sent.encode_body(&mut bytes, version).unwrap();
            let response = house.ask(version, sent).await;
            assert_eq!(code(&response), 0, "{} version {version}: {response:?}", api.name());
        }
    }
}
