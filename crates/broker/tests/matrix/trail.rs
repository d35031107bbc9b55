//! What the audit trail has to say of every request.

use std::collections::{BTreeSet, HashMap};

use schloss_audit::{CloudEvent, EventKind};
use schloss_policy::{ResourceType, is_administrative};
use schloss_wire::{Api, ErrorCode};

use crate::case::{Case, Names, Step};
use crate::common::House;
use crate::engine::Everything;

/// Operation, type and name of a resource, as they are written.
type Resource = (String, String, String);

/// A request that was sent.
pub(crate) struct Asked {
    head: String,
    api: Api,
    principal: String,
    correlation_id: i32,
    denied: BTreeSet<Resource>,
    needed: BTreeSet<Resource>,
    is_done: bool,
    is_allowed: bool,
}

impl Asked {
    pub(crate) fn new(head: String, correlation_id: i32, names: &Names, case: &Case, step: &Step) -> Self {
        let resource = |words: &str| {
            let (operation, resource_type, name) = names.resource(words);
            (format!("{operation:?}"), format!("{resource_type:?}"), name)
        };
        Self {
            head,
            api: case.api,
            principal: format!("User:{}", names.user()),
            correlation_id,
            denied: step.recorded.iter().copied().map(resource).collect(),
            needed: case.needs.iter().map(|need| resource(need.words)).collect(),
            is_done: step.is_done,
            is_allowed: step.is_allowed,
        }
    }

    /// What of the records about this request is not as it should be.
    fn faults(&self, events: &[&CloudEvent]) -> Vec<String> {
        let of = |kind| events.iter().filter(move |event| event.kind() == Some(kind));
        let mut faults = Vec::new();
        let denied: BTreeSet<Resource> = of(EventKind::Authorization).map(|event| resource(event)).collect();
        if denied != self.denied {
            faults.push(format!("{}: on record as denied {denied:?}, not {:?}", self.head, self.denied));
        }
        let is_denial = |event: &&&CloudEvent| {
            granted(event) == Some(false)
                && event.data.method_name == method(self.api)
                && event.data.result.status == status(&resource(event).1)
        };
        if !of(EventKind::Authorization).all(|event| is_denial(&event)) {
            faults.push(format!("{}: not as a denial is written: {events:?}", self.head));
        }
        let mut done = of(EventKind::Administration).peekable();
        if done.peek().is_some() != (is_administrative(self.api) && self.is_done) {
            faults.push(format!("{}: on record as done {:?}", self.head, done.peek()));
        }
        let is_needed = |event: &CloudEvent| {
            if UNDECIDED.contains(&self.api) {
                return granted(event).is_none();
            }
            let (operation, _, _) = resource(event);
            granted(event) == Some(true) && self.needed.iter().any(|(needed, ..)| *needed == operation)
        };
        if !done.all(|event| is_needed(event)) {
            faults.push(format!("{}: not as an allowed change is written: {events:?}", self.head));
        }
        faults
    }

    /// The topics that records went to or came from.
    fn traffic(&self) -> Vec<&str> {
        let moves = self.is_allowed && matches!(self.api, Api::Produce | Api::Fetch);
        let topics =
            self.needed.iter().filter(|(_, kind, _)| moves && *kind == format!("{:?}", ResourceType::Topic));
        topics.map(|(.., name)| name.as_str()).collect()
    }
}

/// On record, and by no right that an ACL gives.
const UNDECIDED: [Api; 3] =
    [Api::RenewDelegationToken, Api::ExpireDelegationToken, Api::DescribeDelegationToken];

/// How the audit trail names an API.
pub(crate) fn method(api: Api) -> String {
    format!("{}.{}", if api.is_ours() { "schloss" } else { "kafka" }, api.name())
}

fn granted(event: &CloudEvent) -> Option<bool> {
    event.data.authorization_info.as_ref()?.granted
}

fn resource(event: &CloudEvent) -> Resource {
    let decision = event.data.authorization_info.as_ref();
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    (
        text(decision.and_then(|decision| decision.operation.as_ref())),
        text(decision.and_then(|decision| decision.resource_type.as_ref())),
        text(decision.and_then(|decision| decision.resource_name.as_ref())),
    )
}

fn status(resource_type: &str) -> &'static str {
    let error = match resource_type {
        "Topic" => ErrorCode::TopicAuthorizationFailed,
        "Group" => ErrorCode::GroupAuthorizationFailed,
        "TransactionalId" => ErrorCode::TransactionalIdAuthorizationFailed,
        "DelegationToken" | "User" => ErrorCode::DelegationTokenAuthorizationFailed,
        _ => ErrorCode::ClusterAuthorizationFailed,
    };
    error.name()
}

/// All requests that were sent.
#[derive(Default)]
pub(crate) struct Trail(Vec<Asked>);

impl Trail {
    pub(crate) fn expect(&mut self, asked: Vec<Asked>) {
        self.0.extend(asked);
    }

    /// What the audit trail does not say, or says and should not.
    pub(crate) async fn compare(&self, house: &House<Everything>) -> Vec<String> {
        // Sums are written when their session has ended.
        for asked in &self.0 {
            for topic in asked.traffic() {
                let is_sum = |event: &CloudEvent| {
                    event.kind() == Some(EventKind::Traffic)
                        && event.principal() == Some(&*asked.principal)
                        && event.data.method_name == method(asked.api)
                        && resource(event).2 == topic
                        && granted(event) == Some(true)
                };
                house.event(&format!("the records of {}", asked.head), is_sum).await;
            }
        }
        let events = house.events().await;
        let mut requests: HashMap<(&str, i32), Vec<&CloudEvent>> = HashMap::new();
        for event in &events {
            let id = event.data.request.as_ref().and_then(|request| request.correlation_id);
            if let (Some(principal), Some(id)) = (event.principal(), id) {
                requests.entry((principal, id)).or_default().push(event);
            }
        }
        let of = |asked: &Asked| requests.get(&(&*asked.principal, asked.correlation_id)).cloned();
        self.0.iter().flat_map(|asked| asked.faults(&of(asked).unwrap_or_default())).collect()
    }
}
