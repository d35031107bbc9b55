//! Random interleavings of producers, fences, aborts and crashes, each compared with a plain model of what has
//! to come of it: no aborted record is shown, no committed one is missing, and what is stable is stable.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::sync::Arc;

use super::*;
use crate::testing::{FaultyDisk, batch};
use crate::tests::produce::produce;

const JOURNAL: &str = "transactions/transactions.journal";
const PARTITIONS: i32 = 2;
const PRODUCERS: usize = 4;
const STEPS: usize = 60;
const SEEDS: u64 = 8;

/// A small generator (xorshift64*), so that a failure names its seed and can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let roll = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(roll).unwrap() % sides
    }

    fn flip(&mut self) -> bool {
        self.roll(2) == 0
    }
}

/// What an open transaction did so far.
#[derive(Clone, Debug, Default)]
struct Open {
    records: Vec<(i32, std::ops::Range<i64>)>,
    offsets: BTreeMap<i32, i64>,
}

struct World {
    dice: Dice,
    disk: Arc<FaultyDisk>,
    house: House,
    producers: Vec<Producer>,
    /// Those that were fenced.
    zombies: Vec<Producer>,
    open: Vec<Option<Open>>,
    /// Offsets of records that count.
    counted: BTreeMap<i32, BTreeSet<i64>>,
    group: BTreeMap<i32, i64>,
    /// As many writes to the coordinator's journal survive every crash.
    sure: usize,
}

impl World {
    async fn new(seed: u64) -> Self {
        let disk = Arc::new(FaultyDisk::default());
        let house = House::on_faulty(&disk);
        house.topic(TOPIC, PARTITIONS, &[]).await;
        let mut producers = Vec::new();
        for index in 0..PRODUCERS {
            let age = AGES[index % 2];
            producers.push(Producer::start(&house, age, &format!("{age:?}-{index}")).await);
        }
        let mut world = Self {
            dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            disk,
            house,
            producers,
            zombies: Vec::new(),
            open: vec![None; PRODUCERS],
            counted: BTreeMap::new(),
            group: BTreeMap::new(),
            sure: 0,
        };
        world.sure = world.writes();
        world
    }

    fn writes(&self) -> usize {
        self.disk.ends_of_writes(&self.house.path().join(JOURNAL)).len()
    }

    async fn step(&mut self) {
        let who = self.dice.roll(PRODUCERS);
        let partition = i32::try_from(self.dice.roll(2)).unwrap();
        match self.dice.roll(20) {
            0..=8 => self.send(who, partition).await,
            9..=10 => self.hold(who, partition).await,
            11..=14 => self.end(who).await,
            15 => self.write_outside(partition).await,
            16 => self.replace(who).await,
            17 => self.wake_a_zombie(partition).await,
            18 => self.restart().await,
            _ => self.crash(),
        }
    }

    async fn send(&mut self, who: usize, partition: i32) {
        let count = i32::try_from(1 + self.dice.roll(3)).unwrap();
        let before = self.producers[who].clone();
        // After a crash the last transaction may still be on its way to its end, and the client comes back.
        let first = loop {
            match self.producers[who].send(&self.house, partition, count).await {
                Err(ErrorCode::ConcurrentTransactions) => tokio::task::yield_now().await,
                sent => break sent.unwrap(),
            }
        };
        if self.dice.roll(4) == 0 {
            let again = before.produce(&self.house, partition, count).await;
            assert_eq!((again.error_code, again.base_offset), (0, first), "sent twice");
        }
        let open = self.open[who].get_or_insert_default();
        open.records.push((partition, first..first + i64::from(count)));
        self.sure_if_old(who);
    }

    async fn hold(&mut self, who: usize, partition: i32) {
        let offset = i64::try_from(self.dice.roll(1_000)).unwrap();
        loop {
            match self.producers[who].hold(&self.house, partition, offset).await {
                ErrorCode::ConcurrentTransactions => tokio::task::yield_now().await,
                code => break assert_eq!(code, OK),
            }
        }
        self.open[who].get_or_insert_default().offsets.insert(partition, offset);
        self.sure_if_old(who);
    }

    /// Older producers wait for the coordinator's journal with every request.
    fn sure_if_old(&mut self, who: usize) {
        if self.producers[who].age == Age::Old {
            self.sure = self.writes();
        }
    }

    async fn end(&mut self, who: usize) {
        let commit = self.dice.flip();
        let Some(open) = self.open[who].take() else { return };
        let again = self.producers[who].clone();
        assert_eq!(self.producers[who].end(&self.house, commit).await, OK);
        // The decision is on disk, the note that it was carried out may not be.
        self.sure = self.writes() - 1;
        if self.dice.roll(4) == 0 {
            assert_eq!(again.clone().end(&self.house, commit).await, OK, "asked again");
            self.sure = self.writes();
        }
        if commit {
            for (partition, records) in open.records {
                self.counted.entry(partition).or_default().extend(records);
            }
            self.group.extend(open.offsets);
        }
    }

    async fn write_outside(&mut self, partition: i32) {
        let offset = produce(&self.house, TOPIC, partition, batch(1)).await.base_offset;
        self.counted.entry(partition).or_default().insert(offset);
    }

    /// Another instance takes the transactional id over.
    async fn replace(&mut self, who: usize) {
        let next =
            Producer::start(&self.house, self.producers[who].age, &self.producers[who].id.clone()).await;
        self.zombies.push(std::mem::replace(&mut self.producers[who], next));
        self.open[who] = None;
        self.sure = self.writes();
    }

    async fn wake_a_zombie(&mut self, partition: i32) {
        if self.zombies.is_empty() {
            return;
        }
        let which = self.dice.roll(self.zombies.len());
        let mut zombie = self.zombies[which].clone();
        assert_ne!(zombie.produce(&self.house, partition, 1).await.error_code, 0);
        assert!(zombie.send(&self.house, partition, 1).await.is_err());
        assert_ne!(zombie.hold_only(&self.house, partition, 1).await, OK);
        assert_ne!(zombie.end(&self.house, true).await, OK);
    }

    async fn restart(&mut self) {
        // Ends that are on their way hold the broker.
        while self.house.broker.transactions.is_held_for_tests() {
            tokio::task::yield_now().await;
        }
        let disk = Arc::new(FaultyDisk::default());
        let house = std::mem::replace(&mut self.house, House::new());
        self.house = house.restart_on(&disk);
        (self.disk, self.sure) = (disk, 0);
    }

    /// The process dies, and with it what was written to the coordinator's journal since somebody last waited
    /// for it; or a part of that.
    fn crash(&mut self) {
        let ends = self.disk.ends_of_writes(&self.house.path().join(JOURNAL));
        let kept = self.sure + self.dice.roll(ends.len() - self.sure + 1);
        let disk = Arc::new(FaultyDisk::default());
        self.house = self.house.killed_on(&disk, |copy| {
            if kept > 0 {
                let journal = OpenOptions::new().write(true).open(copy.join(JOURNAL)).unwrap();
                journal.set_len(ends[kept - 1]).unwrap();
            }
        });
        (self.disk, self.sure) = (disk, 0);
    }

    async fn check(&self) {
        for partition in 0..PARTITIONS {
            let records = self.open.iter().flatten().flat_map(|open| &open.records);
            let here = records.filter(|(of, _)| *of == partition).map(|(_, offsets)| offsets.start);
            let first_open = here.min();
            // What a crash left to do is done soon.
            let found = loop {
                let found = fetch(&self.house, partition, 0, 1).await;
                if first_open.is_some() || found.last_stable_offset == found.high_watermark {
                    break found;
                }
                tokio::task::yield_now().await;
            };
            let expected = first_open.unwrap_or(found.high_watermark);
            assert_eq!(found.last_stable_offset, expected, "stable up to the first open transaction");
            let counted = self.counted.get(&partition).cloned().unwrap_or_default();
            let expected: BTreeSet<i64> = counted.into_iter().filter(|offset| *offset < expected).collect();
            assert_eq!(read(&self.house, partition, 1).await, expected, "partition {partition}");
            let held = self.open.iter().flatten().any(|open| open.offsets.contains_key(&partition));
            let expected = self.group.get(&partition).copied().unwrap_or(-1);
            loop {
                match group_offset(&self.house, partition, true).await {
                    Err(ErrorCode::UnstableOffsetCommit) if held => break,
                    Err(ErrorCode::UnstableOffsetCommit) => tokio::task::yield_now().await,
                    found => {
                        assert!(!held, "an offset that may change is no answer");
                        assert_eq!(found, Ok(expected));
                        break;
                    }
                }
            }
            assert_eq!(group_offset(&self.house, partition, false).await, Ok(expected));
        }
    }
}

#[tokio::test]
async fn whatever_happens_readers_see_whole_transactions() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed).await;
        for step in 0..STEPS {
            tracing::debug!(seed, step, "a step");
            world.step().await;
            world.check().await;
        }
    }
}
