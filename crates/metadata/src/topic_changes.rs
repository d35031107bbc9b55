//! Making, growing and deleting topics.

use std::collections::BTreeMap;
use std::sync::Arc;

use schloss_wire::{ErrorCode, Uuid};

use crate::draft::Draft;
use crate::error::{MetadataError, Refusal};
use crate::limits::{MAX_NEW_PARTITIONS_PER_CHANGE, MAX_PARTITIONS, MAX_TOPICS};
use crate::metadata::Metadata;
use crate::random::random_uuid;
use crate::record::Record;
use crate::snapshot::Snapshot;
use crate::topics::TopicMeta;

/// A topic to be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions, at least one.
    pub partitions: i32,
    /// Settings that differ from the defaults; whoever asks has checked them.
    pub configs: BTreeMap<String, String>,
}

/// Which topic is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TopicRef {
    /// The one of this name.
    Name(String),
    /// The one of this id.
    Id(Uuid),
}

impl Metadata {
    /// Makes topics, and returns for each, in order, what it became. With `validate_only` nothing is made; the
    /// answer is the same, with an id that is never used.
    ///
    /// # Errors
    /// Nothing was made. What is wrong with one topic is in its [`Refusal`] and does not hinder the others.
    pub async fn create_topics(
        self: &Arc<Self>,
        topics: Vec<NewTopic>,
        validate_only: bool,
    ) -> Result<Vec<Result<Arc<TopicMeta>, Refusal>>, MetadataError> {
        self.change(|snapshot| {
            let mut plan = Plan::new(snapshot);
            let outcomes = topics.iter().map(|topic| plan.create(topic)).collect();
            Ok((plan.records(validate_only), outcomes))
        })
        .await
    }

    /// Deletes topics, and returns for each, in order, what it was.
    ///
    /// # Errors
    /// Nothing was deleted. A topic that does not exist has its [`Refusal`].
    pub async fn delete_topics(
        self: &Arc<Self>,
        topics: Vec<TopicRef>,
    ) -> Result<Vec<Result<Arc<TopicMeta>, Refusal>>, MetadataError> {
        self.change(|snapshot| {
            let mut plan = Plan::new(snapshot);
            let outcomes = topics.iter().map(|topic| plan.delete(topic)).collect();
            Ok((plan.records(false), outcomes))
        })
        .await
    }

    /// Gives topics, named with the number of partitions they shall have in all, more partitions, and returns
    /// for each, in order, what it became.
    ///
    /// # Errors
    /// Nothing was changed. What is wrong with one topic is in its [`Refusal`].
    pub async fn create_partitions(
        self: &Arc<Self>,
        topics: Vec<(String, i32)>,
        validate_only: bool,
    ) -> Result<Vec<Result<Arc<TopicMeta>, Refusal>>, MetadataError> {
        self.change(|snapshot| {
            let mut plan = Plan::new(snapshot);
            let outcomes = topics.iter().map(|(name, partitions)| plan.grow(name, *partitions)).collect();
            Ok((plan.records(validate_only), outcomes))
        })
        .await
    }
}

/// The wishes of one request, each decided on what those before it leave.
struct Plan<'a> {
    snapshot: &'a Snapshot,
    /// What changed so far, by name; `None` for what is gone.
    changed: BTreeMap<Arc<str>, Option<Arc<TopicMeta>>>,
    draft: Draft,
    records: Vec<Record>,
    topics: usize,
    partitions: i64,
    new_partitions: i64,
}

impl<'a> Plan<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            snapshot,
            changed: BTreeMap::new(),
            draft: Draft::after(snapshot),
            records: Vec::new(),
            topics: snapshot.topics().len(),
            partitions: snapshot.topics().map(|topic| i64::from(topic.partitions)).sum(),
            new_partitions: 0,
        }
    }

    fn records(self, validate_only: bool) -> Vec<Record> {
        if validate_only { Vec::new() } else { self.records }
    }

    fn topic(&self, name: &str) -> Option<Arc<TopicMeta>> {
        match self.changed.get(name) {
            Some(changed) => changed.clone(),
            None => self.snapshot.topic(name).cloned(),
        }
    }

    fn create(&mut self, topic: &NewTopic) -> Result<Arc<TopicMeta>, Refusal> {
        let NewTopic { name, partitions, configs } = topic.clone();
        self.draft.check_new_topic(&name)?;
        if partitions < 1 {
            return Err(Refusal::new(
                ErrorCode::InvalidPartitions,
                "Number of partitions must be larger than 0.",
            ));
        }
        if self.topics >= MAX_TOPICS {
            return Err(Refusal::new(
                ErrorCode::PolicyViolation,
                format!("There can be no more than {MAX_TOPICS} topics."),
            ));
        }
        self.reserve(i64::from(partitions))?;
        let id = random_uuid();
        self.topics += 1;
        let meta =
            Arc::new(TopicMeta { name: name.as_str().into(), id, partitions, configs: configs.clone() });
        self.record(Record::Topic { name, id, partitions, configs })?;
        self.changed.insert(Arc::clone(&meta.name), Some(Arc::clone(&meta)));
        Ok(meta)
    }

    fn delete(&mut self, topic: &TopicRef) -> Result<Arc<TopicMeta>, Refusal> {
        let (found, code) = match topic {
            TopicRef::Name(name) => (self.topic(name), ErrorCode::UnknownTopicOrPartition),
            TopicRef::Id(id) => {
                let known = self.snapshot.topic_by_id(*id).cloned();
                let there = known.filter(|topic| !self.changed.contains_key(&topic.name));
                (there, ErrorCode::UnknownTopicId)
            }
        };
        let topic = found.ok_or_else(|| Refusal::new(code, "This server does not host this topic."))?;
        self.record(Record::TopicDeleted { id: topic.id })?;
        self.changed.insert(Arc::clone(&topic.name), None);
        Ok(topic)
    }

    fn grow(&mut self, name: &str, partitions: i32) -> Result<Arc<TopicMeta>, Refusal> {
        let topic = self.topic(name).ok_or_else(|| {
            Refusal::new(ErrorCode::UnknownTopicOrPartition, format!("The topic '{name}' does not exist."))
        })?;
        let has = topic.partitions;
        if partitions == has {
            return Err(Refusal::new(
                ErrorCode::InvalidPartitions,
                format!("Topic already has {has} partition(s)."),
            ));
        }
        if partitions < has {
            return Err(Refusal::new(
                ErrorCode::InvalidPartitions,
                format!(
                    "The topic {name} currently has {has} partition(s); {partitions} would not be an increase."
                ),
            ));
        }
        self.reserve(i64::from(partitions) - i64::from(has))?;
        self.record(Record::Partitions { id: topic.id, partitions })?;
        let topic = Arc::new(TopicMeta { partitions, ..(*topic).clone() });
        self.changed.insert(Arc::clone(&topic.name), Some(Arc::clone(&topic)));
        Ok(topic)
    }

    fn reserve(&mut self, partitions: i64) -> Result<(), Refusal> {
        let limits = [
            (self.new_partitions, MAX_NEW_PARTITIONS_PER_CHANGE, "by one request"),
            (self.partitions, MAX_PARTITIONS, "in all"),
        ];
        for (used, limit, what) in limits {
            if used + partitions > limit {
                return Err(Refusal::new(
                    ErrorCode::PolicyViolation,
                    format!("Excessively large number of partitions: there can be {limit} {what}."),
                ));
            }
        }
        self.new_partitions += partitions;
        self.partitions += partitions;
        Ok(())
    }

    fn record(&mut self, record: Record) -> Result<(), Refusal> {
        let unfit = |error: MetadataError| Refusal::new(ErrorCode::InvalidRequest, error.to_string());
        self.draft.apply(record.clone()).map_err(unfit)?;
        self.records.push(record);
        Ok(())
    }
}
