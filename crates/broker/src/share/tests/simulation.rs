//! Members that come and go, and a broker that is killed, at random.

use std::collections::{BTreeMap, BTreeSet};

use super::member::{ACCEPT, GROUP, Given, Member, NEWEST, OK, REJECT, RELEASE, TOPIC, given, house};
use crate::groups::testing::Dice;
use crate::testing::{House, batch};
use crate::tests::produce::produce;

const MAX_DELIVERIES: i16 = 5;

/// What is known of the records of one group.
#[derive(Default)]
struct Known {
    produced: i64,
    /// Accepted, rejected or released for the last time, and answered so.
    settled: BTreeSet<i64>,
    /// Who has what, and which delivery of them it is.
    with: BTreeMap<i64, (usize, i16)>,
}

impl Known {
    /// Nobody is given what is settled or with somebody else.
    fn given(&mut self, member: usize, given: &[Given], seed: u64) {
        let each = given.iter().flat_map(|one| (one.0..=one.1).map(|offset| (offset, one.2)));
        for (offset, delivery) in each {
            assert!((1..=MAX_DELIVERIES).contains(&delivery), "seed {seed}: {offset}");
            assert!(!self.settled.contains(&offset), "seed {seed}: {offset} came again");
            assert_eq!(
                self.with.insert(offset, (member, delivery)),
                None,
                "seed {seed}: {offset} is with two"
            );
        }
    }
}

#[tokio::test]
async fn nothing_settled_comes_again_and_nothing_is_lost() {
    for seed in 0..8 {
        let mut dice = Dice::new(seed);
        let mut known = Known::default();
        let mut house = house().await;
        for _ in 0..4 {
            work(&house, &mut dice, &mut known, seed).await;
            if dice.roll(2) == 0 {
                house.broker.shares.compact_for_tests();
            }
            house = if dice.roll(4) == 0 { house.restart() } else { house.killed() };
            known.with.clear();
        }
        finish(&house, &mut known, seed).await;
    }
}

async fn work(house: &House, dice: &mut Dice, known: &mut Known, seed: u64) {
    let mut members = [Member::join(house, "a").await, Member::join(house, "b").await];
    for _ in 0..40 {
        let number = dice.roll(2);
        let member = &mut members[number];
        match dice.roll(6) {
            0 => {
                let count = 1 + dice.roll(9);
                produce(house, TOPIC, 0, batch(i32::try_from(count).unwrap())).await;
                known.produced += i64::try_from(count).unwrap();
            }
            1 | 2 => {
                let mut request = member.request();
                request.share_acquire_mode = 1;
                request.max_records = 1 + i32::try_from(dice.roll(12)).unwrap();
                let given = given(&member.fetch_as(NEWEST, request).await);
                known.given(number, &given, seed);
            }
            3 if member.epoch > 0 && dice.roll(4) == 0 => {
                let mut last = member.acknowledgement(&[]);
                last.share_session_epoch = -1;
                last.topics.clear();
                assert_eq!(member.acknowledge_as(NEWEST, last).await.error_code, 0);
                member.epoch = 0;
                known.with.retain(|_, (with, _)| *with != number);
            }
            _ if member.epoch > 0 => {
                let own = known.with.iter().filter(|(_, (with, _))| *with == number);
                let own = own.map(|(offset, (_, delivery))| (*offset, *delivery));
                let some: Vec<_> = own.filter(|_| dice.roll(2) == 0).collect();
                let kind = [ACCEPT, ACCEPT, REJECT, RELEASE][dice.roll(4)];
                let all: Vec<_> = some.iter().map(|(offset, _)| (*offset, *offset, kind)).collect();
                if all.is_empty() {
                    continue;
                }
                assert_eq!(member.acknowledge(&all).await, OK, "seed {seed}");
                for (offset, delivery) in some {
                    known.with.remove(&offset);
                    if kind != RELEASE || delivery == MAX_DELIVERIES {
                        known.settled.insert(offset);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Everything else comes.
async fn finish(house: &House, known: &mut Known, seed: u64) {
    let mut last = Member::join(house, "z").await;
    loop {
        let given = last.fetch().await;
        if given.is_empty() {
            break;
        }
        known.given(0, &given, seed);
        let all: Vec<_> = given.iter().map(|one| (one.0, one.1, ACCEPT)).collect();
        assert_eq!(last.acknowledge(&all).await, OK);
        known.settled.extend(given.iter().flat_map(|one| one.0..=one.1));
        known.with.clear();
    }
    assert_eq!(known.settled, (0..known.produced).collect(), "seed {seed}");
    assert_eq!(house.broker.shares.progress(GROUP)[0].1.start, known.produced, "seed {seed}");
}
