//! The state machine of one share partition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schloss_wire::ErrorCode;
use tokio::time::Instant;

use crate::groups::testing::Dice;
use crate::share::acknowledgement::{Acknowledgement, Kind};
use crate::share::partition::{Acquired, Row, SharePartition, Taker};

const LOCK: Duration = Duration::from_secs(30);
const MAX_DELIVERIES: i16 = 5;
const MOST: i64 = 2_000;

/// A partition and its time.
struct Bench {
    share: SharePartition,
    now: Instant,
    most_under_way: i64,
}

impl Bench {
    fn new(start: i64) -> Self {
        Self { share: SharePartition::new(start), now: Instant::now(), most_under_way: MOST }
    }

    fn acquire(&mut self, member: &str, first: i64, last: i64) -> Vec<(i64, i64, i16)> {
        self.acquire_most(member, first, last, i64::MAX)
    }

    fn acquire_most(&mut self, member: &str, first: i64, last: i64, most: i64) -> Vec<(i64, i64, i16)> {
        let member = Arc::from(member);
        let taker =
            Taker { member: &member, until: self.now + LOCK, most, most_under_way: self.most_under_way };
        let taken = self.share.acquire(first, last, &taker);
        taken.into_iter().map(|Acquired { first, last, delivery }| (first, last, delivery)).collect()
    }

    fn acknowledge(&mut self, member: &str, all: &[(i64, i64, Kind)]) -> Result<(), ErrorCode> {
        let all: Vec<_> =
            all.iter().map(|&(first, last, kind)| Acknowledgement { first, last, kind }).collect();
        self.share.acknowledge(member, &all, self.now + LOCK, MAX_DELIVERIES)
    }

    fn wait(&mut self, time: Duration) -> Vec<(i64, i64)> {
        self.now += time;
        self.share.expire(self.now, MAX_DELIVERIES)
    }

    fn next(&self) -> Option<i64> {
        self.share.next_offset(self.most_under_way)
    }
}

/// What a restart makes of it.
fn replayed(share: &SharePartition) -> SharePartition {
    let rows: Vec<Row> = share.all_rows().collect();
    let mut replayed = SharePartition::new(share.start());
    replayed.replay(share.start(), &rows);
    replayed
}

#[test]
fn what_one_has_no_other_gets_until_it_is_settled_or_given_back() {
    let mut bench = Bench::new(5);
    assert_eq!(bench.next(), Some(5));
    assert_eq!(bench.acquire("a", 0, 14), [(5, 14, 1)]);
    assert_eq!(bench.acquire("b", 5, 14), []);
    assert_eq!(bench.acquire("b", 10, 19), [(15, 19, 1)]);
    assert_eq!(bench.next(), Some(20));
    bench.acknowledge("a", &[(5, 6, Kind::Accept), (7, 7, Kind::Release), (8, 8, Kind::Reject)]).unwrap();
    assert_eq!((bench.share.start(), bench.next()), (7, Some(7)));
    assert_eq!(bench.acquire("b", 5, 30), [(7, 7, 2), (20, 30, 1)]);
    bench.acknowledge("b", &[(7, 7, Kind::Gap)]).unwrap();
    assert_eq!(bench.share.start(), 9, "what was settled before goes along");
    assert_eq!(bench.share.settled(), 0);
}

#[test]
fn nobody_settles_what_is_not_theirs_and_a_refusal_changes_nothing() {
    let mut bench = Bench::new(0);
    bench.acquire("a", 0, 9);
    bench.acquire("b", 10, 19);
    let before = bench.share.clone();
    for wrong in [
        &[(0, 10, Kind::Accept)][..],
        &[(0, 9, Kind::Accept), (10, 19, Kind::Accept)],
        &[(0, 9, Kind::Accept), (20, 20, Kind::Accept)],
        &[(5, 25, Kind::Release)],
    ] {
        assert_eq!(bench.acknowledge("a", wrong), Err(ErrorCode::InvalidRecordState), "{wrong:?}");
        assert_eq!(bench.share, before);
    }
    bench.acknowledge("a", &[(0, 9, Kind::Accept)]).unwrap();
    assert_eq!(bench.acknowledge("a", &[(0, 9, Kind::Accept)]), Ok(()), "what is before the start is done");
    assert_eq!(bench.acknowledge("a", &[(0, 10, Kind::Accept)]), Err(ErrorCode::InvalidRecordState));
    bench.acknowledge("b", &[(15, 16, Kind::Accept)]).unwrap();
    assert_eq!(bench.acknowledge("b", &[(15, 16, Kind::Accept)]), Err(ErrorCode::InvalidRecordState));
}

#[test]
fn a_lock_ends_and_may_be_renewed() {
    let mut bench = Bench::new(0);
    bench.acquire("a", 0, 9);
    assert_eq!(bench.wait(LOCK - Duration::from_millis(1)), []);
    bench.acknowledge("a", &[(3, 4, Kind::Renew)]).unwrap();
    assert_eq!(bench.wait(Duration::from_millis(1)), [(0, 2), (5, 9)]);
    assert_eq!(bench.acknowledge("a", &[(0, 0, Kind::Accept)]), Err(ErrorCode::InvalidRecordState));
    assert_eq!(bench.acquire("b", 0, 9), [(0, 2, 2), (5, 9, 2)]);
    bench.acknowledge("a", &[(3, 4, Kind::Accept)]).unwrap();
    assert_eq!(bench.share.next_deadline(), Some(bench.now + LOCK));
}

#[test]
fn a_record_is_delivered_so_often_and_no_more() {
    let mut bench = Bench::new(0);
    for delivery in 1..=MAX_DELIVERIES {
        assert_eq!(bench.acquire("a", 0, 0), [(0, 0, delivery)]);
        if delivery % 2 == 0 {
            bench.acknowledge("a", &[(0, 0, Kind::Release)]).unwrap();
        } else {
            bench.wait(LOCK);
        }
    }
    assert_eq!((bench.share.start(), bench.acquire("a", 0, 0)), (1, vec![]));
}

#[test]
fn what_a_member_that_goes_has_counts_as_not_delivered() {
    let mut bench = Bench::new(0);
    bench.acquire("a", 0, 4);
    bench.acknowledge("a", &[(0, 1, Kind::Release)]).unwrap();
    bench.acquire("a", 0, 1);
    bench.acquire("b", 5, 9);
    bench.share.release("a");
    assert_eq!(bench.acquire("c", 0, 9), [(0, 1, 2), (2, 4, 1)]);
}

#[test]
fn only_so_many_are_under_way() {
    let mut bench = Bench::new(0);
    bench.most_under_way = 10;
    assert_eq!(bench.acquire_most("a", 0, 99, 4), [(0, 3, 1)]);
    assert_eq!(bench.acquire("a", 0, 99), [(4, 9, 1)]);
    assert_eq!((bench.next(), bench.acquire("a", 0, 99)), (None, vec![]));
    bench.acknowledge("a", &[(5, 6, Kind::Release)]).unwrap();
    assert_eq!((bench.next(), bench.acquire_most("b", 0, 99, 1)), (Some(5), vec![(5, 5, 2)]));
    // One that is stuck at the front does not hold up the others.
    bench.acknowledge("a", &[(1, 4, Kind::Accept), (7, 9, Kind::Accept)]).unwrap();
    assert_eq!(bench.acquire("b", 0, 99), [(6, 6, 2), (10, 16, 1)]);
    assert_eq!((bench.share.start(), bench.share.settled()), (0, 7));
}

#[test]
fn nothing_to_deliver_is_skipped_but_not_what_somebody_has() {
    let mut bench = Bench::new(0);
    bench.acquire("a", 3, 4);
    bench.share.skip(0, 9);
    assert_eq!((bench.share.start(), bench.next()), (3, Some(10)));
    bench.acknowledge("a", &[(3, 4, Kind::Accept)]).unwrap();
    assert_eq!((bench.share.start(), bench.share.runs()), (10, 0));
}

#[test]
fn a_log_that_lost_its_front_or_its_end_is_followed() {
    let mut bench = Bench::new(0);
    bench.acquire("a", 0, 9);
    bench.share.follow(5, 100);
    assert_eq!(bench.share.start(), 5);
    bench.acknowledge("a", &[(0, 6, Kind::Accept)]).unwrap();
    bench.share.follow(5, 9);
    assert_eq!(bench.acknowledge("a", &[(7, 9, Kind::Accept)]), Err(ErrorCode::InvalidRecordState));
    bench.acknowledge("a", &[(7, 8, Kind::Accept)]).unwrap();
    bench.share.follow(5, 2);
    assert_eq!(bench.next(), Some(2));
    bench.share.follow(40, 40);
    assert_eq!((bench.next(), bench.share.runs()), (Some(40), 0));
}

#[test]
fn a_restart_takes_back_what_was_with_members_and_nothing_that_is_settled() {
    let mut bench = Bench::new(0);
    bench.acquire("a", 0, 9);
    bench.acknowledge("a", &[(0, 0, Kind::Accept), (4, 4, Kind::Accept), (6, 6, Kind::Release)]).unwrap();
    bench.acquire("b", 6, 6);
    let mut bench = Bench { share: replayed(&bench.share), ..bench };
    assert_eq!(bench.share.start(), 1);
    assert_eq!(bench.acquire("c", 0, 20), [(1, 3, 1), (5, 5, 1), (6, 6, 2), (7, 20, 1)]);
}

/// What a test believes of one offset.
#[derive(Clone, Debug, PartialEq)]
enum Believed {
    Free(i16),
    With(&'static str, i16),
    Done,
}

/// Random steps against a table of offsets, with a journal of what changed.
#[test]
fn simulation() {
    const END: i64 = 60;
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let mut bench = Bench::new(0);
        bench.most_under_way = 20;
        let mut journal = SharePartition::new(0);
        let mut table: BTreeMap<i64, Believed> = (0..END).map(|offset| (offset, Believed::Free(0))).collect();
        let offset = |dice: &mut Dice| i64::try_from(dice.roll(60)).unwrap();
        for step in 0..400 {
            let member = ["a", "b"][dice.roll(2)];
            let (one, other) = (offset(&mut dice), offset(&mut dice));
            let (first, last) = (one.min(other), one.max(other));
            match dice.roll(8) {
                0..=2 => {
                    let under_way = table
                        .values()
                        .filter(|one| !matches!(one, Believed::Done | Believed::Free(0)))
                        .count();
                    let mut room = 20 - i64::try_from(under_way).unwrap();
                    let mut expected = Vec::new();
                    for (offset, believed) in table.range_mut(first..=last) {
                        if let Believed::Free(deliveries) = believed
                            && (*deliveries > 0 || room > 0)
                        {
                            room -= i64::from(*deliveries == 0);
                            expected.push((*offset, *deliveries + 1));
                            *believed = Believed::With(member, *deliveries + 1);
                        }
                    }
                    let taken = bench.acquire(member, first, last);
                    let taken: Vec<_> = taken
                        .iter()
                        .flat_map(|&(first, last, count)| (first..=last).map(move |one| (one, count)))
                        .collect();
                    assert_eq!(taken, expected, "seed {seed}, step {step}");
                }
                3..=5 => {
                    let kind = [Kind::Accept, Kind::Release, Kind::Reject][dice.roll(3)];
                    let last = last.min(first + 3);
                    let start = bench.share.start();
                    let is_theirs = (first.max(start)..=last)
                        .all(|one| matches!(table[&one], Believed::With(with, _) if with == member));
                    let result = bench.acknowledge(member, &[(first, last, kind)]);
                    assert_eq!(result.is_ok(), is_theirs, "seed {seed}, step {step}");
                    if is_theirs {
                        let from = first.max(start);
                        for (_, believed) in table.range_mut(from..from.max(last + 1)) {
                            let Believed::With(_, deliveries) = *believed else { panic!() };
                            let again = kind == Kind::Release && deliveries < MAX_DELIVERIES;
                            *believed = if again { Believed::Free(deliveries) } else { Believed::Done };
                        }
                        let rows: Vec<Row> = bench.share.rows(first, last).collect();
                        journal.replay(bench.share.start(), &rows);
                    }
                }
                6 => {
                    bench.share.release(member);
                    for believed in table.values_mut() {
                        if let Believed::With(with, deliveries) = *believed
                            && with == member
                        {
                            *believed = Believed::Free(deliveries - 1);
                        }
                    }
                }
                _ => {
                    let expired = bench.wait(LOCK);
                    for believed in table.values_mut() {
                        if let Believed::With(_, deliveries) = *believed {
                            let again = deliveries < MAX_DELIVERIES;
                            *believed = if again { Believed::Free(deliveries) } else { Believed::Done };
                        }
                    }
                    let rows: Vec<Row> =
                        expired.iter().flat_map(|&(first, last)| bench.share.rows(first, last)).collect();
                    journal.replay(bench.share.start(), &rows);
                }
            }
            let done = table.values().take_while(|one| **one == Believed::Done).count();
            assert_eq!(bench.share.start(), i64::try_from(done).unwrap(), "seed {seed}, step {step}");
            assert!(bench.share.runs() <= 41, "seed {seed}, step {step}");
            // The journal tells the same as a snapshot: what is settled, and what is not.
            for mut restarted in [journal.clone(), replayed(&bench.share)] {
                let member = Arc::from("z");
                let taker =
                    Taker { member: &member, until: bench.now, most: i64::MAX, most_under_way: i64::MAX };
                let again: Vec<_> = restarted
                    .acquire(0, END - 1, &taker)
                    .iter()
                    .flat_map(|one| (one.first..=one.last).map(move |offset| (offset, one.delivery)))
                    .collect();
                let expected: Vec<_> = table
                    .iter()
                    .filter_map(|(offset, believed)| match believed {
                        Believed::Free(deliveries) => Some((*offset, deliveries + 1)),
                        Believed::With(_, deliveries) => Some((*offset, *deliveries)),
                        Believed::Done => None,
                    })
                    .collect();
                assert_eq!(again, expected, "seed {seed}, step {step}");
            }
        }
    }
}
