//! DeleteTopics: DELETE on the cluster, or else on every topic. DESCRIBE decides what is told.

use schloss_wire::messages::delete_topics_request::DeleteTopicState;
use schloss_wire::messages::delete_topics_response::DeletableTopicResult;
use schloss_wire::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use schloss_wire::{ErrorCode, StrBytes, Uuid, build};

use super::split::{Left, conclude, name_of, text, words};
use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;
use crate::kind::{ResourceType, is_reserved};
use crate::table;

/// First version that lists topics by name or id.
const STATES: i16 = 6;

pub(super) fn admit(
    mut request: DeleteTopicsRequest,
    version: i16,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [delete_any, ..] = table::DELETE_TOPICS;
    let mut guard = Guard { anything: delete_any.suffices_on_cluster(judge), judge, topics };
    let mut denied = Vec::new();
    let mut sort = |refusal: Option<DeletableTopicResult>| match refusal {
        Some(result) => {
            denied.push(result);
            false
        }
        None => true,
    };
    let anything_left = if version < STATES {
        request.topic_names.retain(|name| sort(guard.refusal_by_name(name)));
        !request.topic_names.is_empty()
    } else {
        request.topics.retain(|state| sort(guard.refusal(state)));
        !request.topics.is_empty()
    };
    let left = match (denied.is_empty(), anything_left) {
        (true, _) => Left::Whole,
        (false, true) => Left::Part,
        (false, false) => Left::Nothing,
    };
    conclude(request, left, judge, move |response: &mut DeleteTopicsResponse, _| {
        response.responses.extend(denied);
        // By id and by name, so that no position tells absent topics from those that may not be seen (Kafka
        // shuffles).
        response.responses.sort_by(|left, right| {
            (left.topic_id, left.name.as_deref()).cmp(&(right.topic_id, right.name.as_deref()))
        });
    })
}

struct Guard<'a, 'j> {
    /// Whether the caller may delete every topic.
    anything: bool,
    judge: &'a mut Judge<'j>,
    topics: &'a dyn TopicNames,
}

impl Guard<'_, '_> {
    fn refusal(&mut self, state: &DeleteTopicState) -> Option<DeletableTopicResult> {
        let invalid = |message| {
            let (name, id) = (state.name.clone(), state.topic_id);
            Some(result(name, id, ErrorCode::InvalidRequest, text(Some(message))))
        };
        match (&state.name, state.topic_id.is_zero()) {
            (Some(name), true) => self.refusal_by_name(name),
            (None, false) => self.refusal_by_id(state.topic_id),
            (Some(_), false) => invalid("You may not specify both topic name and topic id."),
            (None, true) => invalid("Neither topic name nor id were specified."),
        }
    }

    fn may_delete_anything(&self, name: &str) -> bool {
        self.anything && !is_reserved(ResourceType::Topic, name)
    }

    fn refusal_by_name(&mut self, name: &StrBytes) -> Option<DeletableTopicResult> {
        let [_, delete, describe] = table::DELETE_TOPICS;
        if self.may_delete_anything(name) {
            return None;
        }
        let code = match delete.refusal(self.judge, name) {
            None => describe.refusal(self.judge, name)?,
            Some(_) if describe.shows(self.judge, name) && !self.topics.exists(name) => {
                ErrorCode::UnknownTopicOrPartition
            }
            Some(code) => code,
        };
        Some(result(Some(name.clone()), Uuid::ZERO, code, words(code)))
    }

    fn refusal_by_id(&mut self, id: Uuid) -> Option<DeletableTopicResult> {
        let [_, delete, describe] = table::DELETE_TOPICS;
        let name = match name_of(self.topics, id) {
            Ok(name) => name,
            Err(code) => return Some(result(None, id, code, words(code))),
        };
        if self.may_delete_anything(&name) {
            return None;
        }
        let code = delete.refusal(self.judge, &name)?;
        let told = describe.shows(self.judge, &name).then(|| StrBytes::from(&*name));
        Some(result(told, id, code, words(code)))
    }
}

pub(super) fn refuse(
    request: &DeleteTopicsRequest,
    version: i16,
    code: ErrorCode,
    message: Option<&str>,
) -> DeleteTopicsResponse {
    let responses = if version < STATES {
        let names = request.topic_names.iter();
        names.map(|name| result(Some(name.clone()), Uuid::ZERO, code, text(message))).collect()
    } else {
        let states = request.topics.iter();
        states.map(|state| result(state.name.clone(), state.topic_id, code, text(message))).collect()
    };
    build!(DeleteTopicsResponse { responses })
}

fn result(
    name: Option<StrBytes>,
    topic_id: Uuid,
    code: ErrorCode,
    error_message: Option<StrBytes>,
) -> DeletableTopicResult {
    build!(DeletableTopicResult { name, topic_id, error_code: code.code(), error_message })
}
