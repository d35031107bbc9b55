//! From a request to an admitted one: the only way to an engine.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use schloss_wire::{Api, ErrorCode, Request, Response, Uuid};

use crate::judge::Judge;
use crate::{api, table};

/// What an engine knows of topics, as far as authorization needs it.
pub trait TopicNames: Send + Sync {
    /// The name of the topic with this id, if there is one.
    fn name_of(&self, id: Uuid) -> Option<Arc<str>>;

    /// The name of every topic, in any order: what "all topics" means to DescribeTopicPartitions, which pages.
    /// An engine that serves that API has to say; with none, "all" are none.
    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// Whether it is known that a topic has this name. What an engine may create of its own accord is refused to
    /// whoever may not create it, unless it is known to be there already. Among refusals, whoever may describe a
    /// topic is told that it is missing.
    fn exists(&self, _name: &str) -> bool {
        false
    }

    /// Whether the engine creates a missing topic when a Metadata request that allows it names one; `None` if
    /// it might. As long as it does not, no admitted request allows it; only if it does, a missing topic is
    /// refused to whoever may not create it.
    fn creates_missing_topics(&self) -> Option<bool> {
        Some(false)
    }
}

/// A request of which nothing is left that its sender may not do.
///
/// Only [`admit`] makes one, so an engine that takes nothing else cannot be reached without a decision.
///
/// ```compile_fail,E0451
/// let request = schloss_wire::messages::MetadataRequest::default().into();
/// let admitted = schloss_policy::Admitted { request, whole: true, frame: None };
/// ```
#[derive(Debug)]
pub struct Admitted {
    request: Request,
    whole: bool,
    frame: Option<Bytes>,
}

impl Admitted {
    pub(crate) const fn new(request: Request, whole: bool) -> Self {
        Self { request, whole, frame: None }
    }

    /// What may be done.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// What may be done, by value.
    #[must_use]
    pub fn into_request(self) -> Request {
        self.request
    }

    pub(crate) const fn request_mut(&mut self) -> &mut Request {
        &mut self.request
    }

    /// It is not as it came any more.
    pub(crate) fn is_narrowed(&mut self) {
        self.whole = false;
        self.frame = None;
    }

    /// Remembers the frame that the request was decoded from, unless it is not as it came.
    pub fn remember_frame(&mut self, frame: Bytes) {
        self.frame = Some(frame).filter(|_| self.whole);
    }

    /// The frame that it came in, from the header on, if nothing was taken out or changed: for an engine that
    /// hands it on as it is.
    #[must_use]
    pub const fn frame(&self) -> Option<&Bytes> {
        self.frame.as_ref()
    }

    /// Whether the request is as it came: nothing was taken out or changed.
    #[must_use]
    pub const fn whole(&self) -> bool {
        self.whole
    }
}

/// What policy makes of a request.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every verdict is the large one, and none is kept")]
pub enum Verdict {
    /// Nothing of it may be done; this is the answer.
    Refused(Response),
    /// All or part of it may be done; the engine's answer needs the repair before it goes out.
    Admitted(Admitted, Repair),
}

type RepairFn = dyn FnOnce(&mut Response, &mut Judge<'_>, &dyn TopicNames) + Send;

/// What an engine's answer still needs: the entries that were refused, listings cut down to what the caller
/// may see, bit fields of authorized operations. An answer must never go out without it.
#[must_use = "an answer without its repair lacks refusals and shows too much"]
pub struct Repair(Option<Box<RepairFn>>);

impl Repair {
    /// The answer goes out as the engine gives it.
    pub(crate) const NOTHING: Self = Self(None);

    pub(crate) fn new(
        repair: impl FnOnce(&mut Response, &mut Judge<'_>, &dyn TopicNames) + Send + 'static,
    ) -> Self {
        Self(Some(Box::new(repair)))
    }

    /// Whether there is nothing to repair, so that the bytes of an answer could be forwarded.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.0.is_none()
    }

    /// Completes `response`, the engine's answer to the request that was admitted with this repair.
    pub fn apply(self, response: &mut Response, judge: &mut Judge<'_>, topics: &dyn TopicNames) {
        if let Some(repair) = self.0 {
            repair(response, judge, topics);
        }
    }
}

impl fmt::Debug for Repair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Repair")
    }
}

/// Decides about every part of a request.
///
/// Parts that are denied are taken out and come back through the [`Repair`] with Kafka's error in Kafka's
/// place. An API without a row in [`crate::table::TABLE`] is never admitted.
pub fn admit(request: Request, version: i16, judge: &mut Judge<'_>, topics: &dyn TopicNames) -> Verdict {
    admit_by(table::TABLE, request, version, judge, topics)
}

fn admit_by(
    table: &[table::Row],
    request: Request,
    version: i16,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let key = request.api().key();
    if !table.iter().any(|row| row.api_key == key) {
        return Verdict::Refused(refuse(&request, version, ErrorCode::ClusterAuthorizationFailed, None));
    }
    api::admit(request, version, judge, topics)
}

/// Answers a whole request with one error, in the place where Kafka puts it for that API and version.
///
/// The message is left out where the API has no room for one.
#[must_use]
pub fn refuse(request: &Request, version: i16, code: ErrorCode, message: Option<&str>) -> Response {
    api::refuse(request, version, code, message)
}

/// Whether an API changes the cluster, topics, groups, rules or users on an administrator's behalf: its audit
/// record must be durable before the answer goes out; so for whoever makes a delegation token, changes one or
/// is told its HMAC. What producers and consumers do all day is none.
#[must_use]
pub const fn is_administrative(api: Api) -> bool {
    matches!(
        api,
        Api::CreateTopics
            | Api::DeleteTopics
            | Api::CreatePartitions
            | Api::IncrementalAlterConfigs
            | Api::CreateAcls
            | Api::DeleteAcls
            | Api::AlterUserScramCredentials
            | Api::DeleteGroups
            | Api::DeleteRecords
            | Api::WriteTxnMarkers
            | Api::OffsetDelete
            | Api::AlterConfigs
            | Api::AlterReplicaLogDirs
            | Api::ElectLeaders
            | Api::AlterPartitionReassignments
            | Api::AlterClientQuotas
            | Api::UpdateFeatures
            | Api::UnregisterBroker
            | Api::AddRaftVoter
            | Api::RemoveRaftVoter
            | Api::AlterShareGroupOffsets
            | Api::DeleteShareGroupOffsets
            | Api::AlterSecurity
            | Api::CreateDelegationToken
            | Api::RenewDelegationToken
            | Api::ExpireDelegationToken
            | Api::DescribeDelegationToken
    )
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use schloss_wire::{Principal, messages};

    use super::*;
    use crate::{AclSet, DecisionCache, Subject};

    struct NoTopics;

    impl TopicNames for NoTopics {
        fn name_of(&self, _: Uuid) -> Option<Arc<str>> {
            None
        }
    }

    #[test]
    fn an_api_without_a_row_is_refused_even_to_a_super_user() {
        let principal = Principal::user("root");
        let acls = AclSet::new(Vec::new(), vec![principal.clone()], 1);
        let subject = Subject::new(principal, Ipv4Addr::LOCALHOST.into());
        let mut cache = DecisionCache::default();
        let mut judge = Judge::new(&acls, &subject, &mut cache);
        let without: Vec<table::Row> =
            table::TABLE.iter().copied().filter(|row| row.api_key != Api::ListGroups.key()).collect();
        let mut ask = |table: &[table::Row]| {
            let request = messages::ListGroupsRequest::default().into();
            admit_by(table, request, 4, &mut judge, &NoTopics)
        };
        assert!(matches!(ask(table::TABLE), Verdict::Admitted(..)));
        let Verdict::Refused(Response::ListGroups(response)) = ask(&without) else {
            panic!("it was admitted")
        };
        assert_eq!(response.error_code, ErrorCode::ClusterAuthorizationFailed.code());
    }
}
