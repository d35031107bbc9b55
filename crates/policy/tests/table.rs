//! The API table is what `docs/kafka-authorization-table.md` says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

use std::collections::BTreeSet;

use schloss_policy::table::{Need, Row, Scope, TABLE, row};
use schloss_policy::{Operation, ResourceType};
use schloss_wire::{Api, ErrorCode};

const DOCUMENT: &str = include_str!("../../../docs/kafka-authorization-table.md");

/// Errors of authorization and of a handshake out of place. Other numbers in the document's cells are versions,
/// or errors that are not about authorization.
const ERRORS: [i16; 6] = [29, 30, 31, 34, 53, 65];

/// One line of the document's first table.
#[derive(Clone, Debug)]
struct Line {
    key: i16,
    name: String,
    operations: String,
    denial: String,
    place: String,
    remark: String,
}

fn lines() -> Vec<Line> {
    let rows = DOCUMENT.lines().flat_map(|line| {
        let inner = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')).unwrap_or_default();
        let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
        let [keys, names, operations, denial, place, remark] = cells[..] else { return Vec::new() };
        // Some lines are about two APIs.
        let apis = keys.split(',').zip(names.split(", "));
        let lines = apis.filter_map(|(key, name)| {
            Some(Line {
                key: key.parse().ok()?,
                name: name.to_owned(),
                operations: operations.to_owned(),
                denial: denial.to_owned(),
                place: place.to_owned(),
                remark: remark.to_owned(),
            })
        });
        lines.collect()
    });
    rows.collect()
}

type Pair = (Operation, ResourceType);

/// The words of a text, without the marks around them.
fn words(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !is_word(c)).filter(|word| !word.is_empty()).collect()
}

fn operation(word: &str) -> Option<Operation> {
    Operation::ALL.iter().copied().find(|known| known.kafka_name() == word)
}

/// The types of resources as the document spells them, in the order of their codes.
const RESOURCES: [&str; 6] = ["Topic", "Group", "Cluster", "TransactionalId", "DelegationToken", "User"];

/// What may stand between "on" and a resource.
const QUALIFIERS: [&str; 10] =
    ["each", "any", "every", "all", "named", "subscribed", "assigned", "source", "internal", "topology"];

fn resource(word: &str) -> Option<ResourceType> {
    if ["topic", "topics"].contains(&word) {
        return Some(ResourceType::Topic);
    }
    RESOURCES.iter().position(|known| *known == word).map(|index| ResourceType::ALL[index])
}

/// Every "OPERATION on [each|any] Resource" of a text. In the operations cell, "on Resource" alone goes with
/// the operation before it, and an operation alone with the resource before it.
fn pairs(text: &str, elliptic: bool) -> BTreeSet<Pair> {
    let words = words(text);
    let mut found = BTreeSet::new();
    let (mut last_operation, mut last_resource) = (None, None);
    let mut rest = &words[..];
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        let on = |words: &[&str]| -> Option<ResourceType> {
            let words = words.strip_prefix(&["on"])?;
            resource(words.iter().find(|word| !QUALIFIERS.contains(word))?)
        };
        if let Some(operation) = operation(word) {
            last_operation = Some(operation);
            match on(after) {
                Some(resource) => {
                    found.insert((operation, resource));
                    last_resource = Some(resource);
                }
                None if elliptic => found.extend(last_resource.map(|resource| (operation, resource))),
                None => {}
            }
        } else if elliptic
            && *word == "on"
            && let Some(resource) = resource(after.first().unwrap_or(&""))
        {
            found.extend(last_operation.map(|operation| (operation, resource)));
        }
    }
    found
}

/// A text without a part that speaks of something else.
fn without<'a>(text: &'a str, marks: &[&str]) -> &'a str {
    marks.iter().filter_map(|mark| text.find(mark)).min().map_or(text, |end| &text[..end])
}

/// What the document says about an API on a broker's listener.
fn documented(api: Api) -> (BTreeSet<Pair>, BTreeSet<i16>) {
    let (mut needs, mut errors) = (BTreeSet::new(), BTreeSet::new());
    let all = lines();
    let on_brokers = all.iter().filter(|line| line.key == api.key() && line.place != "C-local");
    for line in on_brokers {
        let mut operations = line.operations.clone();
        if let Some(rest) = operations.strip_prefix("as 33, ") {
            let base = &all.iter().find(|line| line.key == 33).expect("AlterConfigs has a row").operations;
            operations = format!("{base}; {rest}");
        }
        let operations =
            without(&operations, &["controller listener:", "/ CLUSTER_ACTION on Cluster (controller"]);
        let denial = without(&line.denial, &["controller:"]).replace("(not 31)", "");
        needs.extend(pairs(operations, true));
        needs.extend(pairs(&denial, false));
        needs.extend(pairs(&line.remark, false));
        errors.extend(
            words(&denial).iter().filter_map(|word| word.parse().ok()).filter(|n| ERRORS.contains(n)),
        );
    }
    (needs, errors)
}

fn errors_of(row: &Row) -> BTreeSet<i16> {
    let codes = row.needs.iter().map(|need| need.error).chain(row.after_authentication);
    codes.map(ErrorCode::code).filter(|code| ERRORS.contains(code)).collect()
}

#[test]
fn every_row_needs_what_the_document_says_and_fails_as_it_says() {
    for row in TABLE {
        let api = Api::from_key(row.api_key).expect("a row is about an API that Schloss knows");
        let (needs, errors) = documented(api);
        let have: BTreeSet<Pair> =
            row.needs.iter().map(|need| (need.operation, need.resource_type)).collect();
        assert_eq!(have, needs, "{} needs", row.name);
        assert_eq!(errors_of(row), errors, "{} errors", row.name);
    }
}

#[test]
fn the_comparison_reads_the_document() {
    use Operation as O;
    use ResourceType as R;
    let (needs, errors) = documented(Api::Produce);
    assert_eq!(needs, [(O::Write, R::Topic), (O::Write, R::TransactionalId)].into());
    assert_eq!(errors, [29, 53].into());
    let (needs, errors) = documented(Api::IncrementalAlterConfigs);
    let alter = [R::Topic, R::Group, R::Cluster].map(|resource| (O::AlterConfigs, resource));
    assert_eq!((needs, errors), (alter.into(), [29, 30, 31].into()));
    assert!(documented(Api::ListGroups).1.is_empty() && documented(Api::ApiVersions).0.is_empty());
}

#[test]
fn every_api_has_one_row_named_as_in_the_document() {
    assert_eq!(TABLE.len(), Api::ALL.len());
    for &api in Api::ALL {
        let row = row(api.key()).unwrap_or_else(|| panic!("{} has no row", api.name()));
        assert_eq!(row.name, api.name());
        let named = lines().iter().any(|line| line.key == api.key() && words(&line.name)[0] == api.name());
        assert!(named, "{} stands in the document", api.name());
    }
}

#[test]
fn scopes_are_as_the_document_words_them() {
    for row in TABLE {
        let texts = lines().into_iter().filter(|line| line.key == row.api_key).map(|line| line.operations);
        let text = texts.collect::<Vec<_>>().join("; ").replace('*', "");
        for Need { operation, resource_type, scope, .. } in row.needs {
            let resource = RESOURCES[resource_type.code() as usize - 2];
            let says = |how: &str| text.contains(&format!("{} on {how} {resource}", operation.kafka_name()));
            assert_eq!(*scope == Scope::Any, says("any"), "{} {operation}", row.name);
            if says("each") {
                assert!(matches!(scope, Scope::Each | Scope::Conditional), "{} {operation}", row.name);
            }
        }
    }
}
