//! StreamsGroupHeartbeat: READ on the group, DESCRIBE on every topic of the topology, and CREATE on those that
//! the coordinator would create.

use schloss_wire::messages::streams_group_heartbeat_request::Topology;
use schloss_wire::messages::streams_group_heartbeat_response::Status;
use schloss_wire::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::{allow_with, refusal_on_all, text};
use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;
use crate::table;

/// Epoch of a member that joins: with it, and with no other, comes the topology.
const JOINS: i32 = 0;
/// `StreamsGroupHeartbeatResponse.Status.MISSING_INTERNAL_TOPICS`.
const MISSING_INTERNAL_TOPICS: i8 = 3;
/// Longest list of topics that a status names; clients read no more than 32,767 bytes of text.
const MAX_NAMES_BYTES: usize = 16_384;
/// Kafka's default of `group.streams.heartbeat.interval.ms`.
const HEARTBEAT_INTERVAL_MS: i32 = 5000;

/// A coordinator creates the internal topics of a topology with the rights of whoever asks it, which may be a
/// gateway's. Nothing in a request keeps it from that, and a topology that lacks them would become that of the
/// whole group. So a member may not even join with a topology whose internal topics might have to be created
/// and may not be by it: it is held back, see [`hold_back`], until it may, or until they are known to exist.
///
/// Later heartbeats carry no topology and are not held back: what a coordinator may create for them are topics
/// that the member that brought the topology could create or knew to exist when it joined. An internal topic
/// that is deleted under a running application may thus come back, empty, by the heartbeat of a member that
/// could not create it; Kafka waits for one that can.
pub(super) fn admit(
    request: StreamsGroupHeartbeatRequest,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [read, describe, ..] = table::STREAMS_GROUP_HEARTBEAT;
    let named = request.topology.iter().flat_map(named);
    let refusal = read.refusal(judge, &request.group_id).or_else(|| refusal_on_all(&describe, judge, named));
    if let Some(code) = refusal {
        return Verdict::Refused(refuse(code, None).into());
    }
    match &request.topology {
        Some(topology) => {
            let uncreatable = uncreatable(topology, judge, topics);
            if !uncreatable.is_empty() {
                return Verdict::Refused(hold_back(&request, &uncreatable).into());
            }
        }
        None if request.member_epoch == JOINS => return Verdict::Refused(keep_waiting(&request).into()),
        None => {}
    }
    allow_with(request, move |response: &mut StreamsGroupHeartbeatResponse, judge| {
        // Members of one group need not be the same user.
        for endpoint in response.partitions_by_user_endpoint.iter_mut().flatten() {
            endpoint.active_partitions.retain(|partitions| describe.shows(judge, &partitions.topic));
            endpoint.standby_partitions.retain(|partitions| describe.shows(judge, &partitions.topic));
        }
    })
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> StreamsGroupHeartbeatResponse {
    build!(StreamsGroupHeartbeatResponse { error_code: code.code(), error_message: text(message) })
}

fn named(topology: &Topology) -> Vec<&StrBytes> {
    let sources = topology
        .subtopologies
        .iter()
        .flat_map(|subtopology| subtopology.source_topics.iter().chain(&subtopology.repartition_sink_topics));
    sources.chain(internal(topology)).collect()
}

/// The topics that the coordinator creates if they are missing.
fn internal(topology: &Topology) -> impl Iterator<Item = &StrBytes> {
    let infos = topology.subtopologies.iter().flat_map(|subtopology| {
        subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics)
    });
    infos.map(|info| &info.name)
}

/// The internal topics that may have to be created and that the caller may not create.
fn uncreatable<'a>(topology: &'a Topology, judge: &mut Judge<'_>, topics: &dyn TopicNames) -> Vec<&'a str> {
    let [.., create_any, create] = table::STREAMS_GROUP_HEARTBEAT;
    let mut missing = internal(topology).filter(|name| !topics.exists(name)).peekable();
    if missing.peek().is_none() || create_any.suffices_on_cluster(judge) {
        return Vec::new();
    }
    missing.filter(|name| create.refusal(judge, name).is_some()).map(StrBytes::as_str).collect()
}

/// Answers as Kafka answers a member without CREATE, down to the status, but the member stays outside of the
/// group: it gets no tasks and keeps the epoch of one that joins. By that epoch its next heartbeats are known.
fn hold_back(request: &StreamsGroupHeartbeatRequest, uncreatable: &[&str]) -> StreamsGroupHeartbeatResponse {
    let mut names = uncreatable.join(", ");
    if names.len() > MAX_NAMES_BYTES {
        names = format!("of the topology ({} of them)", uncreatable.len());
    }
    let mut response = waiting(request, &format!("Unauthorized to CREATE on topics {names}."));
    response.active_tasks = Some(Vec::new());
    response.standby_tasks = Some(Vec::new());
    response.warmup_tasks = Some(Vec::new());
    response
}

/// Answers a member that was held back, and goes on as a client does that has joined: it acknowledges its
/// tasks at once, and then tells nothing new once in an interval. That is when it has to join again, with its
/// topology, because it may be let in by now.
fn keep_waiting(request: &StreamsGroupHeartbeatRequest) -> StreamsGroupHeartbeatResponse {
    if request.active_tasks.is_some() {
        waiting(request, "Waiting for internal topics.")
    } else {
        refuse(ErrorCode::FencedMemberEpoch, None)
    }
}

fn waiting(request: &StreamsGroupHeartbeatRequest, detail: &str) -> StreamsGroupHeartbeatResponse {
    let status = build!(Status { status_code: MISSING_INTERNAL_TOPICS, status_detail: detail.into() });
    build!(StreamsGroupHeartbeatResponse {
        member_id: request.member_id.clone(),
        member_epoch: JOINS,
        heartbeat_interval_ms: HEARTBEAT_INTERVAL_MS,
        status: Some(vec![status]),
        endpoint_information_epoch: request.endpoint_information_epoch,
    })
}
