//! What a group does when nobody asks it to: sessions, and the ends of the two phases of a rebalance.

use tokio::time::Instant;

use super::config::GroupsConfig;
use super::membership::{GroupState, Membership};

impl Membership {
    /// The next time at which [`Self::expire`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.members
            .values()
            .filter_map(|member| member.expires)
            .chain(self.pending.values().copied())
            .chain(self.join_deadline)
            .chain(self.sync_deadline)
            .min()
    }

    /// Meets every deadline that has come.
    pub(super) fn expire(&mut self, now: Instant, config: &GroupsConfig) {
        self.expire_sessions(now, config);
        if self.join_deadline.is_some_and(|deadline| deadline <= now) {
            self.expire_join_phase(now, config);
        }
        if self.sync_deadline.is_some_and(|deadline| deadline <= now) {
            self.expire_sync_phase(now, config);
        }
    }

    fn expire_sessions(&mut self, now: Instant, config: &GroupsConfig) {
        let over = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        let failed = self.members.values().filter(|member| over(member.expires)).map(|member| &member.id);
        let unclaimed = self.pending.iter().filter(|(_, until)| over(Some(**until))).map(|(id, _)| id);
        let gone: Vec<_> = failed.chain(unclaimed).cloned().collect();
        let mut members_left = false;
        for id in &gone {
            members_left |= self.members.contains_key(id);
            self.remove(id);
        }
        if members_left {
            self.after_departure(now, config);
        } else if !gone.is_empty() && self.state == GroupState::PreparingRebalance {
            self.finish_joining_if_complete(now);
        }
        if !gone.is_empty() && self.is_deserted() {
            self.empty_since = now;
        }
    }

    fn expire_join_phase(&mut self, now: Instant, config: &GroupsConfig) {
        match &mut self.initial {
            Some(delay) if delay.member_added && !delay.remaining.is_zero() => {
                let step = config.initial_rebalance_delay.min(delay.remaining);
                delay.member_added = false;
                delay.remaining -= step;
                self.join_deadline = Some(now + step);
            }
            _ => self.finish_joining(now),
        }
    }

    fn expire_sync_phase(&mut self, now: Instant, config: &GroupsConfig) {
        self.sync_deadline = None;
        let silent = std::mem::take(&mut self.unsynced);
        if silent.is_empty() {
            return;
        }
        for id in &silent {
            self.remove(id);
        }
        self.after_departure(now, config);
    }
}
