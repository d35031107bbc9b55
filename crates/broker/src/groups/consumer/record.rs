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
use super::member::{Held, Member, Progress};
use super::topics::TopicPartition;
use crate::hex_id;

/// About how many bytes one entry may hold; a larger change becomes several.
const TARGET_ENTRY_BYTES: usize = 1024 * 1024;
/// Bytes of one partition, by estimate.
const PARTITION_BYTES: usize = 16;

/// Something that changed, or a part of it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::groups) struct Changes<'a> {
    /// What was written of the group before counts no longer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    afresh: bool,
    /// More of the same change follows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unfinished: bool,
    epoch: i32,
    assignment_epoch: i32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    members: Vec<MemberRow<'a>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct MemberRow<'a> {
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

/// What of a member is not yet in the journal as it is in memory.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Unwritten {
    pub(super) who: bool,
    /// Its epochs and partitions.
    pub(super) place: bool,
}

impl Unwritten {
    pub(super) const ALL: Self = Self { who: true, place: true };
    const NONE: Self = Self { who: false, place: false };
}

impl ConsumerGroup {
    /// What is not yet in the journal.
    pub(in crate::groups) fn unwritten(&self) -> Vec<Changes<'_>> {
        let changed: Vec<_> =
            self.members.values().filter(|member| member.unwritten != Unwritten::NONE).collect();
        let epochs = (self.epoch, self.assignment_epoch);
        if changed.is_empty() && self.gone.is_empty() && self.written == Some(epochs) {
            return Vec::new();
        }
        let gone = self.gone.iter().map(|id| Cow::Borrowed(&**id)).collect();
        self.split(self.written.is_none(), gone, changed.into_iter().map(|one| row(one, one.unwritten.who)))
    }

    /// All of the group.
    pub(in crate::groups) fn whole(&self) -> Vec<Changes<'_>> {
        self.split(true, Vec::new(), self.members.values().map(|member| row(member, true)))
    }

    /// Remembers that what [`Self::unwritten`] told is in the journal.
    pub(in crate::groups) fn mark_written(&mut self) {
        self.gone.clear();
        self.written = Some((self.epoch, self.assignment_epoch));
        for member in self.members.values_mut() {
            member.unwritten = Unwritten::NONE;
        }
    }

    fn split<'a>(
        &self,
        afresh: bool,
        gone: Vec<Cow<'a, str>>,
        rows: impl Iterator<Item = MemberRow<'a>>,
    ) -> Vec<Changes<'a>> {
        let Self { epoch, assignment_epoch, .. } = *self;
        let part = |afresh, gone| Changes {
            afresh,
            unfinished: true,
            epoch,
            assignment_epoch,
            gone,
            members: Vec::new(),
        };
        let mut parts = Vec::new();
        let (mut last, mut bytes) = (part(afresh, gone), 0);
        for row in rows {
            let more = row.bytes();
            if bytes > 0 && bytes + more > TARGET_ENTRY_BYTES {
                parts.push(std::mem::replace(&mut last, part(false, Vec::new())));
                bytes = 0;
            }
            bytes += more;
            last.members.push(row);
        }
        last.unfinished = false;
        parts.push(last);
        parts
    }

    /// Takes over what the journal says.
    pub(in crate::groups) fn replay(&mut self, now: Instant, changes: Changes<'_>) {
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
        (member.epoch, member.previous_epoch, member.progress) = (epoch, previous_epoch, progress);
        (member.assigned, member.revoking) = (to_held(assigned), to_held(revoking));
        member.target = to_target(target);
    }

    /// Makes a group that was replayed one that works: its members have a whole session to come back.
    pub(in crate::groups) fn resume(&mut self, now: Instant, session_timeout: Duration) {
        let mut given = BTreeSet::new();
        for member in self.members.values_mut() {
            member.session_ends = now + session_timeout;
            member.rebalance_ends = (!member.revoking.is_empty()).then(|| now + member.rebalance_timeout);
            // A change that was cut off may have left a partition with the one before as well.
            member.target.retain(|one| given.insert(*one));
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

impl MemberRow<'_> {
    /// Bytes of the row, by estimate. JSON may write one byte of text as six.
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
        epoch: member.epoch,
        previous_epoch: member.previous_epoch,
        progress: member.progress,
        assigned: held_rows(&member.assigned),
        revoking: held_rows(&member.revoking),
        target: target_rows(&member.target),
    }
}

fn held_rows(held: &Held) -> Vec<HeldRow> {
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

fn to_held(rows: Vec<HeldRow>) -> Held {
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
            epoch: 0,
            previous_epoch: 0,
            progress: Progress::Stable,
            assigned: Held::new(),
            revoking: Held::new(),
            target: BTreeSet::new(),
            session_ends: now,
            rebalance_ends: None,
            unwritten: Unwritten::NONE,
        }
    }
}

fn borrow_if_any(text: Option<&Arc<str>>) -> Option<Cow<'_, str>> {
    text.map(|text| Cow::Borrowed(&**text))
}
