//! The protocol of Streams groups, step by step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::beat::{StreamsBeat, StreamsReply, StreamsTimes};
use super::group::StreamsGroup;
use super::status::StatusKind;
use super::task::{Role, Task, TaskId};
use super::topology::{InternalTopic, Subtopology, Topology};
use crate::groups::config::GroupsConfig;
use crate::groups::newer::Newer as _;
use crate::groups::place::JOINING;
use crate::groups::testing::Known;

mod api;
mod commits;
mod configure;
mod journal;
mod life;
mod simulation;

const SESSION: Duration = Duration::from_secs(45);
const REBALANCE: Duration = Duration::from_secs(30);
const LEAVING: i32 = -1;

const TIMES: StreamsTimes = StreamsTimes {
    session_timeout: SESSION,
    heartbeat_interval: Duration::from_secs(5),
    initial_delay: Duration::ZERO,
    standbys: 0,
};

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

fn internal(topics: &[(&str, Option<i32>)]) -> BTreeMap<String, InternalTopic> {
    let topic = |(name, partitions): &(&str, Option<i32>)| {
        let topic =
            InternalTopic { partitions: *partitions, replication_factor: 0, configs: BTreeMap::new() };
        ((*name).to_owned(), topic)
    };
    topics.iter().map(topic).collect()
}

/// Reads these topics and no others.
fn reading(sources: &[&str]) -> Subtopology {
    Subtopology {
        sources: names(sources),
        sinks: BTreeSet::new(),
        repartitions: BTreeMap::new(),
        changelogs: BTreeMap::new(),
        copartitioned: BTreeSet::new(),
    }
}

fn topology(epoch: i32, subtopologies: Vec<Subtopology>) -> Topology {
    let named = subtopologies.into_iter().enumerate().map(|(number, one)| (number.to_string(), one));
    Topology { epoch, subtopologies: named.collect() }
}

/// One subtopology without state.
fn plain() -> Topology {
    topology(1, vec![reading(&["in"])])
}

/// Counts words: a topic between both halves, and one with the counts.
fn word_count() -> Topology {
    let split = Subtopology { sinks: names(&["words"]), ..reading(&["in"]) };
    let count = Subtopology {
        repartitions: internal(&[("words", None)]),
        changelogs: internal(&[("counts", None)]),
        ..reading(&[])
    };
    topology(1, vec![split, count])
}

fn task(role: Role, subtopology: &str, partition: i32) -> Task {
    Task { role, id: TaskId { subtopology: subtopology.into(), partition } }
}

/// Active tasks of the first subtopology.
fn active(partitions: &[i32]) -> Vec<Task> {
    partitions.iter().map(|partition| task(Role::Active, "0", *partition)).collect()
}

/// The heartbeat of a member that has nothing to say. Each member is a process of its own.
fn beat(id: &str, epoch: i32) -> StreamsBeat {
    StreamsBeat {
        member_id: id.into(),
        epoch,
        rack_id: None,
        rebalance_timeout: None,
        topology: None,
        owned: None,
        process_id: None,
        endpoint: None,
        tags: None,
        shuts_down: false,
        endpoint_epoch: 0,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        times: TIMES,
    }
}

/// The heartbeat of a member that joins.
fn join(id: &str, topology: Topology) -> StreamsBeat {
    StreamsBeat {
        rebalance_timeout: Some(REBALANCE),
        topology: Some(topology),
        owned: Some(BTreeSet::new()),
        process_id: Some(id.into()),
        ..beat(id, JOINING)
    }
}

fn owning(id: &str, epoch: i32, owned: &[Task]) -> StreamsBeat {
    StreamsBeat { owned: Some(owned.iter().cloned().collect()), ..beat(id, epoch) }
}

/// One group, its topics and its time.
struct Bench {
    group: StreamsGroup,
    config: GroupsConfig,
    known: Known,
    now: Instant,
}

impl Bench {
    fn new(topics: &[(&str, i32)]) -> Self {
        Self {
            group: StreamsGroup::new(0),
            config: GroupsConfig::default(),
            known: Known::new(topics),
            now: Instant::now(),
        }
    }

    fn try_reply(&mut self, beat: &StreamsBeat) -> Result<StreamsReply, ErrorCode> {
        let reply = if beat.epoch < JOINING {
            self.group.leave(beat)
        } else {
            self.group.heartbeat(self.now, &self.config, beat, &self.known)
        };
        reply.map_err(|refused| refused.code)
    }

    fn reply(&mut self, beat: &StreamsBeat) -> StreamsReply {
        self.try_reply(beat).unwrap()
    }

    /// The epoch of the member after this heartbeat, and its tasks if it is told.
    fn beat(&mut self, beat: &StreamsBeat) -> (i32, Option<Vec<Task>>) {
        let reply = self.reply(beat);
        (reply.epoch, reply.tasks.map(|tasks| tasks.into_iter().collect()))
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.group.expire(self.now);
    }

    /// `a` alone with all four tasks, in epoch 2.
    fn alone() -> Self {
        let mut bench = Self::new(&[("in", 4)]);
        assert_eq!(bench.beat(&join("a", plain())), (2, Some(active(&[0, 1, 2, 3]))));
        bench
    }
}

fn statuses(reply: &StreamsReply) -> Vec<StatusKind> {
    reply.statuses.iter().map(|status| status.kind).collect()
}
