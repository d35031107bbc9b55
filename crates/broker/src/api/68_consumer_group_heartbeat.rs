//! ConsumerGroupHeartbeat: join a consumer group of KIP-848, stay in it, take and give up partitions, leave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Snapshot;
use schloss_policy::{DecisionCache, Judge, Operation, ResourceType, Subject};
use schloss_wire::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use schloss_wire::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use schloss_wire::{ErrorCode, StrBytes, Uuid, build};

use crate::broker::Broker;
use crate::groups::{
    Assignor, Beat, BeatReply, JOINING, LEAVING_FOR_NOW, MemberTimes, Pattern, PatternError, Refused,
    Resolution, TopicPartition, fresh_member_id, shared, shared_if_any, wire,
};
use crate::reply::{later, on_disk, text};
use crate::settings::consumer_times;

/// KIP-1082: from here on a member makes its own id.
const FIRST_WITH_OWN_ID: i16 = 1;
/// Stands for "as before" in a number.
const AS_BEFORE: i32 = -1;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: ConsumerGroupHeartbeatRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        let own = broker.metadata.snapshot();
        let times = consumer_times(own.group_configs(request.group_id.as_str()), &broker.config);
        let replied = match to_beat(&caller, &request, times) {
            Ok(beat) => beat_of(&broker, request.group_id.as_str(), beat).await,
            Err(refused) => Err(refused),
        };
        to_response(replied)
    })
}

async fn beat_of(broker: &Broker, group_id: &str, beat: Beat) -> Result<BeatReply, Refused> {
    let snapshot = broker.metadata.snapshot();
    let unresolved = broker.groups.unresolved(group_id, &beat, &*snapshot);
    let resolved = if unresolved.is_empty() {
        Ok(Vec::new())
    } else {
        let topics = Arc::clone(&snapshot);
        on_disk(move || resolve_all(&topics, unresolved))
            .await
            .map_err(|code| Refused::new(code, "try again"))?
    };
    broker.groups.consumer_heartbeat(group_id, &beat, resolved, &*snapshot).await
}

/// Resolves regular expressions, each with the rights of its member, as Kafka does: the same ACLs decide as
/// in the gate, and what they leave out is no event. An error is that of the first, the only one that is new.
fn resolve_all(
    snapshot: &Snapshot,
    unresolved: Vec<(Arc<str>, Subject)>,
) -> Result<Vec<Resolution>, PatternError> {
    let mut matches: BTreeMap<Arc<str>, Vec<Arc<str>>> = BTreeMap::new();
    let mut resolved = Vec::new();
    for (pattern, subject) in unresolved {
        let names = match matches.get(&pattern) {
            Some(names) => names,
            None => {
                let compiled = Pattern::new(&pattern)?;
                let names = snapshot.topics().map(|topic| &topic.name).filter(|name| compiled.matches(name));
                matches.entry(Arc::clone(&pattern)).or_insert(names.cloned().collect())
            }
        };
        let mut cache = DecisionCache::default();
        let mut judge = Judge::new(snapshot.acls(), &subject, &mut cache);
        let may_describe = |name: &&Arc<str>| judge.peek(Operation::Describe, ResourceType::Topic, name);
        let topics = names.iter().filter(may_describe).cloned().collect();
        let version = snapshot.version();
        resolved.push(Resolution { pattern, subject, version, topics: Arc::new(topics) });
    }
    Ok(resolved)
}

/// What the request says, if it may be said.
fn to_beat(
    caller: &Caller,
    request: &ConsumerGroupHeartbeatRequest,
    times: MemberTimes,
) -> Result<Beat, Refused> {
    let gives_id = caller.api_version < FIRST_WITH_OWN_ID && request.member_epoch == JOINING;
    let assignor = check(request, gives_id)?;
    let member_id = if gives_id && request.member_id.is_empty() {
        fresh_member_id(&caller.client_id).map_err(|code| Refused::new(code, "no member id could be made"))?
    } else {
        shared(&request.member_id)
    };
    let timeout = Some(request.rebalance_timeout_ms).filter(|timeout| *timeout != AS_BEFORE);
    let owned = |topics: &Vec<_>| topics.iter().flat_map(partitions).collect();
    Ok(Beat {
        member_id,
        epoch: request.member_epoch,
        instance_id: shared_if_any(request.instance_id.as_ref()),
        rack_id: shared_if_any(request.rack_id.as_ref()),
        rebalance_timeout: timeout
            .map(|timeout| Duration::from_millis(u64::try_from(timeout).unwrap_or_default())),
        names: request.subscribed_topic_names.as_ref().map(|names| names.iter().map(shared).collect()),
        pattern: shared_if_any(request.subscribed_topic_regex.as_ref()),
        assignor,
        owned: request.topic_partitions.as_ref().map(owned),
        client_id: Arc::clone(&caller.client_id),
        client_host: client_host(caller),
        times,
        subject: caller.subject(),
    })
}

/// A member's address, as Kafka writes it.
pub(super) fn client_host(caller: &Caller) -> Arc<str> {
    format!("/{}", caller.address.ip()).into()
}

type Owned = schloss_wire::messages::consumer_group_heartbeat_request::TopicPartitions;

fn partitions(topic: &Owned) -> impl Iterator<Item = TopicPartition> {
    topic.partitions.iter().map(|partition| (topic.topic_id, *partition))
}

/// The rules for a request by itself, in Kafka's order.
fn check(request: &ConsumerGroupHeartbeatRequest, may_lack_id: bool) -> Result<Option<Assignor>, Refused> {
    let invalid = |message: &str| Err(Refused::invalid(message));
    let is_blank = |text: &StrBytes| text.as_str().trim().is_empty();
    if !may_lack_id && is_blank(&request.member_id) {
        return invalid("MemberId can't be empty");
    }
    if is_blank(&request.group_id) {
        return invalid("GroupId can't be empty");
    }
    if request.instance_id.as_ref().is_some_and(is_blank) {
        return invalid("InstanceId can't be empty");
    }
    if request.rack_id.as_ref().is_some_and(is_blank) {
        return invalid("RackId can't be empty");
    }
    match request.member_epoch {
        JOINING => {
            if request.rebalance_timeout_ms == AS_BEFORE {
                return invalid("RebalanceTimeoutMs must be provided in the first request");
            }
            if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) {
                return invalid("TopicPartitions must be empty when (re-)joining");
            }
            if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() {
                return invalid(
                    "either SubscribedTopicNames or SubscribedTopicRegex must be there to (re-)join",
                );
            }
        }
        LEAVING_FOR_NOW if request.instance_id.is_none() => return invalid("InstanceId can't be null"),
        epoch if epoch < LEAVING_FOR_NOW => return invalid("MemberEpoch is invalid"),
        _ => {}
    }
    let Some(name) = &request.server_assignor else { return Ok(None) };
    Assignor::named(name.as_str()).map(Some).ok_or_else(|| {
        let [first, second] = Assignor::ALL.map(Assignor::name);
        Refused::new(
            ErrorCode::UnsupportedAssignor,
            format_args!("ServerAssignor {name} is not supported: use {first} or {second}"),
        )
    })
}

fn to_response(replied: Result<BeatReply, Refused>) -> ConsumerGroupHeartbeatResponse {
    match replied {
        Ok(reply) => build!(ConsumerGroupHeartbeatResponse {
            member_id: Some(wire(&reply.member_id)),
            member_epoch: reply.epoch,
            heartbeat_interval_ms: i32::try_from(reply.interval.as_millis()).unwrap_or(i32::MAX),
            assignment: reply.assignment.as_ref().map(to_assignment),
            error_message: None,
        }),
        Err(refused) => build!(ConsumerGroupHeartbeatResponse {
            error_code: refused.code.code(),
            error_message: text(refused.message),
            member_id: None,
            assignment: None,
        }),
    }
}

fn to_assignment(partitions: &BTreeSet<TopicPartition>) -> Assignment {
    let topics = by_topic(partitions).into_iter();
    let topic = |(topic_id, partitions)| build!(TopicPartitions { topic_id, partitions });
    build!(Assignment { topic_partitions: topics.map(topic).collect() })
}

/// The partitions of each topic.
pub(super) fn by_topic(partitions: &BTreeSet<TopicPartition>) -> BTreeMap<Uuid, Vec<i32>> {
    let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        topics.entry(*topic).or_default().push(*partition);
    }
    topics
}
