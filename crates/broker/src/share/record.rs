//! The entries of the journal of share partitions: one JSON object each.

use std::borrow::Cow;

use schloss_wire::Uuid;
use serde::{Deserialize, Serialize};

use super::partition::Row;
use crate::hex_id;

/// What the journal holds. A kind that this version does not know refuses the start: to skip it would be to
/// deliver again what was acknowledged.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "record", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Record<'a> {
    /// Something changed in a group's state of a partition. Offsets of which no row tells are as they were.
    Change {
        #[serde(borrow)]
        group: Cow<'a, str>,
        #[serde(with = "hex_id")]
        topic: Uuid,
        partition: i32,
        /// What was written of it before counts no longer.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        afresh: bool,
        start: i64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rows: Vec<Row>,
    },
    /// The state of a topic was deleted.
    Forget {
        #[serde(borrow)]
        group: Cow<'a, str>,
        #[serde(with = "hex_id")]
        topic: Uuid,
    },
    /// The group was deleted.
    Delete {
        #[serde(borrow)]
        group: Cow<'a, str>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let topic = Uuid::from_bytes(*b"0123456789abcdef");
        let rows = vec![(7, 9, true, 1), (11, 11, false, 4)];
        let change =
            Record::Change { group: "g\"ü".into(), topic, partition: 3, afresh: false, start: 5, rows };
        let bytes = serde_json::to_vec(&change).unwrap();
        let Record::Change { group, topic: id, partition, afresh, start, rows } =
            serde_json::from_slice(&bytes).unwrap()
        else {
            panic!("not a change");
        };
        assert_eq!((&*group, id, partition, afresh, start), ("g\"ü", topic, 3, false, 5));
        assert_eq!(rows, [(7, 9, true, 1), (11, 11, false, 4)]);
    }

    #[test]
    fn an_unknown_record_is_an_error() {
        for entry in [
            r#"{"record":"expire","group":"g"}"#,
            r#"{"record":"delete","group":"g","also":1}"#,
            r#"{"record":"forget","group":"g","topic":"zz"}"#,
        ] {
            assert!(serde_json::from_str::<Record<'_>>(entry).is_err(), "{entry}");
        }
    }
}
