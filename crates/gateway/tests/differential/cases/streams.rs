//! Streams groups (KIP-1071).

use futures_util::FutureExt;
use schloss_wire::messages as m;
use schloss_wire::{Api, StrBytes, build};

use crate::case::{Case, Scenario, cluster_ways, scripts, ways, ways_on, with, yes_or_no};
use crate::side::{At, Side};

const GROUP: &str = "streams{c}-{v}";
const LEAVES: i32 = -1;

/// A member with a source that there is and a changelog that would have to be made.
fn member(
    side: &Side<'_>,
    group: &str,
    sources: &[&str],
    changelog: Option<&str>,
) -> m::StreamsGroupHeartbeatRequest {
    use m::streams_group_heartbeat_request::{Subtopology, TopicInfo, Topology};
    let changelogs = changelog
        .map(|label| build!(TopicInfo { name: side.text(label), partitions: 0, replication_factor: 1 }));
    let subtopology = build!(Subtopology {
        subtopology_id: "0".into(),
        source_topics: sources.iter().map(|label| side.text(label)).collect(),
        state_changelog_topics: changelogs.into_iter().collect(),
    });
    let mut request = silent(side.kept(group), 0);
    request.topology = Some(build!(Topology { epoch: 0, subtopologies: vec![subtopology] }));
    request.active_tasks = Some(Vec::new());
    request.standby_tasks = Some(Vec::new());
    request.warmup_tasks = Some(Vec::new());
    request.rebalance_timeout_ms = 10_000;
    request.process_id = Some("process".into());
    request.client_tags = Some(Vec::new());
    request
}

fn silent(group: StrBytes, epoch: i32) -> m::StreamsGroupHeartbeatRequest {
    build!(m::StreamsGroupHeartbeatRequest {
        group_id: group,
        member_id: "first-member".into(),
        member_epoch: epoch,
        instance_id: None,
        rack_id: None,
        topology: None,
        active_tasks: None,
        standby_tasks: None,
        warmup_tasks: None,
        process_id: None,
        client_tags: None,
        task_offsets: None,
        task_end_offsets: None,
    })
}

async fn life(side: &mut Side<'_>, sources: &[&str], changelog: Option<&str>) {
    let request = member(side, GROUP, sources, changelog);
    let joined = side.ask("joins", At::Groups, &request).await;
    if joined.as_ref().is_none_or(|answer| answer.error_code != 0) {
        return;
    }
    let epoch = joined.map(|answer| answer.member_epoch).unwrap_or_default();
    let request = silent(side.kept(GROUP), epoch);
    side.ask("stays", At::Groups, &request).await;
    let request = silent(side.kept(GROUP), LEAVES);
    side.ask("leaves", At::Groups, &request).await;
}

async fn described(side: &mut Side<'_>) {
    for (label, sources) in [("streams{c}-{v}a", &["a"][..]), ("streams{c}-{v}b", &["b", "c"])] {
        let request = member(side, label, sources, None);
        let joined = side.service(At::Groups, &request).await;
        assert_eq!(joined.error_code, 0, "{joined:?}");
    }
    let groups =
        ["streams{c}-{v}a", "streams{c}-{v}b", "streams{c}-{v}missing", "a"].map(|label| side.kept(label));
    let request = build!(m::StreamsGroupDescribeRequest {
        group_ids: groups.to_vec(),
        include_authorized_operations: true
    });
    side.ask("", At::Groups, &request).await;
}

fn both(scenarios: Vec<Scenario>) -> Vec<Scenario> {
    let mut scenarios = with(scenarios, &[&format!("allow read group {GROUP}")]);
    scenarios.extend(with(yes_or_no("read", "group", GROUP), &["allow describe topic *"]));
    scenarios
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let api = Api::StreamsGroupHeartbeat;
    cases.extend(scripts(api, "topics there are", both(ways("describe", "topic")), |side| {
        life(side, &["a", "b"], None).boxed_local()
    }));
    cases.extend(scripts(api, "a missing one too", both(ways("describe", "topic")), |side| {
        life(side, &["a", "missing"], None).boxed_local()
    }));
    let creators = [ways_on("create", "topic", "log{c}-{v}"), cluster_ways("create")].concat();
    let creators = with(creators, &["allow describe topic *", &format!("allow read group {GROUP}")]);
    cases.extend(scripts(api, "a changelog to be made", creators, |side| {
        life(side, &["a"], Some("log{c}-{v}a")).boxed_local()
    }));
    let groups = ["a", "b", "missing"].map(|label| format!("allow describe group {GROUP}{label}"));
    let mut scenarios = with(ways("describe", "topic"), &groups.each_ref().map(String::as_str));
    scenarios.extend(with(ways_on("describe", "group", GROUP), &["allow describe topic *"]));
    cases.extend(scripts(Api::StreamsGroupDescribe, "two groups", scenarios, |side| {
        described(side).boxed_local()
    }));
    cases
}
