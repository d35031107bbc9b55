//! Static members (KIP-345): an instance that starts again is the member it was.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_static_member_that_starts_again_keeps_its_place_and_fences_its_former_self() {
    let house = house();
    let joined = house.join(static_join("i", "old")).await.unwrap();
    let assigned = house.sync(&joined).await.unwrap().assignment;
    let again = house.join(Join { can_skip_assignment: true, ..static_join("i", "new") }).await.unwrap();
    assert_eq!((&*again.member_id, again.generation, again.skip_assignment), ("new", 1, true));
    assert_eq!(again.members.len(), 1, "it leads, and sees the members");
    let synced = house.sync(&Joined { members: Vec::new(), ..again }).await.unwrap();
    assert_eq!(synced.assignment, assigned, "no rebalance: the assignment is the same");

    let claim = |member_id| Claim { member_id, instance_id: Some("i"), generation: 1 };
    assert_eq!(house.groups.heartbeat(GROUP, claim("old")), Err(ErrorCode::FencedInstanceId));
    assert_eq!(house.groups.heartbeat(GROUP, claim("new")), Ok(()));
    let former = Join { member_id: "old".into(), ..static_join("i", "unused") };
    assert_eq!(code(house.join(former).await), ErrorCode::FencedInstanceId);
    let stranger = Join { member_id: "old".into(), ..static_join("j", "unused") };
    assert_eq!(code(house.join(stranger).await), ErrorCode::UnknownMemberId);
}

#[tokio::test(start_paused = true)]
async fn an_old_client_that_leads_statically_does_not_assign_again() {
    let house = house();
    let joined = house.join(static_join("i", "old")).await.unwrap();
    house.sync(&joined).await.unwrap();
    let again = house.join(static_join("i", "new")).await.unwrap();
    assert_eq!((&*again.leader, again.members.len()), ("old", 0), "it takes itself for a follower");
}

#[tokio::test(start_paused = true)]
async fn a_parked_static_member_is_fenced_when_its_successor_comes() {
    let house = house();
    house.stable(&["a"]).await;
    let parked = house.start_join(static_join("i", "old")).await;
    let successor = house.start_join(static_join("i", "new")).await;
    let refused = parked.await.unwrap().unwrap_err();
    assert_eq!(refused, JoinRefused { code: ErrorCode::FencedInstanceId, member_id: "old".into() });
    house.join(join("a", "a")).await.unwrap();
    assert_eq!(&*successor.await.unwrap().unwrap().member_id, "new");
}

#[tokio::test(start_paused = true)]
async fn an_administrator_takes_static_members_out_by_their_instance() {
    let house = house();
    let joined = house.join(static_join("i", "a")).await.unwrap();
    house.sync(&joined).await.unwrap();
    let leaving = |member: &str, instance: Option<&str>| Leaving {
        member_id: member.into(),
        instance_id: instance.map(Into::into),
    };
    let left = house.groups.leave(
        GROUP,
        &[leaving("x", Some("i")), leaving("", Some("j")), leaving("", None), leaving("", Some("i"))],
    );
    let expected = [
        Err(ErrorCode::FencedInstanceId),
        Err(ErrorCode::UnknownMemberId),
        Err(ErrorCode::UnknownMemberId),
        Ok(()),
    ];
    assert_eq!(left, expected);
    assert_eq!(house.state(), GroupState::Empty);
    assert_eq!(house.groups.leave("nobody", &[leaving("a", None)]), [Err(ErrorCode::UnknownMemberId)]);
}

#[tokio::test(start_paused = true)]
async fn absent_static_members_that_allow_no_time_do_not_make_the_timer_spin() {
    let house = house();
    let hasty = |join: Join| Join { rebalance_timeout: Duration::ZERO, ..join };
    house.join(hasty(static_join("i", "a"))).await.unwrap();
    let newcomer = house.start_join(hasty(static_join("j", "b"))).await;
    let joined = newcomer.await.unwrap().unwrap();
    house.leave("b").unwrap();
    assert_eq!((joined.generation, house.state()), (2, GroupState::PreparingRebalance));
    // Nobody is there to join, until the session of the one that is absent ends.
    sleep(SESSION * 2).await;
    assert_eq!(house.state(), GroupState::Empty);
}
