//! OffsetFetch: DESCRIBE on the group, then DESCRIBE on every topic.

use std::collections::HashSet;

use schloss_wire::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use schloss_wire::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use schloss_wire::messages::{OffsetFetchRequest, OffsetFetchResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::{
    Left, allow, conclude, conclude_by_id, conclude_split, take_denied, topic_refusal, topic_shows,
};
use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;
use crate::table;

/// First version with an error of its own for the group; before, every partition carries it.
const GROUP_ERROR: i16 = 2;
/// First version that asks about several groups.
const GROUPS: i16 = 8;
/// First version that names topics by id.
const TOPIC_IDS: i16 = 10;
/// Kafka's "no such offset".
const NONE: i64 = -1;

pub(super) fn admit(
    request: OffsetFetchRequest,
    version: i16,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    if version < GROUPS {
        admit_one(request, version, judge)
    } else {
        admit_groups(request, version, judge, topics)
    }
}

fn admit_one(mut request: OffsetFetchRequest, version: i16, judge: &mut Judge<'_>) -> Verdict {
    let [describe_group, describe_topic] = table::OFFSET_FETCH;
    if let Some(code) = describe_group.refusal(judge, &request.group_id) {
        return Verdict::Refused(refuse(&request, version, code).into());
    }
    let Some(topics) = &mut request.topics else {
        return conclude(request, Left::Whole, judge, move |response: &mut OffsetFetchResponse, judge| {
            response.topics.retain(|topic| describe_topic.shows(judge, &topic.name));
        });
    };
    let denied = take_denied(topics, |topic| describe_topic.refusal(judge, &topic.name));
    let left = Left::after(topics, &denied);
    conclude_split(request, left, judge, move |response: &mut OffsetFetchResponse, _| {
        response.topics.extend(denied.iter().map(|(topic, code)| refuse_old_topic(topic, *code)));
    })
}

fn admit_groups(
    mut request: OffsetFetchRequest,
    version: i16,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [describe_group, describe_topic] = table::OFFSET_FETCH;
    let denied_groups =
        take_denied(&mut request.groups, |group| describe_group.refusal(judge, &group.group_id));
    let mut refused: Vec<OffsetFetchResponseGroup> =
        denied_groups.iter().map(|(group, code)| refuse_group(group, *code)).collect();

    let mut all_topics: HashSet<StrBytes> = HashSet::new();
    let mut denied_topics: Vec<(StrBytes, Vec<OffsetFetchResponseTopics>)> = Vec::new();
    let by_id = version >= TOPIC_IDS;
    request.groups.retain_mut(|group| {
        let Some(named) = &mut group.topics else {
            all_topics.insert(group.group_id.clone());
            return true;
        };
        let denied = take_denied(named, |topic| {
            topic_refusal(&describe_topic, judge, topics, by_id, &topic.name, topic.topic_id)
        });
        if denied.is_empty() {
            return true;
        }
        let nothing_left = named.is_empty();
        let topics = denied.iter().map(|(topic, code)| refuse_topic(topic, *code)).collect();
        if nothing_left {
            refused.push(build!(OffsetFetchResponseGroup { group_id: group.group_id.clone(), topics }));
        } else {
            denied_topics.push((group.group_id.clone(), topics));
        }
        !nothing_left
    });
    let left = match (refused.is_empty() && denied_topics.is_empty(), request.groups.is_empty()) {
        (true, _) => Left::Whole,
        (false, false) => Left::Part,
        (false, true) => Left::Nothing,
    };
    if left == Left::Whole && all_topics.is_empty() {
        return allow(request);
    }
    conclude_by_id(request, left, judge, topics, move |response: &mut OffsetFetchResponse, judge, topics| {
        for group in response.groups.iter_mut().filter(|group| all_topics.contains(&group.group_id)) {
            group.topics.retain(|topic| {
                topic_shows(&describe_topic, judge, topics, by_id, &topic.name, topic.topic_id)
            });
        }
        for (group_id, topics) in denied_topics {
            let answered = response.groups.iter_mut().find(|group| group.group_id == group_id);
            match answered {
                // A group that failed as a whole has nothing to say about topics.
                Some(group) if group.error_code != ErrorCode::None.code() => {}
                Some(group) => group.topics.extend(topics),
                None => refused.push(build!(OffsetFetchResponseGroup { group_id, topics })),
            }
        }
        response.groups.extend(refused);
    })
}

pub(super) fn refuse(request: &OffsetFetchRequest, version: i16, code: ErrorCode) -> OffsetFetchResponse {
    if version >= GROUPS {
        let groups = request.groups.iter().map(|group| refuse_group(group, code)).collect();
        return build!(OffsetFetchResponse { groups });
    }
    let topics: &[_] = match &request.topics {
        Some(topics) if version < GROUP_ERROR => topics,
        _ => &[],
    };
    build!(OffsetFetchResponse {
        topics: topics.iter().map(|topic| refuse_old_topic(topic, code)).collect(),
        error_code: code.code(),
    })
}

fn refuse_group(group: &OffsetFetchRequestGroup, code: ErrorCode) -> OffsetFetchResponseGroup {
    build!(OffsetFetchResponseGroup { group_id: group.group_id.clone(), error_code: code.code() })
}

fn refuse_topic(topic: &OffsetFetchRequestTopics, code: ErrorCode) -> OffsetFetchResponseTopics {
    let partitions = topic.partition_indexes.iter().map(|&partition_index| {
        build!(OffsetFetchResponsePartitions {
            partition_index,
            committed_offset: NONE,
            metadata: Some(StrBytes::default()),
            error_code: code.code(),
        })
    });
    build!(OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
    })
}

fn refuse_old_topic(topic: &OffsetFetchRequestTopic, code: ErrorCode) -> OffsetFetchResponseTopic {
    let partitions = topic.partition_indexes.iter().map(|&partition_index| {
        build!(OffsetFetchResponsePartition {
            partition_index,
            committed_offset: NONE,
            metadata: Some(StrBytes::default()),
            error_code: code.code(),
        })
    });
    build!(OffsetFetchResponseTopic { name: topic.name.clone(), partitions: partitions.collect() })
}
