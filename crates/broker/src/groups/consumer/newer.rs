//! A consumer group as one of the newer kinds.

use std::collections::HashSet;
use std::sync::Arc;

use schloss_wire::Uuid;
use tokio::time::Instant;

use super::group::ConsumerGroup;
use super::member::Member;
use crate::groups::changes::Unwritten;
use crate::groups::config::GroupsConfig;
use crate::groups::kind::Kind;
use crate::groups::newer::{Entries, Newer};
use crate::groups::record::encode_changes;

impl Newer for ConsumerGroup {
    fn kind(&self) -> Kind {
        Kind::Consumer
    }

    fn state(&self) -> &'static str {
        if self.is_empty() {
            "Empty"
        } else if self.epoch > self.assignment_epoch {
            "Assigning"
        } else if self.members.values().all(|member| member.place.is_reconciled_to(self.assignment_epoch)) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    fn epoch(&self) -> i32 {
        self.epoch
    }

    fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn bytes(&self) -> usize {
        self.members.values().map(Member::bytes).sum()
    }

    fn subscribed(&self) -> HashSet<String> {
        self.names().map(ToString::to_string).collect()
    }

    fn next_deadline(&self) -> Option<Instant> {
        let members = self.members.values();
        members.flat_map(|member| member.place.rebalance_ends.into_iter().chain([member.session_ends])).min()
    }

    fn expire(&mut self, now: Instant) {
        let over = |member: &&Member| {
            member.session_ends <= now || member.place.rebalance_ends.is_some_and(|ends| ends <= now)
        };
        let gone: Vec<_> = self.members.values().filter(over).map(|member| Arc::clone(&member.id)).collect();
        self.remove(&gone);
    }

    fn restart(&mut self, now: Instant, config: &GroupsConfig) {
        self.resume(now, config.consumer_session_timeout);
    }

    fn news(&self, id: &str) -> Entries {
        encode_changes(id, self.unwritten())
    }

    fn all(&self, id: &str) -> Entries {
        encode_changes(id, self.whole())
    }

    fn mark_written(&mut self) {
        self.gone.clear();
        self.written = Some((self.epoch, self.assignment_epoch));
        for member in self.members.values_mut() {
            member.unwritten = Unwritten::NONE;
        }
    }

    fn member_epoch(&self, member_id: &str) -> Option<i32> {
        self.members.get(member_id).map(|member| member.place.epoch)
    }

    fn read_since(&self, member_id: &str, topic: Uuid, partition: i32) -> Option<i32> {
        self.members.get(member_id)?.place.held_since(&(topic, partition))
    }
}
