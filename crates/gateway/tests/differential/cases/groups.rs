//! Groups of the classic protocol, from joining to deletion.

use bytes::Bytes;
use futures_util::FutureExt;
use schloss_wire::messages as m;
use schloss_wire::{Api, StrBytes, build};

use crate::case::{Case, each, few_ways, scripts, yes_or_no};
use crate::side::{At, Side};

use super::LABELS;

/// One for each case and version, so that every member is the first.
const GROUP: &str = "classic{c}-{v}";
/// A subscription of version 0 to no topics, without user data: Kafka reads it.
const SUBSCRIPTION: &[u8] = &[0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
const MEMBER_ID_REQUIRED: i16 = 79;
/// First version of LeaveGroup in which many may leave.
const MANY_LEAVE: i16 = 3;

fn join(side: &Side<'_>, member_id: StrBytes) -> m::JoinGroupRequest {
    use m::join_group_request::JoinGroupRequestProtocol;
    let protocol =
        build!(JoinGroupRequestProtocol { name: "range".into(), metadata: Bytes::from_static(SUBSCRIPTION) });
    build!(m::JoinGroupRequest {
        group_id: side.kept(GROUP),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member_id,
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
    })
}

fn sync(side: &Side<'_>, member: &StrBytes, generation: i32) -> m::SyncGroupRequest {
    use m::sync_group_request::SyncGroupRequestAssignment;
    let assignment = build!(SyncGroupRequestAssignment {
        member_id: member.clone(),
        assignment: Bytes::from_static(b"assignment"),
    });
    build!(m::SyncGroupRequest {
        group_id: side.kept(GROUP),
        generation_id: generation,
        member_id: member.clone(),
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: vec![assignment],
    })
}

fn leave(side: &Side<'_>, member: &StrBytes, version: i16) -> m::LeaveGroupRequest {
    use m::leave_group_request::MemberIdentity;
    if version < MANY_LEAVE {
        return build!(m::LeaveGroupRequest { group_id: side.kept(GROUP), member_id: member.clone() });
    }
    let identity = |member_id| build!(MemberIdentity { member_id, group_instance_id: None, reason: None });
    build!(m::LeaveGroupRequest {
        group_id: side.kept(GROUP),
        members: vec![identity(side.text("nobody")), identity(member.clone())],
    })
}

/// Everything that a member does in its life.
async fn life(side: &mut Side<'_>) {
    let request = join(side, StrBytes::default());
    let mut joined = side.ask("first", At::Groups, &request).await;
    if joined.as_ref().is_some_and(|answer| answer.error_code == MEMBER_ID_REQUIRED) {
        let request = join(side, joined.map(|answer| answer.member_id).unwrap_or_default());
        joined = side.ask("with its id", At::Groups, &request).await;
    }
    let (member, generation) =
        joined.map(|answer| (answer.member_id, answer.generation_id)).unwrap_or_default();
    let request = sync(side, &member, generation);
    side.ask("", At::Groups, &request).await;
    let request = build!(m::HeartbeatRequest {
        group_id: side.kept(GROUP),
        generation_id: generation,
        member_id: member.clone(),
    });
    side.ask("", At::Groups, &request).await;
    let request = build!(m::DescribeGroupsRequest { groups: vec![side.kept(GROUP)] });
    side.ask("with a member", At::Groups, &request).await;
    let version = side.version_of(Api::LeaveGroup);
    let request = leave(side, &member, version);
    side.ask("", At::Groups, &request).await;
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for api in [Api::JoinGroup, Api::SyncGroup, Api::Heartbeat, Api::LeaveGroup] {
        let scenarios = yes_or_no("read", "group", GROUP);
        cases.extend(scripts(api, "a member's life", scenarios, |side| life(side).boxed_local()));
    }
    const OWN: [&str; 4] = ["del{c}-{v}a", "del{c}-{v}b", "del{c}-{v}c", "del{c}-{v}pre-a"];
    let deletions =
        each(Api::DeleteGroups, "several", At::Groups, few_ways("delete", "group", "del{c}-{v}"), |side| {
            let names = LABELS.map(|label| side.kept(&format!("del{{c}}-{{v}}{label}")));
            build!(m::DeleteGroupsRequest { groups_names: names.to_vec() })
        });
    cases.extend(deletions.into_iter().map(|case| case.groups(&OWN)));
    cases
}
