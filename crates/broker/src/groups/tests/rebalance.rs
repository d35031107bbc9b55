//! From one generation to the next.

use super::*;

#[tokio::test(start_paused = true)]
async fn three_members_share_one_generation_with_one_leader() {
    let house = house();
    let generation = house.stable(&["a", "b", "c"]).await;
    let description = house.groups.describe(GROUP).unwrap().unwrap();
    assert_eq!(description.state, GroupState::Stable);
    assert_eq!(description.protocol.as_deref(), Some("range"));
    let assigned: Vec<_> = description.members.iter().map(|member| member.assignment.clone()).collect();
    let expected = ["a", "b", "c"].map(|name| Bytes::from(format!("{name} in {generation}")));
    assert_eq!(assigned, expected);
    assert_eq!(generation, 3, "with no initial delay each arrival is a generation");
}

#[tokio::test(start_paused = true)]
async fn an_initial_delay_gathers_the_first_members_in_one_generation() {
    let delay = Duration::from_secs(3);
    let house = house_with(GroupsConfig { initial_rebalance_delay: delay, ..GroupsConfig::default() });
    let before = Instant::now();
    let mut joins = Vec::new();
    for name in ["a", "b", "c"] {
        joins.push(house.start_join(join("", name)).await);
        sleep(Duration::from_secs(1)).await;
    }
    let mut leaders = 0;
    for task in joins {
        let joined = task.await.unwrap().unwrap();
        assert_eq!(joined.generation, 1);
        leaders += usize::from(joined.members.len() == 3);
    }
    assert_eq!(leaders, 1);
    assert_eq!(before.elapsed().as_secs(), 6, "the members that came prolonged the wait once");
}

#[tokio::test(start_paused = true)]
async fn when_the_leader_leaves_another_member_leads() {
    let house = house();
    let generation = house.stable(&["a", "b"]).await;
    house.leave("a").unwrap();
    assert_eq!(house.beat("b", generation), Err(ErrorCode::RebalanceInProgress));
    let joined = house.join(join("b", "b")).await.unwrap();
    assert_eq!((&*joined.leader, joined.generation, joined.members.len()), ("b", generation + 1, 1));
    assert_eq!(house.sync(&joined).await.unwrap().assignment, "b in 3");
    assert_eq!(house.beat("a", generation), Err(ErrorCode::UnknownMemberId));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_joins_again_starts_a_rebalance_and_a_follower_does_not() {
    let house = house();
    let generation = house.stable(&["a", "b"]).await;
    let follower = house.join(join("b", "b")).await.unwrap();
    assert_eq!((follower.generation, house.state()), (generation, GroupState::Stable));
    let _leader = house.start_join(join("a", "a")).await;
    assert_eq!(house.state(), GroupState::PreparingRebalance);
}

#[tokio::test(start_paused = true)]
async fn a_sync_waits_for_the_leader_and_fails_when_a_rebalance_begins() {
    let house = house();
    house.stable(&["a"]).await;
    let newcomer = house.start_join(join("", "b")).await;
    house.join(join("a", "a")).await.unwrap();
    let joined = newcomer.await.unwrap().unwrap();
    let follower = house.start_sync(&joined).await;
    assert!(!follower.is_finished());
    let _third = house.start_join(join("", "c")).await;
    assert_eq!(follower.await.unwrap(), Err(ErrorCode::RebalanceInProgress));
}

#[tokio::test(start_paused = true)]
async fn a_sync_for_another_generation_or_protocol_is_refused() {
    let house = house();
    let joined = house.join(join("", "a")).await.unwrap();
    let with = |change: fn(&mut Sync)| {
        let mut sync = sync_of(&joined);
        change(&mut sync);
        house.groups.sync(GROUP, sync)
    };
    assert_eq!(with(|sync| sync.generation -= 1).await, Err(ErrorCode::IllegalGeneration));
    assert_eq!(with(|sync| sync.member_id = "z".into()).await, Err(ErrorCode::UnknownMemberId));
    let inconsistent = Err(ErrorCode::InconsistentGroupProtocol);
    assert_eq!(with(|sync| sync.protocol = Some("sticky".into())).await, inconsistent);
    assert_eq!(with(|sync| sync.protocol_type = Some("connect".into())).await, inconsistent);
    assert_eq!(with(|_| {}).await.unwrap().assignment, "a in 1");
    assert_eq!(house.groups.sync("nobody", sync_of(&joined)).await, Err(ErrorCode::UnknownMemberId));
}

#[tokio::test(start_paused = true)]
async fn the_protocol_with_most_votes_that_all_offer_wins() {
    let house = house();
    let offers = |id: &str, name: &str, names: &[&str]| Join {
        protocols: names.iter().map(|one| protocol(one, "")).collect(),
        ..join(id, name)
    };
    let a = ["only-a", "range", "sticky"];
    house.join(offers("", "a", &a)).await.unwrap();
    let b = house.start_join(offers("", "b", &["sticky", "range"])).await;
    let c = house.start_join(offers("", "c", &["sticky", "range"])).await;
    let joined = house.join(offers("a", "a", &a)).await.unwrap();
    assert_eq!(joined.protocol.as_deref(), Some("sticky"));
    for task in [b, c] {
        task.await.unwrap().unwrap();
    }
    let stranger = house.join(offers("", "d", &["only-a"])).await;
    assert_eq!(code(stranger), ErrorCode::InconsistentGroupProtocol);
    let connect = Join { protocol_type: "connect".into(), ..offers("", "e", &["range"]) };
    assert_eq!(code(house.join(connect).await), ErrorCode::InconsistentGroupProtocol);
}
