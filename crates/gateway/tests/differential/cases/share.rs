//! Share groups (KIP-932).

use futures_util::FutureExt;
use schloss_wire::messages as m;
use schloss_wire::{Api, StrBytes, build};

use crate::case::{Case, Scenario, scripts, ways, ways_on, with, yes_or_no};
use crate::side::{At, Side};

use super::LABELS;

const GROUP: &str = "share{c}-{v}";
/// A member's id is a UUID as Kafka writes it.
const MEMBER: &str = "AAAAAAAAAAAAAAAAAAAAAQ";
const BROKER: At = At::Broker(1);
const LEAVES: i32 = -1;

fn member(group: StrBytes, epoch: i32, topics: Option<Vec<StrBytes>>) -> m::ShareGroupHeartbeatRequest {
    build!(m::ShareGroupHeartbeatRequest {
        group_id: group,
        member_id: MEMBER.into(),
        member_epoch: epoch,
        rack_id: None,
        subscribed_topic_names: topics,
    })
}

fn subscribed(side: &Side<'_>, topics: &[&str]) -> Option<Vec<StrBytes>> {
    Some(topics.iter().map(|label| side.text(label)).collect())
}

async fn life(side: &mut Side<'_>, topics: &[&str]) {
    let request = member(side.kept(GROUP), 0, subscribed(side, topics));
    let joined = side.ask("joins", At::Groups, &request).await;
    let epoch = joined.map(|answer| answer.member_epoch).unwrap_or_default();
    let request = member(side.kept(GROUP), epoch, None);
    side.ask("stays", At::Groups, &request).await;
    let request = member(side.kept(GROUP), LEAVES, None);
    side.ask("leaves", At::Groups, &request).await;
}

/// Makes a group, with a member of the service in it if it is to stay.
async fn group(side: &Side<'_>, label: &str, topics: &[&str], stays: bool) {
    let request = member(side.kept(label), 0, subscribed(side, topics));
    let joined = side.service(At::Groups, &request).await;
    assert_eq!(joined.error_code, 0, "{joined:?}");
    if !stays {
        let left = side.service(At::Groups, &member(side.kept(label), LEAVES, None)).await;
        assert_eq!(left.error_code, 0, "{left:?}");
    }
}

async fn described(side: &mut Side<'_>) {
    for (label, topics) in [("share{c}-{v}a", &["a"][..]), ("share{c}-{v}b", &["b", "c"])] {
        group(side, label, topics, true).await;
    }
    let groups = ["share{c}-{v}a", "share{c}-{v}b", "share{c}-{v}missing", "a"].map(|label| side.kept(label));
    let request = build!(m::ShareGroupDescribeRequest {
        group_ids: groups.to_vec(),
        include_authorized_operations: true
    });
    side.ask("", At::Groups, &request).await;
}

fn begin_at(side: &Side<'_>, start_offset: i64) -> m::AlterShareGroupOffsetsRequest {
    use m::alter_share_group_offsets_request::{
        AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
    };
    let topics = LABELS.map(|label| {
        let partition = |partition_index, start_offset| {
            build!(AlterShareGroupOffsetsRequestPartition { partition_index, start_offset })
        };
        build!(AlterShareGroupOffsetsRequestTopic {
            topic_name: side.text(label),
            partitions: vec![partition(0, start_offset), partition(1, 0)],
        })
    });
    build!(m::AlterShareGroupOffsetsRequest { group_id: side.kept(GROUP), topics: topics.to_vec() })
}

async fn records(side: &mut Side<'_>, labels: &[&str]) {
    group(side, GROUP, &["a", "b"], false).await;
    // A group that knows where it begins needs no time for it when it is first asked.
    let altered = side.service(At::Groups, &begin_at(side, 2)).await;
    assert_eq!(altered.error_code, 0, "{altered:?}");
    group(side, GROUP, &["a", "b"], true).await;
    // One after the other, so that what is acquired depends on nothing else.
    for label in labels {
        side.ask("of one topic", BROKER, &fetch(side, 0, &[label], &[0], 1000)).await;
        side.ask("of one topic", BROKER, &acknowledge(side, 1, &[label], 2..=3)).await;
    }
    side.ask("opens", BROKER, &fetch(side, 0, labels, &[0, 7], 0)).await;
    side.ask("goes on", BROKER, &fetch(side, 1, &[], &[], 0)).await;
    side.ask("again", BROKER, &acknowledge(side, 2, labels, 2..=3)).await;
    side.ask("closes", BROKER, &fetch(side, LEAVES, &[], &[], 0)).await;
}

fn fetch(
    side: &Side<'_>,
    epoch: i32,
    labels: &[&str],
    partitions: &[i32],
    wait_ms: i32,
) -> m::ShareFetchRequest {
    use m::share_fetch_request::{FetchPartition, FetchTopic};
    let topics = labels.iter().map(|label| {
        let partitions = partitions.iter().map(|&partition_index| build!(FetchPartition { partition_index }));
        build!(FetchTopic { topic_id: side.id(label), partitions: partitions.collect() })
    });
    build!(m::ShareFetchRequest {
        group_id: Some(side.kept(GROUP)),
        member_id: Some(MEMBER.into()),
        share_session_epoch: epoch,
        max_wait_ms: wait_ms,
        min_bytes: 1,
        max_bytes: 1 << 20,
        max_records: 100,
        batch_size: 100,
        topics: topics.collect(),
    })
}

fn acknowledge(
    side: &Side<'_>,
    epoch: i32,
    labels: &[&str],
    offsets: std::ops::RangeInclusive<i64>,
) -> m::ShareAcknowledgeRequest {
    use m::share_acknowledge_request::{AcknowledgePartition, AcknowledgeTopic, AcknowledgementBatch};
    let topics = labels.iter().map(|label| {
        let batch = build!(AcknowledgementBatch {
            first_offset: *offsets.start(),
            last_offset: *offsets.end(),
            acknowledge_types: vec![1],
        });
        let partition =
            build!(AcknowledgePartition { partition_index: 0, acknowledgement_batches: vec![batch] });
        build!(AcknowledgeTopic { topic_id: side.id(label), partitions: vec![partition] })
    });
    build!(m::ShareAcknowledgeRequest {
        group_id: Some(side.kept(GROUP)),
        member_id: Some(MEMBER.into()),
        share_session_epoch: epoch,
        topics: topics.collect(),
    })
}

async fn offsets(side: &mut Side<'_>) {
    use m::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
    use m::describe_share_group_offsets_request::{
        DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
    };
    group(side, GROUP, &["a", "b"], false).await;
    let alter = begin_at(side, 2);
    side.ask("", At::Groups, &alter).await;
    // So that there is something to see and to delete whatever was denied.
    side.service(At::Groups, &alter).await;
    for all in [false, true] {
        let groups = [GROUP, "missing"].map(|group| {
            let topics = LABELS.map(|label| {
                build!(DescribeShareGroupOffsetsRequestTopic {
                    topic_name: side.text(label),
                    partitions: vec![0]
                })
            });
            build!(DescribeShareGroupOffsetsRequestGroup {
                group_id: side.kept(group),
                topics: (!all).then(|| topics.to_vec()),
            })
        });
        let request = build!(m::DescribeShareGroupOffsetsRequest { groups: groups.to_vec() });
        side.ask(if all { "of all topics" } else { "by name" }, At::Groups, &request).await;
    }
    let topics =
        LABELS.map(|label| build!(DeleteShareGroupOffsetsRequestTopic { topic_name: side.text(label) }));
    let delete =
        build!(m::DeleteShareGroupOffsetsRequest { group_id: side.kept(GROUP), topics: topics.to_vec() });
    side.ask("", At::Groups, &delete).await;
}

fn both(operation: &str, group_operation: &str) -> Vec<Scenario> {
    let mut scenarios = with(ways(operation, "topic"), &[&format!("allow {group_operation} group {GROUP}")]);
    scenarios.extend(with(yes_or_no(group_operation, "group", GROUP), &["allow read topic *"]));
    scenarios
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let api = Api::ShareGroupHeartbeat;
    cases.extend(scripts(api, "topics there are", both("describe", "read"), |side| {
        life(side, &["a", "b"]).boxed_local()
    }));
    cases.extend(scripts(api, "a missing one too", both("describe", "read"), |side| {
        life(side, &["a", "missing"]).boxed_local()
    }));
    let groups = ["a", "b", "missing"].map(|label| format!("allow describe group {GROUP}{label}"));
    let mut scenarios = with(ways("describe", "topic"), &groups.each_ref().map(String::as_str));
    scenarios.extend(with(ways_on("describe", "group", GROUP), &["allow describe topic *"]));
    cases.extend(scripts(Api::ShareGroupDescribe, "two groups", scenarios, |side| {
        described(side).boxed_local()
    }));
    for api in [Api::ShareFetch, Api::ShareAcknowledge] {
        cases.extend(scripts(api, "a session", both("read", "read"), |side| {
            records(side, &["a", "b", "c", "pre-a"]).boxed_local()
        }));
        let group = yes_or_no("read", "group", GROUP);
        cases.extend(scripts(
            api,
            "a session with a missing topic",
            with(group, &["allow read topic a"]),
            |side| records(side, &["a", "b", "missing"]).boxed_local(),
        ));
    }
    let apis = [
        (Api::AlterShareGroupOffsets, "read", "read"),
        (Api::DescribeShareGroupOffsets, "describe", "describe"),
        (Api::DeleteShareGroupOffsets, "read", "delete"),
    ];
    for (api, operation, group_operation) in apis {
        let scenarios = both(operation, group_operation);
        cases.extend(scripts(api, "offsets", scenarios, |side| offsets(side).boxed_local()));
    }
    cases
}
