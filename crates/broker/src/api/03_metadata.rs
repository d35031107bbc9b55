//! Metadata: which topics there are, and where. Topics are never created here: a misspelt name must stay an
//! error.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::{Snapshot, TopicMeta, check_topic_name};
use schloss_wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use schloss_wire::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::broker::Broker;
use crate::partition::LEADER_EPOCH;
use crate::reply::ready;

/// First version that may ask for topics by id. Versions 10 and 11 have the field already, but no answer to
/// it (KIP-516).
const BY_ID_SINCE_VERSION: i16 = 12;

pub(crate) fn call(broker: &Broker, caller: Caller, request: MetadataRequest) -> BoxFuture<'static, Outcome> {
    let snapshot = broker.metadata.snapshot();
    let topics = match &request.topics {
        None => snapshot.topics().map(|topic| describe(broker, topic)).collect(),
        Some(named) => {
            named.iter().map(|wanted| answer(broker, &snapshot, wanted, caller.api_version)).collect()
        }
    };
    let node = broker.advertised(&caller.listener).map(|advertised| {
        build!(MetadataResponseBroker {
            node_id: broker.config.node_id,
            host: StrBytes::from(advertised.host.as_str()),
            port: i32::from(advertised.port),
        })
    });
    ready(build!(MetadataResponse {
        brokers: node.into_iter().collect(),
        cluster_id: Some(StrBytes::from(&**snapshot.cluster_id())),
        controller_id: broker.config.node_id,
        topics,
    }))
}

fn answer(
    broker: &Broker,
    snapshot: &Snapshot,
    wanted: &MetadataRequestTopic,
    version: i16,
) -> MetadataResponseTopic {
    let missing = |code: ErrorCode, name: Option<StrBytes>| {
        build!(MetadataResponseTopic { error_code: code.code(), name, topic_id: wanted.topic_id })
    };
    let by_id = !wanted.topic_id.is_zero();
    match (&wanted.name, by_id) {
        (_, true) if version < BY_ID_SINCE_VERSION => {
            missing(ErrorCode::InvalidRequest, Some(wanted.name.clone().unwrap_or_default()))
        }
        (_, true) => match snapshot.topic_by_id(wanted.topic_id) {
            Some(topic) => describe(broker, topic),
            None => missing(ErrorCode::UnknownTopicId, None),
        },
        (None, false) => missing(ErrorCode::InvalidRequest, Some(StrBytes::default())),
        (Some(name), false) => match snapshot.topic(name.as_str()) {
            Some(topic) => describe(broker, topic),
            None => match check_topic_name(name.as_str()) {
                Ok(()) => missing(ErrorCode::UnknownTopicOrPartition, Some(name.clone())),
                Err(refusal) => missing(refusal.code, Some(name.clone())),
            },
        },
    }
}

fn describe(broker: &Broker, topic: &TopicMeta) -> MetadataResponseTopic {
    let node = broker.config.node_id;
    let partition = |index: i32| {
        // A partition whose log can't be used has no leader; clients wait for it instead of failing.
        let usable = broker.partitions.get(topic.id, index).is_ok_and(|found| found.log.check().is_ok());
        let (error, leader_id) =
            if usable { (ErrorCode::None, node) } else { (ErrorCode::LeaderNotAvailable, -1) };
        build!(MetadataResponsePartition {
            error_code: error.code(),
            partition_index: index,
            leader_id,
            leader_epoch: LEADER_EPOCH,
            replica_nodes: vec![node],
            isr_nodes: if usable { vec![node] } else { Vec::new() },
            offline_replicas: if usable { Vec::new() } else { vec![node] },
        })
    };
    build!(MetadataResponseTopic {
        name: Some(StrBytes::from(&*topic.name)),
        topic_id: topic.id,
        partitions: (0..topic.partitions).map(partition).collect(),
    })
}
