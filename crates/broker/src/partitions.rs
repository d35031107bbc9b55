//! All partitions of this node and the directories they live in.
//!
//! A partition is found by its topic's id, never by name, and its directory holds that id in a file: a topic
//! that was deleted and made anew under the same name never sees the records of the old one, not even when
//! the process died in between.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use schloss_log::{Home, Identity, LogConfig, LogError, Sealing};
use schloss_metadata::TopicMeta;
use schloss_wire::{ErrorCode, Uuid};

use crate::broker::BrokerConfig;
use crate::directories::{Directories, DirectoryError};
use crate::parallel::in_parallel;
use crate::partition::Partition;
use crate::settings::TopicSettings;
use crate::storage::Storage;

/// A topic whose partitions are to be opened or made.
#[derive(Clone)]
pub(crate) struct TopicLogs {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    /// How many partitions there are.
    pub(crate) count: usize,
    pub(crate) config: LogConfig,
}

impl TopicLogs {
    /// The logs of `topic` if it has `partitions` of them.
    pub(crate) fn of(topic: &TopicMeta, partitions: i32, node: &BrokerConfig) -> Self {
        Self {
            name: Arc::clone(&topic.name),
            id: topic.id,
            count: usize::try_from(partitions).unwrap_or(0),
            config: TopicSettings::new(&topic.configs, node).log_config(),
        }
    }

    fn home(&self, directory: PathBuf, index: usize, sealing: &Sealing) -> Home {
        let partition = u32::try_from(index).unwrap_or(u32::MAX);
        let identity = Identity { topic: self.id.to_bytes(), partition };
        Home { directory, identity, sealing: sealing.clone() }
    }
}

/// A partition, or nothing if its log could not be opened: it is offline until the next start.
type Slot = Option<Arc<Partition>>;

/// All partitions of this node.
pub(crate) struct Partitions {
    directories: Directories,
    storage: Storage,
    topics: RwLock<HashMap<Uuid, Vec<Slot>>>,
}

impl Partitions {
    /// Opens the partitions of `topics` below `root`, several at a time, and clears away those of topics that
    /// are no more. One that can't be opened is offline; the others are served.
    pub(crate) fn open(root: &Path, topics: &[TopicLogs], storage: Storage) -> Result<Self, DirectoryError> {
        let directories = Directories::open(root)?;
        let by_name: HashMap<&str, &TopicLogs> = topics.iter().map(|topic| (&*topic.name, topic)).collect();
        directories.set_strangers_aside(|name, partition| {
            by_name.get(name).filter(|topic| partition < topic.count).map(|topic| topic.id)
        })?;
        // A topic of which nothing is there can't have sealed anything.
        let is_new = |topic: &TopicLogs| (0..topic.count).all(|at| !directories.of(&topic.name, at).exists());
        let keys: Vec<_> =
            in_parallel(topics, |topic| storage.vault.topic(topic.id.to_bytes(), is_new(topic)));
        let keyed = topics.iter().zip(&keys);
        let work: Vec<(&TopicLogs, &Result<Sealing, LogError>, usize)> =
            keyed.flat_map(|(topic, key)| (0..topic.count).map(move |index| (topic, key, index))).collect();
        let opened = in_parallel(&work, |(topic, key, index)| match key {
            Ok(sealing) => open_one(&directories, topic, *index, sealing, &storage),
            Err(error) => Err(OpenFailed::Offline(error.to_string())),
        });
        let mut by_topic: HashMap<Uuid, Vec<Slot>> =
            topics.iter().map(|topic| (topic.id, vec![None; topic.count])).collect();
        for ((topic, _, index), opened) in work.into_iter().zip(opened) {
            let slot = match opened {
                Ok(partition) => Some(partition),
                Err(OpenFailed::Exposed(error)) => return Err(error.into()),
                Err(OpenFailed::Offline(error)) => {
                    tracing::error!(error, topic = %topic.name, partition = index, "a partition is offline");
                    None
                }
            };
            if let Some(place) = by_topic.get_mut(&topic.id).and_then(|slots| slots.get_mut(index)) {
                *place = slot;
            }
        }
        Ok(Self { directories, storage, topics: RwLock::new(by_topic) })
    }

    /// The partition, or the error that a client gets instead.
    pub(crate) fn get(&self, topic: Uuid, partition: i32) -> Result<Arc<Partition>, ErrorCode> {
        let topics = self.topics.read();
        let slot = usize::try_from(partition).ok().and_then(|index| topics.get(&topic)?.get(index));
        match slot {
            Some(Some(partition)) => Ok(Arc::clone(partition)),
            Some(None) => Err(ErrorCode::KafkaStorageError),
            None => Err(ErrorCode::UnknownTopicOrPartition),
        }
    }

    /// The partitions of a topic that are open, with their numbers.
    pub(crate) fn of(&self, topic: Uuid) -> Vec<(i32, Arc<Partition>)> {
        let topics = self.topics.read();
        let slots = topics.get(&topic).into_iter().flatten();
        let open = (0..).zip(slots).filter_map(|(index, slot)| Some((index, Arc::clone(slot.as_ref()?))));
        open.collect()
    }

    /// Has the open logs of a topic take over new settings, for the next append.
    pub(crate) fn reconfigure(&self, topic: Uuid, config: &LogConfig) {
        for (_, partition) in self.of(topic) {
            partition.log.reconfigure(config);
        }
    }

    /// Every transaction that is open somewhere: topic, partition, and producer with its epoch.
    pub(crate) fn open_transactions(&self) -> Vec<(Uuid, i32, (i64, i16))> {
        let topics = self.topics.read();
        let mut found = Vec::new();
        for (topic, slots) in topics.iter() {
            for (index, partition) in (0..).zip(slots) {
                let open = partition.iter().flat_map(|partition| partition.open_transactions());
                found.extend(open.map(|producer| (*topic, index, producer)));
            }
        }
        found
    }

    /// How many partitions there are in all.
    pub(crate) fn count(&self) -> usize {
        self.topics.read().values().map(Vec::len).sum()
    }

    /// Makes the partitions of a topic from `first` on, on disk; nobody can reach them before
    /// [`publish`](Self::publish). Blocks on the disk. On an error nothing is left behind.
    pub(crate) fn create(&self, topic: &TopicLogs, first: usize) -> Result<Created, DirectoryError> {
        let indexes: Vec<usize> = (first..topic.count).collect();
        let sealing = self.storage.vault.topic(topic.id.to_bytes(), first == 0)?;
        let made = in_parallel(&indexes, |index| {
            let directory = self.directories.create(&topic.name, topic.id, *index)?;
            let home = topic.home(directory, *index, &sealing);
            let opened = Partition::open(home, topic.config.clone(), &self.storage);
            Ok::<_, DirectoryError>(Arc::new(opened?.0))
        });
        let mut created = Created { topic: topic.clone(), first, slots: Vec::with_capacity(made.len()) };
        let mut failure = None;
        for outcome in made {
            match outcome {
                Ok(partition) => created.slots.push(Some(partition)),
                Err(error) => failure = Some(error),
            }
        }
        match failure.map_or_else(|| self.directories.sync(), Err) {
            Ok(()) => Ok(created),
            Err(error) => {
                self.abandon(created);
                Err(error)
            }
        }
    }

    /// Lets clients reach what [`create`](Self::create) made, once the metadata names it.
    pub(crate) fn publish(&self, created: Created) {
        let mut topics = self.topics.write();
        let slots = topics.entry(created.topic.id).or_default();
        slots.truncate(created.first);
        slots.extend(created.slots);
    }

    /// Removes what [`create`](Self::create) made, because the metadata did not take it. Blocks on the disk.
    pub(crate) fn abandon(&self, created: Created) {
        let Created { topic, first, slots } = created;
        self.remove(&topic.name, topic.id, first..topic.count, &slots);
    }

    /// Removes the partitions of a deleted topic. Blocks on the disk. What can't be removed is logged and out
    /// of reach of clients.
    pub(crate) fn delete(&self, name: &str, id: Uuid) {
        let slots = self.topics.write().remove(&id).unwrap_or_default();
        self.remove(name, id, 0..slots.len(), &slots);
    }

    fn remove(&self, topic: &str, id: Uuid, range: Range<usize>, slots: &[Slot]) {
        let is_whole = range.start == 0;
        in_parallel(slots, |slot| {
            if let Some(Err(error)) = slot.as_ref().map(|partition| partition.log.delete()) {
                tracing::error!(%error, topic, "cannot delete a partition's log");
            }
        });
        // What has no log: partitions that were offline, or half made.
        for index in range {
            if let Err(error) = self.directories.remove(topic, id, index) {
                tracing::error!(%error, topic, partition = index, "cannot remove a partition's directory");
            }
        }
        if is_whole && let Err(error) = self.storage.vault.destroy_topic(id.to_bytes()) {
            tracing::error!(%error, topic, "cannot destroy the key of a deleted topic; remove its file");
        }
    }
}

/// Partitions that are on disk and not yet reachable.
pub(crate) struct Created {
    topic: TopicLogs,
    first: usize,
    slots: Vec<Slot>,
}

/// Why a partition can't be opened.
enum OpenFailed {
    /// The others are served.
    Offline(String),
    /// Others may read or change its files: nothing is served.
    Exposed(LogError),
}

impl From<DirectoryError> for OpenFailed {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Log(error @ LogError::NotPrivate(_)) => Self::Exposed(error),
            error => Self::Offline(error.to_string()),
        }
    }
}

fn open_one(
    directories: &Directories,
    topic: &TopicLogs,
    index: usize,
    sealing: &Sealing,
    storage: &Storage,
) -> Result<Arc<Partition>, OpenFailed> {
    let mut directory = directories.of(&topic.name, index);
    if !directory.exists() {
        tracing::warn!(topic = %topic.name, partition = index, "a partition has no directory; it starts empty");
        directory = directories.create(&topic.name, topic.id, index)?;
    }
    let home = topic.home(directory, index, sealing);
    let opened = Partition::open(home, topic.config.clone(), storage).map_err(DirectoryError::from);
    let (partition, recovery) = opened?;
    if recovery.truncated_bytes > 0 {
        tracing::warn!(
            topic = %topic.name,
            partition = index,
            bytes = recovery.truncated_bytes,
            "cut an unfinished write off a partition's log"
        );
    }
    Ok(Arc::new(partition))
}
