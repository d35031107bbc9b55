//! What a restart takes back, and what it does not.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use schloss_wire::ErrorCode;

use super::member::{ACCEPT, GROUP, Member, OK, REJECT, RELEASE, TOPIC, house, set};
use crate::testing::{FaultyDisk, House, batch};
use crate::tests::produce::produce;

#[tokio::test]
async fn what_was_acknowledged_never_comes_again() {
    let house = house().await;
    produce(&house, TOPIC, 0, batch(10)).await;
    let mut a = Member::join(&house, "a").await;
    assert_eq!(a.fetch().await, [(0, 9, 1)]);
    assert_eq!(a.acknowledge(&[(0, 1, ACCEPT), (4, 4, REJECT), (6, 7, RELEASE)]).await, OK);
    assert_eq!(a.fetch_and_acknowledge(&[(9, 9, ACCEPT)]).await, (vec![(6, 7, 2)], OK));
    house.broker.groups.compact_for_tests().await;
    let left = [(2, 3, 1), (5, 5, 1), (6, 7, 2), (8, 8, 1)];
    let again = house.killed();
    let mut b = Member::join(&again, "b").await;
    assert_eq!(b.fetch().await, left);
    // Once more, with a journal that was written anew.
    house.broker.shares.compact_for_tests();
    assert_eq!(a.acknowledge(&[(8, 8, ACCEPT)]).await, OK);
    let again = house.killed();
    let mut b = Member::join(&again, "b").await;
    assert_eq!(b.fetch().await, left[..3]);
    assert_eq!(b.acknowledge(&[(2, 3, ACCEPT), (5, 7, ACCEPT)]).await, OK);
    assert_eq!(again.broker.shares.progress(GROUP)[0].1.start, 10);
    drop(b);
    let again = again.restart();
    let mut c = Member::join(&again, "c").await;
    produce(&again, TOPIC, 0, batch(1)).await;
    assert_eq!(c.fetch().await, [(10, 10, 1)]);
}

#[tokio::test]
async fn a_group_that_began_with_the_newest_record_goes_on_from_there() {
    let house = House::new();
    house.topic(TOPIC, 1, &[]).await;
    produce(&house, TOPIC, 0, batch(3)).await;
    let mut a = Member::join(&house, "a").await;
    assert_eq!(a.fetch().await, []);
    produce(&house, TOPIC, 0, batch(2)).await;
    let again = house.killed();
    let mut b = Member::join(&again, "b").await;
    assert_eq!(b.fetch().await, [(3, 4, 1)]);
}

#[tokio::test]
async fn an_acknowledgement_is_answered_when_it_is_on_disk_or_not_at_all() {
    let disk = Arc::new(FaultyDisk::default());
    let house = House::on_faulty(&disk);
    house.topic(TOPIC, 1, &[]).await;
    set(&house, "share.auto.offset.reset", "earliest").await;
    produce(&house, TOPIC, 0, batch(2)).await;
    let mut a = Member::join(&house, "a").await;
    assert_eq!(a.fetch().await, [(0, 1, 1)]);
    disk.hold(true);
    {
        let acknowledged = a.acknowledge(&[(0, 0, ACCEPT)]);
        tokio::pin!(acknowledged);
        for _ in 0..20 {
            assert!(futures_util::poll!(&mut acknowledged).is_pending());
            tokio::task::yield_now().await;
        }
        disk.hold(false);
        assert_eq!(acknowledged.await, OK);
    }
    disk.full.store(true, Ordering::Relaxed);
    assert_eq!(a.acknowledge(&[(1, 1, ACCEPT)]).await, ErrorCode::CoordinatorNotAvailable);
    disk.full.store(false, Ordering::Relaxed);
    assert_eq!(a.acknowledge(&[(1, 1, ACCEPT)]).await, OK, "it is still with the member");
}

#[tokio::test]
async fn groups_that_are_no_more_leave_nothing_behind() {
    let house = house().await;
    produce(&house, TOPIC, 0, batch(2)).await;
    let mut a = Member::join(&house, "a").await;
    assert_eq!(a.fetch().await, [(0, 1, 1)]);
    assert_eq!(a.acknowledge(&[(0, 1, ACCEPT)]).await, OK);
    a.leave().await;
    // As if the broker had died between the two.
    house.broker.groups.delete(GROUP).await.unwrap();
    let again = house.killed();
    assert!(again.broker.shares.progress(GROUP).is_empty());
    let mut b = Member::join(&again, "b").await;
    assert_eq!(b.fetch().await, [(0, 1, 1)], "a new group is a new group");
    assert_eq!(b.acknowledge(&[(0, 0, ACCEPT)]).await, OK);
    assert_eq!(
        again.killed().broker.shares.progress(GROUP)[0].1.start,
        1,
        "and nothing of the old one comes back"
    );
}

#[tokio::test]
async fn records_in_the_place_of_lost_ones_are_delivered() {
    let house = house().await;
    produce(&house, TOPIC, 0, batch(10)).await;
    let mut a = Member::join(&house, "a").await;
    assert_eq!(a.fetch().await, [(0, 9, 1)]);
    assert_eq!(a.acknowledge(&[(0, 7, ACCEPT), (9, 9, ACCEPT)]).await, OK);
    drop(a);
    let mut house = house.restart_after(|directory| {
        std::fs::remove_dir_all(directory.join("topics").join(format!("{TOPIC}-0"))).unwrap();
    });
    for offset in 0..2 {
        produce(&house, TOPIC, 0, batch(1)).await;
        let mut b = Member::join(&house, "b").await;
        assert_eq!(b.fetch().await, [(offset, offset, 1)]);
        assert_eq!(b.acknowledge(&[(offset, offset, ACCEPT)]).await, OK);
        drop(b);
        house = house.restart();
    }
}
