//! The topology of a Streams application: its subtopologies, what they read and what they keep.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use schloss_metadata::check_topic_name;
use schloss_wire::messages::streams_group_heartbeat_request::{
    Subtopology as AskedSubtopology, TopicInfo, Topology as AskedTopology,
};
use schloss_wire::{ErrorCode, StrBytes};
use serde::{Deserialize, Serialize};

use crate::groups::refused::Refused;

/// Most names that a topology may hold. An application has some hundred; a topology that somebody made up
/// must not keep the coordinator busy.
const MAX_NAMES: usize = 4_000;

/// All of it. Names are kept as they were said, and each is that of a topic.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topology {
    /// Moves with each version of the application.
    pub(crate) epoch: i32,
    /// By their ids.
    pub(crate) subtopologies: BTreeMap<String, Subtopology>,
}

/// A part of a topology that shares no topic with others but those that it writes to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subtopology {
    /// The topics of users that it reads.
    pub(crate) sources: BTreeSet<String>,
    /// The repartition topics that it writes to.
    pub(crate) sinks: BTreeSet<String>,
    /// The repartition topics that it reads.
    pub(crate) repartitions: BTreeMap<String, InternalTopic>,
    /// The topics with the history of its state.
    pub(crate) changelogs: BTreeMap<String, InternalTopic>,
    /// Topics that it reads and that must have the same number of partitions.
    pub(crate) copartitioned: BTreeSet<BTreeSet<String>>,
}

/// A topic that belongs to the application.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InternalTopic {
    /// None if that follows from the topology.
    pub(crate) partitions: Option<i32>,
    /// 0 for the default.
    pub(crate) replication_factor: i16,
    pub(crate) configs: BTreeMap<String, String>,
}

impl Topology {
    /// The topology that a member brings, if it is one.
    pub(crate) fn read(asked: &AskedTopology) -> Result<Self, Refused> {
        let names = asked.subtopologies.iter().map(names_in).sum::<usize>();
        if names > MAX_NAMES {
            return Err(invalid(format_args!("The topology holds {names} names, more than {MAX_NAMES}.")));
        }
        let mut subtopologies = BTreeMap::new();
        for subtopology in &asked.subtopologies {
            let id = subtopology.subtopology_id.to_string();
            if subtopologies.insert(id, Subtopology::read(subtopology)?).is_some() {
                return Err(invalid(format_args!(
                    "Subtopology {} is there more than once.",
                    subtopology.subtopology_id
                )));
            }
        }
        Ok(Self { epoch: asked.epoch, subtopologies })
    }

    /// The names of all topics of which a task may read or write, some of them more than once.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &String> {
        self.subtopologies.values().flat_map(|one| one.reads().chain(one.changelogs.keys()))
    }

    /// Bytes of memory and, but for what JSON adds, of the journal.
    pub(super) fn bytes(&self) -> usize {
        let internal = |(name, topic): (&String, &InternalTopic)| {
            let configs = topic.configs.iter().map(|(key, value)| key.len() + value.len() + 8);
            64 + name.len() + configs.sum::<usize>()
        };
        let names = |names: &BTreeSet<String>| names.iter().map(|name| name.len() + 8).sum::<usize>();
        let subtopology = |(id, one): (&String, &Subtopology)| {
            let copartitioned = one.copartitioned.iter().map(names).sum::<usize>();
            let topics = one.repartitions.iter().chain(&one.changelogs).map(internal).sum::<usize>();
            128 + id.len() + names(&one.sources) + names(&one.sinks) + copartitioned + topics
        };
        self.subtopologies.iter().map(subtopology).sum()
    }
}

impl Subtopology {
    fn read(asked: &AskedSubtopology) -> Result<Self, Refused> {
        if !asked.source_topic_regex.is_empty() {
            return Err(Refused::invalid("Regular expressions for source topics are not supported yet."));
        }
        let names = |names: &[StrBytes]| names.iter().map(name).collect::<Result<_, _>>();
        let internal =
            |topics: &[TopicInfo]| topics.iter().map(internal).collect::<Result<BTreeMap<_, _>, _>>();
        let subtopology = Self {
            sources: names(&asked.source_topics)?,
            sinks: names(&asked.repartition_sink_topics)?,
            repartitions: internal(&asked.repartition_source_topics)?,
            changelogs: internal(&asked.state_changelog_topics)?,
            copartitioned: copartitioned(asked)?,
        };
        if let Some((name, topic)) =
            subtopology.changelogs.iter().find(|(_, topic)| topic.partitions.is_some())
        {
            return Err(invalid(format_args!(
                "Changelog topic {name} must have an undefined partition count, but it is set to {}.",
                topic.partitions.unwrap_or_default()
            )));
        }
        if subtopology.reads().next().is_none() {
            return Err(invalid(format_args!("Subtopology {} reads no topic.", asked.subtopology_id)));
        }
        Ok(subtopology)
    }

    /// The topics that it reads.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &String> {
        self.sources.iter().chain(self.repartitions.keys())
    }
}

fn names_in(asked: &AskedSubtopology) -> usize {
    let copartitioned = asked
        .copartition_groups
        .iter()
        .map(|group| 1 + group.source_topics.len() + group.repartition_source_topics.len());
    1 + asked.source_topics.len()
        + asked.repartition_sink_topics.len()
        + asked.repartition_source_topics.len()
        + asked.state_changelog_topics.len()
        + copartitioned.sum::<usize>()
}

/// Groups are told as places in the lists of topics.
fn copartitioned(asked: &AskedSubtopology) -> Result<BTreeSet<BTreeSet<String>>, Refused> {
    let mut groups = BTreeSet::new();
    for group in &asked.copartition_groups {
        if !group.source_topic_regex.is_empty() {
            return Err(Refused::invalid("Regular expressions for source topics are not supported yet."));
        }
        let at = |index: i16| usize::try_from(index).ok();
        let source = |index: &i16| asked.source_topics.get(at(*index)?);
        let repartition = |index: &i16| Some(&asked.repartition_source_topics.get(at(*index)?)?.name);
        let members = group.source_topics.iter().map(source);
        let members = members.chain(group.repartition_source_topics.iter().map(repartition));
        let members: Option<BTreeSet<String>> = members.map(|name| name.map(ToString::to_string)).collect();
        groups.insert(members.ok_or_else(|| {
            invalid(format_args!(
                "A copartition group of subtopology {} names a topic that is not there.",
                asked.subtopology_id
            ))
        })?);
    }
    Ok(groups)
}

fn internal(asked: &TopicInfo) -> Result<(String, InternalTopic), Refused> {
    let partitions = match asked.partitions {
        0 => None,
        count @ 1.. => Some(count),
        count => return Err(invalid(format_args!("Topic {} can't have {count} partitions.", asked.name))),
    };
    let config = |one: &schloss_wire::messages::streams_group_heartbeat_request::KeyValue| {
        (one.key.to_string(), one.value.to_string())
    };
    let topic = InternalTopic {
        partitions,
        replication_factor: asked.replication_factor,
        configs: asked.topic_configs.iter().map(config).collect(),
    };
    Ok((name(&asked.name)?, topic))
}

fn name(asked: &StrBytes) -> Result<String, Refused> {
    check_topic_name(asked.as_str()).map_err(|refusal| invalid(refusal.message))?;
    Ok(asked.to_string())
}

fn invalid(message: impl Display) -> Refused {
    Refused::new(ErrorCode::StreamsInvalidTopology, message)
}
