//! The entries of the offsets' journal: one JSON object each.

use std::borrow::Cow;

use schloss_wire::Uuid;
use serde::{Deserialize, Serialize};

use super::consumer::ConsumerChanges;
use super::coordinator::Group;
use super::offsets::{Commit, Committed, CommittedOffsets};
use super::streams::{StreamsChanges, Topology};
use crate::hex_id;

/// About how many bytes one entry may hold; a larger commit becomes several entries. Far below the journal's
/// own limit, since JSON may write one byte of metadata as six.
const TARGET_ENTRY_BYTES: usize = 256 * 1024;
/// Bytes of a row without its metadata, by estimate.
const ROW_BYTES: usize = 80;

/// What the journal holds. A kind that this version does not know refuses the start: to skip it would be to
/// lose offsets silently.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "record", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Record<'a> {
    /// Offsets that a group committed, and what is known of the group.
    Commit {
        #[serde(borrow)]
        group: Cow<'a, str>,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        protocol_type: Option<Cow<'a, str>>,
        generation: i32,
        #[serde(borrow)]
        offsets: Vec<Row<'a>>,
    },
    /// Offsets that count once a transaction is committed.
    Hold {
        #[serde(borrow)]
        group: Cow<'a, str>,
        producer_id: i64,
        epoch: i16,
        #[serde(borrow)]
        offsets: Vec<Row<'a>>,
    },
    /// What a producer held, in this epoch or an older one, counts from now on, or never will.
    Settle {
        #[serde(borrow)]
        group: Cow<'a, str>,
        producer_id: i64,
        newest_epoch: i16,
        commit: bool,
    },
    /// Offsets of single partitions were deleted.
    Forget {
        #[serde(borrow)]
        group: Cow<'a, str>,
        partitions: Vec<Partition>,
    },
    /// Something of a group by the new protocol changed.
    Consumers {
        #[serde(borrow)]
        group: Cow<'a, str>,
        #[serde(borrow)]
        changes: ConsumerChanges<'a>,
    },
    /// The topology of a Streams group.
    Topology {
        #[serde(borrow)]
        group: Cow<'a, str>,
        topology: Cow<'a, Topology>,
    },
    /// Something else of a Streams group changed.
    Streams {
        #[serde(borrow)]
        group: Cow<'a, str>,
        #[serde(borrow)]
        changes: StreamsChanges<'a>,
    },
    /// The group is a share group, in this epoch.
    Share {
        #[serde(borrow)]
        group: Cow<'a, str>,
        epoch: i32,
    },
    /// The group's members use the classic protocol from now on.
    Classic {
        #[serde(borrow)]
        group: Cow<'a, str>,
        generation: i32,
    },
    /// Since when nobody has been in the group, in milliseconds since the epoch; none if somebody is.
    Deserted {
        #[serde(borrow)]
        group: Cow<'a, str>,
        since_ms: Option<i64>,
    },
    /// The group and all its offsets were deleted.
    Delete {
        #[serde(borrow)]
        group: Cow<'a, str>,
    },
}

/// Topic id in hexadecimal and partition.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Partition(#[serde(with = "hex_id")] pub(super) Uuid, pub(super) i32);

/// Topic id in hexadecimal, partition, offset, leader epoch, time, metadata.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Row<'a>(#[serde(with = "hex_id")] Uuid, i32, i64, i32, i64, #[serde(borrow)] Cow<'a, str>);

impl<'a> Row<'a> {
    fn new(topic: Uuid, partition: i32, committed: &'a Committed) -> Self {
        let Committed { offset, leader_epoch, metadata, time_ms } = committed;
        Self(topic, partition, *offset, *leader_epoch, *time_ms, Cow::Borrowed(metadata))
    }

    fn bytes(&self) -> usize {
        ROW_BYTES + 6 * self.5.len()
    }
}

impl From<Row<'_>> for Commit {
    fn from(Row(topic, partition, offset, leader_epoch, time_ms, metadata): Row<'_>) -> Self {
        let metadata = metadata.into_owned().into_boxed_str();
        Self { topic, partition, committed: Committed { offset, leader_epoch, metadata, time_ms } }
    }
}

/// What is written of a group beside its offsets.
#[derive(Clone, Copy)]
pub(super) struct GroupFacts<'a> {
    pub(super) id: &'a str,
    pub(super) protocol_type: Option<&'a str>,
    pub(super) generation: i32,
}

/// The entries for one commit.
pub(super) fn encode_commits(group: GroupFacts<'_>, commits: &[Commit]) -> serde_json::Result<Vec<Vec<u8>>> {
    encode_rows(commits.iter().map(to_row), |offsets| group.commit(offsets))
}

/// The entries for offsets that a transaction holds.
pub(super) fn encode_hold(
    group: &str,
    (producer_id, epoch): (i64, i16),
    commits: &[Commit],
) -> serde_json::Result<Vec<Vec<u8>>> {
    encode_rows(commits.iter().map(to_row), |offsets| hold(group, (producer_id, epoch), offsets))
}

/// The entry for the end of a transaction.
pub(super) fn encode_settle(
    group: &str,
    producer_id: i64,
    newest_epoch: i16,
    commit: bool,
) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Record::Settle { group: Cow::Borrowed(group), producer_id, newest_epoch, commit })
}

/// The entry for offsets of single partitions that are deleted.
pub(super) fn encode_forget(group: &str, partitions: &[(Uuid, i32)]) -> serde_json::Result<Vec<u8>> {
    let partitions = partitions.iter().map(|&(topic, partition)| Partition(topic, partition)).collect();
    serde_json::to_vec(&Record::Forget { group: Cow::Borrowed(group), partitions })
}

/// The entry for a group that nobody is in any longer, or somebody is in again.
pub(super) fn encode_deserted(group: &str, since_ms: Option<i64>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Record::Deserted { group: Cow::Borrowed(group), since_ms })
}

/// The entries for something that changed in a group by the new protocol.
pub(super) fn encode_changes(
    group: &str,
    changes: Vec<ConsumerChanges<'_>>,
) -> serde_json::Result<Vec<Vec<u8>>> {
    let entry = |changes| serde_json::to_vec(&Record::Consumers { group: Cow::Borrowed(group), changes });
    changes.into_iter().map(entry).collect()
}

/// The entry for a share group.
pub(super) fn encode_share(group: &str, epoch: i32) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Record::Share { group: Cow::Borrowed(group), epoch })
}

/// The entries for something that changed in a Streams group; its topology first, if that is to be written.
pub(super) fn encode_streams(
    group: &str,
    topology: Option<&Topology>,
    changes: Vec<StreamsChanges<'_>>,
) -> serde_json::Result<Vec<Vec<u8>>> {
    let group = Cow::Borrowed(group);
    let topology =
        topology.map(|topology| Record::Topology { group: group.clone(), topology: Cow::Borrowed(topology) });
    let changes = changes.into_iter().map(|changes| Record::Streams { group: group.clone(), changes });
    topology.into_iter().chain(changes).map(|record| serde_json::to_vec(&record)).collect()
}

/// The entry for a group that takes up the classic protocol.
pub(super) fn encode_classic(group: &str, generation: i32) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Record::Classic { group: Cow::Borrowed(group), generation })
}

/// The entries that hold all that is kept of a group.
pub(super) fn encode_all(facts: GroupFacts<'_>, group: &Group) -> serde_json::Result<Vec<Vec<u8>>> {
    let id = facts.id;
    let mut entries = encode_rows(to_rows(&group.offsets), |offsets| facts.commit(offsets))?;
    for (producer_id, epoch, offsets) in group.pending.open() {
        entries.extend(encode_rows(to_rows(offsets), |offsets| hold(id, (producer_id, epoch), offsets))?);
    }
    if let Some(newer) = group.newer() {
        entries.extend(newer.all(id)?);
    }
    if group.empty_since_ms.is_some() && group.is_in_journal() {
        entries.push(encode_deserted(id, group.empty_since_ms)?);
    }
    Ok(entries)
}

/// The entry for a group that is deleted.
pub(super) fn encode_delete(group: &str) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Record::Delete { group: Cow::Borrowed(group) })
}

impl<'a> GroupFacts<'a> {
    fn commit(self, offsets: Vec<Row<'a>>) -> Record<'a> {
        Record::Commit {
            group: Cow::Borrowed(self.id),
            protocol_type: self.protocol_type.map(Cow::Borrowed),
            generation: self.generation,
            offsets,
        }
    }
}

fn hold<'a>(group: &'a str, (producer_id, epoch): (i64, i16), offsets: Vec<Row<'a>>) -> Record<'a> {
    Record::Hold { group: Cow::Borrowed(group), producer_id, epoch, offsets }
}

fn to_row(commit: &Commit) -> Row<'_> {
    Row::new(commit.topic, commit.partition, &commit.committed)
}

fn to_rows(offsets: &CommittedOffsets) -> impl Iterator<Item = Row<'_>> {
    offsets.topics().flat_map(|(topic, partitions)| {
        partitions.iter().map(move |(partition, committed)| Row::new(topic, *partition, committed))
    })
}

fn encode_rows<'a>(
    rows: impl Iterator<Item = Row<'a>>,
    entry: impl Fn(Vec<Row<'a>>) -> Record<'a>,
) -> serde_json::Result<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for row in rows {
        bytes += row.bytes();
        batch.push(row);
        if bytes >= TARGET_ENTRY_BYTES {
            entries.push(serde_json::to_vec(&entry(std::mem::take(&mut batch)))?);
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        entries.push(serde_json::to_vec(&entry(batch))?);
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use schloss_log::journal::MAX_ENTRY_BYTES;

    #[test]
    fn what_is_written_can_be_read() {
        let commit = Commit {
            topic: Uuid::from_bytes(*b"0123456789abcdef"),
            partition: 3,
            committed: Committed {
                offset: i64::MAX,
                leader_epoch: -1,
                metadata: "quo\"te\n\0ü".into(),
                time_ms: 1,
            },
        };
        let facts = GroupFacts { id: "g\"1", protocol_type: Some("consumer"), generation: 7 };
        let entries = encode_commits(facts, std::slice::from_ref(&commit)).unwrap();
        let Record::Commit { group, protocol_type, generation, offsets } =
            serde_json::from_slice(&entries[0]).unwrap()
        else {
            panic!("not a commit");
        };
        assert_eq!((&*group, protocol_type.as_deref(), generation), ("g\"1", Some("consumer"), 7));
        assert_eq!(offsets.into_iter().map(Commit::from).collect::<Vec<_>>(), [commit]);
    }

    #[test]
    fn a_large_commit_becomes_entries_that_the_journal_takes() {
        let metadata: Box<str> = "\0".repeat(4096).into();
        let commits: Vec<_> = (0..1000)
            .map(|partition| Commit {
                topic: Uuid::ZERO,
                partition,
                committed: Committed { offset: 1, leader_epoch: 0, metadata: metadata.clone(), time_ms: 0 },
            })
            .collect();
        let facts = GroupFacts { id: "g", protocol_type: None, generation: 0 };
        let entries = encode_commits(facts, &commits).unwrap();
        assert!(entries.len() > 10);
        assert!(entries.iter().all(|entry| entry.len() < MAX_ENTRY_BYTES / 4));
    }

    #[test]
    fn an_unknown_record_is_an_error() {
        for entry in [
            r#"{"record":"expire","group":"g"}"#,
            r#"{"record":"delete","group":"g","also":1}"#,
            r#"{"record":"commit","group":"g","generation":0,"offsets":[["zz",0,0,0,0,""]]}"#,
        ] {
            assert!(serde_json::from_str::<Record<'_>>(entry).is_err(), "{entry}");
        }
    }
}
