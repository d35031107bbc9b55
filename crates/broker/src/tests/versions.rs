//! Every API of records, topics and settings in every version that is offered: answered, and the answer can go out.

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
use schloss_wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use schloss_wire::messages::{DescribeClientQuotasRequest, DescribeClusterRequest, InitProducerIdRequest};
use schloss_wire::{Api, Request, Response, StrBytes, Uuid, build};

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
        Api::DescribeClientQuotas => DescribeClientQuotasRequest::default().into(),
        Api::DescribeCluster => DescribeClusterRequest::default().into(),
        other => panic!("{} is not of this test", other.name()),
    }
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
        Response::DescribeClientQuotas(body) => {
            assert_eq!(body.entries.as_deref(), Some(&[][..]), "none can be set");
            body.error_code
        }
        Response::DescribeCluster(body) => body.error_code,
        other => panic!("{} is not of this test", other.api().name()),
    }
}

#[tokio::test]
async fn every_offered_version_is_answered_with_success() {
    const APIS: [Api; 12] = [
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
        Api::DescribeClientQuotas,
        Api::DescribeCluster,
    ];
    let house = House::new();
    let id = house.topic(TOPIC, 1, &[]).await;
    for api in APIS {
        let range = api.range();
        for version in range.min..=range.max {
            if matches!(api, Api::DeleteTopics | Api::CreatePartitions) {
                house.topic(&format!("{}-{version}", api.name()), 1, &[]).await;
            }
            let sent = request(api, version, id);
            // What a client of that version can't write is no request of that version.
            let mut bytes = bytes::BytesMut::new();
            sent.encode_body(&mut bytes, version).unwrap();
            let response = house.ask(version, sent).await;
            assert_eq!(code(&response), 0, "{} version {version}: {response:?}", api.name());
        }
    }
}
