//! Thousands of random histories of one group, each checked after every step.

use super::*;
use crate::groups::consumer::member::Member;
use crate::groups::testing::Dice;

const CLIENTS: usize = 5;
const NAMES: [&str; 3] = ["t", "u", "v"];

/// A consumer: slow to give up, deaf to some answers, and gone for a while now and then.
#[derive(Default)]
struct Client {
    incarnation: u32,
    is_static: bool,
    epoch: i32,
    joined: bool,
    names: BTreeSet<Arc<str>>,
    /// What it reads from.
    owned: BTreeSet<TopicPartition>,
    /// What it was told to own, if it is not there yet.
    told: Option<BTreeSet<TopicPartition>>,
    /// It missed an answer and says everything next time.
    missed: bool,
}

struct World {
    dice: Dice,
    bench: Bench,
    clients: Vec<Client>,
    epochs: (i32, i32),
    journal: Vec<Vec<u8>>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let topics = NAMES.map(|name| (name, i32::try_from(dice.roll(5)).unwrap()));
        let client = |number| Client { is_static: number % 2 == 0, ..Client::default() };
        let clients = (0..CLIENTS).map(client).collect();
        Self { dice, bench: Bench::new(&topics), clients, epochs: (0, 0), journal: Vec::new() }
    }

    fn id(&self, who: usize) -> String {
        format!("member-{who}-{}", self.clients[who].incarnation)
    }

    /// What the client says by itself.
    fn beat_of(&self, who: usize, epoch: i32) -> Beat {
        let instance_id = self.clients[who].is_static.then(|| format!("instance-{who}").into());
        Beat { instance_id, ..beat(&self.id(who), epoch) }
    }

    fn full_beat_of(&self, who: usize, epoch: i32) -> Beat {
        let client = &self.clients[who];
        Beat {
            rebalance_timeout: Some(REBALANCE),
            names: Some(client.names.clone()),
            owned: Some(client.owned.clone()),
            ..self.beat_of(who, epoch)
        }
    }

    fn some_names(&mut self) -> BTreeSet<Arc<str>> {
        NAMES.into_iter().filter(|_| self.dice.roll(3) > 0).map(Arc::from).collect()
    }

    fn step(&mut self) {
        let who = self.dice.roll(CLIENTS);
        match self.dice.roll(42) {
            0..=19 => self.send(who),
            20..=29 => self.obey(who),
            30..=31 => self.subscribe(who),
            32 => self.leave(who, LEAVING),
            33 => self.leave(who, LEAVING_FOR_NOW),
            34 => self.crash(who),
            35 => self.change_topics(),
            36 => self.bench.wait(Duration::from_secs(self.dice.roll(50) as u64)),
            37..=39 => self.bench.wait(Duration::from_secs(self.dice.roll(5) as u64)),
            40 => self.restart(),
            _ => {
                let whole = self.bench.group.whole();
                self.journal = whole.iter().map(|changes| serde_json::to_vec(changes).unwrap()).collect();
            }
        }
        self.note();
        self.check();
    }

    fn note(&mut self) {
        let changes = self.bench.group.unwritten();
        self.journal.extend(changes.iter().map(|changes| serde_json::to_vec(changes).unwrap()));
        self.bench.group.mark_written();
    }

    /// The coordinator is killed and starts again. Nobody loses anything, and nobody has to join again.
    fn restart(&mut self) {
        let mut group = ConsumerGroup::new(0);
        for entry in &self.journal {
            group.replay(self.bench.now, serde_json::from_slice(entry).unwrap());
        }
        group.resume(self.bench.now, self.bench.config.consumer_session_timeout);
        let before = std::mem::replace(&mut self.bench.group, group);
        let after = &self.bench.group;
        assert_eq!((after.epoch, after.assignment_epoch), (before.epoch, before.assignment_epoch));
        assert_eq!((&after.owners, &after.statics), (&before.owners, &before.statics));
        let facts = |group: &ConsumerGroup| {
            let members = group.members.values().cloned();
            let timeless = |mut member: Member| {
                member.session_ends = self.bench.now;
                member.place.rebalance_ends = member.place.rebalance_ends.map(|_| self.bench.now);
                member
            };
            format!("{:?}", members.map(timeless).collect::<Vec<_>>())
        };
        assert_eq!(facts(after), facts(&before));
    }

    fn send(&mut self, who: usize) {
        if !self.clients[who].joined {
            if self.clients[who].names.is_empty() {
                self.clients[who].names = self.some_names();
            }
            self.clients[who].owned.clear();
            self.clients[who].told = None;
            let join = self.full_beat_of(who, JOINING);
            return self.hear(who, &join);
        }
        let epoch = self.clients[who].epoch;
        let said = if self.clients[who].missed || self.dice.roll(4) == 0 {
            self.full_beat_of(who, epoch)
        } else {
            let owned = (self.dice.roll(2) == 0).then(|| self.clients[who].owned.clone());
            Beat { owned, ..self.beat_of(who, epoch) }
        };
        self.hear(who, &said);
    }

    fn hear(&mut self, who: usize, said: &Beat) {
        let reply = self.bench.try_beat(said);
        let lost = self.dice.roll(8) == 0;
        let client = &mut self.clients[who];
        match reply {
            Ok(_) if lost => client.missed = true,
            Ok(reply) => {
                client.joined = true;
                client.missed = false;
                client.epoch = reply.epoch;
                if let Some(assignment) = reply.assignment {
                    client.told = Some(assignment);
                }
            }
            Err(ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId) => {
                client.joined = false;
                client.owned.clear();
                client.told = None;
            }
            // An instance that crashed waits until its old self is out.
            Err(ErrorCode::UnreleasedInstanceId) if client.is_static && said.epoch == JOINING => {}
            Err(code) => panic!("{code:?} to {said:?}"),
        }
    }

    /// Some time after it was told, the client gives up what it should, takes the rest, and says so.
    fn obey(&mut self, who: usize) {
        let client = &mut self.clients[who];
        let Some(told) = client.told.take() else { return };
        client.owned = told;
        let owned = Some(client.owned.clone());
        let epoch = client.epoch;
        let said = Beat { owned, ..self.beat_of(who, epoch) };
        self.hear(who, &said);
    }

    fn subscribe(&mut self, who: usize) {
        let names = self.some_names();
        self.clients[who].names = names;
        if self.clients[who].joined {
            let said = self.full_beat_of(who, self.clients[who].epoch);
            self.hear(who, &said);
        }
    }

    fn leave(&mut self, who: usize, epoch: i32) {
        if self.clients[who].joined && (epoch == LEAVING || self.clients[who].is_static) {
            self.clients[who].owned.clear();
            // It may have been taken out already.
            let _left = self.bench.try_beat(&self.beat_of(who, epoch));
            self.crash(who);
        }
    }

    fn crash(&mut self, who: usize) {
        let Client { incarnation, is_static, .. } = self.clients[who];
        self.clients[who] = Client { incarnation: incarnation + 1, is_static, ..Client::default() };
    }

    fn change_topics(&mut self) {
        let name = NAMES[self.dice.roll(NAMES.len())];
        let partitions = self.bench.known.find(name).map_or(0, |found| found.partitions);
        if self.dice.roll(3) == 0 {
            self.bench.known.delete(name);
        } else {
            self.bench.known.set(name, partitions + 1);
        }
    }

    fn check(&mut self) {
        let group = &self.bench.group;
        let epochs = (group.epoch, group.assignment_epoch);
        assert!(epochs.0 >= self.epochs.0 && epochs.1 >= self.epochs.1 && epochs.1 <= epochs.0, "{epochs:?}");
        self.epochs = epochs;
        let mut held = 0;
        for member in group.members.values() {
            assert!(member.place.epoch <= group.assignment_epoch, "{member:?}");
            for one in member.held() {
                assert_eq!(group.owners.get(&one), Some(&member.id), "{one:?}");
                held += 1;
            }
        }
        assert_eq!(group.owners.len(), held, "each partition is held once");
        for (instance, id) in &group.statics {
            assert_eq!(group.members[id].instance_id.as_ref(), Some(instance));
        }
        self.check_clients();
    }

    /// What clients that are members really read from, not what the group believes.
    fn check_clients(&self) {
        let mut seen: BTreeMap<TopicPartition, usize> = BTreeMap::new();
        for (who, client) in self.clients.iter().enumerate().filter(|(_, client)| client.joined) {
            let Some(member) = self.bench.group.members.get(&*self.id(who)) else { continue };
            assert!(client.epoch <= member.place.epoch, "no client is ahead of its coordinator");
            for one in &client.owned {
                assert!(member.held().any(|held| held == *one), "{who} reads {one:?}, which is not its own");
                assert_eq!(seen.insert(*one, who), None, "{one:?} is read by two");
            }
        }
    }

    /// Everybody behaves from now on: the group comes to rest, and every partition is read.
    fn settle(&mut self) {
        self.dice = Dice::deaf_to_chance();
        self.bench.wait(self.bench.config.consumer_session_timeout);
        let all = || NAMES.into_iter().map(Arc::from).collect::<BTreeSet<Arc<str>>>();
        for round in 0..12 {
            for who in 0..CLIENTS {
                if round == 0 {
                    self.clients[who].names = all();
                    self.clients[who].missed = true;
                }
                self.send(who);
                self.check();
                self.obey(who);
                self.check();
            }
        }
        assert_eq!(self.bench.group.state(), "Stable", "{:?}", self.bench.group);
        let read: Vec<_> = self.clients.iter().flat_map(|client| client.owned.iter().copied()).collect();
        let there = self.bench.known.topics.values();
        let there: usize = there.map(|found| usize::try_from(found.partitions).unwrap()).sum();
        assert_eq!(read.len(), there, "all partitions are read");
        let loads = self.clients.iter().map(|client| client.owned.len());
        let (least, most) = (loads.clone().min().unwrap(), loads.max().unwrap());
        assert!(most - least <= 1, "{least}..{most}");
        let epoch = self.bench.group.epoch;
        assert!(self.clients.iter().all(|client| client.epoch == epoch));
    }
}

#[test]
fn no_partition_is_ever_read_by_two_and_all_are_read_in_the_end() {
    for seed in 0..1_000 {
        let mut world = World::new(seed);
        let history = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..120 {
                world.step();
            }
            world.settle();
        }));
        if let Err(failure) = history {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(failure);
        }
    }
}
