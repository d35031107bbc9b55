//! Consumer groups of the new protocol (KIP-848).

use futures_util::FutureExt;
use schloss_wire::messages as m;
use schloss_wire::{Api, StrBytes, build};

use crate::case::{Case, Scenario, scripts, ways, ways_on, with, yes_or_no};
use crate::side::{At, Side};

const GROUP: &str = "new{c}-{v}";
/// First version in which a member chooses its own id, and may subscribe by an expression.
const OWN_ID: i16 = 1;
const LEAVES: i32 = -1;

fn member(group: StrBytes, name: &str) -> m::ConsumerGroupHeartbeatRequest {
    build!(m::ConsumerGroupHeartbeatRequest {
        group_id: group,
        member_id: name.into(),
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: 10_000,
        subscribed_topic_names: None,
        subscribed_topic_regex: None,
        server_assignor: None,
        topic_partitions: Some(Vec::new()),
    })
}

fn subscriber(side: &Side<'_>, group: &str, topics: &[&str]) -> m::ConsumerGroupHeartbeatRequest {
    let name = if side.version_of(Api::ConsumerGroupHeartbeat) < OWN_ID { "" } else { "first-member" };
    let mut request = member(side.kept(group), name);
    request.subscribed_topic_names = Some(topics.iter().map(|label| side.text(label)).collect());
    request
}

async fn life(side: &mut Side<'_>, topics: &[&str]) {
    let request = subscriber(side, GROUP, topics);
    let joined = side.ask("joins", At::Groups, &request).await;
    let (id, epoch) =
        joined.map(|answer| (answer.member_id.unwrap_or_default(), answer.member_epoch)).unwrap_or_default();
    let mut next = member(side.kept(GROUP), &id);
    next.member_epoch = epoch;
    next.topic_partitions = None;
    side.ask("stays", At::Groups, &next).await;
    let request = build!(m::ConsumerGroupDescribeRequest {
        group_ids: vec![side.kept(GROUP)],
        include_authorized_operations: true,
    });
    side.ask("", At::Groups, &request).await;
    next.member_epoch = LEAVES;
    side.ask("leaves", At::Groups, &next).await;
}

/// Two groups with a member each, made by the service.
async fn described(side: &mut Side<'_>) {
    const GROUPS: [&str; 2] = ["new{c}-{v}a", "new{c}-{v}b"];
    let both: [&[&str]; 2] = [&["a"], &["b", "c"]];
    for (group, topics) in GROUPS.into_iter().zip(both) {
        let mut request = subscriber(side, group, topics);
        request.member_id = "first-member".into();
        let joined = side.service(At::Groups, &request).await;
        assert_eq!(joined.error_code, 0, "{joined:?}");
    }
    let request = build!(m::ConsumerGroupDescribeRequest {
        group_ids: [GROUPS[0], GROUPS[1], "new{c}-{v}missing", "a"].map(|label| side.kept(label)).to_vec(),
        include_authorized_operations: true,
    });
    side.ask("", At::Groups, &request).await;
}

async fn by_expression(side: &mut Side<'_>) {
    let mut request = member(side.kept(GROUP), "first-member");
    // The expression itself is not to tell the twins apart.
    request.subscribed_topic_regex = Some(format!("{}(a|b|pre-.*)", side.names.token()).as_str().into());
    side.ask("joins", At::Groups, &request).await;
    let mut wrong = request.clone();
    wrong.subscribed_topic_regex = Some("(".into());
    side.ask("with a broken expression", At::Groups, &wrong).await;
}

fn both(operation: &str, group_operation: &str) -> Vec<Scenario> {
    let mut scenarios = with(ways(operation, "topic"), &[&format!("allow {group_operation} group {GROUP}")]);
    scenarios.extend(with(yes_or_no(group_operation, "group", GROUP), &["allow describe topic *"]));
    scenarios
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(scripts(
        Api::ConsumerGroupHeartbeat,
        "topics there are",
        both("describe", "read"),
        |side| life(side, &["a", "b"]).boxed_local(),
    ));
    cases.extend(scripts(
        Api::ConsumerGroupHeartbeat,
        "a missing one too",
        both("describe", "read"),
        |side| life(side, &["a", "missing"]).boxed_local(),
    ));
    let expressions =
        scripts(Api::ConsumerGroupHeartbeat, "an expression", both("describe", "read"), |side| {
            by_expression(side).boxed_local()
        });
    cases.extend(expressions.into_iter().map(|case| case.versions(OWN_ID..=i16::MAX)));
    let groups = ["a", "b", "missing"].map(|label| format!("allow describe group {GROUP}{label}"));
    let mut scenarios = with(ways("describe", "topic"), &groups.each_ref().map(String::as_str));
    scenarios.extend(with(ways_on("describe", "group", GROUP), &["allow describe topic *"]));
    cases.extend(scripts(Api::ConsumerGroupDescribe, "two groups", scenarios, |side| {
        described(side).boxed_local()
    }));
    cases
}
