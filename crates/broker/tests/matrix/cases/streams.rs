//! Groups of Streams applications (KIP-1071).

use schloss_wire::messages as m;
use schloss_wire::{Api, build};

use crate::case::{Case, Names, Shown};

/// The status of a member whose internal topics are missing and may not be made.
const MISSING_INTERNAL_TOPICS: &str = "status[].status_code 3";

/// A member with a source, and a changelog that would have to be made.
fn join(names: &Names, changelog: bool) -> m::StreamsGroupHeartbeatRequest {
    use m::streams_group_heartbeat_request::{Subtopology, TopicInfo, Topology};
    let changelogs = changelog.then(|| build!(TopicInfo { name: names.text("new") }));
    let subtopology = build!(Subtopology {
        subtopology_id: "0".into(),
        source_topics: vec![names.text("t")],
        state_changelog_topics: changelogs.into_iter().collect(),
    });
    build!(m::StreamsGroupHeartbeatRequest {
        group_id: names.text("g"),
        member_id: "member".into(),
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: 10_000,
        topology: Some(build!(Topology { epoch: 0, subtopologies: vec![subtopology] })),
        active_tasks: Some(Vec::new()),
        standby_tasks: Some(Vec::new()),
        warmup_tasks: Some(Vec::new()),
        process_id: Some("process".into()),
        client_tags: Some(Vec::new()),
        task_offsets: None,
        task_end_offsets: None,
    })
}

fn describe(names: &Names) -> m::StreamsGroupDescribeRequest {
    build!(m::StreamsGroupDescribeRequest { group_ids: vec![names.text("g")] })
}

pub(crate) fn cases() -> Vec<Case> {
    let creates = |what| {
        Case::new(Api::StreamsGroupHeartbeat, what, |names| join(names, true))
            .topics(&["t"])
            .needs("read group g", "30")
            .needs("describe topic t", "29")
            .nothing("30", &["read group g"])
    };
    vec![
        Case::new(Api::StreamsGroupHeartbeat, "a new member", |names| join(names, false))
            .topics(&["t"])
            .needs("read group g", "30")
            .needs("describe topic t", "29"),
        creates("a changelog to be made, by its name")
            .needs("describe topic new", "29")
            .needs("create topic new", MISSING_INTERNAL_TOPICS),
        creates("a changelog to be made, by the cluster")
            .needs("describe topic new", "29")
            .needs("create cluster", MISSING_INTERNAL_TOPICS)
            .recorded(&["create topic new"]),
        Case::new(Api::StreamsGroupDescribe, "with a topology", describe)
            .topics(&["t"])
            .prepares(|names| vec![join(names, false).into()])
            .needs("describe group g", "groups[g] 30")
            .needs_silently("describe topic t", "groups[g] 29")
            .shows(Shown::Name("t")),
    ]
}
