//! Consumer groups of the newer protocol (KIP-848).

use schloss_wire::messages as m;
use schloss_wire::{Api, build};

use crate::case::{Case, Names, Shown};

fn join(names: &Names) -> m::ConsumerGroupHeartbeatRequest {
    build!(m::ConsumerGroupHeartbeatRequest {
        group_id: names.text("g"),
        member_id: "member".into(),
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: 10_000,
        subscribed_topic_names: Some(vec![names.text("t")]),
        subscribed_topic_regex: None,
        server_assignor: None,
        topic_partitions: Some(Vec::new()),
    })
}

fn describe(names: &Names) -> m::ConsumerGroupDescribeRequest {
    build!(m::ConsumerGroupDescribeRequest { group_ids: vec![names.text("g")] })
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new(Api::ConsumerGroupHeartbeat, "a new member", join)
            .topics(&["t"])
            .needs("read group g", "30")
            .needs("describe topic t", "29"),
        Case::new(Api::ConsumerGroupDescribe, "with an assigned topic", describe)
            .topics(&["t"])
            .prepares(|names| vec![join(names).into()])
            .needs("describe group g", "groups[g] 30")
            .needs_silently("describe topic t", "groups[g] 29")
            .shows(Shown::Name("t")),
    ]
}
