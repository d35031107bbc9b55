//! Leading a member from what it owns to what it should own.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;

use super::group::ConsumerGroup;
use super::topics::TopicPartition;

impl ConsumerGroup {
    /// Takes the next step of this member, if there is one to take.
    pub(super) fn reconcile(&mut self, now: Instant, id: &str, owned: Option<&BTreeSet<TopicPartition>>) {
        let Self { members, owners, .. } = self;
        let Some(member) = members.get_mut(id) else { return };
        let held: Vec<_> = member.held().collect();
        let is_free = |one: &TopicPartition| owners.get(one).is_none_or(|owner| *owner == member.id);
        let rebalance_ends = now + member.rebalance_timeout;
        if !member.place.advance(self.assignment_epoch, owned, rebalance_ends, is_free) {
            return;
        }
        member.unwritten.place = true;
        for one in held {
            owners.remove(&one);
        }
        for one in member.held() {
            owners.insert(one, Arc::clone(&member.id));
        }
    }
}
