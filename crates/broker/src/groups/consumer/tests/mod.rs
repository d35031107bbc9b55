//! The protocol of consumer groups, step by step and at random.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use schloss_policy::Subject;
use schloss_wire::{ErrorCode, Principal};
use tokio::time::Instant;

use super::assignor::Assignor;
use super::beat::{Beat, BeatReply, LEAVING_FOR_NOW, MemberTimes};
use super::group::ConsumerGroup;
use super::pattern::Pattern;
use super::topics::{Resolution, TopicPartition, Topics as _};
use crate::groups::config::GroupsConfig;
use crate::groups::messages::Claim;
use crate::groups::newer::Newer as _;
use crate::groups::offsets::{Commit, Committed};
use crate::groups::place::JOINING;
use crate::groups::testing::{Known, id_of};

mod api;
mod commits;
mod journal;
mod lapse;
mod life;
mod patterns;
mod simulation;
mod statics;

const LEAVING: i32 = -1;
const SESSION: Duration = Duration::from_secs(45);
const REBALANCE: Duration = Duration::from_secs(30);

/// What a regular expression comes to.
fn resolve(known: &Known, pattern: &str, subject: &Subject) -> Resolution {
    let compiled = Pattern::new(pattern).unwrap();
    let names = known.topics.keys().filter(|name| compiled.matches(name)).cloned();
    Resolution {
        pattern: pattern.into(),
        subject: subject.clone(),
        version: known.version,
        topics: Arc::new(names.collect()),
    }
}

fn subject() -> Subject {
    Subject::new(Principal::user("consumer"), [127, 0, 0, 1].into())
}

/// The heartbeat of a member that has nothing to say.
fn beat(id: &str, epoch: i32) -> Beat {
    Beat {
        member_id: id.into(),
        epoch,
        instance_id: None,
        rack_id: None,
        rebalance_timeout: None,
        names: None,
        pattern: None,
        assignor: None,
        owned: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        times: MemberTimes { session_timeout: SESSION, heartbeat_interval: Duration::from_secs(5) },
        subject: subject(),
    }
}

/// The heartbeat of a member that joins.
fn join(id: &str, names: &[&str]) -> Beat {
    Beat {
        rebalance_timeout: Some(REBALANCE),
        names: Some(names.iter().copied().map(Arc::from).collect()),
        owned: Some(BTreeSet::new()),
        ..beat(id, JOINING)
    }
}

fn owning(id: &str, epoch: i32, owned: &[TopicPartition]) -> Beat {
    Beat { owned: Some(owned.iter().copied().collect()), ..beat(id, epoch) }
}

/// One group, its topics and its time.
struct Bench {
    group: ConsumerGroup,
    config: GroupsConfig,
    known: Known,
    now: Instant,
}

impl Bench {
    fn new(topics: &[(&str, i32)]) -> Self {
        Self {
            group: ConsumerGroup::new(0),
            config: GroupsConfig::default(),
            known: Known::new(topics),
            now: Instant::now(),
        }
    }

    fn try_beat(&mut self, beat: &Beat) -> Result<BeatReply, ErrorCode> {
        let reply = if beat.epoch < JOINING {
            self.group.leave(beat)
        } else {
            self.group.heartbeat(self.now, &self.config, beat, Ok(Vec::new()), &self.known)
        };
        reply.map_err(|refused| refused.code)
    }

    /// The epoch of the member after this heartbeat, and what it may own if it is told.
    fn beat(&mut self, beat: &Beat) -> (i32, Option<Vec<TopicPartition>>) {
        let reply = self.try_beat(beat).unwrap();
        (reply.epoch, reply.assignment.map(|owned| owned.into_iter().collect()))
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.group.expire(self.now);
    }

    fn partitions(&self, name: &str, numbers: &[i32]) -> Vec<TopicPartition> {
        numbers.iter().map(|number| (self.known.topics[name].id, *number)).collect()
    }

    /// `a` alone with all four partitions of `t`, in epoch 1.
    fn alone() -> Self {
        let mut bench = Self::new(&[("t", 4)]);
        let all = bench.partitions("t", &[0, 1, 2, 3]);
        assert_eq!(bench.beat(&join("a", &["t"])), (1, Some(all)));
        bench
    }
}
