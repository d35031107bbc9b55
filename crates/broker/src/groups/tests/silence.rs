//! Members that fall silent, give up or never come back.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_new_member_must_come_back_with_its_id_and_loses_its_place_if_it_does_not() {
    let house = house();
    let asks = Join { id_required: true, ..join("", "a") };
    let refused = house.join(asks.clone()).await.unwrap_err();
    assert_eq!(refused, JoinRefused { code: ErrorCode::MemberIdRequired, member_id: "a".into() });
    let joined = house.join(Join { id_required: true, ..join("a", "unused") }).await.unwrap();
    assert_eq!((&*joined.member_id, joined.generation), ("a", 1));

    let refused = house.join(Join { fresh_id: "late".into(), ..asks }).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::MemberIdRequired);
    sleep(SESSION + Duration::from_millis(1)).await;
    let late = house.join(Join { id_required: true, ..join("late", "unused") }).await;
    assert_eq!(code(late), ErrorCode::UnknownMemberId);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_falls_silent_is_out_when_its_session_ends() {
    let house = house();
    let generation = house.stable(&["a", "b"]).await;
    for _ in 0..4 {
        sleep(Duration::from_secs(4)).await;
        match house.beat("a", generation) {
            Ok(()) => assert_eq!(house.groups.describe(GROUP).unwrap().unwrap().members.len(), 2),
            Err(code) => assert_eq!(code, ErrorCode::RebalanceInProgress),
        }
    }
    assert_eq!(house.beat("b", generation), Err(ErrorCode::UnknownMemberId));
    assert_eq!(house.join(join("a", "a")).await.unwrap().generation, generation + 1);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_does_not_join_again_is_out_after_the_rebalance_timeout() {
    let house = house();
    let generation = house.stable(&["a", "b"]).await;
    let before = Instant::now();
    let newcomer = house.start_join(join("", "c")).await;
    let again = house.start_join(join("b", "b")).await;
    let groups = house.groups.clone();
    // The old leader is alive but busy.
    let busy = tokio::spawn(async move {
        while groups.heartbeat(GROUP, Claim { member_id: "a", instance_id: None, generation })
            == Err(ErrorCode::RebalanceInProgress)
        {
            sleep(Duration::from_secs(3)).await;
        }
    });
    let (newcomer, again) = (newcomer.await.unwrap().unwrap(), again.await.unwrap().unwrap());
    assert_eq!(before.elapsed().as_secs(), REBALANCE.as_secs());
    assert_eq!((newcomer.generation, again.generation), (generation + 1, generation + 1));
    assert_eq!(newcomer.members.len() + again.members.len(), 2, "one leads, of two");
    busy.await.unwrap();
    assert_eq!(house.beat("a", generation), Err(ErrorCode::UnknownMemberId));
}

#[tokio::test(start_paused = true)]
async fn members_that_never_ask_for_their_assignment_are_out_after_the_rebalance_timeout() {
    let house = house();
    let slow = |name| Join { session_timeout: Duration::from_secs(300), ..join("", name) };
    let joined = house.join(slow("a")).await.unwrap();
    assert_eq!(house.state(), GroupState::CompletingRebalance);
    sleep(REBALANCE + Duration::from_millis(1)).await;
    assert_eq!(house.state(), GroupState::Empty);
    assert_eq!(house.sync(&joined).await, Err(ErrorCode::UnknownMemberId));
}

#[tokio::test(start_paused = true)]
async fn a_join_whose_connection_broke_does_not_wedge_the_group() {
    let house = house();
    let generation = house.stable(&["a"]).await;
    let gone = house.start_join(join("", "b")).await;
    assert_eq!(house.beat("a", generation), Err(ErrorCode::RebalanceInProgress));
    gone.abort();
    let _ = gone.await;
    // It was never told its id, so it can't come back and is forgotten at once.
    let before = Instant::now();
    let joined = house.join(join("a", "a")).await.unwrap();
    assert_eq!(joined.members.iter().map(|member| &*member.id).collect::<Vec<_>>(), ["a"]);
    assert!(before.elapsed().is_zero(), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_known_member_whose_join_broke_holds_up_the_group_for_its_session_at_most() {
    let house = house();
    house.stable(&["a", "b"]).await;
    let gone = house.start_join(join("a", "a")).await;
    gone.abort();
    let _ = gone.await;
    let before = Instant::now();
    let joined = house.join(join("b", "b")).await.unwrap();
    assert_eq!(joined.members.len(), 1, "the one that is left leads");
    assert!(before.elapsed() <= SESSION, "{:?}", before.elapsed());
}

#[tokio::test]
async fn the_timer_ends_with_the_coordinator() {
    let house = house();
    house.stable(&["a"]).await;
    let alive = Arc::downgrade(&house.groups.inner);
    drop(house);
    tokio::task::yield_now().await;
    assert_eq!(alive.strong_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_is_not_parked_forever() {
    let house = house();
    let patient = |id| Join {
        session_timeout: Duration::from_secs(1_800),
        rebalance_timeout: Duration::from_secs(1_800),
        ..join(id, "a")
    };
    let joined = house.join(patient("")).await.unwrap();
    house.sync(&joined).await.unwrap();
    let before = Instant::now();
    let refused = house.join(join("", "b")).await;
    assert_eq!((code(refused), before.elapsed().as_secs()), (ErrorCode::UnknownMemberId, 300));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_comes_before_all_others_is_met_in_time() {
    let house = house();
    let patient = Join { session_timeout: Duration::from_secs(1_800), ..join("", "a") };
    let joined = house.groups.join("patient", patient).await.unwrap();
    house.groups.sync("patient", sync_of(&joined)).await.unwrap();
    // The timer sleeps for half an hour by now.
    sleep(Duration::from_secs(1)).await;
    house.stable(&["a"]).await;
    sleep(SESSION + Duration::from_millis(1)).await;
    assert_eq!(house.state(), GroupState::Empty);
}
