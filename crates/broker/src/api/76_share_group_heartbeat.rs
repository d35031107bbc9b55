//! ShareGroupHeartbeat: join a share group (KIP-932), stay in it, be told what to look at, leave.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::share_group_heartbeat_response::{Assignment, TopicPartitions};
use schloss_wire::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::consumer_group_heartbeat::{by_topic, client_host};
use crate::broker::Broker;
use crate::groups::{BeatReply, JOINING, Refused, ShareBeat, TopicPartition, shared, shared_if_any, wire};
use crate::reply::{later, text};
use crate::settings::share_times;

/// The epoch of a member that leaves.
const LEAVING: i32 = -1;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: ShareGroupHeartbeatRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        let replied = match check(&request) {
            Ok(()) => beat(&broker, &caller, &request).await,
            Err(refused) => Err(refused),
        };
        to_response(replied)
    })
}

async fn beat(
    broker: &Broker,
    caller: &Caller,
    request: &ShareGroupHeartbeatRequest,
) -> Result<BeatReply, Refused> {
    let snapshot = broker.metadata.snapshot();
    let group_id = request.group_id.as_str();
    let beat = ShareBeat {
        member_id: shared(&request.member_id),
        epoch: request.member_epoch,
        rack_id: shared_if_any(request.rack_id.as_ref()),
        names: request.subscribed_topic_names.as_ref().map(|names| names.iter().map(shared).collect()),
        client_id: Arc::clone(&caller.client_id),
        client_host: client_host(caller),
        times: share_times(snapshot.group_configs(group_id), &broker.config),
    };
    broker.groups.share_heartbeat(group_id, &beat, &*snapshot).await
}

/// The rules for a request by itself, in Kafka's order.
fn check(request: &ShareGroupHeartbeatRequest) -> Result<(), Refused> {
    let invalid = |message: &str| Err(Refused::new(ErrorCode::InvalidRequest, message));
    let is_blank = |text: &StrBytes| text.as_str().trim().is_empty();
    if is_blank(&request.member_id) {
        return invalid("MemberId can't be empty");
    }
    if is_blank(&request.group_id) {
        return invalid("GroupId can't be empty");
    }
    if request.rack_id.as_ref().is_some_and(is_blank) {
        return invalid("RackId can't be empty");
    }
    let names = request.subscribed_topic_names.as_ref();
    match request.member_epoch {
        JOINING if names.is_none_or(Vec::is_empty) => {
            invalid("SubscribedTopicNames must be set in the first request")
        }
        epoch if epoch < LEAVING => invalid("MemberEpoch is invalid"),
        _ => Ok(()),
    }
}

fn to_response(replied: Result<BeatReply, Refused>) -> ShareGroupHeartbeatResponse {
    match replied {
        Ok(reply) => build!(ShareGroupHeartbeatResponse {
            member_id: Some(wire(&reply.member_id)),
            member_epoch: reply.epoch,
            heartbeat_interval_ms: i32::try_from(reply.interval.as_millis()).unwrap_or(i32::MAX),
            assignment: reply.assignment.as_ref().map(to_assignment),
            error_message: None,
        }),
        Err(refused) => build!(ShareGroupHeartbeatResponse {
            error_code: refused.code.code(),
            error_message: text(refused.message),
            member_id: None,
            assignment: None,
        }),
    }
}

fn to_assignment(partitions: &BTreeSet<TopicPartition>) -> Assignment {
    let topic = |(topic_id, partitions)| build!(TopicPartitions { topic_id, partitions });
    build!(Assignment { topic_partitions: by_topic(partitions).into_iter().map(topic).collect() })
}
