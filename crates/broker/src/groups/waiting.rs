//! Waiting for a parked join or sync, and noticing when the one who waits goes away.

use std::sync::Arc;

use super::coordinator::Inner;
use super::member::{Later, Ticket};

/// What a parked request waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    Join,
    Sync,
}

/// Waits for the answer; none only if the coordinator lost the request. A future that is dropped before the
/// answer is there, because its connection broke, takes its
/// request back: from then on only its session holds up a rebalance.
pub(super) async fn wait_for<T>(
    inner: &Arc<Inner>,
    group_id: &str,
    phase: Phase,
    later: Later<T>,
) -> Option<T> {
    let Later { member_id, ticket, reply } = later;
    let mut parked = Parked { inner, group_id, phase, member_id, ticket, answered: false };
    let answer = reply.await.ok();
    parked.answered = true;
    answer
}

struct Parked<'a> {
    inner: &'a Arc<Inner>,
    group_id: &'a str,
    phase: Phase,
    member_id: Arc<str>,
    ticket: Ticket,
    answered: bool,
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.inner.abandon(self.group_id, self.phase, &self.member_id, self.ticket);
        }
    }
}
