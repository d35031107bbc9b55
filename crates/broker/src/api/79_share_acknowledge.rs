//! ShareAcknowledge: what became of records that a member of a share group had; answered when that is on
//! disk.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::ShareAcknowledgeRequest;
use schloss_wire::messages::share_acknowledge_request::{AcknowledgePartition, AcknowledgeTopic};
use schloss_wire::messages::share_acknowledge_response::{
    PartitionData, ShareAcknowledgeResponse, ShareAcknowledgeTopicResponse,
};
use schloss_wire::{ErrorCode, Uuid, build};

use super::share_fetch::{lock_timeout_ms, member};
use crate::broker::Broker;
use crate::groups::error_of;
use crate::reply::later;
use crate::share::{Acknowledgement, Acknowledgements, SessionStep};

/// KIP-1222: from here on the answer says how long a lock lasts.
const FIRST_WITH_LOCK_TIMEOUT: i16 = 2;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: ShareAcknowledgeRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        answer(&broker, &caller, &request).await.unwrap_or_else(|code| {
            build!(ShareAcknowledgeResponse { error_code: code.code(), error_message: None })
        })
    })
}

async fn answer(
    broker: &Broker,
    caller: &Caller,
    request: &ShareAcknowledgeRequest,
) -> Result<ShareAcknowledgeResponse, ErrorCode> {
    let (key, settings) = member(broker, request.group_id.as_ref(), request.member_id.as_ref())?;
    let step = SessionStep::of(request.share_session_epoch);
    if step == SessionStep::Open {
        return Err(ErrorCode::InvalidShareSessionEpoch);
    }
    broker.shares.step(&key, step, caller.connection_id)?;
    let all = request.topics.iter().flat_map(|topic| acknowledgements(topic, request.is_renew_ack));
    let results = broker.shares.acknowledge(&key, all.collect(), &settings).await;
    if step == SessionStep::Close {
        broker.shares.close(&key);
    }
    let mut topics: BTreeMap<Uuid, Vec<PartitionData>> = BTreeMap::new();
    for ((topic, partition_index), result) in results {
        topics.entry(topic).or_default().push(build!(PartitionData {
            partition_index,
            error_code: error_of(result),
            error_message: None,
        }));
    }
    let says_timeout = caller.api_version >= FIRST_WITH_LOCK_TIMEOUT;
    let topic = |(topic_id, partitions)| build!(ShareAcknowledgeTopicResponse { topic_id, partitions });
    Ok(build!(ShareAcknowledgeResponse {
        error_message: None,
        acquisition_lock_timeout_ms: if says_timeout { lock_timeout_ms(&settings) } else { 0 },
        responses: topics.into_iter().map(topic).collect(),
    }))
}

fn acknowledgements(topic: &AcknowledgeTopic, may_renew: bool) -> impl Iterator<Item = Acknowledgements> {
    topic.partitions.iter().map(move |partition: &AcknowledgePartition| {
        let batches = partition.acknowledgement_batches.iter();
        let batches = batches.map(|one| (one.first_offset, one.last_offset, &one.acknowledge_types[..]));
        ((topic.topic_id, partition.partition_index), Acknowledgement::read_all(batches, may_renew))
    })
}
