//! A topology against the topics there are: how many partitions its internal topics need, and how many tasks
//! come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::status::{Status, StatusKind};
use super::task::TaskId;
use super::topology::{InternalTopic, Subtopology, Topology};
use crate::groups::consumer::TopicShape;

/// Most tasks of one topology. Each active task is a consumer's partition, of which a node has a few
/// thousand; a topology that somebody made up must not cost more than that.
const MAX_TASKS: i64 = 20_000;

/// The topics of a topology that exist.
pub(super) type Shapes = BTreeMap<Arc<str>, TopicShape>;

/// What a topology comes to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Configured {
    /// Those that tasks can be made of.
    pub(super) subtopologies: BTreeMap<Arc<str>, Shape>,
    /// What keeps tasks from being given out.
    pub(super) problem: Option<Status>,
    /// Topics that have to be created first.
    pub(super) missing: Vec<NewInternalTopic>,
}

/// What a subtopology comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Shape {
    pub(super) tasks: i32,
    /// Whether it has state, of which others can keep a copy.
    pub(super) is_stateful: bool,
}

/// A topic to be created for an application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NewInternalTopic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    /// 0 for the default.
    pub(crate) replication_factor: i16,
    pub(crate) configs: BTreeMap<String, String>,
}

impl Configured {
    /// Whether tasks can be given out.
    pub(super) fn is_ready(&self) -> bool {
        self.problem.is_none()
    }

    /// Whether there is such a task.
    pub(super) fn has(&self, task: &TaskId) -> bool {
        self.subtopologies.get(&task.subtopology).is_some_and(|one| (0..one.tasks).contains(&task.partition))
    }
}

/// Works it out.
pub(super) fn configure(topology: &Topology, shapes: &Shapes) -> Configured {
    Attempt::new(topology, shapes)
        .run()
        .unwrap_or_else(|problem| Configured { problem: Some(problem), ..Configured::default() })
}

struct Attempt<'a> {
    topology: &'a Topology,
    shapes: &'a Shapes,
    repartitions: BTreeMap<&'a str, &'a InternalTopic>,
    /// Who writes to a repartition topic.
    writers: BTreeMap<&'a str, Vec<&'a Subtopology>>,
    /// Partitions of internal topics.
    decided: BTreeMap<&'a str, i32>,
}

impl<'a> Attempt<'a> {
    fn new(topology: &'a Topology, shapes: &'a Shapes) -> Self {
        let mut attempt = Self {
            topology,
            shapes,
            repartitions: BTreeMap::new(),
            writers: BTreeMap::new(),
            decided: BTreeMap::new(),
        };
        for subtopology in topology.subtopologies.values() {
            let repartitions = subtopology.repartitions.iter().map(|(name, topic)| (name.as_str(), topic));
            attempt.repartitions.extend(repartitions);
            for name in &subtopology.sinks {
                attempt.writers.entry(name).or_default().push(subtopology);
            }
        }
        attempt
    }

    fn run(mut self) -> Result<Configured, Status> {
        self.find_sources()?;
        self.decide_repartitions()?;
        let subtopologies = self.topology.subtopologies.values();
        for group in subtopologies.flat_map(|subtopology| &subtopology.copartitioned) {
            self.copartition(group)?;
        }
        self.decide_changelogs();
        let missing = self.missing()?;
        let subtopologies = self.shapes_of_all()?;
        let problem = (!missing.is_empty()).then(|| {
            let names: Vec<_> = missing.iter().map(|topic| topic.name.as_str()).collect();
            let detail = format_args!("Internal topics are missing: [{}]", names.join(", ")).to_string();
            Status::new(StatusKind::MissingInternalTopics, detail)
        });
        Ok(Configured { subtopologies, problem, missing })
    }

    fn find_sources(&self) -> Result<(), Status> {
        let sources = self.topology.subtopologies.values().flat_map(|subtopology| &subtopology.sources);
        let missing: BTreeSet<_> =
            sources.map(String::as_str).filter(|name| !self.shapes.contains_key(*name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = missing.into_iter().collect();
        let detail = format_args!("Source topics [{}] are missing.", names.join(", ")).to_string();
        Err(Status::new(StatusKind::MissingSourceTopics, detail))
    }

    /// How many partitions a topic has, or will have.
    fn partitions(&self, name: &str) -> Option<i32> {
        let exists = self.shapes.get(name).map(|shape| shape.partitions);
        exists.or_else(|| self.decided.get(name).copied())
    }

    /// A repartition topic has as many partitions as the largest topic that is read by who writes to it,
    /// which may be a repartition topic itself. That one exists says nothing: it may have been made for
    /// another topology.
    fn decide_repartitions(&mut self) -> Result<(), Status> {
        let (given, mut open): (Vec<_>, Vec<_>) =
            self.repartitions.iter().partition(|(_, topic)| topic.partitions.is_some());
        self.decided.extend(given.into_iter().filter_map(|(name, topic)| Some((*name, topic.partitions?))));
        while !open.is_empty() {
            let found: Vec<_> =
                open.iter().filter_map(|(name, _)| Some((**name, self.upstream(name)?))).collect();
            if found.is_empty() {
                let names: Vec<_> = open.into_iter().map(|(name, _)| *name).collect();
                return Err(Status::new(
                    StatusKind::IncorrectlyPartitionedTopics,
                    format_args!(
                        "Failed to compute number of partitions for repartition topics [{}]: nothing writes to \
                         them, or they are written in a circle.",
                        names.join(", ")
                    ),
                ));
            }
            self.decided.extend(found);
            open.retain(|(name, _)| !self.decided.contains_key(*name));
        }
        Ok(())
    }

    /// The partitions of the largest topic that is read by who writes to this one, if all of them are known.
    fn upstream(&self, repartition: &str) -> Option<i32> {
        let read = self.writers.get(repartition)?.iter().flat_map(|writer| writer.reads());
        let partitions = |name: &String| match self.repartitions.contains_key(name.as_str()) {
            true => self.decided.get(name.as_str()).copied(),
            false => self.partitions(name),
        };
        read.map(partitions).collect::<Option<Vec<i32>>>()?.into_iter().max()
    }

    /// Topics that are read together have the same number of partitions. Users' topics have it already, and
    /// what repartition topics were given by name can't be changed.
    fn copartition(&mut self, group: &'a BTreeSet<String>) -> Result<(), Status> {
        // What a repartition topic is to have goes before what one has that is there.
        let count = |name: &String| {
            self.decided.get(name.as_str()).copied().or_else(|| self.partitions(name)).unwrap_or(1)
        };
        let (internal, outside): (Vec<&'a String>, Vec<_>) =
            group.iter().partition(|name| self.repartitions.contains_key(name.as_str()));
        let is_given = |name: &&&String| {
            self.repartitions.get(name.as_str()).is_some_and(|topic| topic.partitions.is_some())
        };
        let fixed: Vec<_> = outside.iter().chain(internal.iter().filter(is_given)).collect();
        let wanted = match fixed.first() {
            Some(first) => count(first),
            None => internal.iter().map(|name| count(name)).max().unwrap_or(1),
        };
        if fixed.iter().any(|name| count(name) != wanted) {
            let all: Vec<_> = fixed.iter().map(|name| format!("{name}={}", count(name))).collect();
            return Err(Status::new(
                StatusKind::IncorrectlyPartitionedTopics,
                format_args!("Topics not co-partitioned: [{}]", all.join(", ")),
            ));
        }
        self.decided.extend(internal.into_iter().map(|name| (name.as_str(), wanted)));
        Ok(())
    }

    /// A changelog has as many partitions as there are tasks.
    fn decide_changelogs(&mut self) {
        for subtopology in self.topology.subtopologies.values() {
            let tasks = self.tasks(subtopology);
            self.decided.extend(subtopology.changelogs.keys().map(|name| (name.as_str(), tasks)));
        }
    }

    fn tasks(&self, subtopology: &Subtopology) -> i32 {
        subtopology.reads().filter_map(|name| self.partitions(name)).max().unwrap_or_default()
    }

    fn missing(&self) -> Result<Vec<NewInternalTopic>, Status> {
        let mut missing = BTreeMap::new();
        for subtopology in self.topology.subtopologies.values() {
            for (name, topic) in subtopology.repartitions.iter().chain(&subtopology.changelogs) {
                let partitions = self.decided.get(name.as_str()).copied().unwrap_or_default();
                match self.shapes.get(name.as_str()) {
                    None => {
                        let (name, configs) = (name.clone(), topic.configs.clone());
                        let replication_factor = topic.replication_factor;
                        let new = NewInternalTopic { name, partitions, replication_factor, configs };
                        missing.insert(new.name.clone(), new);
                    }
                    Some(shape) if shape.partitions == partitions => {}
                    Some(shape) => {
                        return Err(Status::new(
                            StatusKind::IncorrectlyPartitionedTopics,
                            format_args!(
                                "Existing topic {name} has different number of partitions: expected {partitions}, \
                                 found {}",
                                shape.partitions
                            ),
                        ));
                    }
                }
            }
        }
        Ok(missing.into_values().collect())
    }

    fn shapes_of_all(&self) -> Result<BTreeMap<Arc<str>, Shape>, Status> {
        let shape = |(id, subtopology): (&String, &Subtopology)| {
            let is_stateful = !subtopology.changelogs.is_empty();
            (Arc::from(id.as_str()), Shape { tasks: self.tasks(subtopology), is_stateful })
        };
        let shapes: BTreeMap<Arc<str>, Shape> = self.topology.subtopologies.iter().map(shape).collect();
        let total: i64 = shapes.values().map(|shape| i64::from(shape.tasks)).sum();
        if total > MAX_TASKS {
            return Err(Status::new(
                StatusKind::IncorrectlyPartitionedTopics,
                format_args!(
                    "The topology comes to {total} tasks, and the most that one may have is {MAX_TASKS}."
                ),
            ));
        }
        Ok(shapes)
    }
}
