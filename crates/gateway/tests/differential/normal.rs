//! What two worlds can't have in common is made the same in both: names, ids, addresses, what a clock or a random
//! generator made.

use std::collections::HashMap;

use crate::names::{MISSING_ID, Names, without_salt};
use crate::tree::Tree;

pub(crate) struct Normaliser<'a> {
    /// What names of this world and of the other one begin with.
    own: String,
    other: String,
    /// Hexadecimal topic ids and the labels of their topics.
    ids: &'a HashMap<String, String>,
    api: &'a str,
}

/// Fields that hold what a broker makes up.
const MADE_UP: [&str; 16] = [
    "token_id",
    "hmac",
    "member_id",
    "producer_id",
    "current_producer_id",
    "session_id",
    "subscription_id",
    "client_instance_id",
    "partition_size",
    "total_bytes",
    "usable_bytes",
    "coordinator_epoch",
    "controller_id",
    "log_dir",
    "leader",
    "last_timestamp",
];
/// Fields that hold the time of now.
const CLOCK: [&str; 9] = [
    "log_append_time_ms",
    "transaction_start_time_ms",
    "last_caught_up_timestamp",
    "issue_timestamp_ms",
    "expiry_timestamp_ms",
    "max_timestamp_ms",
    "issue_timestamp",
    "expiry_timestamp",
    "max_timestamp",
];
/// Where a thing is, which differs between coordinators and between a gateway and a broker.
const PLACE: [&str; 2] = ["host", "port"];

impl<'a> Normaliser<'a> {
    pub(crate) fn new(names: &Names, ids: &'a HashMap<String, String>, api: &'a str) -> Self {
        Self { own: names.token(), other: names.other_token(), ids, api }
    }

    pub(crate) fn apply(&self, tree: &Tree) -> Tree {
        self.value("", tree)
    }

    fn value(&self, field: &str, tree: &Tree) -> Tree {
        match tree {
            Tree::Leaf(text) => Tree::Leaf(self.leaf(field, text)),
            Tree::List(items) => {
                let ours = items.iter().filter(|item| !self.is_the_others(item));
                let mut items: Vec<Tree> = ours.map(|item| self.value(field, item)).collect();
                // These are told apart by their places alone.
                if !["CreateAcls results", "DeleteAcls filter_results"]
                    .contains(&&*format!("{} {field}", self.api))
                {
                    items.sort();
                }
                Tree::List(merged(items))
            }
            Tree::Fields(fields) => {
                let kept = fields.iter().filter(|(name, value)| {
                    name != "throttle_time_ms"
                        && !(name == "unknown_tagged_fields" && value.to_string() == "{fields: []}")
                });
                Tree::Fields(kept.map(|(name, value)| (name.clone(), self.value(name, value))).collect())
            }
        }
    }

    /// A listing of everything holds the other world as well.
    fn is_the_others(&self, item: &Tree) -> bool {
        let other = self.other.as_str();
        match item {
            Tree::Leaf(text) => text.contains(other),
            Tree::Fields(fields) => {
                fields.iter().any(|(_, value)| matches!(value, Tree::Leaf(text) if text.contains(other)))
            }
            Tree::List(_) => false,
        }
    }

    fn leaf(&self, field: &str, text: &str) -> String {
        let is_number = text.parse::<i64>().is_ok_and(|number| number > 0);
        let is_text = text.starts_with('"') && text != "\"\"";
        let coordinator = self.api == "FindCoordinator" && field == "node_id";
        let quorum = self.api == "DescribeQuorum" && is_number && field != "error_code";
        let place = PLACE.contains(&field) && !text.contains("127.0.0.1\"");
        if (MADE_UP.contains(&field) || place)
            && (is_number || is_text || text == "0" && field == "producer_id")
            || (CLOCK.contains(&field) || coordinator || quorum) && is_number
        {
            return "(some)".to_owned();
        }
        if let Some(id) = text.strip_prefix("id:") {
            return self.id(id);
        }
        without_uuids(&without_salt(&text.replace(&self.own, "~")))
    }

    fn id(&self, id: &str) -> String {
        let missing: String = MISSING_ID.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        match self.ids.get(id) {
            Some(label) => format!("id of {label}"),
            None if id == missing => "id of nothing".to_owned(),
            None if id.bytes().all(|byte| byte == b'0') => "no id".to_owned(),
            None => "(some id)".to_owned(),
        }
    }
}

/// Elements that differ in their lists alone are one: Kafka may name a topic twice in an answer.
fn merged(items: Vec<Tree>) -> Vec<Tree> {
    let mut out: Vec<Tree> = Vec::new();
    for item in items {
        let same = out.iter_mut().find(|other| differ_in_lists_alone(other, &item));
        match (same, item) {
            (Some(Tree::Fields(fields)), Tree::Fields(more)) => {
                for ((_, all), (_, part)) in fields.iter_mut().zip(more) {
                    if let (Tree::List(all), Tree::List(part)) = (all, part) {
                        all.extend(part);
                        all.sort();
                    }
                }
            }
            (_, item) => out.push(item),
        }
    }
    out
}

fn differ_in_lists_alone(one: &Tree, other: &Tree) -> bool {
    let (Tree::Fields(one), Tree::Fields(other)) = (one, other) else { return false };
    let is_list = |(_, value): &(String, Tree)| matches!(value, Tree::List(_));
    let has_some = |(_, value): &(String, Tree)| matches!(value, Tree::List(items) if !items.is_empty());
    one.iter().any(has_some)
        && other.iter().any(has_some)
        && one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| is_list(one) && is_list(other) || one == other)
}

/// Ids of members and topics in the middle of texts.
fn without_uuids(text: &str) -> String {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    const LENGTH: usize = 36;
    let bytes = text.as_bytes();
    if bytes.len() < LENGTH {
        return text.to_owned();
    }
    let is_uuid = |start: usize| {
        let Some(part) = text.get(start..start + LENGTH) else { return false };
        let groups: Vec<&str> = part.split('-').collect();
        groups.len() == GROUPS.len()
            && groups.iter().zip(GROUPS).all(|(group, length)| {
                group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
    };
    let mut out = String::new();
    let mut at = 0;
    while at < bytes.len() {
        if is_uuid(at) {
            out.push_str("(uuid)");
            at += LENGTH;
        } else {
            let symbol = text[at..].chars().next().unwrap_or_default();
            out.push(symbol);
            at += symbol.len_utf8();
        }
    }
    out
}

#[test]
fn names_ids_and_members_become_the_same_and_nothing_else() {
    let names = Names::of_all(crate::names::Twin::Kafka, "7");
    let ids = HashMap::from([("00ff".to_owned(), "a".to_owned())]);
    let normal = Normaliser::new(&names, &ids, "Metadata");
    let text = format!(
        r#"A {{ throttle_time_ms: 3, error_code: 7, l: [B {{ name: StrBytes(b"{}b") }}, B {{ name: StrBytes(b"{}") }}, B {{ name: StrBytes(b"{}a") }}], m: StrBytes(b"x-01234567-89ab-cdef-0123-456789abcdef"), topic_id: Uuid([0, 255]) }}"#,
        names.token(),
        names.other_token(),
        names.token()
    );
    assert_eq!(
        normal.apply(&Tree::read(&text)).to_string(),
        r#"{error_code: 7, l: [{name: "~a"}, {name: "~b"}], m: "x-(uuid)", topic_id: id of a}"#
    );
}
