//! One member of a consumer group.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use schloss_policy::Subject;
use tokio::time::Instant;

use super::assignor::Assignor;
use super::beat::Beat;
use super::topics::{Resolution, TopicPartition};
use crate::groups::changes::Unwritten;
use crate::groups::place::Place;

/// What one held partition takes, by estimate: in what is assigned, in the target and in the owners' table.
const PARTITION_BYTES: usize = 160;

/// A member of a consumer group.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: Arc<str>,
    pub(super) instance_id: Option<Arc<str>>,
    pub(super) rack_id: Option<Arc<str>>,
    pub(super) client_id: Arc<str>,
    pub(super) client_host: Arc<str>,
    pub(super) subject: Subject,
    pub(super) rebalance_timeout: Duration,
    pub(super) assignor: Option<Assignor>,
    pub(super) names: BTreeSet<Arc<str>>,
    /// A regular expression; none if it is empty.
    pub(super) pattern: Option<Arc<str>>,
    pub(super) resolution: Option<Resolution>,
    pub(super) place: Place<TopicPartition>,
    pub(super) session_ends: Instant,
    pub(super) unwritten: Unwritten,
}

impl Member {
    /// A member that has just come; nothing that it may leave out is known yet.
    pub(super) fn new(beat: &Beat, now: Instant) -> Self {
        Self {
            id: Arc::clone(&beat.member_id),
            instance_id: None,
            rack_id: None,
            client_id: Arc::clone(&beat.client_id),
            client_host: Arc::clone(&beat.client_host),
            subject: beat.subject.clone(),
            rebalance_timeout: Duration::ZERO,
            assignor: None,
            names: BTreeSet::new(),
            pattern: None,
            resolution: None,
            place: Place::default(),
            session_ends: now,
            unwritten: Unwritten::ALL,
        }
    }

    /// Takes over what it says of itself. Whether its subscription is another one now.
    pub(super) fn update(&mut self, beat: &Beat) -> bool {
        let mut subscribed = false;
        if let Some(names) = &beat.names {
            subscribed |= set(&mut self.names, names.clone());
        }
        if let Some(pattern) = &beat.pattern {
            subscribed |=
                set(&mut self.pattern, Some(Arc::clone(pattern)).filter(|pattern| !pattern.is_empty()));
        }
        if self.pattern.is_none() {
            self.resolution = None;
        }
        let mut changed = subscribed;
        if beat.instance_id.is_some() {
            changed |= set(&mut self.instance_id, beat.instance_id.clone());
        }
        if beat.rack_id.is_some() {
            changed |= set(&mut self.rack_id, beat.rack_id.clone());
        }
        if beat.assignor.is_some() {
            changed |= set(&mut self.assignor, beat.assignor);
        }
        if let Some(timeout) = beat.rebalance_timeout {
            changed |= set(&mut self.rebalance_timeout, timeout);
        }
        changed |= set(&mut self.client_id, Arc::clone(&beat.client_id));
        changed |= set(&mut self.client_host, Arc::clone(&beat.client_host));
        changed |= set(&mut self.subject, beat.subject.clone());
        self.unwritten.who |= changed;
        subscribed
    }

    /// The names that it is subscribed to, by themselves or by its regular expression.
    pub(super) fn subscription(&self) -> impl Iterator<Item = &Arc<str>> {
        let resolution =
            self.resolution.as_ref().filter(|found| Some(&found.pattern) == self.pattern.as_ref());
        self.names.iter().chain(resolution.into_iter().flat_map(|found| found.topics.iter()))
    }

    /// Whether its regular expression has to be resolved (again).
    pub(super) fn wants_resolution(&self, version: u64) -> bool {
        let Some(pattern) = &self.pattern else { return false };
        self.resolution.as_ref().is_none_or(|found| {
            (found.version, &found.pattern, &found.subject) != (version, pattern, &self.subject)
        })
    }

    /// Takes over what a regular expression came to, if it is its own. Whether that is something else now.
    pub(super) fn take_resolution(&mut self, found: &Resolution) -> bool {
        if self.pattern.as_ref() != Some(&found.pattern) || self.subject != found.subject {
            return false;
        }
        let before = self.resolution.replace(found.clone());
        before.is_none_or(|before| before.pattern != found.pattern || before.topics != found.topics)
    }

    /// Everything that nobody else may have.
    pub(super) fn held(&self) -> impl Iterator<Item = TopicPartition> {
        self.place.held().copied()
    }

    /// Bytes of memory, by estimate.
    pub(super) fn bytes(&self) -> usize {
        let resolved = self.resolution.as_ref().map_or(0, |found| found.topics.len() * size_of::<Arc<str>>());
        let names: usize = self.names.iter().map(|name| name.len() + size_of::<Arc<str>>()).sum();
        let pattern = self.pattern.as_ref().map_or(0, |pattern| pattern.len());
        size_of::<Self>() + self.id.len() + names + pattern + resolved + self.place.count() * PARTITION_BYTES
    }
}

/// Whether this is another value than before.
fn set<T: PartialEq>(field: &mut T, value: T) -> bool {
    let before = std::mem::replace(field, value);
    *field != before
}
