//! Share groups (KIP-932).

use schloss_wire::messages as m;
use schloss_wire::{Api, Request, build};

use crate::case::{Case, Names, Shown};

/// A member's id is a UUID as Kafka writes it.
const MEMBER: &str = "AAAAAAAAAAAAAAAAAAAAAQ";
const LEAVES: i32 = -1;

fn member(names: &Names, epoch: i32) -> m::ShareGroupHeartbeatRequest {
    build!(m::ShareGroupHeartbeatRequest {
        group_id: names.text("g"),
        member_id: MEMBER.into(),
        member_epoch: epoch,
        rack_id: None,
        subscribed_topic_names: (epoch == 0).then(|| vec![names.text("t")]),
    })
}

fn joined(names: &Names) -> Vec<Request> {
    vec![member(names, 0).into()]
}

/// A group without members that has offsets.
fn left(names: &Names) -> Vec<Request> {
    vec![member(names, 0).into(), member(names, LEAVES).into(), begin_at(names, 0).into()]
}

fn fetch(names: &Names) -> m::ShareFetchRequest {
    use m::share_fetch_request::{FetchPartition, FetchTopic};
    let partition = build!(FetchPartition { partition_index: 0 });
    let topic = build!(FetchTopic { topic_id: names.id("t"), partitions: vec![partition] });
    build!(m::ShareFetchRequest {
        group_id: Some(names.text("g")),
        member_id: Some(MEMBER.into()),
        share_session_epoch: 0,
        max_bytes: 1 << 20,
        max_records: 100,
        batch_size: 100,
        topics: vec![topic],
    })
}

/// The second request of a session.
fn acknowledge(names: &Names) -> m::ShareAcknowledgeRequest {
    use m::share_acknowledge_request::{AcknowledgePartition, AcknowledgeTopic, AcknowledgementBatch};
    let batch = build!(AcknowledgementBatch { first_offset: 0, last_offset: 0, acknowledge_types: vec![1] });
    let partition = build!(AcknowledgePartition { partition_index: 0, acknowledgement_batches: vec![batch] });
    let topic = build!(AcknowledgeTopic { topic_id: names.id("t"), partitions: vec![partition] });
    build!(m::ShareAcknowledgeRequest {
        group_id: Some(names.text("g")),
        member_id: Some(MEMBER.into()),
        share_session_epoch: 1,
        topics: vec![topic],
    })
}

fn describe(names: &Names) -> m::ShareGroupDescribeRequest {
    build!(m::ShareGroupDescribeRequest { group_ids: vec![names.text("g")] })
}

fn offsets(names: &Names, all: bool) -> m::DescribeShareGroupOffsetsRequest {
    use m::describe_share_group_offsets_request::{
        DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
    };
    let topic =
        build!(DescribeShareGroupOffsetsRequestTopic { topic_name: names.text("t"), partitions: vec![0] });
    let group = build!(DescribeShareGroupOffsetsRequestGroup {
        group_id: names.text("g"),
        topics: (!all).then(|| vec![topic]),
    });
    build!(m::DescribeShareGroupOffsetsRequest { groups: vec![group] })
}

fn begin_at(names: &Names, start_offset: i64) -> m::AlterShareGroupOffsetsRequest {
    use m::alter_share_group_offsets_request::{
        AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
    };
    let partition = build!(AlterShareGroupOffsetsRequestPartition { partition_index: 0, start_offset });
    let topic = build!(AlterShareGroupOffsetsRequestTopic {
        topic_name: names.text("t"),
        partitions: vec![partition]
    });
    build!(m::AlterShareGroupOffsetsRequest { group_id: names.text("g"), topics: vec![topic] })
}

fn delete(names: &Names) -> m::DeleteShareGroupOffsetsRequest {
    use m::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
    let topic = build!(DeleteShareGroupOffsetsRequestTopic { topic_name: names.text("t") });
    build!(m::DeleteShareGroupOffsetsRequest { group_id: names.text("g"), topics: vec![topic] })
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new(Api::ShareGroupHeartbeat, "a new member", |names| member(names, 0))
            .topics(&["t"])
            .needs("read group g", "30")
            .needs("describe topic t", "29"),
        Case::new(Api::ShareGroupDescribe, "with an assigned topic", describe)
            .topics(&["t"])
            .prepares(joined)
            .needs("describe group g", "groups[g] 30")
            .needs_silently("describe topic t", "groups[g] 29")
            .shows(Shown::Name("t")),
        Case::new(Api::ShareFetch, "a new session", fetch)
            .topics(&["t"])
            .prepares(joined)
            .needs("read group g", "30")
            .needs("read topic t", "responses[t].partitions[0] 29")
            .in_part(),
        Case::new(Api::ShareAcknowledge, "in a session", acknowledge)
            .topics(&["t"])
            .prepares(joined)
            .opens(fetch)
            .needs("read group g", "30")
            .needs("read topic t", "responses[t].partitions[0] 29")
            .in_part()
            // Nothing was given to the member.
            .allowed("responses[t].partitions[0] 121"),
        Case::new(Api::DescribeShareGroupOffsets, "by name", |names| offsets(names, false))
            .topics(&["t"])
            .prepares(left)
            .needs("describe group g", "groups[g] 30")
            .needs("describe topic t", "groups[g].topics[t].partitions[0] 29")
            .in_part(),
        Case::new(Api::DescribeShareGroupOffsets, "of all topics", |names| offsets(names, true))
            .topics(&["t"])
            .prepares(left)
            .needs("describe group g", "groups[g] 30")
            .needs_silently("describe topic t", "")
            .shows(Shown::Name("t")),
        Case::new(Api::AlterShareGroupOffsets, "one topic", |names| begin_at(names, 0))
            .topics(&["t"])
            .prepares(left)
            .needs("read group g", "30")
            .needs("read topic t", "responses[t].partitions[0] 29"),
        Case::new(Api::DeleteShareGroupOffsets, "one topic", delete)
            .topics(&["t"])
            .prepares(left)
            .needs("delete group g", "30")
            .needs("read topic t", "responses[t] 29"),
    ]
}
