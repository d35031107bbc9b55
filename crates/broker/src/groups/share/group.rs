//! The state of one share group: members, epochs and assignments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::beat::ShareBeat;
use super::simple;
use crate::groups::config::GroupsConfig;
use crate::groups::consumer::{BeatReply, SeenTopics, TopicPartition, Topics, Wish, Wishes};
use crate::groups::place::JOINING;
use crate::groups::refused::{Refused, full, unknown_member};

/// What one assigned partition takes, by estimate.
const PARTITION_BYTES: usize = 96;

/// Members, epochs and assignments of one group.
#[derive(Debug)]
pub(crate) struct ShareGroup {
    /// Moves with whatever changes who should look at what.
    pub(super) epoch: i32,
    /// The epoch that the members' targets were made for.
    pub(super) assignment_epoch: i32,
    pub(super) members: BTreeMap<Arc<str>, Member>,
    topics: SeenTopics,
    /// The epoch that the journal has; none if it has nothing of this group.
    pub(super) written: Option<i32>,
}

/// A member of a share group.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: Arc<str>,
    pub(super) rack_id: Option<Arc<str>>,
    pub(super) client_id: Arc<str>,
    pub(super) client_host: Arc<str>,
    pub(super) names: BTreeSet<Arc<str>>,
    pub(super) epoch: i32,
    /// The epoch before the last step: a member that missed the answer still comes with it.
    previous_epoch: i32,
    /// What it was told to look at.
    pub(super) assigned: BTreeSet<TopicPartition>,
    /// What it should look at.
    target: BTreeSet<TopicPartition>,
    pub(super) session_ends: Instant,
}

impl ShareGroup {
    /// A group without members.
    pub(in crate::groups) fn new() -> Self {
        Self {
            epoch: 0,
            assignment_epoch: 0,
            members: BTreeMap::new(),
            topics: SeenTopics::default(),
            written: None,
        }
    }

    /// A group as the journal has it: its members have to join again.
    pub(in crate::groups) fn replayed(epoch: i32) -> Self {
        Self { epoch, assignment_epoch: epoch, written: Some(epoch), ..Self::new() }
    }

    /// A heartbeat of a member that joins or stays. A refusal leaves the group as it was.
    pub(in crate::groups) fn heartbeat(
        &mut self,
        now: Instant,
        config: &GroupsConfig,
        beat: &ShareBeat,
        topics: &dyn Topics,
    ) -> Result<BeatReply, Refused> {
        self.check(config, beat)?;
        let is_new = !self.members.contains_key(&beat.member_id);
        let member =
            self.members.entry(Arc::clone(&beat.member_id)).or_insert_with(|| Member::new(beat, now));
        let subscribed = member.update(beat) | is_new;
        if self.look_at_topics(topics, subscribed) || subscribed {
            self.epoch = self.epoch.saturating_add(1);
        }
        if self.epoch > self.assignment_epoch {
            self.assign();
        }
        let epoch = self.assignment_epoch;
        match self.members.get_mut(&beat.member_id) {
            Some(member) => Ok(member.answer(now, beat, epoch)),
            None => Err(unknown_member(&beat.member_id)),
        }
    }

    /// The last heartbeat of a member.
    pub(in crate::groups) fn leave(&mut self, beat: &ShareBeat) -> Result<BeatReply, Refused> {
        if !self.members.contains_key(&beat.member_id) {
            return Err(unknown_member(&beat.member_id));
        }
        self.remove(&[Arc::clone(&beat.member_id)]);
        Ok(BeatReply {
            member_id: Arc::clone(&beat.member_id),
            epoch: beat.epoch,
            interval: Duration::ZERO,
            assignment: None,
        })
    }

    /// Whether this member may come with this epoch: its own, or the one before if it missed the last answer.
    fn check(&self, config: &GroupsConfig, beat: &ShareBeat) -> Result<(), Refused> {
        let Some(member) = self.members.get(&beat.member_id) else {
            if beat.epoch != JOINING {
                return Err(unknown_member(&beat.member_id));
            }
            if self.members.len() >= config.max_group_size {
                return Err(full(self.members.len()));
            }
            return Ok(());
        };
        if [JOINING, member.epoch, member.previous_epoch].contains(&beat.epoch) {
            return Ok(());
        }
        Err(Refused::new(
            ErrorCode::FencedMemberEpoch,
            format_args!(
                "the member has another epoch ({}) than the coordinator knows ({}): it must join again",
                beat.epoch, member.epoch
            ),
        ))
    }

    /// Looks at the topics if there may be something new about them. Whether there is.
    fn look_at_topics(&mut self, topics: &dyn Topics, subscribed_anew: bool) -> bool {
        if !subscribed_anew && self.topics.are_of(topics.version()) {
            return false;
        }
        let names = self.names();
        self.topics.look(topics, &names)
    }

    /// The names of all topics that any member is subscribed to.
    pub(super) fn names(&self) -> BTreeSet<Arc<str>> {
        self.members.values().flat_map(|member| &member.names).cloned().collect()
    }

    /// Makes the target assignment of the group's epoch.
    fn assign(&mut self) {
        let wish = |member: &Member| Wish {
            instance_id: None,
            topics: self.topics.ids(member.names.iter()),
            before: member.target.clone(),
        };
        let wishes = Wishes {
            topics: self.topics.partitions(),
            members: self.members.iter().map(|(id, member)| (Arc::clone(id), wish(member))).collect(),
        };
        let mut target = simple::assign(&wishes);
        for (id, member) in &mut self.members {
            member.target = target.remove(id).unwrap_or_default();
        }
        self.assignment_epoch = self.epoch;
    }

    /// What they should have looked at is given to others with the next heartbeat.
    pub(super) fn remove(&mut self, ids: &[Arc<str>]) {
        let before = self.members.len();
        for id in ids {
            self.members.remove(id);
        }
        if self.members.len() < before {
            let names = self.names();
            self.topics.keep_only(&names);
            self.epoch = self.epoch.saturating_add(1);
        }
    }
}

impl Member {
    fn new(beat: &ShareBeat, now: Instant) -> Self {
        Self {
            id: Arc::clone(&beat.member_id),
            rack_id: None,
            client_id: Arc::clone(&beat.client_id),
            client_host: Arc::clone(&beat.client_host),
            names: BTreeSet::new(),
            epoch: 0,
            previous_epoch: 0,
            assigned: BTreeSet::new(),
            target: BTreeSet::new(),
            session_ends: now,
        }
    }

    /// Takes over what it says of itself. Whether its subscription is another one now.
    fn update(&mut self, beat: &ShareBeat) -> bool {
        self.client_id = Arc::clone(&beat.client_id);
        self.client_host = Arc::clone(&beat.client_host);
        if beat.rack_id.is_some() {
            self.rack_id.clone_from(&beat.rack_id);
        }
        let names = beat.names.as_ref().filter(|names| **names != self.names);
        if let Some(names) = names {
            self.names.clone_from(names);
        }
        names.is_some()
    }

    /// Enters the epoch of the assignment, and says what is new.
    fn answer(&mut self, now: Instant, beat: &ShareBeat, epoch: i32) -> BeatReply {
        self.session_ends = now + beat.times.session_timeout;
        if self.epoch != epoch {
            self.previous_epoch = std::mem::replace(&mut self.epoch, epoch);
        }
        // A member that comes with an older epoch has not heard of what it was told last.
        let tell = beat.epoch != self.epoch || self.assigned != self.target;
        self.assigned.clone_from(&self.target);
        BeatReply {
            member_id: Arc::clone(&self.id),
            epoch: self.epoch,
            interval: beat.times.heartbeat_interval,
            assignment: tell.then(|| self.assigned.clone()),
        }
    }

    /// Bytes of memory, by estimate.
    pub(super) fn bytes(&self) -> usize {
        let names: usize = self.names.iter().map(|name| name.len() + size_of::<Arc<str>>()).sum();
        size_of::<Self>()
            + self.id.len()
            + names
            + (self.assigned.len() + self.target.len()) * PARTITION_BYTES
    }
}
