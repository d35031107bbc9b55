//! A Streams group in the journal: what changed since it was last written.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::endpoints::Endpoint;
use super::group::StreamsGroup;
use super::member::Member;
use super::task::{Role, Task, TaskId};
use super::topology::Topology;
use crate::groups::changes::{Changes, Unwritten, Weighed};
use crate::groups::newer::Newer as _;
use crate::groups::place::{Held, Place, Progress};

/// Bytes of one task, by estimate.
const TASK_BYTES: usize = 16;

/// Something that changed in a Streams group, or a part of it.
pub(in crate::groups) type StreamsChanges<'a> = Changes<'a, MemberRow<'a>>;

/// A member.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::groups) struct MemberRow<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    /// None if it is as it was.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    who: Option<Who<'a>>,
    epoch: i32,
    previous_epoch: i32,
    progress: Progress,
    #[serde(borrow)]
    assigned: Vec<HeldRow<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    revoking: Vec<HeldRow<'a>>,
    #[serde(borrow)]
    target: Vec<TargetRow<'a>>,
}

/// What a member says of itself.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Who<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rack_id: Option<Cow<'a, str>>,
    client_id: Cow<'a, str>,
    client_host: Cow<'a, str>,
    process_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<Cow<'a, Endpoint>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    topology_epoch: i32,
    rebalance_timeout_ms: u64,
}

/// Role, subtopology, its tasks, and in which epoch the member got each.
#[derive(Debug, Deserialize, Serialize)]
struct HeldRow<'a>(Role, #[serde(borrow)] Cow<'a, str>, Vec<(i32, i32)>);

/// Role, subtopology and its tasks.
#[derive(Debug, Deserialize, Serialize)]
struct TargetRow<'a>(Role, #[serde(borrow)] Cow<'a, str>, Vec<i32>);

impl StreamsGroup {
    /// The topology, if the journal doesn't have it yet.
    pub(super) fn unwritten_topology(&self) -> Option<&Topology> {
        self.topology.as_ref().filter(|_| !self.is_topology_written)
    }

    /// What else is not yet in the journal.
    pub(super) fn unwritten(&self) -> Vec<StreamsChanges<'_>> {
        let changed: Vec<_> =
            self.members.values().filter(|member| member.unwritten != Unwritten::NONE).collect();
        let epochs = (self.epoch, self.assignment_epoch);
        if changed.is_empty() && self.gone.is_empty() && self.written == Some(epochs) {
            return Vec::new();
        }
        let gone = self.gone.iter().map(|id| Cow::Borrowed(&**id)).collect();
        let rows = changed.into_iter().map(|one| row(one, one.unwritten.who));
        Changes::split(epochs, self.written.is_none(), gone, rows)
    }

    /// All of the group but its topology.
    pub(super) fn whole(&self) -> Vec<StreamsChanges<'_>> {
        let rows = self.members.values().map(|member| row(member, true));
        Changes::split((self.epoch, self.assignment_epoch), true, Vec::new(), rows)
    }

    /// Takes over the topology that the journal has.
    pub(in crate::groups) fn replay_topology(&mut self, topology: Topology) {
        self.topology = Some(topology);
    }

    /// Takes over what else the journal says. The topology comes before and stays.
    pub(in crate::groups) fn replay(&mut self, now: Instant, changes: StreamsChanges<'_>) {
        if changes.afresh {
            let topology = self.topology.take();
            *self = Self::new(0);
            self.topology = topology;
        }
        self.epoch = changes.epoch;
        self.assignment_epoch = changes.assignment_epoch;
        self.torn = changes.unfinished;
        for id in &changes.gone {
            self.members.remove(&**id);
        }
        for row in changes.members {
            self.replay_member(now, row);
        }
    }

    fn replay_member(&mut self, now: Instant, row: MemberRow<'_>) {
        let MemberRow { id, who, epoch, previous_epoch, progress, assigned, revoking, target } = row;
        let id: Arc<str> = Arc::from(&*id);
        if let Some(who) = who {
            self.members.insert(Arc::clone(&id), who.into_member(Arc::clone(&id), now));
        }
        let Some(member) = self.members.get_mut(&id) else { return };
        member.place = Place {
            epoch,
            previous_epoch,
            progress,
            assigned: to_held(assigned),
            revoking: to_held(revoking),
            target: to_target(target),
            rebalance_ends: None,
        };
    }

    /// Makes a group that was replayed one that works: its members have a whole session to come back.
    pub(super) fn resume(&mut self, now: Instant, session_timeout: Duration) {
        let mut given = BTreeSet::new();
        for member in self.members.values_mut() {
            member.session_ends = now + session_timeout;
            let place = &mut member.place;
            place.rebalance_ends = (!place.revoking.is_empty()).then(|| now + member.rebalance_timeout);
            // A change that was cut off may have left a task with the one before as well.
            place.target.retain(|one| one.role != Role::Active || given.insert(one.clone()));
        }
        self.mark_written();
        if std::mem::take(&mut self.torn) {
            self.bump();
        }
    }
}

impl Weighed for MemberRow<'_> {
    /// JSON may write one byte of text as six.
    fn bytes(&self) -> usize {
        let rows = self.assigned.iter().chain(&self.revoking);
        let held = rows.map(|row| 6 * (16 + row.1.len()) + row.2.len() * TASK_BYTES).sum::<usize>();
        let target = self.target.iter().map(|row| 6 * (16 + row.1.len()) + row.2.len() * TASK_BYTES);
        let tags = self.who.iter().flat_map(|who| &who.tags).map(|(key, value)| 8 + key.len() + value.len());
        6 * (256 + self.id.len() + tags.sum::<usize>()) + held + target.sum::<usize>()
    }
}

fn row(member: &Member, with_who: bool) -> MemberRow<'_> {
    let place = &member.place;
    MemberRow {
        id: Cow::Borrowed(&member.id),
        who: with_who.then(|| Who::of(member)),
        epoch: place.epoch,
        previous_epoch: place.previous_epoch,
        progress: place.progress,
        assigned: held_rows(&place.assigned),
        revoking: held_rows(&place.revoking),
        target: target_rows(&place.target),
    }
}

fn held_rows(held: &Held<Task>) -> Vec<HeldRow<'_>> {
    let mut rows: BTreeMap<(Role, &str), Vec<(i32, i32)>> = BTreeMap::new();
    for (task, epoch) in held {
        rows.entry((task.role, &*task.id.subtopology)).or_default().push((task.id.partition, *epoch));
    }
    rows.into_iter().map(|((role, id), tasks)| HeldRow(role, Cow::Borrowed(id), tasks)).collect()
}

fn target_rows(target: &BTreeSet<Task>) -> Vec<TargetRow<'_>> {
    let mut rows: BTreeMap<(Role, &str), Vec<i32>> = BTreeMap::new();
    for task in target {
        rows.entry((task.role, &*task.id.subtopology)).or_default().push(task.id.partition);
    }
    rows.into_iter().map(|((role, id), tasks)| TargetRow(role, Cow::Borrowed(id), tasks)).collect()
}

fn to_held(rows: Vec<HeldRow<'_>>) -> Held<Task> {
    let of_row = |HeldRow(role, id, tasks): HeldRow<'_>| {
        let id: Arc<str> = Arc::from(&*id);
        tasks.into_iter().map(move |(partition, epoch)| (task(role, &id, partition), epoch))
    };
    rows.into_iter().flat_map(of_row).collect()
}

fn to_target(rows: Vec<TargetRow<'_>>) -> BTreeSet<Task> {
    let of_row = |TargetRow(role, id, tasks): TargetRow<'_>| {
        let id: Arc<str> = Arc::from(&*id);
        tasks.into_iter().map(move |partition| task(role, &id, partition))
    };
    rows.into_iter().flat_map(of_row).collect()
}

fn task(role: Role, subtopology: &Arc<str>, partition: i32) -> Task {
    Task { role, id: TaskId { subtopology: Arc::clone(subtopology), partition } }
}

impl<'a> Who<'a> {
    fn of(member: &'a Member) -> Self {
        let tag =
            |(key, value): (&'a String, &'a String)| (Cow::from(key.as_str()), Cow::from(value.as_str()));
        Self {
            rack_id: member.rack_id.as_deref().map(Cow::Borrowed),
            client_id: Cow::Borrowed(&member.client_id),
            client_host: Cow::Borrowed(&member.client_host),
            process_id: Cow::Borrowed(&member.process_id),
            endpoint: member.endpoint.as_ref().map(Cow::Borrowed),
            tags: member.tags.iter().map(tag).collect(),
            topology_epoch: member.topology_epoch,
            rebalance_timeout_ms: u64::try_from(member.rebalance_timeout.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn into_member(self, id: Arc<str>, now: Instant) -> Member {
        let own = |text: Cow<'_, str>| Arc::from(&*text);
        Member {
            id,
            rack_id: self.rack_id.map(own),
            client_id: own(self.client_id),
            client_host: own(self.client_host),
            process_id: own(self.process_id),
            endpoint: self.endpoint.map(Cow::into_owned),
            tags: self.tags.into_iter().map(|(key, value)| (key.into_owned(), value.into_owned())).collect(),
            topology_epoch: self.topology_epoch,
            rebalance_timeout: Duration::from_millis(self.rebalance_timeout_ms),
            place: Place::default(),
            session_ends: now,
            unwritten: Unwritten::NONE,
        }
    }
}
