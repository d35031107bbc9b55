//! Thousands of random histories of one group, each checked after every step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schloss_wire::ErrorCode;
use tokio::time::Instant;

use crate::groups::config::GroupsConfig;
use crate::groups::member::{Answer, Later};
use crate::groups::membership::{GroupState, Membership};
use crate::groups::messages::{Claim, Join, JoinReply, Leaving, Protocol, Sync, SyncReply};
use crate::groups::testing::Dice;

#[derive(Default)]
struct Client {
    instance_id: Option<Arc<str>>,
    id: Arc<str>,
    generation: i32,
    leads: Vec<Arc<str>>,
    joining: Option<Later<JoinReply>>,
    /// The generation that the parked sync is about.
    syncing: Option<(i32, Later<SyncReply>)>,
}

struct World {
    dice: Dice,
    config: GroupsConfig,
    group: Membership,
    now: Instant,
    clients: Vec<Client>,
    ids_given: usize,
    highest_generation: i32,
    leaders: HashMap<i32, Arc<str>>,
    assigned: HashSet<(i32, Bytes)>,
}

const CLIENTS: usize = 6;
const SESSION: Duration = Duration::from_secs(10);
const REBALANCES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(5), Duration::from_secs(30)];

impl World {
    fn new(seed: u64) -> Self {
        let now = Instant::now();
        let mut dice = Dice::new(seed);
        let delay = Duration::from_secs(3 * dice.roll(2) as u64);
        let client = |index| Client {
            instance_id: (index % 3 == 0).then(|| format!("instance-{index}").into()),
            ..Client::default()
        };
        Self {
            config: GroupsConfig {
                initial_rebalance_delay: delay,
                max_group_size: 5,
                ..GroupsConfig::default()
            },
            group: Membership::empty(now, None, 0),
            now,
            clients: (0..CLIENTS).map(client).collect(),
            ids_given: 0,
            highest_generation: 0,
            leaders: HashMap::new(),
            assigned: HashSet::new(),
            dice,
        }
    }

    fn step(&mut self) {
        let who = self.dice.roll(CLIENTS);
        match self.dice.roll(32) {
            0..=21 => self.go_on(who),
            22..=23 => self.join(who),
            24..=25 => self.sync(who),
            26..=27 => self.heartbeat(who),
            28 => self.leave(who),
            29 => self.hang_up(who),
            30 => self.forget(who),
            _ => self.wait(),
        }
        self.hear();
        self.check();
    }

    /// What a well-behaved client does next.
    fn go_on(&mut self, who: usize) {
        let client = &self.clients[who];
        let current =
            self.group.members.contains_key(&client.id) && client.generation == self.group.generation;
        match self.group.state {
            GroupState::CompletingRebalance | GroupState::Stable if current => self.sync(who),
            _ => self.join(who),
        }
    }

    fn join(&mut self, who: usize) {
        self.ids_given += 1;
        let metadata = Bytes::from(vec![self.dice.roll(3) as u8]);
        let client = &self.clients[who];
        if client.joining.is_some() {
            return;
        }
        let protocol = |name: &str| Protocol { name: name.into(), metadata: metadata.clone() };
        let mut protocols = vec![protocol("range"), protocol("roundrobin")];
        if self.dice.roll(4) == 0 {
            protocols.swap(0, 1);
        }
        let join = Join {
            member_id: Arc::clone(&client.id),
            fresh_id: format!("member-{:04}-{who}", self.ids_given).into(),
            instance_id: client.instance_id.clone(),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            session_timeout: SESSION,
            rebalance_timeout: REBALANCES[self.dice.roll(REBALANCES.len())],
            protocol_type: "consumer".into(),
            protocols,
            id_required: self.dice.roll(2) == 0,
            can_skip_assignment: self.dice.roll(2) == 0,
        };
        match self.group.join(self.now, &self.config, &join) {
            Answer::Now(reply) => self.joined(who, reply),
            Answer::Later(later) => self.clients[who].joining = Some(later),
        }
    }

    fn joined(&mut self, who: usize, reply: JoinReply) {
        let client = &mut self.clients[who];
        match reply {
            Ok(joined) => {
                assert!(joined.generation >= client.generation || client.id != joined.member_id);
                client.id = joined.member_id;
                client.generation = joined.generation;
                client.leads = joined.members.iter().map(|member| Arc::clone(&member.id)).collect();
                if !joined.members.is_empty() {
                    let leader = self.leaders.entry(joined.generation).or_insert_with(|| client.id.clone());
                    let same_instance = client.instance_id.is_some();
                    assert!(*leader == client.id || same_instance, "two leaders in one generation");
                    assert!(client.leads.contains(&client.id), "a leader is one of the members");
                    if joined.skip_assignment {
                        client.leads.clear();
                    }
                }
            }
            Err(refused) => match refused.code {
                ErrorCode::MemberIdRequired => client.id = refused.member_id,
                ErrorCode::UnknownMemberId | ErrorCode::GroupMaxSizeReached | ErrorCode::FencedInstanceId => {
                    client.id = Arc::default();
                }
                ErrorCode::RebalanceInProgress => {}
                code => panic!("unexpected {code} for a join"),
            },
        }
    }

    fn sync(&mut self, who: usize) {
        let client = &mut self.clients[who];
        if client.id.is_empty() || client.syncing.is_some() {
            return;
        }
        // Some requests were on their way for long.
        let generation = client.generation - i32::from(self.dice.roll(8) == 0);
        // The assignment says for which generation and member it was made.
        let assign = |id: &Arc<str>| (Arc::clone(id), Bytes::from(format!("{generation}/{id}")));
        let sync = Sync {
            member_id: Arc::clone(&client.id),
            instance_id: client.instance_id.clone(),
            generation,
            protocol_type: Some("consumer".into()),
            protocol: None,
            assignments: client.leads.iter().map(assign).collect(),
        };
        match self.group.sync(self.now, sync) {
            Answer::Now(reply) => self.synced(who, generation, reply),
            Answer::Later(later) => client.syncing = Some((generation, later)),
        }
    }

    fn synced(&mut self, who: usize, generation: i32, reply: SyncReply) {
        let Ok(synced) = reply else { return };
        assert_eq!(generation, self.group.generation, "assigned in a stale generation");
        if synced.assignment.is_empty() {
            return;
        }
        let text = String::from_utf8(synced.assignment.to_vec()).unwrap();
        let (made_for, member) = text.split_once('/').unwrap();
        assert_eq!(made_for, generation.to_string(), "an assignment of another generation");
        let client = &self.clients[who];
        if client.instance_id.is_none() {
            assert_eq!(member, &*client.id, "another member's assignment");
        }
        self.assigned.insert((generation, synced.assignment));
    }

    fn heartbeat(&mut self, who: usize) {
        let client = &self.clients[who];
        let claim = Claim {
            member_id: &client.id,
            instance_id: client.instance_id.as_deref(),
            generation: client.generation,
        };
        let known = self.group.members.contains_key(&client.id);
        let beat = self.group.heartbeat(self.now, claim);
        assert!(known || beat.is_err(), "a heartbeat of nobody was accepted");
        let committed = self.group.check_commit(self.now, claim);
        assert!(
            committed.is_err() || (known && client.generation == self.group.generation),
            "a commit of another generation was accepted"
        );
    }

    fn leave(&mut self, who: usize) {
        let client = &self.clients[who];
        let leaving = Leaving { member_id: client.id.clone(), instance_id: client.instance_id.clone() };
        let results = self.group.leave(self.now, &self.config, &[leaving]);
        assert_eq!(results.len(), 1);
        assert!(!self.group.members.contains_key(&self.clients[who].id) || results[0].is_err());
    }

    /// The connection breaks while a request is parked.
    fn hang_up(&mut self, who: usize) {
        let client = &mut self.clients[who];
        if let Some(later) = client.joining.take() {
            self.group.abandon_join(self.now, &self.config, &later.member_id, later.ticket);
        }
        if let Some((_, later)) = client.syncing.take() {
            self.group.abandon_sync(self.now, &later.member_id, later.ticket);
        }
    }

    /// The client starts again and remembers nothing.
    fn forget(&mut self, who: usize) {
        self.hang_up(who);
        let client = &mut self.clients[who];
        *client = Client { instance_id: client.instance_id.take(), ..Client::default() };
    }

    fn wait(&mut self) {
        self.now += Duration::from_millis(500 * (1 + self.dice.roll(30) as u64));
        self.expire();
    }

    fn expire(&mut self) {
        while self.group.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            let before = (self.group.next_deadline(), self.group.members.len(), self.group.pending.len());
            self.group.expire(self.now, &self.config);
            let after = (self.group.next_deadline(), self.group.members.len(), self.group.pending.len());
            assert_ne!(before, after, "a deadline that is met must move, or the timer spins");
        }
    }

    /// Clients read the answers that have come.
    fn hear(&mut self) {
        for who in 0..CLIENTS {
            let client = &mut self.clients[who];
            if let Some(reply) = client.joining.as_mut().and_then(|later| later.reply.try_recv().ok()) {
                client.joining = None;
                self.joined(who, reply);
            }
            let client = &mut self.clients[who];
            if let Some((generation, later)) = client.syncing.as_mut()
                && let Ok(reply) = later.reply.try_recv()
            {
                let generation = *generation;
                client.syncing = None;
                self.synced(who, generation, reply);
            }
        }
    }

    fn check(&mut self) {
        let group = &self.group;
        assert!(group.generation >= self.highest_generation, "the generation went back");
        self.highest_generation = group.generation;
        assert_eq!(
            group.leader.is_some(),
            !group.members.is_empty(),
            "a leader if and only if there are members"
        );
        assert!(group.leader.as_ref().is_none_or(|leader| group.members.contains_key(leader)));
        assert_eq!(group.state == GroupState::Empty, group.members.is_empty());
        assert!(group.members.len() + group.pending.len() <= self.config.max_group_size);
        assert!(group.unsynced.iter().all(|id| group.members.contains_key(id)));
        let instances: BTreeMap<_, _> = group
            .members
            .values()
            .filter_map(|member| Some((member.instance_id.clone()?, Arc::clone(&member.id))))
            .collect();
        assert_eq!(instances, group.statics);
        for member in group.members.values() {
            assert!(member.joining.is_none() || group.state == GroupState::PreparingRebalance);
            assert!(member.syncing.is_none() || group.state == GroupState::CompletingRebalance);
            let owed = member.joining.is_some() || member.syncing.is_some();
            assert!(owed || member.expires.is_some(), "a member that nothing would ever remove");
        }
        let busy = matches!(group.state, GroupState::PreparingRebalance | GroupState::CompletingRebalance);
        assert!(!busy || group.next_deadline().is_some(), "a rebalance that nothing would ever end");
    }

    /// Everybody falls silent: all parked requests are answered and the group ends up empty.
    fn end(&mut self) {
        for _ in 0..1_000 {
            let Some(deadline) = self.group.next_deadline() else { break };
            self.now = self.now.max(deadline);
            self.expire();
            self.hear();
            self.check();
        }
        assert!(self.group.is_deserted(), "the group is wedged in {:?}", self.group.state);
        for client in &self.clients {
            assert!(client.joining.is_none() && client.syncing.is_none(), "a request was never answered");
        }
    }
}

#[test]
fn random_histories_keep_one_leader_rising_generations_and_no_stale_assignment() {
    let (mut generations, mut assignments) = (0, 0);
    for seed in 0..3_000 {
        let mut world = World::new(seed);
        let run = std::panic::AssertUnwindSafe(|| {
            for _ in 0..200 {
                world.step();
            }
            world.end();
        });
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("seed {seed} failed");
            std::panic::resume_unwind(panic);
        }
        generations += world.highest_generation;
        assignments += world.assigned.len();
    }
    // The histories are worth something only if groups get anywhere in them.
    assert!(
        generations > 10_000 && assignments > 10_000,
        "{generations} generations, {assignments} assignments"
    );
}
