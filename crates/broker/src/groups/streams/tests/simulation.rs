//! Members at random: no task is ever worked on by two, and in the end all are worked on.

use super::*;
use crate::groups::testing::Dice;

/// A member's own view.
#[derive(Default)]
struct Client {
    joined: bool,
    epoch: i32,
    tasks: BTreeSet<Task>,
    /// Whether it has yet to say what it has.
    has_news: bool,
    times: u32,
}

struct Fleet {
    bench: Bench,
    clients: Vec<Client>,
    dice: Dice,
}

const SOURCES: i32 = 5;

impl Fleet {
    fn new(seed: u64, size: usize) -> Self {
        let topics = [("in", SOURCES), ("words", SOURCES), ("counts", SOURCES)];
        let clients = (0..size).map(|_| Client::default()).collect();
        Self { bench: Bench::new(&topics), clients, dice: Dice::new(seed) }
    }

    fn id(&self, who: usize) -> String {
        format!("{who}-{}", self.clients[who].times)
    }

    fn times() -> StreamsTimes {
        StreamsTimes { standbys: 1, ..TIMES }
    }

    /// One heartbeat, whose answer may get lost.
    fn send(&mut self, who: usize, may_lose: bool) {
        let id = self.id(who);
        let client = &self.clients[who];
        // Two members of each process.
        let process: Arc<str> = (who / 2).to_string().into();
        let said = if client.joined {
            let owned = client.has_news.then(|| client.tasks.clone());
            StreamsBeat { owned, times: Self::times(), ..beat(&id, client.epoch) }
        } else {
            StreamsBeat { process_id: Some(process), times: Self::times(), ..join(&id, word_count()) }
        };
        let answer = self.bench.try_reply(&said);
        if may_lose && self.dice.roll(4) == 0 {
            self.clients[who].has_news = true;
            return;
        }
        let client = &mut self.clients[who];
        match answer {
            Ok(reply) => {
                client.has_news = false;
                (client.joined, client.epoch) = (true, reply.epoch);
                if let Some(tasks) = reply.tasks {
                    client.has_news = client.tasks != tasks;
                    client.tasks = tasks;
                }
            }
            Err(ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId) => {
                // It gives all up and comes back as who it was.
                *client = Client { times: client.times, ..Client::default() };
            }
            Err(code) => panic!("{code}"),
        }
    }

    fn leave(&mut self, who: usize) {
        let id = self.id(who);
        // It may not be a member, or not know that it is.
        let _ = self.bench.try_reply(&beat(&id, LEAVING));
        self.clients[who] = Client { times: self.clients[who].times + 1, ..Client::default() };
    }

    fn check(&self) {
        let mut active = BTreeMap::new();
        let mut on_disk = BTreeMap::new();
        for (who, client) in self.clients.iter().enumerate() {
            if !self.bench.group.members.contains_key(&*self.id(who)) {
                continue;
            }
            for task in &client.tasks {
                if task.role == Role::Active {
                    assert_eq!(active.insert(task.id.clone(), who), None, "{task:?} is active twice");
                }
                let before = on_disk.insert((who / 2, task.id.clone()), who);
                assert_eq!(before, None, "{task:?} is twice on one disk");
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..20 {
            for who in 0..self.clients.len() {
                self.send(who, false);
                self.check();
            }
        }
        assert_eq!(self.bench.group.state(), "Stable");
        let all: Vec<_> = self.clients.iter().flat_map(|client| &client.tasks).collect();
        let count = |role| all.iter().filter(|task| task.role == role).count();
        assert_eq!(
            (count(Role::Active), count(Role::Standby)),
            (10, 5),
            "two halves, and a copy of the counts"
        );
    }
}

#[test]
fn no_task_is_ever_with_two_and_all_are_done_in_the_end() {
    for seed in 0..60 {
        let mut fleet = Fleet::new(seed, 6);
        for _ in 0..120 {
            let who = fleet.dice.roll(6);
            match fleet.dice.roll(12) {
                0 => fleet.leave(who),
                _ => fleet.send(who, true),
            }
            fleet.check();
        }
        fleet.settle();
    }
}
