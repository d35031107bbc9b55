//! What stands behind the gate.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schloss_policy::{Admitted, TopicNames};
use schloss_wire::{Api, Principal, Response};

/// Who sent a request, proven by an authentication, and how it came.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is.
    pub principal: Principal,
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
}

/// How an engine ends a request.
#[derive(Debug)]
pub enum Outcome {
    /// The answer, of the same API as the request.
    Reply(Response),
    /// Nothing is sent: a produce request with `acks=0`.
    NoReply,
    /// The connection is closed after the answers before it: Kafka's way of telling an `acks=0` producer of
    /// an error.
    Close,
}

/// The machine behind the gate: it sees admitted requests only.
pub trait Engine: Send + Sync + 'static {
    /// Serves one request.
    ///
    /// Order-sensitive work (an append) is done before this returns; waiting is done in the future. Requests
    /// of one connection are called in the order they came. The future may be dropped before it ends when the
    /// peer of a `Fetch`, `JoinGroup` or `SyncGroup` is gone; every other one is polled to its end.
    fn call(&self, caller: Caller, request: Admitted) -> BoxFuture<'static, Outcome>;

    /// Resolves topic ids before a request is authorized.
    fn topics(&self) -> Arc<dyn TopicNames>;

    /// The APIs that the engine serves. The gate itself adds 17, 18, 29 to 31, 36, 50 and 51.
    fn apis(&self) -> &'static [Api];
}
