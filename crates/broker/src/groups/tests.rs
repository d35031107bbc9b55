//! Groups as their members see them, with time that stands still until nobody has anything to do.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schloss_log::Flusher;
use schloss_wire::ErrorCode;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::*;

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_secs(60);
const GROUP: &str = "orders-app";

struct House {
    groups: Groups,
    _directory: TempDir,
}

fn house() -> House {
    house_with(GroupsConfig::default())
}

fn house_with(config: GroupsConfig) -> House {
    let directory = tempfile::tempdir().unwrap();
    let groups = Groups::open_with(directory.path(), Flusher::start(1).unwrap(), config).unwrap();
    House { groups, _directory: directory }
}

/// A join of this member; an empty id is a new one, which gets the id `name`.
pub(super) fn join(id: &str, name: &str) -> Join {
    Join {
        member_id: id.into(),
        fresh_id: name.into(),
        instance_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".into(),
        protocols: vec![protocol("range", name)],
        id_required: false,
        can_skip_assignment: false,
    }
}

fn static_join(instance: &str, name: &str) -> Join {
    Join { instance_id: Some(instance.into()), ..join("", name) }
}

fn protocol(name: &str, metadata: &str) -> Protocol {
    Protocol { name: name.into(), metadata: Bytes::copy_from_slice(metadata.as_bytes()) }
}

/// Starts a request and lets it get as far as it can without time passing.
async fn start<T: Send + 'static>(request: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let task = tokio::spawn(request);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    task
}

impl House {
    async fn start_join(&self, join: Join) -> JoinHandle<JoinReply> {
        let groups = self.groups.clone();
        start(async move { groups.join(GROUP, join).await }).await
    }

    async fn join(&self, join: Join) -> JoinReply {
        self.groups.join(GROUP, join).await
    }

    /// A sync; the leader assigns to each member its own name and generation.
    async fn start_sync(&self, joined: &Joined) -> JoinHandle<SyncReply> {
        let groups = self.groups.clone();
        let sync = sync_of(joined);
        start(async move { groups.sync(GROUP, sync).await }).await
    }

    async fn sync(&self, joined: &Joined) -> SyncReply {
        self.groups.sync(GROUP, sync_of(joined)).await
    }

    fn beat(&self, member_id: &str, generation: i32) -> Result<(), ErrorCode> {
        self.groups.heartbeat(GROUP, Claim { member_id, instance_id: None, generation })
    }

    fn leave(&self, member_id: &str) -> Result<(), ErrorCode> {
        self.groups.leave(GROUP, &[Leaving { member_id: member_id.into(), instance_id: None }])[0]
    }

    fn state(&self) -> GroupState {
        self.groups.describe(GROUP).unwrap().state
    }

    /// Lets members in one after another, as their clients would, until all are in one stable generation.
    async fn stable(&self, names: &[&str]) -> i32 {
        let mut generation = 0;
        for count in 1..=names.len() {
            let mut joins = vec![self.start_join(join("", names[count - 1])).await];
            for name in &names[..count - 1] {
                assert_eq!(self.beat(name, generation), Err(ErrorCode::RebalanceInProgress));
                joins.push(self.start_join(join(name, name)).await);
            }
            let mut syncs = Vec::new();
            for task in joins {
                let joined = task.await.unwrap().unwrap();
                generation = joined.generation;
                syncs.push(self.start_sync(&joined).await);
            }
            for task in syncs {
                task.await.unwrap().unwrap();
            }
        }
        generation
    }
}

pub(super) fn sync_of(joined: &Joined) -> Sync {
    let generation = joined.generation;
    let assign = |member: &JoinedMember| {
        (Arc::clone(&member.id), Bytes::from(format!("{} in {generation}", member.id)))
    };
    Sync {
        member_id: Arc::clone(&joined.member_id),
        instance_id: None,
        generation,
        protocol_type: joined.protocol_type.clone(),
        protocol: joined.protocol.clone(),
        assignments: joined.members.iter().map(assign).collect(),
    }
}

fn code(reply: JoinReply) -> ErrorCode {
    reply.unwrap_err().code
}

#[tokio::test(start_paused = true)]
async fn three_members_share_one_generation_with_one_leader() {
    let house = house();
    let generation = house.stable(&["a", "b", "c"]).await;
    let description = house.groups.describe(GROUP).unwrap();
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
async fn a_member_that_falls_silent_is_out_when_its_session_ends() {
    let house = house();
    let generation = house.stable(&["a", "b"]).await;
    for _ in 0..4 {
        sleep(Duration::from_secs(4)).await;
        match house.beat("a", generation) {
            Ok(()) => assert_eq!(house.groups.describe(GROUP).unwrap().members.len(), 2),
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
    let stable = house.groups.list().iter().filter(|group| group.state == GroupState::Stable).count();
    assert!((450..=550).contains(&stable), "{stable}");
    let deadlines = house.groups.inner.state.lock().deadlines.len();
    assert!(deadlines <= 1_000, "one deadline per group, not {deadlines}");
    assert_eq!(
        house.groups.inner.state.lock().member_bytes,
        stable * ("range".len() + "a".len() + "a in 1".len())
    );
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
async fn members_that_allow_no_time_for_a_rebalance_do_not_make_the_timer_spin() {
    let house = house();
    let hasty = |join: Join| Join { rebalance_timeout: Duration::ZERO, ..join };
    let first = house.join(hasty(static_join("i", "a"))).await.unwrap();
    house.sync(&first).await.unwrap();
    // The newcomer gives up, so that only a static member is left, and it does not come back.
    let gone = house.start_join(hasty(join("", "b"))).await;
    gone.abort();
    let _ = gone.await;
    let expiries = tokio::time::timeout(SESSION * 2, std::future::pending::<()>()).await;
    assert!(expiries.is_err());
    assert_eq!(house.state(), GroupState::Empty);
}
