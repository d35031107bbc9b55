//! StreamsGroupHeartbeat: join a group of KIP-1071, stay in it, take and give up tasks, leave.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Snapshot;
use schloss_policy::{CLUSTER_NAME, DecisionCache, Judge, Operation, ResourceType, Subject};
use schloss_wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use schloss_wire::messages::streams_group_heartbeat_request::{KeyValue, TaskIds as OwnedTasks};
use schloss_wire::messages::streams_group_heartbeat_response::{
    Endpoint as ToldEndpoint, EndpointToPartitions, Status as ToldStatus, TaskIds, TopicPartition,
};
use schloss_wire::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::create_topics::create;
use crate::broker::Broker;
use crate::groups::{
    Endpoint, EndpointPartitions, JOINING, NewInternalTopic, Refused, Role, Status, StatusKind, StreamsBeat,
    StreamsReply, StreamsTimes, Task, TaskId, TopicPartitions, Topology, shared, shared_if_any, wire,
};
use crate::reply::{later, text};
use crate::settings::streams_times;

/// Stands for "as before" in a number.
const AS_BEFORE: i32 = -1;
/// The least epoch there is: that of a static member that leaves for now.
const LEAST_EPOCH: i32 = -2;
/// How often a member may tell how far it is with the state of its tasks. Nobody asks for it yet.
const TASK_OFFSET_INTERVAL_MS: i32 = 60_000;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: StreamsGroupHeartbeatRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        let group_id = request.group_id.as_str();
        let times = streams_times(broker.metadata.snapshot().group_configs(group_id), &broker.config);
        let replied = match to_beat(&caller, &request, times) {
            Ok(beat) => beat_of(&broker, &caller, group_id, beat).await,
            Err(refused) => Err(refused),
        };
        to_response(replied)
    })
}

/// A heartbeat, and the topics that it takes. With them the group goes on at once, and not with the next heartbeat.
async fn beat_of(
    broker: &Broker,
    caller: &Caller,
    group_id: &str,
    beat: StreamsBeat,
) -> Result<StreamsReply, Refused> {
    let before = broker.metadata.snapshot();
    let reply = broker.groups.streams_heartbeat(group_id, &beat, &*before).await?;
    if reply.missing.is_empty() {
        return Ok(reply);
    }
    match create_missing(broker, &before, caller, &reply.missing).await {
        Ok(()) => {
            let again = StreamsBeat { epoch: reply.epoch, topology: None, ..beat };
            let snapshot = broker.metadata.snapshot();
            let then = broker.groups.streams_heartbeat(group_id, &again, &*snapshot).await?;
            Ok(StreamsReply { tasks: then.tasks.or(reply.tasks), ..then })
        }
        Err(words) => Ok(with_words(reply, &words)),
    }
}

/// Creates the internal topics of an application, with the rights of the member whose heartbeat this is: it may not
/// be the one that brought the topology, which the gate has looked at.
async fn create_missing(
    broker: &Broker,
    snapshot: &Snapshot,
    caller: &Caller,
    missing: &[NewInternalTopic],
) -> Result<(), String> {
    let denied = may_not_create(snapshot, &caller.subject(), missing);
    if !denied.is_empty() {
        return Err(format!("Unauthorized to CREATE on topics {}.", denied.join(", ")));
    }
    let created = create(broker, missing.iter().map(to_creatable).collect(), false).await;
    let failed: Vec<_> = created
        .into_iter()
        .filter_map(|(name, result)| Some((name, result.err()?)))
        .filter(|(_, refusal)| refusal.code != ErrorCode::TopicAlreadyExists)
        .map(|(name, refusal)| format!("{name} ({}: {})", refusal.code, refusal.message))
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("Creation failed: {}.", failed.join(", ")))
}

fn may_not_create<'a>(
    snapshot: &Snapshot,
    subject: &Subject,
    missing: &'a [NewInternalTopic],
) -> Vec<&'a str> {
    let mut cache = DecisionCache::default();
    let mut judge = Judge::new(snapshot.acls(), subject, &mut cache);
    if judge.peek(Operation::Create, ResourceType::Cluster, CLUSTER_NAME) {
        return Vec::new();
    }
    let names = missing.iter().map(|topic| topic.name.as_str());
    names.filter(|name| !judge.peek(Operation::Create, ResourceType::Topic, name)).collect()
}

fn to_creatable(topic: &NewInternalTopic) -> CreatableTopic {
    let config = |(name, value): (&String, &String)| {
        build!(CreatableTopicConfig { name: wire(name), value: Some(wire(value)) })
    };
    build!(CreatableTopic {
        name: wire(&topic.name),
        num_partitions: topic.partitions,
        replication_factor: if topic.replication_factor == 0 { -1 } else { topic.replication_factor },
        configs: topic.configs.iter().map(config).collect(),
    })
}

/// Says why topics are still missing.
fn with_words(mut reply: StreamsReply, words: &str) -> StreamsReply {
    for status in reply.statuses.iter_mut().filter(|one| one.kind == StatusKind::MissingInternalTopics) {
        status.detail = format!("{}; {words}", status.detail);
    }
    reply
}

/// What the request says, if it may be said.
fn to_beat(
    caller: &Caller,
    request: &StreamsGroupHeartbeatRequest,
    times: StreamsTimes,
) -> Result<StreamsBeat, Refused> {
    check(request)?;
    let timeout = Some(request.rebalance_timeout_ms).filter(|timeout| *timeout != AS_BEFORE);
    let endpoint = request.user_endpoint.as_ref();
    let roles = [(Role::Active, &request.active_tasks), (Role::Standby, &request.standby_tasks)];
    let tasks = roles.into_iter().flat_map(|(role, tasks)| {
        tasks.iter().flatten().flat_map(move |tasks: &OwnedTasks| to_tasks(role, tasks))
    });
    Ok(StreamsBeat {
        member_id: shared(&request.member_id),
        epoch: request.member_epoch,
        rack_id: shared_if_any(request.rack_id.as_ref()),
        rebalance_timeout: timeout
            .map(|timeout| Duration::from_millis(u64::try_from(timeout).unwrap_or_default())),
        topology: request.topology.as_ref().map(Topology::read).transpose()?,
        owned: request.active_tasks.is_some().then(|| tasks.collect()),
        process_id: shared_if_any(request.process_id.as_ref()),
        endpoint: endpoint.map(|endpoint| Endpoint { host: endpoint.host.to_string(), port: endpoint.port }),
        tags: request.client_tags.as_deref().map(to_tags),
        shuts_down: request.shutdown_application,
        endpoint_epoch: request.endpoint_information_epoch,
        client_id: Arc::clone(&caller.client_id),
        client_host: format!("/{}", caller.address.ip()).into(),
        times,
    })
}

fn to_tasks(role: Role, tasks: &OwnedTasks) -> impl Iterator<Item = Task> {
    let subtopology = shared(&tasks.subtopology_id);
    let id = move |partition: &i32| TaskId { subtopology: Arc::clone(&subtopology), partition: *partition };
    tasks.partitions.iter().map(move |partition| Task { role, id: id(partition) })
}

fn to_tags(tags: &[KeyValue]) -> BTreeMap<String, String> {
    tags.iter().map(|tag| (tag.key.to_string(), tag.value.to_string())).collect()
}

/// The rules for a request by itself, in Kafka's order.
fn check(request: &StreamsGroupHeartbeatRequest) -> Result<(), Refused> {
    let invalid = |message: &str| Err(Refused::invalid(message));
    let is_blank = |text: &StrBytes| text.as_str().trim().is_empty();
    if is_blank(&request.member_id) {
        return invalid("MemberId can't be empty.");
    }
    if is_blank(&request.group_id) {
        return invalid("GroupId can't be empty.");
    }
    if request.instance_id.is_some() {
        return invalid("Static membership is not yet supported.");
    }
    if request.rack_id.as_ref().is_some_and(is_blank) {
        return invalid("RackId can't be empty.");
    }
    let tasks = [&request.active_tasks, &request.standby_tasks, &request.warmup_tasks];
    let joins = request.member_epoch == JOINING;
    if joins && request.rebalance_timeout_ms == AS_BEFORE {
        return invalid("RebalanceTimeoutMs must be provided in first request.");
    }
    if joins && tasks.iter().any(|tasks| tasks.as_ref().is_none_or(|tasks| !tasks.is_empty())) {
        return invalid("ActiveTasks, StandbyTasks and WarmupTasks must be empty when (re-)joining.");
    }
    if joins && request.topology.is_none() {
        return invalid("Topology must be non-null when (re-)joining.");
    }
    if request.member_epoch < LEAST_EPOCH {
        return invalid("MemberEpoch must be greater than or equal to -2.");
    }
    if tasks.iter().any(|tasks| tasks.is_some()) && tasks.iter().any(|tasks| tasks.is_none()) {
        return invalid("If one task-type is non-null, all must be non-null.");
    }
    if !joins && request.topology.is_some() {
        return invalid("Topology can only be provided when (re-)joining.");
    }
    if request.warmup_tasks.as_ref().is_some_and(|tasks| !tasks.is_empty()) {
        return invalid("WarmupTasks are not supported yet.");
    }
    Ok(())
}

fn to_response(replied: Result<StreamsReply, Refused>) -> StreamsGroupHeartbeatResponse {
    let reply = match replied {
        Ok(reply) => reply,
        Err(refused) => {
            return build!(StreamsGroupHeartbeatResponse {
                error_code: refused.code.code(),
                error_message: text(refused.message),
                status: None,
            });
        }
    };
    let in_role = |role| reply.tasks.as_ref().map(|tasks| by_subtopology(tasks.iter(), role));
    let endpoints = reply.endpoints.as_ref();
    build!(StreamsGroupHeartbeatResponse {
        error_message: None,
        member_id: wire(&reply.member_id),
        member_epoch: reply.epoch,
        heartbeat_interval_ms: i32::try_from(reply.interval.as_millis()).unwrap_or(i32::MAX),
        task_offset_interval_ms: TASK_OFFSET_INTERVAL_MS,
        status: Some(reply.statuses.iter().map(to_status).collect()),
        active_tasks: in_role(Role::Active),
        standby_tasks: in_role(Role::Standby),
        warmup_tasks: reply.tasks.as_ref().map(|_| Vec::new()),
        endpoint_information_epoch: reply.endpoint_epoch,
        partitions_by_user_endpoint: endpoints.map(|all| all.iter().map(to_endpoint).collect()),
    })
}

fn to_status(status: &Status) -> ToldStatus {
    build!(ToldStatus { status_code: status.kind.code(), status_detail: wire(&status.detail) })
}

fn by_subtopology<'a>(tasks: impl Iterator<Item = &'a Task>, role: Role) -> Vec<TaskIds> {
    let ids = numbers_by_subtopology(tasks, role).into_iter();
    ids.map(|(id, partitions)| build!(TaskIds { subtopology_id: wire(id), partitions })).collect()
}

/// The partitions of the tasks in this role, by subtopology.
pub(super) fn numbers_by_subtopology<'a>(
    tasks: impl Iterator<Item = &'a Task>,
    role: Role,
) -> BTreeMap<&'a str, Vec<i32>> {
    let mut ids: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for task in tasks.filter(|task| task.role == role) {
        ids.entry(&*task.id.subtopology).or_default().push(task.id.partition);
    }
    ids
}

fn to_endpoint(one: &EndpointPartitions) -> EndpointToPartitions {
    let topic = |topic: &TopicPartitions| {
        build!(TopicPartition { topic: wire(&topic.topic), partitions: topic.partitions.clone() })
    };
    build!(EndpointToPartitions {
        user_endpoint: build!(ToldEndpoint { host: wire(&one.endpoint.host), port: one.endpoint.port }),
        active_partitions: one.active.iter().map(topic).collect(),
        standby_partitions: one.standby.iter().map(topic).collect(),
    })
}
