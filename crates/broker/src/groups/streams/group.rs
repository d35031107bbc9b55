//! The state of one Streams group, and what moves its epoch.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use tokio::time::Instant;

use super::assignor::{Candidate, assign};
use super::configure::{Configured, Shapes, configure};
use super::member::Member;
use super::task::{Role, Task, TaskId};
use super::topology::Topology;
use crate::groups::consumer::Topics;
use crate::groups::refused::{Refused, unknown_member};

/// The first epoch in which tasks are given out. Members that wait for that are in the one before, and none
/// is in that of a member that joins.
const FIRST_EPOCH: i32 = 2;

/// Members, topology, epochs and assignments of one group.
#[derive(Debug)]
pub(crate) struct StreamsGroup {
    /// Moves with whatever changes who should have which task.
    pub(super) epoch: i32,
    /// The epoch that the members' targets were made for.
    pub(super) assignment_epoch: i32,
    pub(super) members: BTreeMap<Arc<str>, Member>,
    pub(super) topology: Option<Topology>,
    /// The topics of the topology that exist.
    pub(super) shapes: Shapes,
    /// What the topology comes to with these topics.
    pub(super) configured: Configured,
    /// The version of the topics that were last looked at.
    seen: Option<u64>,
    /// The copies of state that the targets were made with.
    pub(super) standbys: usize,
    /// Until when the group waits for more members.
    pub(super) assign_after: Option<Instant>,
    /// The member that asked for the end of the application.
    pub(super) shut_down_by: Option<Arc<str>>,
    /// Moves with what is behind endpoints. It starts again with the coordinator, and members hear all anew
    /// then.
    pub(super) endpoint_epoch: i32,
    /// Members that are out, which the journal doesn't say yet.
    pub(super) gone: BTreeSet<Arc<str>>,
    /// The epochs that the journal has; none if it has nothing of this group.
    pub(super) written: Option<(i32, i32)>,
    pub(super) is_topology_written: bool,
    /// While the journal is read: a change was cut off.
    pub(super) torn: bool,
}

impl StreamsGroup {
    /// A group without members, whose epochs go on from this one.
    pub(in crate::groups) fn new(epoch: i32) -> Self {
        Self {
            epoch,
            assignment_epoch: epoch,
            members: BTreeMap::new(),
            topology: None,
            shapes: Shapes::new(),
            configured: Configured::default(),
            seen: None,
            standbys: 0,
            assign_after: None,
            shut_down_by: None,
            endpoint_epoch: 0,
            gone: BTreeSet::new(),
            written: None,
            is_topology_written: false,
            torn: false,
        }
    }

    /// The member of this id.
    pub(super) fn member(&self, id: &str) -> Result<&Member, Refused> {
        self.members.get(id).ok_or_else(|| unknown_member(id))
    }

    pub(super) fn bump(&mut self) {
        self.epoch = self.epoch.saturating_add(1).max(FIRST_EPOCH);
    }

    /// Whether it is known what the topology comes to, which it is not after a start.
    pub(super) fn has_seen_topics(&self) -> bool {
        self.seen.is_some()
    }

    /// Looks at the topics if there may be something new about them. Whether there is.
    pub(super) fn look_at_topics(&mut self, topics: &dyn Topics, has_new_topology: bool) -> bool {
        let Some(topology) = &self.topology else { return false };
        if !has_new_topology && self.seen == Some(topics.version()) {
            return false;
        }
        self.seen = Some(topics.version());
        let shape = |name: &String| Some((Arc::from(name.as_str()), topics.find(name)?));
        let shapes: Shapes = topology.topics().filter_map(shape).collect();
        let configured = configure(topology, &shapes);
        let is_new = has_new_topology || (&shapes, &configured) != (&self.shapes, &self.configured);
        (self.shapes, self.configured) = (shapes, configured);
        is_new
    }

    /// Makes the target assignment of the group's epoch. Nobody has a task while the topology is not ready.
    pub(super) fn assign(&mut self) {
        let candidate = |member: &Member| Candidate {
            process: Arc::clone(&member.process_id),
            before: member.place.target.clone(),
        };
        let candidates =
            self.members.iter().map(|(id, member)| (Arc::clone(id), candidate(member))).collect();
        let mut target = match self.configured.is_ready() {
            true => assign(&self.configured.subtopologies, &candidates, self.standbys),
            false => BTreeMap::new(),
        };
        for (id, member) in &mut self.members {
            let target = target.remove(id).unwrap_or_default();
            member.unwritten.place |= target != member.place.target;
            member.place.target = target;
        }
        self.assignment_epoch = self.epoch;
    }

    /// Takes the next step of this member, if there is one to take.
    pub(super) fn reconcile(&mut self, now: Instant, id: &str, owned: Option<&BTreeSet<Task>>) {
        let epoch = self.assignment_epoch.max(1);
        let Some(member) = self.members.get(id).filter(|member| !member.place.is_reconciled_to(epoch)) else {
            return;
        };
        let others = self.members.values().filter(|other| other.id != member.id);
        // A task is active with one member, and once on the disk of a process.
        let (mut active, mut on_disk): (HashSet<&TaskId>, HashSet<&TaskId>) = Default::default();
        for other in others {
            for task in other.place.held() {
                if task.role == Role::Active {
                    active.insert(&task.id);
                }
                if other.process_id == member.process_id {
                    on_disk.insert(&task.id);
                }
            }
        }
        let is_free = |task: &Task| {
            !on_disk.contains(&task.id) && (task.role == Role::Standby || !active.contains(&task.id))
        };
        let mut place = member.place.clone();
        let rebalance_ends = now + member.rebalance_timeout;
        if place.advance(epoch, owned, rebalance_ends, is_free)
            && let Some(member) = self.members.get_mut(id)
        {
            member.place = place;
            member.unwritten.place = true;
        }
    }
}
