//! A consumer group in the journal: what changed since it was last written.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use schloss_policy::Subject;
use schloss_wire::{Principal, Uuid};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::assignor::Assignor;
use super::group::ConsumerGroup;
use super::member::Member;
use super::topics::TopicPartition;
use crate::groups::changes::{Changes, Unwritten, Weighed};
use crate::groups::newer::Newer as _;
use crate::groups::place::{Held, Place, Progress};
use crate::hex_id;

/// Bytes of one partition, by estimate.
const PARTITION_BYTES: usize = 16;

/// Something that changed in a consumer group, or a part of it.
pub(in crate::groups) type ConsumerChanges<'a> = Changes<'a, MemberRow<'a>>;

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
    assigned: Vec<HeldRow>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    revoking: Vec<HeldRow>,
    target: Vec<TargetRow>,
}

/// What a member says of itself.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Who<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rack_id: Option<Cow<'a, str>>,
    client_id: Cow<'a, str>,
    client_host: Cow<'a, str>,
    principal: Principal,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<Principal>,
    host: IpAddr,
    rebalance_timeout_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assignor: Option<Assignor>,
    names: Vec<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pattern: Option<Cow<'a, str>>,
}

/// A topic, its partitions, and in which epoch the member got each.
#[derive(Debug, Deserialize, Serialize)]
struct HeldRow(#[serde(with = "hex_id")] Uuid, Vec<(i32, i32)>);

/// A topic and its partitions.
#[derive(Debug, Deserialize, Serialize)]
struct TargetRow(#[serde(with = "hex_id")] Uuid, Vec<i32>);

impl ConsumerGroup {
    /// What is not yet in the journal.
    pub(super) fn unwritten(&self) -> Vec<ConsumerChanges<'_>> {
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

    /// All of the group.
    pub(super) fn whole(&self) -> Vec<ConsumerChanges<'_>> {
        let rows = self.members.values().map(|member| row(member, true));
        Changes::split((self.epoch, self.assignment_epoch), true, Vec::new(), rows)
    }

    /// Takes over what the journal says.
    pub(in crate::groups) fn replay(&mut self, now: Instant, changes: ConsumerChanges<'_>) {
        if changes.afresh {
            *self = Self::new(0);
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
        (member.place.epoch, member.place.previous_epoch, member.place.progress) =
            (epoch, previous_epoch, progress);
        (member.place.assigned, member.place.revoking) = (to_held(assigned), to_held(revoking));
        member.place.target = to_target(target);
    }

    /// Makes a group that was replayed one that works: its members have a whole session to come back.
    pub(super) fn resume(&mut self, now: Instant, session_timeout: Duration) {
        let mut given = BTreeSet::new();
        for member in self.members.values_mut() {
            member.session_ends = now + session_timeout;
            member.place.rebalance_ends =
                (!member.place.revoking.is_empty()).then(|| now + member.rebalance_timeout);
            // A change that was cut off may have left a partition with the one before as well.
            member.place.target.retain(|one| given.insert(*one));
            if let Some(instance_id) = &member.instance_id {
                self.statics.insert(Arc::clone(instance_id), Arc::clone(&member.id));
            }
            for one in member.held() {
                self.owners.insert(one, Arc::clone(&member.id));
            }
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
        let held = self.assigned.iter().chain(&self.revoking).map(|row| row.1.len()).sum::<usize>();
        let target = self.target.iter().map(|row| row.1.len()).sum::<usize>();
        let names = self.who.iter().flat_map(|who| &who.names).map(|name| 4 + name.len()).sum::<usize>();
        6 * (256 + self.id.len() + names) + (held + target) * PARTITION_BYTES
    }
}

fn row(member: &Member, with_who: bool) -> MemberRow<'_> {
    MemberRow {
        id: Cow::Borrowed(&member.id),
        who: with_who.then(|| Who::of(member)),
        epoch: member.place.epoch,
        previous_epoch: member.place.previous_epoch,
        progress: member.place.progress,
        assigned: held_rows(&member.place.assigned),
        revoking: held_rows(&member.place.revoking),
        target: target_rows(&member.place.target),
    }
}

fn held_rows(held: &Held<TopicPartition>) -> Vec<HeldRow> {
    let mut topics: BTreeMap<Uuid, Vec<(i32, i32)>> = BTreeMap::new();
    for ((topic, number), epoch) in held {
        topics.entry(*topic).or_default().push((*number, *epoch));
    }
    topics.into_iter().map(|(topic, rows)| HeldRow(topic, rows)).collect()
}

fn target_rows(target: &BTreeSet<TopicPartition>) -> Vec<TargetRow> {
    let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
    for (topic, number) in target {
        topics.entry(*topic).or_default().push(*number);
    }
    topics.into_iter().map(|(topic, numbers)| TargetRow(topic, numbers)).collect()
}

fn to_held(rows: Vec<HeldRow>) -> Held<TopicPartition> {
    let of_topic =
        |HeldRow(topic, rows): HeldRow| rows.into_iter().map(move |(number, epoch)| ((topic, number), epoch));
    rows.into_iter().flat_map(of_topic).collect()
}

fn to_target(rows: Vec<TargetRow>) -> BTreeSet<TopicPartition> {
    let of_topic =
        |TargetRow(topic, numbers): TargetRow| numbers.into_iter().map(move |number| (topic, number));
    rows.into_iter().flat_map(of_topic).collect()
}

impl<'a> Who<'a> {
    fn of(member: &'a Member) -> Self {
        Self {
            instance_id: borrow_if_any(member.instance_id.as_ref()),
            rack_id: borrow_if_any(member.rack_id.as_ref()),
            client_id: Cow::Borrowed(&member.client_id),
            client_host: Cow::Borrowed(&member.client_host),
            principal: member.subject.principal.clone(),
            groups: member.subject.groups.to_vec(),
            host: member.subject.host,
            rebalance_timeout_ms: u64::try_from(member.rebalance_timeout.as_millis()).unwrap_or(u64::MAX),
            assignor: member.assignor,
            names: member.names.iter().map(|name| Cow::Borrowed(&**name)).collect(),
            pattern: borrow_if_any(member.pattern.as_ref()),
        }
    }

    fn into_member(self, id: Arc<str>, now: Instant) -> Member {
        let own = |text: Cow<'_, str>| Arc::from(&*text);
        Member {
            id,
            instance_id: self.instance_id.map(own),
            rack_id: self.rack_id.map(own),
            client_id: own(self.client_id),
            client_host: own(self.client_host),
            subject: Subject { principal: self.principal, groups: self.groups.into(), host: self.host },
            rebalance_timeout: Duration::from_millis(self.rebalance_timeout_ms),
            assignor: self.assignor,
            names: self.names.into_iter().map(own).collect(),
            pattern: self.pattern.map(own),
            resolution: None,
            place: Place::default(),
            session_ends: now,
            unwritten: Unwritten::NONE,
        }
    }
}

fn borrow_if_any(text: Option<&Arc<str>>) -> Option<Cow<'_, str>> {
    text.map(|text| Cow::Borrowed(&**text))
}
