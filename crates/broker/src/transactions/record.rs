//! The entries of the coordinator's journal: one JSON object each.

use std::borrow::Cow;
use std::sync::Arc;

use schloss_wire::Uuid;
use serde::{Deserialize, Serialize};

use super::transaction::{Change, Transaction, TransactionState};
use crate::hex_id;
use crate::producers::TransactionVersion;

/// What the journal holds. A kind that this version does not know refuses the start: to skip it would be to
/// end transactions the wrong way.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Entry<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    /// In milliseconds since the epoch.
    pub(super) at_ms: i64,
    #[serde(flatten)]
    pub(super) record: Record,
}

/// What happened to a transactional id.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(super) enum Record {
    Init {
        producer_id: i64,
        epoch: i16,
        last_epoch: i16,
        timeout_ms: i32,
    },
    Add {
        partitions: Vec<Partition>,
        groups: Vec<String>,
    },
    End {
        commit: bool,
        epoch: i16,
        last_epoch: i16,
        next_producer_id: i64,
        version: i8,
    },
    Complete,
    /// It is not used any more.
    Forget,
    /// All of it, when the journal is written anew.
    Whole(Box<Whole>),
}

/// A topic's id and a partition.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Partition(#[serde(with = "hex_id")] Uuid, i32);

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Whole {
    producer_id: i64,
    previous_producer_id: i64,
    next_producer_id: i64,
    epoch: i16,
    last_epoch: i16,
    timeout_ms: i32,
    state: Cow<'static, str>,
    partitions: Vec<Partition>,
    groups: Vec<String>,
    started_ms: i64,
    version: i8,
}

impl Entry<'_> {
    /// As the journal holds it.
    pub(super) fn encode(id: &str, at_ms: i64, record: Record) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Entry { id: Cow::Borrowed(id), at_ms, record })
    }
}

impl Record {
    /// What is written of a change.
    pub(super) fn of(change: &Change) -> Self {
        match change {
            &Change::Init { producer_id, epoch, last_epoch, timeout_ms } => {
                Self::Init { producer_id, epoch, last_epoch, timeout_ms }
            }
            Change::Add { partitions, groups } => {
                Self::Add { partitions: to_rows(partitions), groups: to_names(groups) }
            }
            &Change::End { commit, epoch, last_epoch, next_producer_id, version } => {
                Self::End { commit, epoch, last_epoch, next_producer_id, version: to_number(version) }
            }
            Change::Complete => Self::Complete,
        }
    }

    /// All that is known of a transactional id.
    pub(super) fn whole(transaction: &Transaction) -> Self {
        Self::Whole(Box::new(Whole {
            producer_id: transaction.producer_id,
            previous_producer_id: transaction.previous_producer_id,
            next_producer_id: transaction.next_producer_id,
            epoch: transaction.epoch,
            last_epoch: transaction.last_epoch,
            timeout_ms: transaction.timeout_ms,
            state: Cow::Borrowed(transaction.state.name()),
            partitions: to_rows(&transaction.partitions),
            groups: to_names(&transaction.groups),
            started_ms: transaction.started_ms,
            version: to_number(transaction.version),
        }))
    }

    /// What comes of it for a transactional id; nothing if it is forgotten.
    ///
    /// # Errors
    /// Words for the operator.
    pub(super) fn replay(
        self,
        before: Option<Transaction>,
        at_ms: i64,
    ) -> Result<Option<Transaction>, String> {
        let change = match self {
            Self::Whole(whole) => return whole.into_transaction(at_ms).map(Some),
            Self::Forget => return Ok(None),
            Self::Init { producer_id, epoch, last_epoch, timeout_ms } => {
                let mut transaction = before.unwrap_or_else(|| Transaction::first(at_ms));
                transaction.apply(Change::Init { producer_id, epoch, last_epoch, timeout_ms }, at_ms);
                return Ok(Some(transaction));
            }
            Self::Add { partitions, groups } => Change::Add {
                partitions: from_rows(partitions),
                groups: groups.into_iter().map(Arc::from).collect(),
            },
            Self::End { commit, epoch, last_epoch, next_producer_id, version } => {
                Change::End { commit, epoch, last_epoch, next_producer_id, version: from_number(version)? }
            }
            Self::Complete => Change::Complete,
        };
        let mut transaction = before.ok_or("a transactional id is changed that was never initialized")?;
        transaction.apply(change, at_ms);
        Ok(Some(transaction))
    }
}

impl Whole {
    fn into_transaction(self, updated_ms: i64) -> Result<Transaction, String> {
        let state = TransactionState::from_name(&self.state)
            .ok_or_else(|| format!("unknown state of a transaction: {}", self.state))?;
        Ok(Transaction {
            producer_id: self.producer_id,
            previous_producer_id: self.previous_producer_id,
            next_producer_id: self.next_producer_id,
            epoch: self.epoch,
            last_epoch: self.last_epoch,
            timeout_ms: self.timeout_ms,
            state,
            partitions: from_rows(self.partitions).into_iter().collect(),
            groups: self.groups.into_iter().map(Arc::from).collect(),
            started_ms: self.started_ms,
            updated_ms,
            version: from_number(self.version)?,
        })
    }
}

fn to_rows<'a>(partitions: impl IntoIterator<Item = &'a (Uuid, i32)>) -> Vec<Partition> {
    partitions.into_iter().map(|&(topic, index)| Partition(topic, index)).collect()
}

fn to_names<'a>(groups: impl IntoIterator<Item = &'a Arc<str>>) -> Vec<String> {
    groups.into_iter().map(ToString::to_string).collect()
}

fn from_rows(rows: Vec<Partition>) -> Vec<(Uuid, i32)> {
    rows.into_iter().map(|Partition(topic, index)| (topic, index)).collect()
}

const fn to_number(version: TransactionVersion) -> i8 {
    match version {
        TransactionVersion::V1 => 1,
        TransactionVersion::V2 => 2,
    }
}

fn from_number(version: i8) -> Result<TransactionVersion, String> {
    match version {
        1 => Ok(TransactionVersion::V1),
        2 => Ok(TransactionVersion::V2),
        other => Err(format!("unknown version of transactions: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(record: Record) -> Record {
        let bytes = Entry::encode("my\"id", 7, record).unwrap();
        let entry: Entry<'_> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&*entry.id, entry.at_ms), ("my\"id", 7));
        entry.record
    }

    fn changes() -> Vec<Change> {
        let partitions = vec![(Uuid::from_bytes(*b"0123456789abcdef"), 3), (Uuid::from_bytes([9; 16]), 0)];
        vec![
            Change::Init { producer_id: 4_000, epoch: 0, last_epoch: -1, timeout_ms: 60_000 },
            Change::Add { partitions, groups: vec!["g\u{fc}".into()] },
            Change::End {
                commit: true,
                epoch: 1,
                last_epoch: 0,
                next_producer_id: 9,
                version: TransactionVersion::V2,
            },
            Change::Complete,
        ]
    }

    #[test]
    fn what_is_replayed_is_what_happened() {
        let mut expected = Transaction::first(7);
        let mut replayed = None;
        for change in changes() {
            replayed = written(Record::of(&change)).replay(replayed, 7).unwrap();
            expected.apply(change, 7);
            assert_eq!(replayed.as_ref(), Some(&expected));
            let whole = written(Record::whole(&expected)).replay(None, 7).unwrap();
            assert_eq!(whole.as_ref(), Some(&expected));
        }
        assert_eq!((expected.producer_id, expected.epoch), (9, 0));
        assert_eq!(written(Record::Forget).replay(replayed, 7), Ok(None));
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        assert!(written(Record::Complete).replay(None, 7).is_err());
        for entry in [
            r#"{"id":"t","at_ms":0,"record":"split"}"#,
            r#"{"id":"t","record":"complete"}"#,
            r#"{"id":"t","at_ms":0,"record":"add","partitions":[["zz",0]],"groups":[]}"#,
        ] {
            assert!(serde_json::from_str::<Entry<'_>>(entry).is_err(), "{entry}");
        }
    }
}
