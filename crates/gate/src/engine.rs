//! What stands behind the gate.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schloss_policy::{Admitted, Subject, TopicNames};
use schloss_wire::{Principal, Response};

use crate::{Forward, Offer};

/// Who sent a request, proven by an authentication, and how it came.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is.
    pub principal: Principal,
    /// The groups that the proof or a directory says it is in; see [`Subject::groups`].
    pub groups: Arc<[Principal]>,
    /// The peer's address.
    pub address: SocketAddr,
    /// The client's own name for itself: untrusted text, at most 1 KiB; empty when none was sent.
    pub client_id: Arc<str>,
    /// Which connection of this process, counted from 1.
    pub connection_id: u64,
    /// The name of the listener that the connection came in through.
    pub listener: Arc<str>,
    /// The version the request was sent in; the answer is encoded in the same one.
    pub api_version: i16,
    /// The number that the client gave the request; an answer that is forwarded has to carry it.
    pub correlation_id: i32,
}

impl Caller {
    /// As policy sees it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject {
            principal: self.principal.clone(),
            groups: Arc::clone(&self.groups),
            host: self.address.ip().to_canonical(),
        }
    }
}

/// Where a connection came in. An engine of several brokers tells by it which one was meant.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// The name of the listener.
    pub listener: Arc<str>,
    /// The port that was connected to.
    pub port: u16,
    /// The host name that the client asked for in TLS (SNI), in lower case; none if it named an address.
    pub server_name: Option<Arc<str>>,
}

/// How an engine ends a request.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one for each request, moved twice: a box costs more than the bytes"
)]
pub enum Outcome {
    /// The answer, of the same API as the request.
    Reply(Response),
    /// The answer as another server made it, of the same API and version as the request.
    Forward(Forward),
    /// Nothing is sent: a produce request with `acks=0`.
    NoReply,
    /// The connection is closed after the answers before it: Kafka's way of telling an `acks=0` producer of
    /// an error, and what a client sees of a broker that went away.
    Close,
}

/// The machine behind the gate.
pub trait Engine: Send + Sync + 'static {
    /// What is served at this entrance, now. Asked once for each connection.
    fn offer(&self, entrance: &Entrance) -> Arc<Offer>;

    /// Begins to serve a connection whose peer is authenticated as `principal`.
    fn open(&self, entrance: &Entrance, principal: &Principal) -> Box<dyn EngineSession>;

    /// Whether it keeps client quotas itself: then the APIs over them are its own, and the gate knows of none. An
    /// engine that does not has [`QUOTA_APIS`](crate::QUOTA_APIS) in its offer, and the gate serves them.
    fn keeps_quotas(&self) -> bool;

    /// Why nobody is to be served for now, in words for log and audit trail. Asked before each log-in and each
    /// request: the connection ends, as that of a broker that went away, and clients try again.
    fn suspended(&self) -> Option<String> {
        None
    }

    /// Resolves topic ids before a request is authorized. Asked for once: it has to know of later changes.
    fn topics(&self) -> Arc<dyn TopicNames>;
}

/// One connection, as the engine sees it: admitted requests only.
pub trait EngineSession: Send {
    /// Serves one request.
    ///
    /// Order-sensitive work (an append, or putting a request into a queue) is done before this returns; waiting
    /// is done in the future. Requests are called in the order they came, and their futures are polled in that
    /// order. A future may be dropped before it ends when the peer of a `Fetch`, `ShareFetch`, `JoinGroup` or
    /// `SyncGroup` is gone; every other one is polled to its end.
    fn call(&mut self, caller: Caller, request: Admitted) -> BoxFuture<'static, Outcome>;
}
