//! Metadata: DESCRIBE on every topic; to create a missing one by asking for it, CREATE.

use schloss_wire::messages::metadata_request::MetadataRequestTopic;
use schloss_wire::messages::metadata_response::MetadataResponseTopic;
use schloss_wire::messages::{MetadataRequest, MetadataResponse};
use schloss_wire::{ErrorCode, Uuid, build};

use super::OPERATIONS_NOT_ASKED;
use super::split::{Left, conclude, take_denied, topic_refusal};
use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;
use crate::kind::{CLUSTER_NAME, ResourceType};
use crate::table::{self, Need};

/// First version in which a topic may be asked for by its id. Versions 10 and 11 carry the field, but Kafka
/// refuses to be asked by it.
const TOPIC_IDS: i16 = 12;
/// Versions that report what may be done to topics, and to the cluster.
const TOPIC_OPERATIONS: std::ops::RangeFrom<i16> = 8..;
const CLUSTER_OPERATIONS: std::ops::RangeInclusive<i16> = 8..=10;

pub(super) fn admit(
    mut request: MetadataRequest,
    version: i16,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [describe, create_any, create, _] = table::METADATA;
    if !is_well_formed(&request, version) {
        return Verdict::Refused(refuse(&request, ErrorCode::InvalidRequest).into());
    }
    if version == 0 && request.topics.as_ref().is_some_and(Vec::is_empty) {
        // The oldest way to ask for all. From here on an empty list means none, or a request whose topics
        // are all denied would be one for all topics.
        request.topics = None;
    }
    let refuses_missing = request.allow_auto_topic_creation && topics.creates_missing_topics() == Some(true);
    let mut tells_topics = true;
    let mut denied = Vec::new();
    let mut left = Left::Whole;
    if let Some(named) = &mut request.topics {
        denied = take_denied(named, |topic| {
            let (id, name) = (topic.topic_id, topic.name.clone().unwrap_or_default());
            topic_refusal(&describe, judge, topics, !id.is_zero(), &name, id)
        });
        if !denied.is_empty() {
            left = Left::Part;
            // With an empty list, whoever speaks version 0 to an engine asks for all.
            tells_topics = version > 0 || !named.is_empty();
        }
        for topic in named.iter_mut().filter(|topic| !topic.topic_id.is_zero()) {
            // The id was authorized, so an engine must not go by a name that came with it.
            if topic.name.take().is_some() {
                left = Left::Part;
            }
        }
        if request.allow_auto_topic_creation && !may_create_all(&create_any, &create, named, judge, topics) {
            request.allow_auto_topic_creation = false;
            left = Left::Part;
        }
    }
    let asked = Asked {
        topic_operations: TOPIC_OPERATIONS.contains(&version) && request.include_topic_authorized_operations,
        cluster_operations: CLUSTER_OPERATIONS.contains(&version)
            && request.include_cluster_authorized_operations,
    };
    conclude(request, left, judge, move |response: &mut MetadataResponse, judge| {
        if !tells_topics {
            response.topics.clear();
        }
        asked.complete(response, &describe, judge);
        if refuses_missing {
            refuse_uncreatable(&mut response.topics, &create_any, &create, judge);
        }
        response.topics.extend(denied.into_iter().map(|(topic, code)| refuse_topic(topic, code)));
    })
}

fn is_well_formed(request: &MetadataRequest, version: i16) -> bool {
    request.topics.iter().flatten().all(|topic| match (&topic.name, topic.topic_id.is_zero()) {
        (Some(_), true) => true,
        (_, false) => version >= TOPIC_IDS,
        (None, true) => false,
    })
}

/// Refuses the topics that the request would create if its sender might. Only the engine knows for sure which
/// are missing, and all that are left here may be described.
fn refuse_uncreatable(
    answered: &mut [MetadataResponseTopic],
    create_any: &Need,
    create: &Need,
    judge: &mut Judge<'_>,
) {
    for topic in answered {
        let is_missing = topic.error_code == ErrorCode::UnknownTopicOrPartition.code();
        let Some(name) = topic.name.as_ref().filter(|_| is_missing) else { continue };
        if create_any.suffices_on_cluster(judge) {
            continue;
        }
        if let Some(code) = create.refusal(judge, name) {
            topic.error_code = code.code();
        }
    }
}

/// Whether the engine may create whatever it finds missing of these. One that seems to exist may be gone by
/// the time that it looks.
fn may_create_all(
    create_any: &Need,
    create: &Need,
    named: &[MetadataRequestTopic],
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> bool {
    let may_create = |name: &str| create_any.shows(judge, CLUSTER_NAME) || create.shows(judge, name);
    topics.creates_missing_topics() != Some(false)
        && named.iter().filter_map(|topic| topic.name.as_deref()).all(may_create)
}

/// What a request asked to be told of operations.
#[derive(Clone, Copy)]
struct Asked {
    topic_operations: bool,
    cluster_operations: bool,
}

impl Asked {
    /// Leaves only what the caller may see, and adds what it may do.
    fn complete(self, response: &mut MetadataResponse, describe: &Need, judge: &mut Judge<'_>) {
        response.topics.retain_mut(|topic| match &topic.name {
            Some(name) => describe.shows(judge, name),
            // An error on an id, which tells nothing else.
            None => topic.error_code != ErrorCode::None.code(),
        });
        for topic in &mut response.topics {
            topic.topic_authorized_operations = match &topic.name {
                Some(name) if self.topic_operations => judge.authorized_operations(ResourceType::Topic, name),
                _ => OPERATIONS_NOT_ASKED,
            };
        }
        response.cluster_authorized_operations = if self.cluster_operations {
            judge.authorized_cluster_operations()
        } else {
            OPERATIONS_NOT_ASKED
        };
    }
}

pub(super) fn refuse(request: &MetadataRequest, code: ErrorCode) -> MetadataResponse {
    let topics = request.topics.iter().flatten().map(|topic| {
        build!(MetadataResponseTopic {
            error_code: code.code(),
            // Versions before 12 can't carry null.
            name: Some(topic.name.clone().unwrap_or_default()),
            topic_id: topic.topic_id,
        })
    });
    build!(MetadataResponse { topics: topics.collect(), error_code: code.code() })
}

/// Who asked by name learns no id, and who asked by id learns no name.
fn refuse_topic(topic: MetadataRequestTopic, code: ErrorCode) -> MetadataResponseTopic {
    let error_code = code.code();
    if topic.topic_id.is_zero() {
        build!(MetadataResponseTopic { error_code, name: topic.name, topic_id: Uuid::ZERO })
    } else {
        build!(MetadataResponseTopic { error_code, name: None, topic_id: topic.topic_id })
    }
}
