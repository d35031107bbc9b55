//! The entries of the offsets' journal: one JSON object each.

use std::borrow::Cow;

use schloss_wire::Uuid;
use serde::{Deserialize, Serialize};

use super::offsets::{Commit, Committed, CommittedOffsets};

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
    /// The group and all its offsets were deleted.
    Delete {
        #[serde(borrow)]
        group: Cow<'a, str>,
    },
}

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
    encode_rows(group, commits.iter().map(|one| Row::new(one.topic, one.partition, &one.committed)))
}

/// The entries that hold all offsets of a group.
pub(super) fn encode_all(
    group: GroupFacts<'_>,
    offsets: &CommittedOffsets,
) -> serde_json::Result<Vec<Vec<u8>>> {
    let rows = offsets.topics().flat_map(|(topic, partitions)| {
        partitions.iter().map(move |(partition, committed)| Row::new(topic, *partition, committed))
    });
    encode_rows(group, rows)
}

/// The entry for a group that is deleted.
pub(super) fn encode_delete(group: &str) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Record::Delete { group: Cow::Borrowed(group) })
}

fn encode_rows<'a>(
    group: GroupFacts<'a>,
    rows: impl Iterator<Item = Row<'a>>,
) -> serde_json::Result<Vec<Vec<u8>>> {
    let entry = |offsets| {
        serde_json::to_vec(&Record::Commit {
            group: Cow::Borrowed(group.id),
            protocol_type: group.protocol_type.map(Cow::Borrowed),
            generation: group.generation,
            offsets,
        })
    };
    let mut entries = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for row in rows {
        bytes += row.bytes();
        batch.push(row);
        if bytes >= TARGET_ENTRY_BYTES {
            entries.push(entry(std::mem::take(&mut batch))?);
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        entries.push(entry(batch)?);
    }
    Ok(entries)
}

/// A topic id as 32 hexadecimal digits.
mod hex_id {
    use schloss_wire::Uuid;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::borrow::Cow;

    pub(super) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", u128::from_be_bytes(id.to_bytes())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let id =
            u128::from_str_radix(&text, 16).map_err(|_| D::Error::custom("topic id is not hexadecimal"))?;
        Ok(Uuid::from_bytes(id.to_be_bytes()))
    }
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
