//! One member of a group and what it waits for.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schloss_wire::ErrorCode;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::messages::{Join, JoinRefused, JoinReply, Protocol, SyncReply};

/// The answer to a request: at hand, or promised.
pub(super) enum Answer<T> {
    Now(T),
    Later(Later<T>),
}

/// A promised answer, and how to find the promise again if the asker goes away.
pub(super) struct Later<T> {
    pub(super) member_id: Arc<str>,
    pub(super) ticket: Ticket,
    pub(super) reply: oneshot::Receiver<T>,
}

/// Tells a parked request from a later one of the same member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Ticket(pub(super) u64);

/// A parked request.
pub(super) struct Waiter<T> {
    pub(super) ticket: Ticket,
    reply: oneshot::Sender<T>,
}

impl<T> Waiter<T> {
    /// Parks a request of this member.
    pub(super) fn park(member_id: &Arc<str>, ticket: Ticket) -> (Self, Later<T>) {
        let (reply, receiver) = oneshot::channel();
        let later = Later { member_id: Arc::clone(member_id), ticket, reply: receiver };
        (Self { ticket, reply }, later)
    }

    /// Answers; whether the asker is still there shows in the guard of its future, not here.
    pub(super) fn answer(self, answer: T) {
        let _gone = self.reply.send(answer);
    }
}

/// A member of a group.
pub(super) struct Member {
    pub(super) id: Arc<str>,
    pub(super) instance_id: Option<Arc<str>>,
    pub(super) client_id: Arc<str>,
    pub(super) client_host: Arc<str>,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    pub(super) joining: Option<Waiter<JoinReply>>,
    pub(super) syncing: Option<Waiter<SyncReply>>,
    /// When the session ends; none while the coordinator owes the member an answer.
    pub(super) expires: Option<Instant>,
    /// The client has been told its id, so it can come back after its connection broke.
    pub(super) knows_its_id: bool,
}

impl Member {
    /// A member as its first join describes it; it waits for nothing yet.
    pub(super) fn new(id: Arc<str>, join: &Join) -> Self {
        Self {
            id,
            instance_id: join.instance_id.clone(),
            client_id: Arc::clone(&join.client_id),
            client_host: Arc::clone(&join.client_host),
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols.iter().map(Protocol::detached).collect(),
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            expires: None,
            knows_its_id: !join.member_id.is_empty(),
        }
    }

    /// Takes over what a later join says.
    pub(super) fn update(&mut self, join: &Join) {
        self.session_timeout = join.session_timeout;
        self.rebalance_timeout = join.rebalance_timeout;
        self.protocols = join.protocols.iter().map(Protocol::detached).collect();
    }

    /// Starts the session anew.
    pub(super) fn touch(&mut self, now: Instant) {
        self.expires = Some(now + self.session_timeout);
    }

    /// Whether this member offers a protocol of this name.
    pub(super) fn offers(&self, name: &str) -> bool {
        self.protocols.iter().any(|protocol| &*protocol.name == name)
    }

    /// What this member says about itself in a protocol, empty if it does not offer it.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|offered| &*offered.name == protocol)
            .map(|offered| offered.metadata.clone())
            .unwrap_or_default()
    }

    /// Bytes of what the member offers and is assigned.
    pub(super) fn bytes(&self) -> usize {
        self.protocols.iter().map(Protocol::bytes).sum::<usize>() + self.assignment.len()
    }

    /// Answers whatever this member waits for with an error.
    pub(super) fn fail_waiters(&mut self, code: ErrorCode) {
        if let Some(waiter) = self.joining.take() {
            let member_id =
                if code == ErrorCode::FencedInstanceId { Arc::clone(&self.id) } else { Arc::default() };
            waiter.answer(Err(JoinRefused { code, member_id }));
        }
        if let Some(waiter) = self.syncing.take() {
            waiter.answer(Err(code));
        }
    }
}
