//! The smallest engine: it says yes to everything and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schloss_gate::{AnswerBytes, Caller, Engine, EngineSession, Entrance, Features, Forward, Offer, Outcome};
use schloss_policy::{Admitted, TopicNames, refuse};
use schloss_wire::messages::fetch_request::FetchTopic;
use schloss_wire::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use schloss_wire::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use schloss_wire::messages::{FetchRequest, FetchResponse, ProduceRequest, ProduceResponse};
use schloss_wire::{Api, ErrorCode, Principal, Request, Response, Uuid, build};
use tokio::sync::oneshot;

#[derive(Clone, Default)]
pub struct TestEngine(Arc<Shared>);

#[derive(Default)]
struct Shared {
    entrances: Mutex<Vec<Entrance>>,
    calls: Mutex<Vec<(Api, Caller)>>,
    /// Each produce request takes one and waits for it; without one it is answered at once.
    holds: Mutex<VecDeque<oneshot::Receiver<()>>>,
    next_offset: AtomicI64,
    keeps_quotas: bool,
    suspended: AtomicBool,
}

impl TestEngine {
    /// One that has quotas of its own.
    pub fn with_quotas() -> Self {
        Self(Arc::new(Shared { keeps_quotas: true, ..Shared::default() }))
    }

    pub fn calls(&self) -> Vec<Api> {
        self.0.calls.lock().unwrap().iter().map(|(api, _)| *api).collect()
    }

    /// Serves nobody, or everybody again.
    pub fn suspend(&self, suspended: bool) {
        self.0.suspended.store(suspended, Ordering::SeqCst);
    }

    /// Where the connections came in.
    pub fn entrances(&self) -> Vec<Entrance> {
        self.0.entrances.lock().unwrap().clone()
    }

    pub fn callers(&self) -> Vec<Caller> {
        self.0.calls.lock().unwrap().iter().map(|(_, caller)| caller.clone()).collect()
    }

    /// Makes the next produce request that has no hold yet wait until the sender is used.
    pub fn hold_produce(&self) -> oneshot::Sender<()> {
        let (release, hold) = oneshot::channel();
        self.0.holds.lock().unwrap().push_back(hold);
        release
    }

    fn produce(&self, request: &ProduceRequest) -> BoxFuture<'static, Outcome> {
        let base_offset = self.0.next_offset.fetch_add(1, Ordering::SeqCst);
        let hold = self.0.holds.lock().unwrap().pop_front();
        let responses = request
            .topic_data
            .iter()
            .map(|topic| {
                let partition_responses = topic
                    .partition_data
                    .iter()
                    .map(|partition| {
                        build!(PartitionProduceResponse { index: partition.index, base_offset: base_offset })
                    })
                    .collect();
                build!(TopicProduceResponse { name: topic.name.clone(), partition_responses })
            })
            .collect();
        let response: Response = build!(ProduceResponse { responses }).into();
        let outcome = if request.acks == 0 { Outcome::NoReply } else { Outcome::Reply(response) };
        async move {
            if let Some(hold) = hold {
                let _ = hold.await;
            }
            outcome
        }
        .boxed()
    }

    /// Fetching from the topic `silence` waits for ever, from `large` it finds a MiB, from others one batch of
    /// two records. From names that begin with `passing` it comes as bytes in pieces.
    fn fetch(request: &FetchRequest, caller: &Caller) -> BoxFuture<'static, Outcome> {
        if request.topics.iter().any(|topic| topic.topic.as_str() == "silence") {
            return std::future::pending().boxed();
        }
        let responses = request
            .topics
            .iter()
            .map(|topic| {
                let partitions = topic
                    .partitions
                    .iter()
                    .map(|partition| {
                        build!(PartitionData {
                            partition_index: partition.partition,
                            records: Some(if topic.topic.as_str().ends_with("large") {
                                vec![0; 1 << 20].into()
                            } else {
                                super::client::batch(2).into()
                            })
                        })
                    })
                    .collect();
                build!(FetchableTopicResponse { topic: topic.topic.clone(), partitions })
            })
            .collect();
        let response: Response = build!(FetchResponse { responses }).into();
        let passes = |topic: &FetchTopic| topic.topic.as_str().starts_with("passing");
        if request.topics.iter().any(passes) {
            let broken = request.topics.iter().any(|topic| topic.topic.as_str() == "passing, broken");
            let frame = response.encode_frame(caller.correlation_id, caller.api_version).unwrap().freeze();
            return async move { Outcome::Forward(pieces(frame, broken)) }.boxed();
        }
        async move { Outcome::Reply(response) }.boxed()
    }
}

/// One connection of a [`TestEngine`].
struct TestSession(TestEngine);

impl EngineSession for TestSession {
    fn call(&mut self, caller: Caller, request: Admitted) -> BoxFuture<'static, Outcome> {
        self.0.call(caller, request)
    }
}

impl TestEngine {
    fn call(&self, caller: Caller, request: Admitted) -> BoxFuture<'static, Outcome> {
        self.0.calls.lock().unwrap().push((request.request().api(), caller.clone()));
        match request.request() {
            Request::Produce(produce) => self.produce(produce),
            Request::Fetch(fetch) => Self::fetch(fetch, &caller),
            Request::Heartbeat(heartbeat) if heartbeat.group_id.as_str() == "panic" => panic!("at once"),
            Request::Heartbeat(heartbeat) if heartbeat.group_id.as_str() == "panic later" => {
                async { panic!("in the future") }.boxed()
            }
            other => {
                let response = refuse(other, caller.api_version, ErrorCode::None, None);
                async move { Outcome::Reply(response) }.boxed()
            }
        }
    }
}

impl Engine for TestEngine {
    fn keeps_quotas(&self) -> bool {
        self.0.keeps_quotas
    }

    fn suspended(&self) -> Option<String> {
        self.0.suspended.load(Ordering::SeqCst).then(|| "the state is too old".to_owned())
    }

    fn topics(&self) -> Arc<dyn TopicNames> {
        Arc::new(OneTopic)
    }

    fn open(&self, entrance: &Entrance, _: &Principal) -> Box<dyn EngineSession> {
        self.0.entrances.lock().unwrap().push(entrance.clone());
        Box::new(TestSession(self.clone()))
    }

    fn offer(&self, _: &Entrance) -> Arc<Offer> {
        // All but one, so that there is one that is known and not served.
        const SERVED: &[Api] = &[
            Api::Produce,
            Api::Fetch,
            Api::ListOffsets,
            Api::Metadata,
            Api::OffsetCommit,
            Api::OffsetFetch,
            Api::FindCoordinator,
            Api::JoinGroup,
            Api::Heartbeat,
            Api::LeaveGroup,
            Api::SyncGroup,
            Api::ListGroups,
            Api::DescribeGroups,
            Api::CreateTopics,
            Api::DeleteTopics,
            Api::InitProducerId,
            Api::DescribeConfigs,
            Api::CreatePartitions,
            Api::IncrementalAlterConfigs,
            Api::DescribeClientQuotas,
            Api::AlterClientQuotas,
            Api::DescribeCluster,
        ];
        Arc::new(Offer::new(SERVED.iter().copied().map(Api::range), Features::default(), "cluster", Some(1)))
    }
}

/// The frame in pieces of seven bytes, of which only the first comes if it is `broken`.
fn pieces(frame: Bytes, broken: bool) -> Forward {
    Forward::new(frame.len(), Box::new(Pieces { frame, broken }))
}

struct Pieces {
    frame: Bytes,
    broken: bool,
}

impl AnswerBytes for Pieces {
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<std::io::Result<Bytes>>> {
        if self.frame.is_empty() {
            return Poll::Ready(None);
        }
        let piece = self.frame.split_to(self.frame.len().min(if self.frame.len() > 4096 { 4096 } else { 7 }));
        if self.broken && piece[..4] == [0; 4] {
            return Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())));
        }
        cx.waker().wake_by_ref();
        Poll::Ready(Some(Ok(piece)))
    }
}

/// The topic `orders` has the id of sevens.
struct OneTopic;

impl TopicNames for OneTopic {
    fn name_of(&self, id: Uuid) -> Option<Arc<str>> {
        (id == Uuid::from_bytes([7; 16])).then(|| Arc::from("orders"))
    }
}
