//! The state of one consumer group, and what moves its epoch.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::assignor::{Assignor, Wish, Wishes};
use super::member::Member;
use super::topics::{SeenTopics, TopicPartition, Topics};
use crate::groups::refused::{Refused, unknown_member};

/// Members, epochs and assignments of one group.
#[derive(Debug)]
pub(crate) struct ConsumerGroup {
    /// Moves with whatever changes who should own what.
    pub(super) epoch: i32,
    /// The epoch that the members' targets were made for.
    pub(super) assignment_epoch: i32,
    pub(super) members: BTreeMap<Arc<str>, Member>,
    /// Instance id to member id.
    pub(super) statics: BTreeMap<Arc<str>, Arc<str>>,
    /// Who holds a partition, be it to give it up.
    pub(super) owners: HashMap<TopicPartition, Arc<str>>,
    /// What the members' subscriptions come to.
    pub(super) topics: SeenTopics,
    /// The version of the topics for which regular expressions are being resolved.
    pub(super) resolving: Option<u64>,
    /// Members that are out, which the journal doesn't say yet.
    pub(super) gone: BTreeSet<Arc<str>>,
    /// The epochs that the journal has; none if it has nothing of this group.
    pub(super) written: Option<(i32, i32)>,
    /// While the journal is read: a change was cut off.
    pub(super) torn: bool,
}

impl ConsumerGroup {
    /// A group without members, whose epochs go on from this one.
    pub(in crate::groups) fn new(epoch: i32) -> Self {
        Self {
            epoch,
            assignment_epoch: epoch,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            owners: HashMap::new(),
            topics: SeenTopics::default(),
            resolving: None,
            gone: BTreeSet::new(),
            written: None,
            torn: false,
        }
    }

    /// The names of all topics that any member is subscribed to, some of them more than once.
    pub(in crate::groups) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.members.values().flat_map(Member::subscription)
    }

    /// The member of this id.
    pub(super) fn member(&self, id: &str) -> Result<&Member, Refused> {
        self.members.get(id).ok_or_else(|| unknown_member(id))
    }

    /// The assignor that most members ask for; `uniform` if they ask for none or can't agree.
    pub(super) fn assignor(&self) -> Assignor {
        let votes =
            |one: Assignor| self.members.values().filter(|member| member.assignor == Some(one)).count();
        let [first, second] = Assignor::ALL;
        if votes(second) > votes(first) { second } else { first }
    }

    pub(super) fn bump(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
    }

    /// Looks at the topics if there may be something new about them. Whether there is.
    pub(super) fn look_at_topics(&mut self, topics: &dyn Topics, subscribed_anew: bool) -> bool {
        if !subscribed_anew && self.topics.are_of(topics.version()) {
            return false;
        }
        let names = self.names().cloned().collect();
        self.topics.look(topics, &names)
    }

    /// Forgets the topics that nobody is subscribed to any longer.
    pub(super) fn drop_topics(&mut self) {
        let names = self.names().cloned().collect();
        self.topics.keep_only(&names);
    }

    /// Makes the target assignment of the group's epoch.
    pub(super) fn assign(&mut self) {
        let wish = |member: &Member| Wish {
            instance_id: member.instance_id.clone(),
            topics: self.topics.ids(member.subscription()),
            before: member.place.target.clone(),
        };
        let wishes = Wishes {
            topics: self.topics.partitions(),
            members: self.members.iter().map(|(id, member)| (Arc::clone(id), wish(member))).collect(),
        };
        let mut target = self.assignor().assign(&wishes);
        for (id, member) in &mut self.members {
            let target = target.remove(id).unwrap_or_default();
            member.unwritten.place |= target != member.place.target;
            member.place.target = target;
        }
        self.assignment_epoch = self.epoch;
    }
}
