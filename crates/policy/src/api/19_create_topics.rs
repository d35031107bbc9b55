//! CreateTopics: CREATE on the cluster, or else on every topic.

use schloss_wire::messages::create_topics_request::CreatableTopic;
use schloss_wire::messages::create_topics_response::CreatableTopicResult;
use schloss_wire::messages::{CreateTopicsRequest, CreateTopicsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude, take_denied, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::kind::{ResourceType, is_reserved};
use crate::table::{self, Need};

/// First version whose answer tells the settings of the new topic.
const SETTINGS: i16 = 5;
/// Kafka's "not told".
const NOT_TOLD: i32 = -1;
/// The topic of Kafka's own metadata, which is nobody's to create.
const CLUSTER_METADATA: &str = "__cluster_metadata";

pub(super) fn admit(mut request: CreateTopicsRequest, version: i16, judge: &mut Judge<'_>) -> Verdict {
    let [create_any, create, describe_configs] = table::CREATE_TOPICS;
    let anything = create_any.suffices_on_cluster(judge);
    let denied = take_denied(&mut request.topics, |topic| {
        if &*topic.name == CLUSTER_METADATA {
            Some(ErrorCode::InvalidRequest)
        } else if anything && !is_reserved(ResourceType::Topic, &topic.name) {
            None
        } else {
            create.refusal(judge, &topic.name)
        }
    });
    let left = Left::after(&request.topics, &denied);
    conclude(request, left, judge, move |response: &mut CreateTopicsResponse, judge| {
        if version >= SETTINGS {
            hide_settings(response, &describe_configs, judge);
        }
        response.topics.extend(denied.iter().map(|(topic, code)| {
            let message = match code {
                ErrorCode::InvalidRequest => "Creation of internal topic __cluster_metadata is prohibited.",
                _ => "Authorization failed.",
            };
            refuse_topic(topic, *code, Some(message))
        }));
    })
}

/// Who may not describe a topic's configuration learns that it was created, and no more.
fn hide_settings(response: &mut CreateTopicsResponse, describe_configs: &Need, judge: &mut Judge<'_>) {
    let created = response.topics.iter_mut().filter(|topic| topic.error_code == ErrorCode::None.code());
    for topic in created {
        if !describe_configs.shows(judge, &topic.name) {
            topic.topic_config_error_code = describe_configs.error.code();
            topic.num_partitions = NOT_TOLD;
            topic.replication_factor = -1;
            topic.configs = Some(Vec::new());
        }
    }
}

pub(super) fn refuse(
    request: &CreateTopicsRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> CreateTopicsResponse {
    let topics = request.topics.iter().map(|topic| refuse_topic(topic, code, message)).collect();
    build!(CreateTopicsResponse { topics })
}

fn refuse_topic(topic: &CreatableTopic, code: ErrorCode, message: Option<&str>) -> CreatableTopicResult {
    build!(CreatableTopicResult {
        name: topic.name.clone(),
        error_code: code.code(),
        error_message: text(message),
        num_partitions: NOT_TOLD,
        replication_factor: -1,
        configs: Some(Vec::new()),
    })
}
