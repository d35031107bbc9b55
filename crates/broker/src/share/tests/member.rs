//! A member of a share group, as its client speaks.

use schloss_gate::{Caller, Outcome};
use schloss_policy::DecisionCache;
use schloss_wire::messages::share_acknowledge_request::{
    AcknowledgePartition, AcknowledgeTopic, AcknowledgementBatch as Acknowledged,
};
use schloss_wire::messages::share_fetch_request::{AcknowledgementBatch, FetchPartition, FetchTopic};
use schloss_wire::messages::{
    ShareAcknowledgeRequest, ShareAcknowledgeResponse, ShareFetchRequest, ShareFetchResponse,
    ShareGroupHeartbeatRequest,
};
use schloss_wire::{ErrorCode, Request, Response, StrBytes, Uuid, build};

use crate::broker::Broker;
use crate::connection::Connection;
use crate::testing::{House, caller};
use crate::tests::configs::{GROUP as GROUP_RESOURCE, SET, alter};

pub(super) const GROUP: &str = "workers";
pub(super) const TOPIC: &str = "orders";
pub(super) const OK: ErrorCode = ErrorCode::None;
/// The newest version of fetches and acknowledgements.
pub(super) const NEWEST: i16 = 2;

pub(super) const ACCEPT: i8 = 1;
pub(super) const RELEASE: i8 = 2;
pub(super) const REJECT: i8 = 3;
pub(super) const RENEW: i8 = 4;

/// First and last offset, and which delivery of them it is.
pub(super) type Given = (i64, i64, i16);

/// A member with a connection of its own, and one session on partition 0 of the topic.
pub(super) struct Member<'a> {
    pub(super) house: &'a House,
    pub(super) id: String,
    pub(super) epoch: i32,
    connection: Connection,
    number: u64,
    cache: DecisionCache,
}

/// A house with a topic of one partition and a group that begins with its first record.
pub(super) async fn house() -> House {
    let house = House::new();
    house.topic(TOPIC, 1, &[]).await;
    set(&house, "share.auto.offset.reset", "earliest").await;
    house
}

/// Gives the group a setting.
pub(super) async fn set(house: &House, name: &str, value: &str) {
    let (code, message) = alter(house, GROUP_RESOURCE, GROUP, &[(name, SET, Some(value))], false).await;
    assert_eq!(code, OK, "{message}");
}

impl<'a> Member<'a> {
    /// One that has joined and not begun to fetch.
    pub(super) async fn join(house: &'a House, id: &str) -> Self {
        let request = build!(ShareGroupHeartbeatRequest {
            group_id: StrBytes::from(GROUP),
            member_id: StrBytes::from(id),
            rack_id: None,
            subscribed_topic_names: Some(vec![StrBytes::from(TOPIC)]),
        });
        let Response::ShareGroupHeartbeat(response) = house.ask(1, request).await else { panic!() };
        assert_eq!(response.error_code, 0);
        let connection = Connection::new(Broker::clone(&house.broker));
        let number = id.bytes().map(u64::from).sum();
        Self { house, id: id.to_owned(), epoch: 0, connection, number, cache: DecisionCache::default() }
    }

    pub(super) async fn leave(&self) {
        let request = build!(ShareGroupHeartbeatRequest {
            group_id: StrBytes::from(GROUP),
            member_id: StrBytes::from(self.id.as_str()),
            member_epoch: -1,
            rack_id: None,
            subscribed_topic_names: None,
        });
        let Response::ShareGroupHeartbeat(response) = self.house.ask(1, request).await else { panic!() };
        assert_eq!(response.error_code, 0);
    }

    pub(super) fn topic(&self) -> Uuid {
        self.house.broker.metadata.snapshot().topic(TOPIC).unwrap().id
    }

    pub(super) async fn send(&mut self, version: i16, request: impl Into<Request>) -> Response {
        let caller = Caller { connection_id: self.number, ..caller(version) };
        match self.house.send_over(&mut self.connection, &mut self.cache, caller, request).await {
            Outcome::Reply(response) => response,
            outcome => panic!("no reply: {outcome:?}"),
        }
    }

    /// The next fetch of the session; it does not wait.
    pub(super) fn request(&self) -> ShareFetchRequest {
        let partition = build!(FetchPartition { partition_index: 0 });
        let topic = build!(FetchTopic { topic_id: self.topic(), partitions: vec![partition] });
        build!(ShareFetchRequest {
            group_id: Some(StrBytes::from(GROUP)),
            member_id: Some(StrBytes::from(self.id.as_str())),
            share_session_epoch: self.epoch,
            min_bytes: 1,
            max_bytes: 1 << 20,
            max_records: 500,
            batch_size: 500,
            topics: if self.epoch == 0 { vec![topic] } else { Vec::new() },
        })
    }

    pub(super) async fn fetch_as(&mut self, version: i16, request: ShareFetchRequest) -> ShareFetchResponse {
        let Response::ShareFetch(response) = self.send(version, request).await else { panic!() };
        if response.error_code == 0 {
            self.epoch += 1;
        }
        response
    }

    /// What it is given.
    pub(super) async fn fetch(&mut self) -> Vec<Given> {
        let request = self.request();
        given(&self.fetch_as(NEWEST, request).await)
    }

    /// As [`fetch`](Self::fetch), with acknowledgements: what it is given, and the error of these.
    pub(super) async fn fetch_and_acknowledge(&mut self, all: &[(i64, i64, i8)]) -> (Vec<Given>, ErrorCode) {
        let mut request = self.request();
        let batch = |&(first_offset, last_offset, kind)| {
            build!(AcknowledgementBatch { first_offset, last_offset, acknowledge_types: vec![kind] })
        };
        let batches = all.iter().map(batch).collect();
        let partition = build!(FetchPartition { partition_index: 0, acknowledgement_batches: batches });
        request.topics = vec![build!(FetchTopic { topic_id: self.topic(), partitions: vec![partition] })];
        let response = self.fetch_as(NEWEST, request).await;
        assert_eq!(response.error_code, 0);
        let code = response.responses[0].partitions[0].acknowledge_error_code;
        (given(&response), ErrorCode::from_code(code).unwrap())
    }

    pub(super) fn acknowledgement(&self, all: &[(i64, i64, i8)]) -> ShareAcknowledgeRequest {
        let batch = |&(first_offset, last_offset, kind)| {
            build!(Acknowledged { first_offset, last_offset, acknowledge_types: vec![kind] })
        };
        let batches = all.iter().map(batch).collect();
        let partition = build!(AcknowledgePartition { partition_index: 0, acknowledgement_batches: batches });
        build!(ShareAcknowledgeRequest {
            group_id: Some(StrBytes::from(GROUP)),
            member_id: Some(StrBytes::from(self.id.as_str())),
            share_session_epoch: self.epoch,
            is_renew_ack: all.iter().any(|one| one.2 == RENEW),
            topics: vec![build!(AcknowledgeTopic { topic_id: self.topic(), partitions: vec![partition] })],
        })
    }

    pub(super) async fn acknowledge_as(
        &mut self,
        version: i16,
        request: ShareAcknowledgeRequest,
    ) -> ShareAcknowledgeResponse {
        let Response::ShareAcknowledge(response) = self.send(version, request).await else { panic!() };
        if response.error_code == 0 {
            self.epoch += 1;
        }
        response
    }

    /// The error of an acknowledgement.
    pub(super) async fn acknowledge(&mut self, all: &[(i64, i64, i8)]) -> ErrorCode {
        let request = self.acknowledgement(all);
        let response = self.acknowledge_as(NEWEST, request).await;
        let partition = response.responses.first().map(|topic| topic.partitions[0].error_code);
        ErrorCode::from_code(partition.unwrap_or(response.error_code)).unwrap()
    }
}

/// What partition 0 gave; nothing if it isn't in the answer.
pub(super) fn given(response: &ShareFetchResponse) -> Vec<Given> {
    assert_eq!(response.error_code, 0);
    let Some(topic) = response.responses.first() else { return Vec::new() };
    let partition = &topic.partitions[0];
    assert_eq!((topic.partitions.len(), partition.error_code), (1, 0));
    assert_eq!(partition.records.is_empty(), partition.acquired_records.is_empty());
    let acquired = partition.acquired_records.iter();
    acquired.map(|one| (one.first_offset, one.last_offset, one.delivery_count)).collect()
}
