//! Offsets that groups commit.

use schloss_wire::messages as m;
use schloss_wire::{Api, StrBytes, Uuid, build};

use crate::case::{Case, Scenario, each, ways, with, yes_or_no};
use crate::side::{At, Side};

use super::LABELS;

/// First versions that name topics by id, and the first that asks for many groups.
const COMMIT_IDS: i16 = 10;
const FETCH_IDS: i16 = 10;
const FETCH_MANY: i16 = 8;
/// First version that asks for all topics.
const FETCH_ALL: i16 = 2;

fn commit(side: &Side<'_>) -> m::OffsetCommitRequest {
    use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    let by_id = side.version() >= COMMIT_IDS;
    let topics = LABELS.map(|label| {
        let partition = |partition_index| {
            build!(OffsetCommitRequestPartition {
                partition_index,
                committed_offset: 3,
                committed_metadata: Some("m".into())
            })
        };
        build!(OffsetCommitRequestTopic {
            name: if by_id { StrBytes::default() } else { side.text(label) },
            topic_id: if by_id { side.id(label) } else { Uuid::ZERO },
            partitions: vec![partition(0), partition(7)],
        })
    });
    build!(m::OffsetCommitRequest {
        group_id: side.kept("commits"),
        generation_id_or_member_epoch: -1,
        topics: topics.to_vec(),
    })
}

/// Of one group, as older versions ask, or of these and more, as newer ones do. `None` is all topics.
fn fetch(side: &Side<'_>, groups: &[&str], all_topics: bool) -> m::OffsetFetchRequest {
    use m::offset_fetch_request::{
        OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    };
    if side.version() < FETCH_MANY {
        let topics = LABELS.map(|label| {
            build!(OffsetFetchRequestTopic { name: side.text(label), partition_indexes: vec![0, 1] })
        });
        let topics = (!all_topics).then(|| topics.to_vec());
        return build!(m::OffsetFetchRequest { group_id: side.kept(groups[0]), topics });
    }
    let by_id = side.version() >= FETCH_IDS;
    let groups = groups.iter().map(|group| {
        let topics = LABELS.map(|label| {
            build!(OffsetFetchRequestTopics {
                name: if by_id { StrBytes::default() } else { side.text(label) },
                topic_id: if by_id { side.id(label) } else { Uuid::ZERO },
                partition_indexes: vec![0, 1],
            })
        });
        build!(OffsetFetchRequestGroup {
            group_id: side.kept(group),
            member_id: None,
            member_epoch: -1,
            topics: (!all_topics).then(|| topics.to_vec()),
        })
    });
    build!(m::OffsetFetchRequest { groups: groups.collect() })
}

fn delete(side: &Side<'_>) -> m::OffsetDeleteRequest {
    use m::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
    let topics = LABELS.map(|label| {
        let partition = |partition_index| build!(OffsetDeleteRequestPartition { partition_index });
        build!(OffsetDeleteRequestTopic {
            name: side.text(label),
            partitions: vec![partition(0), partition(7)]
        })
    });
    build!(m::OffsetDeleteRequest { group_id: side.kept("offdel{c}"), topics: topics.to_vec() })
}

/// Topics with the group allowed, and the group with all topics allowed.
fn both(operation: &str, group_operation: &str, group: &str, topic_operation: &str) -> Vec<Scenario> {
    let group_grant = format!("allow {group_operation} group {group}");
    let topic_grant = format!("allow {topic_operation} topic *");
    let mut scenarios = with(ways(operation, "topic"), &[&group_grant]);
    scenarios.extend(with(yes_or_no(group_operation, "group", group), &[&topic_grant]));
    scenarios
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(each(
        Api::OffsetCommit,
        "without a member",
        At::Groups,
        both("read", "read", "commits", "read"),
        commit,
    ));
    for all_topics in [false, true] {
        let what = if all_topics { "all topics" } else { "topics by name" };
        let versions = if all_topics { FETCH_ALL } else { 0 }..=i16::MAX;
        let one = both("describe", "describe", "a", "describe");
        let many =
            with(ways("describe", "group"), &["allow describe topic b", "allow describe topic missing"]);
        let nobody = yes_or_no("describe", "group", "missing");
        let asked = [(one, &["a"][..]), (many, &LABELS), (nobody, &["missing"])];
        for (scenarios, groups) in asked {
            let what = format!("{what} of {groups:?}");
            let fetched = each(Api::OffsetFetch, &what, At::Groups, scenarios, move |side| {
                fetch(side, groups, all_topics)
            });
            cases.extend(fetched.into_iter().map(|case| case.versions(versions.clone())));
        }
    }
    let deletions = both("read", "delete", "offdel{c}", "read");
    let deletions = each(Api::OffsetDelete, "of one group", At::Groups, deletions, delete);
    cases.extend(deletions.into_iter().map(|case| case.groups(&["offdel{c}"])));
    let none = each(
        Api::OffsetDelete,
        "of no such group",
        At::Groups,
        both("read", "delete", "offdel{c}", "read"),
        delete,
    );
    cases.extend(none);
    cases
}
