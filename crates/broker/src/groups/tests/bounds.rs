//! How many and how much: nothing that comes from outside grows without end.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_join_outside_of_the_bounds_is_refused_and_makes_no_group() {
    let house = house_with(GroupsConfig { max_member_bytes: 100, ..GroupsConfig::default() });
    let refuse = async |join| code(house.join(join).await);
    for session in [Duration::from_millis(5_999), Duration::from_millis(1_800_001)] {
        let outside = Join { session_timeout: session, ..join("", "a") };
        assert_eq!(refuse(outside).await, ErrorCode::InvalidSessionTimeout);
    }
    let crowded = Join { protocols: vec![protocol("range", ""); 33], ..join("", "a") };
    assert_eq!(refuse(crowded).await, ErrorCode::InvalidRequest);
    let large = Join { protocols: vec![protocol("range", &"x".repeat(1 << 20))], ..join("", "a") };
    assert_eq!(refuse(large).await, ErrorCode::InvalidRequest);
    let too_much = Join { protocols: vec![protocol("range", &"x".repeat(101))], ..join("", "a") };
    assert_eq!(refuse(too_much).await, ErrorCode::PolicyViolation);
    assert_eq!(refuse(static_join(&"i".repeat(250), "a")).await, ErrorCode::InvalidRequest);
    assert_eq!(refuse(join("known", "a")).await, ErrorCode::UnknownMemberId);
    for group in ["", &"g".repeat(1025)] {
        assert_eq!(code(house.groups.join(group, join("", "a")).await), ErrorCode::InvalidGroupId);
    }
    assert_eq!(house.groups.list(), []);
}

#[tokio::test(start_paused = true)]
async fn members_and_groups_are_bounded() {
    let house = house_with(GroupsConfig { max_group_size: 2, max_groups: 3, ..GroupsConfig::default() });
    house.join(join("", "a")).await.unwrap();
    let pending = house.join(Join { id_required: true, ..join("", "b") }).await;
    assert_eq!(code(pending), ErrorCode::MemberIdRequired);
    let third = house.join(join("", "c")).await.unwrap_err();
    assert_eq!(third, JoinRefused { code: ErrorCode::GroupMaxSizeReached, member_id: "".into() });

    for group in ["second", "third"] {
        house.groups.join(group, join("", "a")).await.unwrap();
    }
    assert_eq!(code(house.groups.join("fourth", join("", "a")).await), ErrorCode::PolicyViolation);
    let claim = Claim { member_id: "", instance_id: None, generation: -1 };
    assert_eq!(house.groups.commit("fourth", claim, Vec::new()).await, Err(ErrorCode::PolicyViolation));
    assert_eq!(house.groups.list().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_empty_group_without_offsets_is_gone_after_a_while_and_frees_its_place() {
    let config = GroupsConfig { max_groups: 1, ..GroupsConfig::default() };
    let linger = config.empty_group_linger;
    let house = house_with(config);
    house.stable(&["a"]).await;
    house.leave("a").unwrap();
    assert_eq!(house.state(), GroupState::Empty);
    sleep(linger + Duration::from_millis(1)).await;
    assert_eq!(house.groups.describe(GROUP), None);
    assert!(house.groups.inner.state.lock().deadlines.is_empty(), "no timer is left behind");
    house.groups.join("another", join("", "a")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_thousand_groups_expire_each_at_its_time() {
    let house = house();
    for index in 0..1_000_u64 {
        let joins = Join { session_timeout: SESSION + Duration::from_millis(index), ..join("", "a") };
        let group = format!("group-{index}");
        let joined = house.groups.join(&group, joins).await.unwrap();
        house.groups.sync(&group, sync_of(&joined)).await.unwrap();
    }
    sleep(SESSION + Duration::from_millis(500)).await;
    let stable = house.groups.list().iter().filter(|group| group.state == GroupState::Stable.name()).count();
    assert!((450..=550).contains(&stable), "{stable}");
    let deadlines = house.groups.inner.state.lock().deadlines.len();
    assert!(deadlines <= 1_000, "one deadline per group, not {deadlines}");
    assert_eq!(
        house.groups.inner.state.lock().member_bytes,
        stable * ("range".len() + "a".len() + "a in 1".len())
    );
}
