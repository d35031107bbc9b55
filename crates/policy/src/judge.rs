//! Deciding for one request, with a cache for the session and a record for audit.

use std::sync::Arc;

use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::decision::{Decision, Reason, Subject};
use crate::hash::hash as hash_of;
use crate::kind::{CLUSTER_NAME, Operation, ResourceType, WILDCARD};
use crate::set::{AclSet, Moment, Who};
use crate::share_sessions::ShareSessions;

/// Most resource names of which a session keeps decisions: some tens of kilobytes, times the connections.
const MAX_CACHED_NAMES: usize = 256;
/// Longest resource name kept, in bytes: no topic is longer than 249.
const MAX_CACHED_NAME_BYTES: usize = 256;

/// The decisions of one session. It empties itself when the generation of the rules or the subject is
/// another, when a binding has ended, and when it is full; so a change is in force with the next request.
#[derive(Debug, Default)]
pub struct DecisionCache {
    generation: u64,
    /// How many role bindings had ended.
    ended: usize,
    subject: Option<Subject>,
    who: Option<Who>,
    names: HashTable<Known>,
    /// Counts the judges, so that one decision is recorded once for each.
    round: u64,
    /// It lives through changes of ACLs and of the subject: all of it is decided about again when it is used.
    share_sessions: ShareSessions,
}

/// What is known about one name.
#[derive(Debug)]
struct Known {
    name: Arc<str>,
    decisions: SmallVec<[Cached; 2]>,
}

#[derive(Debug)]
struct Cached {
    question: Question,
    allowed: bool,
    reason: Reason,
    recorded_in: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Question {
    operation: Operation,
    resource_type: ResourceType,
    any: bool,
}

/// Decides for one request of one subject, and keeps what it decided for audit.
#[derive(Debug)]
pub struct Judge<'a> {
    acls: &'a AclSet,
    moment: Moment,
    cache: &'a mut DecisionCache,
    decisions: Vec<Decision>,
    observes: bool,
}

impl<'a> Judge<'a> {
    /// A judge over `acls` for `subject`; `cache` is that of the subject's session.
    #[must_use]
    pub fn new(acls: &'a AclSet, subject: &'a Subject, cache: &'a mut DecisionCache) -> Self {
        let moment = acls.now();
        let is_known = cache.subject.as_ref().is_some_and(|known| known.is_same(subject));
        let is_another = cache.generation != acls.generation() || !is_known;
        if is_another || cache.ended != moment.ended {
            cache.names.clear();
            cache.generation = acls.generation();
            cache.ended = moment.ended;
        }
        if is_another || cache.who.is_none() {
            cache.subject = Some(subject.clone());
            cache.who = Some(acls.who(subject));
        }
        cache.round += 1;
        Self { acls, moment, cache, decisions: Vec::new(), observes: false }
    }

    /// A judge that denies nothing but what is reserved. What it would have denied is recorded as such, with
    /// [`Decision::enforced`] false.
    #[must_use]
    pub fn observing(self, observes: bool) -> Self {
        Self { observes, ..self }
    }

    /// For whom it decides.
    pub(crate) fn subject(&self) -> Option<&Subject> {
        self.cache.subject.as_ref()
    }

    /// Whether the operation is allowed on the resource. The decision is recorded, once however often it is
    /// asked for.
    pub fn check(&mut self, operation: Operation, resource_type: ResourceType, name: &str) -> bool {
        self.ask(Question { operation, resource_type, any: false }, name, true)
    }

    /// As [`Judge::check`], but not recorded: for filters over listings, where a denial is no event.
    pub fn peek(&mut self, operation: Operation, resource_type: ResourceType, name: &str) -> bool {
        self.ask(Question { operation, resource_type, any: false }, name, false)
    }

    /// As [`Judge::peek`], and no more when decisions are only observed: for needs after which another one is
    /// tried, whose denial is what would happen.
    pub fn holds(&mut self, operation: Operation, resource_type: ResourceType, name: &str) -> bool {
        let observes = std::mem::replace(&mut self.observes, false);
        let holds = self.peek(operation, resource_type, name);
        self.observes = observes;
        holds
    }

    /// Whether the operation is allowed on at least one conceivable resource of the type; recorded. See
    /// [`AclSet::decide_any`].
    pub fn check_any(&mut self, operation: Operation, resource_type: ResourceType) -> bool {
        self.ask(Question { operation, resource_type, any: true }, WILDCARD, true)
    }

    /// The operations allowed on a resource as Kafka's bit field: bit `n` for the operation with code `n`.
    /// Not recorded.
    pub fn authorized_operations(&mut self, resource_type: ResourceType, name: &str) -> i32 {
        let allowed = |bits: i32, operation: &Operation| {
            let bit = i32::from(self.peek(*operation, resource_type, name));
            bits | bit << operation.code()
        };
        resource_type.operations().iter().fold(0, allowed)
    }

    /// As [`Judge::authorized_operations`] on the cluster, which Kafka shows only to those who may describe
    /// it; others get 0.
    pub fn authorized_cluster_operations(&mut self) -> i32 {
        if self.peek(Operation::Describe, ResourceType::Cluster, CLUSTER_NAME) {
            self.authorized_operations(ResourceType::Cluster, CLUSTER_NAME)
        } else {
            0
        }
    }

    /// The share sessions of this session.
    pub(crate) fn share_sessions(&mut self) -> &mut ShareSessions {
        &mut self.cache.share_sessions
    }

    /// What was decided, in the order of the first question about each.
    #[must_use]
    pub fn into_decisions(self) -> Vec<Decision> {
        self.decisions
    }

    fn ask(&mut self, question: Question, name: &str, record: bool) -> bool {
        let (round, hash) = (self.cache.round, hash_of(name));
        if let Some((key, cached)) = self.cache.find(question, name, hash) {
            let passes = cached.allowed || (self.observes && cached.reason != Reason::Reserved);
            if record && cached.recorded_in != round {
                cached.recorded_in = round;
                let key = Arc::clone(key);
                self.decisions.push(question.decided(key, cached.allowed, passes, cached.reason.clone()));
            }
            return passes;
        }
        let Question { operation, resource_type, any } = question;
        // A judge is never without; should it be, nothing is allowed.
        let (allowed, reason) = match &self.cache.who {
            Some(who) if any => self.acls.judge_any(who, self.moment, operation, resource_type),
            Some(who) => self.acls.judge(who, self.moment, operation, resource_type, name),
            None => (false, Reason::NoMatchingAcl),
        };
        let passes = allowed || (self.observes && reason != Reason::Reserved);
        let recorded_in = if record { round } else { 0 };
        let cached = Cached { question, allowed, reason: reason.clone(), recorded_in };
        let key = self.cache.keep(name, hash, cached);
        if record {
            self.decisions.push(question.decided(key, allowed, passes, reason));
        }
        passes
    }
}

impl Question {
    fn decided(self, resource_name: Arc<str>, allowed: bool, passes: bool, reason: Reason) -> Decision {
        let Self { operation, resource_type, any: _ } = self;
        Decision { allowed, enforced: allowed == passes, operation, resource_type, resource_name, reason }
    }
}

impl DecisionCache {
    fn find(&mut self, question: Question, name: &str, hash: u64) -> Option<(&Arc<str>, &mut Cached)> {
        let Known { name, decisions } = self.names.find_mut(hash, |known| *known.name == *name)?;
        Some((name, decisions.iter_mut().find(|cached| cached.question == question)?))
    }

    /// Keeps a decision, unless the name is too long; the name as it is shared.
    fn keep(&mut self, name: &str, hash: u64, cached: Cached) -> Arc<str> {
        if name.len() > MAX_CACHED_NAME_BYTES {
            return name.into();
        }
        if let Some(known) = self.names.find_mut(hash, |known| *known.name == *name) {
            known.decisions.push(cached);
            return Arc::clone(&known.name);
        }
        if self.names.len() >= MAX_CACHED_NAMES {
            self.names.clear();
        }
        let known = Known { name: name.into(), decisions: [cached].into_iter().collect() };
        let name = Arc::clone(&known.name);
        self.names.insert_unique(hash, known, |known| hash_of(&known.name));
        name
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use schloss_wire::Principal;

    use super::*;

    #[test]
    fn the_cache_keeps_a_bounded_number_of_names_and_no_long_ones() {
        let acls = AclSet::new(Vec::new(), Vec::new(), 1);
        let subject = Subject::new(Principal::user("a"), Ipv4Addr::LOCALHOST.into());
        let mut cache = DecisionCache::default();
        let mut judge = Judge::new(&acls, &subject, &mut cache);
        for index in 0..10 * MAX_CACHED_NAMES {
            judge.check(Operation::Read, ResourceType::Topic, &index.to_string());
            judge.check(
                Operation::Read,
                ResourceType::Topic,
                &"x".repeat(MAX_CACHED_NAME_BYTES + 1 + index % 9),
            );
        }
        assert!((1..=MAX_CACHED_NAMES).contains(&cache.names.len()));
        assert!(cache.names.iter().all(|known| known.name.len() <= MAX_CACHED_NAME_BYTES));
    }
}
