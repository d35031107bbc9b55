//! Offsets that are forgotten when nobody has needed them for a week.

use schloss_wire::Uuid;

use super::deletion::{house, left, reader};
use super::*;
use crate::reply::now_ms;
use crate::testing;

const LOOK: i64 = 10 * 60 * 1000;
const WEEK: i64 = 7 * 24 * 60 * 60 * 1000;
/// What the hours of a test may take of the real ones.
const SLACK: i64 = 60 * 1000;

/// A broker whose clock has been moved to the first look at its offsets.
struct Watched {
    house: testing::House,
    now_ms: i64,
}

impl Watched {
    fn new(house: testing::House) -> Self {
        let now_ms = now_ms();
        house.broker.cleaner.turn(now_ms);
        let mut watched = Self { house, now_ms };
        watched.pass(LOOK);
        watched
    }

    fn pass(&mut self, milliseconds: i64) {
        self.now_ms += milliseconds;
        self.house.broker.cleaner.turn(self.now_ms);
    }

    /// The same time at a broker that was stopped and started.
    fn restart(self) -> Self {
        let Self { house, now_ms } = self;
        let house = house.restart();
        house.broker.cleaner.turn(now_ms - LOOK);
        Self { house, now_ms }
    }

    async fn left(&self) -> usize {
        left(&self.house).await
    }

    fn topic(&self, name: &str) -> Uuid {
        self.house.broker.metadata.snapshot().topic(name).unwrap().id
    }
}

#[tokio::test]
async fn an_empty_group_keeps_its_offsets_for_a_week() {
    let mut watched = Watched::new(house().await);
    watched.pass(WEEK - LOOK - SLACK);
    assert_eq!(watched.left().await, 4);
    watched.pass(LOOK + SLACK);
    assert_eq!(watched.left().await, 0);
    assert_eq!(left(&watched.house.killed()).await, 0);
}

#[tokio::test]
async fn a_restart_does_not_start_the_week_anew() {
    let mut watched = Watched::new(house().await);
    watched.pass(WEEK / 2);
    watched.house.broker.groups.compact_for_tests().await;
    let mut watched = watched.restart();
    watched.pass(WEEK / 2 - LOOK);
    assert_eq!(watched.left().await, 4);
    watched.pass(LOOK + SLACK);
    assert_eq!(watched.left().await, 0);
}

#[tokio::test]
async fn who_was_there_meanwhile_starts_it_anew() {
    let mut watched = Watched::new(house().await);
    watched.pass(WEEK - LOOK - SLACK);
    // Somebody comes and goes without committing anything.
    let groups = &watched.house.broker.groups;
    let joined = groups.join(GROUP, reader("orders")).await.unwrap();
    let leaving = Leaving { member_id: joined.member_id, instance_id: None };
    assert_eq!(groups.leave(GROUP, &[leaving]), [Ok(())]);
    watched.pass(LOOK);
    watched.pass(WEEK - LOOK - SLACK);
    assert_eq!(watched.left().await, 4);
    watched.pass(LOOK + SLACK);
    assert_eq!(watched.left().await, 0);
}

#[tokio::test]
async fn a_commit_in_an_empty_group_is_as_new_as_it_is() {
    let mut watched = Watched::new(house().await);
    let nobody = Claim { member_id: "", instance_id: None, generation: -1 };
    let committed =
        Committed { offset: 1, leader_epoch: -1, metadata: "".into(), time_ms: watched.now_ms + WEEK / 2 };
    let commit = Commit { topic: watched.topic("orders"), partition: 0, committed };
    watched.house.broker.groups.commit(GROUP, nobody, vec![commit]).await.unwrap();
    watched.pass(WEEK);
    assert_eq!(watched.left().await, 1);
    watched.pass(WEEK / 2);
    assert_eq!(watched.left().await, 0);
}

#[tokio::test]
async fn what_members_read_stays_and_the_rest_goes() {
    let house = house().await;
    let joined = house.broker.groups.join(GROUP, reader("orders")).await.unwrap();
    let mut watched = Watched::new(house);
    watched.pass(WEEK);
    assert_eq!(watched.left().await, 4, "between two generations nobody knows who reads what");
    watched.house.broker.groups.sync(GROUP, sync_of(&joined)).await.unwrap();
    watched.pass(LOOK);
    assert_eq!(watched.left().await, 2);
    watched.pass(10 * WEEK);
    let rest = watched.house.broker.groups.fetch_all(GROUP, false).await.unwrap();
    assert!(rest.iter().all(|(topic, _, _)| *topic == watched.topic("orders")) && rest.len() == 2);
}

#[tokio::test]
async fn what_members_don_t_tell_may_be_read() {
    let house = house().await;
    let joined = house.broker.groups.join(GROUP, join("", "a")).await.unwrap();
    house.broker.groups.sync(GROUP, sync_of(&joined)).await.unwrap();
    let mut watched = Watched::new(house);
    watched.pass(10 * WEEK);
    assert_eq!(watched.left().await, 4);
}

#[tokio::test]
async fn what_a_transaction_holds_stays() {
    let mut watched = Watched::new(house().await);
    let nobody = Claim { member_id: "", instance_id: None, generation: -1 };
    let committed = Committed { offset: 1, leader_epoch: -1, metadata: "".into(), time_ms: 0 };
    let commit = Commit { topic: watched.topic("orders"), partition: 0, committed };
    let groups = &watched.house.broker.groups;
    groups.hold(GROUP, nobody, (1, 0), vec![commit], || Ok(())).await.unwrap();
    watched.pass(10 * WEEK);
    assert_eq!(watched.left().await, 1);
}
