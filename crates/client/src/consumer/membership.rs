//! A place in a consumer group, by the classic protocol: join, sync, heartbeat, leave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use schloss_wire::messages::consumer_protocol_assignment::TopicPartition;
use schloss_wire::messages::join_group_request::JoinGroupRequestProtocol;
use schloss_wire::messages::leave_group_request::MemberIdentity;
use schloss_wire::messages::sync_group_request::SyncGroupRequestAssignment;
use schloss_wire::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest, decode_consumer_protocol_assignment,
    decode_consumer_protocol_subscription, encode_consumer_protocol_assignment,
    encode_consumer_protocol_subscription,
};
use schloss_wire::{ApiVersion, DecodeLimits, EncodeError, ErrorCode, StrBytes, build};
use tokio::sync::{Mutex, watch};

use super::assignor::{self, Assignment};
use super::heartbeat::{Beat, Heart, Pulse, needs_rejoin};
use super::record::ConsumerOptions;
use crate::cluster::{Cluster, RETRY_BACKOFF, has_moved};
use crate::connection::Connection;
use crate::error::{ClientError, Need};

const PROTOCOL_TYPE: &str = "consumer";
const PROTOCOL: &str = "range";
/// The oldest version of subscriptions and assignments: every member reads it.
const PAYLOAD_VERSION: ApiVersion = ApiVersion::new(0);
/// The version of SyncGroup that repeats the protocol (KIP-559), and of LeaveGroup that takes a list.
const SYNC_WITH_PROTOCOL: i16 = 5;
const LEAVE_WITH_LIST: i16 = 3;
/// Time beyond the rebalance timeout that the coordinator gets to answer a join.
const JOIN_GRACE: Duration = Duration::from_secs(5);

/// A member of a group.
pub(super) struct Membership {
    group: String,
    topics: Vec<String>,
    member_id: String,
    generation: i32,
    coordinator: i32,
    link: Option<Arc<Mutex<Connection>>>,
    pulse: Option<watch::Receiver<Pulse>>,
    heart: Option<Heart>,
}

/// What a member brings to a commit.
pub(super) struct Credentials {
    pub(super) group: StrBytes,
    pub(super) member_id: StrBytes,
    pub(super) generation: i32,
    pub(super) coordinator: i32,
}

impl Membership {
    pub(super) const fn new(group: String, topics: Vec<String>) -> Self {
        Self {
            group,
            topics,
            member_id: String::new(),
            generation: -1,
            coordinator: -1,
            link: None,
            pulse: None,
            heart: None,
        }
    }

    pub(super) fn group(&self) -> &str {
        &self.group
    }

    /// What the last heartbeat said; a new membership has to join.
    pub(super) fn pulse(&self) -> Pulse {
        self.pulse.as_ref().map_or(Pulse::Rejoin, |pulse| pulse.borrow().clone())
    }

    /// Waits until the pulse is not fine.
    pub(super) async fn disturbed(&self) {
        let Some(mut pulse) = self.pulse.clone() else { return };
        // An error means that the heart has stopped, which is a disturbance as well.
        let _stopped = pulse.wait_for(|pulse| !matches!(pulse, Pulse::Fine)).await;
    }

    /// What a commit needs; `None` before the first join.
    pub(super) fn credentials(&self) -> Option<Credentials> {
        self.heart.as_ref()?;
        Some(Credentials {
            group: StrBytes::from(self.group.as_str()),
            member_id: StrBytes::from(self.member_id.as_str()),
            generation: self.generation,
            coordinator: self.coordinator,
        })
    }

    /// A commit was answered with `code`, which may say that the group went on without us.
    pub(super) fn note(&mut self, code: i16) {
        if needs_rejoin(code) {
            self.pulse = None;
            if code == ErrorCode::UnknownMemberId.code() {
                self.member_id.clear();
            }
        }
    }

    /// Joins, anew or again, and returns what this member reads. Takes as long as the group needs.
    pub(super) async fn join(
        &mut self,
        cluster: &mut Cluster,
        options: &ConsumerOptions,
    ) -> Result<Assignment, ClientError> {
        self.heart = None;
        self.pulse = None;
        loop {
            match self.try_join(cluster, options).await? {
                Some(assignment) => return Ok(assignment),
                None => tokio::time::sleep(RETRY_BACKOFF).await,
            }
        }
    }

    /// One round of join and sync; `None` says to try again.
    async fn try_join(
        &mut self,
        cluster: &mut Cluster,
        options: &ConsumerOptions,
    ) -> Result<Option<Assignment>, ClientError> {
        let link = self.link(cluster).await?;
        let mut link = link.lock().await;
        let answered = self.ask_to_join(&mut link, options).await;
        let Some(joined) = self.settle(answered)? else { return Ok(None) };
        match ErrorCode::from_code(joined.error_code) {
            Some(ErrorCode::MemberIdRequired) => {
                self.member_id = joined.member_id.to_string();
                return Ok(None);
            }
            Some(ErrorCode::UnknownMemberId) => {
                self.member_id.clear();
                return Ok(None);
            }
            _ if self.must_retry(joined.error_code) => return Ok(None),
            _ => self.check(cluster, joined.error_code, "joining")?,
        }
        self.member_id = joined.member_id.to_string();
        self.generation = joined.generation_id;
        let shares = if joined.leader == joined.member_id {
            self.share_out(cluster, &joined).await?
        } else {
            Vec::new()
        };
        let version = link.version::<SyncGroupRequest>(i16::MAX)?;
        let named = version >= SYNC_WITH_PROTOCOL;
        let request = build!(SyncGroupRequest {
            group_id: StrBytes::from(self.group.as_str()),
            generation_id: self.generation,
            member_id: StrBytes::from(self.member_id.as_str()),
            protocol_type: named.then(|| StrBytes::from(PROTOCOL_TYPE)),
            protocol_name: named.then(|| StrBytes::from(PROTOCOL)),
            assignments: shares,
        });
        let within = options.rebalance_timeout + JOIN_GRACE;
        let answered = link.call_within(&request, version, within).await;
        let Some(synced) = self.settle(answered)? else { return Ok(None) };
        if self.must_retry(synced.error_code) {
            return Ok(None);
        }
        self.check(cluster, synced.error_code, "joining")?;
        drop(link);
        self.start_heart(cluster, options);
        read_assignment(synced.assignment).map(Some)
    }

    async fn ask_to_join(
        &self,
        link: &mut Connection,
        options: &ConsumerOptions,
    ) -> Result<JoinGroupResponse, ClientError> {
        let topics = self.topics.iter().map(|topic| StrBytes::from(topic.as_str())).collect();
        let mut metadata = BytesMut::new();
        let subscription = build!(ConsumerProtocolSubscription { topics });
        encode_consumer_protocol_subscription(&mut metadata, &subscription, PAYLOAD_VERSION)
            .map_err(|error| unencodable(&error))?;
        let protocol =
            build!(JoinGroupRequestProtocol { name: StrBytes::from(PROTOCOL), metadata: metadata.freeze() });
        let request = build!(JoinGroupRequest {
            group_id: StrBytes::from(self.group.as_str()),
            session_timeout_ms: millis(options.session_timeout),
            rebalance_timeout_ms: millis(options.rebalance_timeout),
            member_id: StrBytes::from(self.member_id.as_str()),
            protocol_type: StrBytes::from(PROTOCOL_TYPE),
            protocols: vec![protocol],
        });
        let version = link.version::<JoinGroupRequest>(i16::MAX)?;
        link.call_within(&request, version, options.rebalance_timeout + JOIN_GRACE).await
    }

    /// The leader's work: who reads what.
    async fn share_out(
        &self,
        cluster: &mut Cluster,
        joined: &JoinGroupResponse,
    ) -> Result<Vec<SyncGroupRequestAssignment>, ClientError> {
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for member in &joined.members {
            let (_, subscription) =
                decode_consumer_protocol_subscription(member.metadata.clone(), DecodeLimits::default())
                    .map_err(|error| {
                        ClientError::Record(format!(
                            "a member of group {} is unreadable: {error}",
                            self.group
                        ))
                    })?;
            let topics = subscription.topics.iter().map(ToString::to_string).collect();
            wanted.insert(member.member_id.to_string(), topics);
        }
        let mut partitions = BTreeMap::new();
        for topic in wanted.values().flatten().cloned().collect::<BTreeSet<String>>() {
            match cluster.fresh_topic(&topic).await {
                Ok(info) => {
                    partitions.insert(topic, i32::try_from(info.partitions.len()).unwrap_or(i32::MAX));
                }
                // Another member's topic, which may not be ours to see: nobody gets it from us.
                Err(error) => {
                    tracing::warn!(%error, topic, group = self.group, "a topic of the group is left out")
                }
            }
        }
        assignor::range(&wanted, &partitions)
            .into_iter()
            .map(|(member, share)| {
                Ok(build!(SyncGroupRequestAssignment {
                    member_id: StrBytes::from(member),
                    assignment: write_assignment(share).map_err(|error| unencodable(&error))?,
                }))
            })
            .collect()
    }

    /// The connection to the coordinator, which heartbeats and joins share.
    async fn link(&mut self, cluster: &mut Cluster) -> Result<Arc<Mutex<Connection>>, ClientError> {
        if let Some(link) = &self.link
            && !link.lock().await.is_spent()
        {
            return Ok(Arc::clone(link));
        }
        self.coordinator = cluster.coordinator(&self.group).await?;
        let link = Arc::new(Mutex::new(cluster.fresh(self.coordinator).await?));
        self.link = Some(Arc::clone(&link));
        Ok(link)
    }

    /// Turns a broken connection into another attempt.
    fn settle<T>(&mut self, answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
        match answer {
            Ok(response) => Ok(Some(response)),
            Err(error) if error.is_retriable() => {
                tracing::debug!(%error, group = self.group, "the coordinator is looked up again");
                self.link = None;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a code of join or sync says to try again.
    fn must_retry(&mut self, code: i16) -> bool {
        if has_moved(code) {
            self.link = None;
            return true;
        }
        if code == ErrorCode::UnknownMemberId.code() {
            self.member_id.clear();
        }
        needs_rejoin(code)
    }

    fn check(&self, cluster: &Cluster, code: i16, doing: &str) -> Result<(), ClientError> {
        let hint = (code == ErrorCode::InconsistentGroupProtocol.code())
            .then_some("other members do not offer the range assignor; use another group");
        let group = &self.group;
        cluster.check(code, hint, &Need::group("READ", group), || format!("{doing} group {group}"))
    }

    fn start_heart(&mut self, cluster: &Cluster, options: &ConsumerOptions) {
        let Some(link) = self.link.clone() else { return };
        let (sender, receiver) = watch::channel(Pulse::Fine);
        let request = build!(HeartbeatRequest {
            group_id: StrBytes::from(self.group.as_str()),
            generation_id: self.generation,
            member_id: StrBytes::from(self.member_id.as_str()),
        });
        let user = cluster.config().user().map(str::to_owned);
        let need = Need::group("READ", &self.group);
        let beat = Beat { link, request, user, need, interval: options.heartbeat_interval, pulse: sender };
        self.heart = Some(beat.start());
        self.pulse = Some(receiver);
    }

    /// Leaves the group, so that the others need not wait for the session to end.
    pub(super) async fn leave(mut self) -> Result<(), ClientError> {
        self.heart = None;
        let Some(link) = self.link.take() else { return Ok(()) };
        let mut link = link.lock().await;
        let version = link.version::<LeaveGroupRequest>(i16::MAX)?;
        let member_id = StrBytes::from(self.member_id.as_str());
        let group_id = StrBytes::from(self.group.as_str());
        let request = if version >= LEAVE_WITH_LIST {
            build!(LeaveGroupRequest { group_id, members: vec![build!(MemberIdentity { member_id })] })
        } else {
            build!(LeaveGroupRequest { group_id, member_id })
        };
        // Whatever the answer, we are out: at the latest when the session ends.
        link.call_at(&request, version).await.map(|_| ())
    }
}

fn write_assignment(share: Assignment) -> Result<Bytes, EncodeError> {
    let assigned_partitions = share
        .into_iter()
        .map(|(topic, partitions)| build!(TopicPartition { topic: StrBytes::from(topic), partitions }));
    let assignment =
        build!(ConsumerProtocolAssignment { assigned_partitions: assigned_partitions.collect() });
    let mut bytes = BytesMut::new();
    encode_consumer_protocol_assignment(&mut bytes, &assignment, PAYLOAD_VERSION)?;
    Ok(bytes.freeze())
}

/// An empty payload is an empty share: the leader left us out.
fn read_assignment(bytes: Bytes) -> Result<Assignment, ClientError> {
    if bytes.is_empty() {
        return Ok(Assignment::new());
    }
    let (_, assignment) =
        decode_consumer_protocol_assignment(bytes, DecodeLimits::default()).map_err(|error| {
            ClientError::Record(format!("the group's leader sent an unreadable assignment: {error}"))
        })?;
    Ok(assignment
        .assigned_partitions
        .into_iter()
        .map(|topic| (topic.topic.into_string(), topic.partitions))
        .collect())
}

fn unencodable(error: &EncodeError) -> ClientError {
    ClientError::Record(format!("can't encode for the group: {error}"))
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_reads_back_and_an_empty_one_is_no_error() {
        let share: Assignment = [("t".to_owned(), vec![0, 2]), ("u".to_owned(), vec![1])].into();
        assert_eq!(read_assignment(write_assignment(share.clone()).unwrap()).unwrap(), share);
        assert_eq!(read_assignment(Bytes::new()).unwrap(), Assignment::new());
        assert!(read_assignment(Bytes::from_static(b"\0\0\x7f\xff\xff\xff")).is_err());
    }
}
