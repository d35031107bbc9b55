//! Leading a member from what it owns to what it should own.
//!
//! A member first gives up what it should not own, in its old epoch, and says so by what it reports to own.
//! Then it enters the epoch of the target and gets what is free; what others have yet to give up comes with a
//! later heartbeat. So no partition is ever with two members.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;

use super::group::ConsumerGroup;
use super::member::{Held, Progress};
use super::topics::TopicPartition;

impl ConsumerGroup {
    /// Takes the next step of this member, if there is one to take.
    pub(super) fn reconcile(&mut self, now: Instant, id: &str, owned: Option<&BTreeSet<TopicPartition>>) {
        let epoch = self.assignment_epoch;
        let Self { members, owners, .. } = self;
        let Some(member) = members.get_mut(id) else { return };
        let waits = match member.progress {
            Progress::Stable => member.epoch == epoch,
            Progress::Unrevoked => may_own(&member.revoking, owned),
            Progress::Unreleased => false,
        };
        if waits {
            return;
        }
        let held: Vec<_> = member.held().collect();
        let (mut assigned, revoking): (Held, Held) = std::mem::take(&mut member.assigned)
            .into_iter()
            .partition(|(one, _)| member.target.contains(one));
        if !revoking.is_empty() && may_own(&revoking, owned) {
            member.enter_epoch(member.epoch);
            member.progress = Progress::Unrevoked;
            member.rebalance_ends = Some(now + member.rebalance_timeout);
            member.revoking = revoking;
        } else {
            let is_free = |one: &TopicPartition| owners.get(one).is_none_or(|owner| *owner == member.id);
            let wanted = member.target.iter().filter(|one| !assigned.contains_key(one));
            let (free, unreleased): (Vec<_>, Vec<_>) = wanted.copied().partition(is_free);
            assigned.extend(free.into_iter().map(|one| (one, epoch)));
            member.enter_epoch(epoch);
            member.progress = if unreleased.is_empty() { Progress::Stable } else { Progress::Unreleased };
            member.rebalance_ends = None;
            member.revoking = Held::new();
        }
        member.assigned = assigned;
        member.unwritten.place = true;
        for one in held {
            owners.remove(&one);
        }
        for one in member.held() {
            owners.insert(one, Arc::clone(&member.id));
        }
    }
}

/// Whether a member may still own some of this. One that doesn't say may.
fn may_own(revoking: &Held, owned: Option<&BTreeSet<TopicPartition>>) -> bool {
    owned.is_none_or(|owned| owned.iter().any(|one| revoking.contains_key(one)))
}
