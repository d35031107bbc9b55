//! A Streams group as one of the newer kinds.

use std::collections::HashSet;
use std::sync::Arc;

use schloss_wire::Uuid;
use tokio::time::Instant;

use super::group::StreamsGroup;
use super::member::Member;
use super::task::{Role, Task, TaskId};
use super::topology::Topology;
use crate::groups::changes::Unwritten;
use crate::groups::config::GroupsConfig;
use crate::groups::kind::Kind;
use crate::groups::newer::{Entries, Newer};
use crate::groups::record::encode_streams;

impl Newer for StreamsGroup {
    fn kind(&self) -> Kind {
        Kind::Streams
    }

    fn state(&self) -> &'static str {
        if self.is_empty() {
            "Empty"
        } else if !self.configured.is_ready() {
            "NotReady"
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
        let members = self.members.values().map(Member::bytes).sum::<usize>();
        members + self.topology.as_ref().map_or(0, Topology::bytes)
    }

    fn subscribed(&self) -> HashSet<String> {
        let topology = self.topology.iter().filter(|_| !self.is_empty());
        topology.flat_map(Topology::topics).cloned().collect()
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
        self.resume(now, config.streams_session_timeout);
    }

    fn news(&self, id: &str) -> Entries {
        encode_streams(id, self.unwritten_topology(), self.unwritten())
    }

    fn all(&self, id: &str) -> Entries {
        encode_streams(id, self.topology.as_ref(), self.whole())
    }

    fn mark_written(&mut self) {
        self.gone.clear();
        self.written = Some((self.epoch, self.assignment_epoch));
        self.is_topology_written = true;
        for member in self.members.values_mut() {
            member.unwritten = Unwritten::NONE;
        }
    }

    fn member_epoch(&self, member_id: &str) -> Option<i32> {
        self.members.get(member_id).map(|member| member.place.epoch)
    }

    fn read_since(&self, member_id: &str, topic: Uuid, partition: i32) -> Option<i32> {
        let member = self.members.get(member_id)?;
        let reads = |name: &String| self.shapes.get(name.as_str()).is_some_and(|shape| shape.id == topic);
        let subtopologies = self.topology.iter().flat_map(|topology| &topology.subtopologies);
        let mut reading = subtopologies.filter(|(_, subtopology)| subtopology.reads().any(reads));
        reading.find_map(|(id, _)| {
            let id = TaskId { subtopology: id.as_str().into(), partition };
            member.place.held_since(&Task { role: Role::Active, id })
        })
    }
}
