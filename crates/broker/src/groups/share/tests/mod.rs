//! Share groups step by step, and as clients see them.

use std::collections::BTreeSet;
use std::time::Duration;

use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::beat::ShareBeat;
use super::group::ShareGroup;
use crate::groups::config::GroupsConfig;
use crate::groups::consumer::MemberTimes;
use crate::groups::newer::Newer as _;
use crate::groups::place::JOINING;
use crate::groups::testing::Known;

mod api;

const LEAVING: i32 = -1;
const SESSION: Duration = Duration::from_secs(45);

fn beat(id: &str, epoch: i32) -> ShareBeat {
    ShareBeat {
        member_id: id.into(),
        epoch,
        rack_id: None,
        names: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        times: MemberTimes { session_timeout: SESSION, heartbeat_interval: Duration::from_secs(5) },
    }
}

fn join(id: &str, names: &[&str]) -> ShareBeat {
    let names: BTreeSet<_> = names.iter().map(|name| (*name).into()).collect();
    ShareBeat { names: Some(names), ..beat(id, JOINING) }
}

/// One group, its topics and its time.
struct Bench {
    group: ShareGroup,
    config: GroupsConfig,
    known: Known,
    now: Instant,
}

impl Bench {
    fn new(topics: &[(&str, i32)]) -> Self {
        Self {
            group: ShareGroup::new(),
            config: GroupsConfig { max_group_size: 3, ..GroupsConfig::default() },
            known: Known::new(topics),
            now: Instant::now(),
        }
    }

    /// The epoch of the member after this heartbeat, and of how many partitions it is told if it is.
    fn beat(&mut self, beat: &ShareBeat) -> Result<(i32, Option<usize>), ErrorCode> {
        let reply = if beat.epoch < JOINING {
            self.group.leave(beat)
        } else {
            self.group.heartbeat(self.now, &self.config, beat, &self.known)
        };
        let reply = reply.map_err(|refused| refused.code)?;
        Ok((reply.epoch, reply.assignment.map(|all| all.len())))
    }
}

#[test]
fn members_are_told_what_is_new_and_nothing_twice() {
    let mut bench = Bench::new(&[("t", 4)]);
    assert_eq!(bench.beat(&join("a", &["t"])), Ok((1, Some(4))));
    assert_eq!(bench.beat(&beat("a", 1)), Ok((1, None)));
    assert_eq!(bench.beat(&join("b", &["t"])), Ok((2, Some(2))));
    assert_eq!(bench.beat(&beat("a", 1)), Ok((2, Some(2))));
    assert_eq!(bench.beat(&beat("a", 1)), Ok((2, Some(2))), "the answer may have been lost");
    assert_eq!(bench.beat(&beat("a", 2)), Ok((2, None)));
    bench.known.set("t", 6);
    assert_eq!(bench.beat(&beat("a", 2)), Ok((3, Some(3))));
    assert_eq!(bench.beat(&beat("b", 2)), Ok((3, Some(3))));
    bench.known.delete("t");
    assert_eq!(bench.beat(&beat("b", 3)), Ok((4, Some(0))));
}

#[test]
fn another_subscription_is_another_epoch_and_the_same_one_is_not() {
    let mut bench = Bench::new(&[("t", 1), ("u", 2)]);
    bench.beat(&join("a", &["t"])).unwrap();
    assert_eq!(bench.beat(&join("a", &["t"])), Ok((1, Some(1))), "it joins once more");
    let both = ShareBeat { epoch: 1, ..join("a", &["t", "u"]) };
    assert_eq!(bench.beat(&both), Ok((2, Some(3))));
    assert_eq!(bench.beat(&ShareBeat { epoch: 2, ..both }), Ok((2, None)));
}

#[test]
fn who_leaves_or_falls_silent_makes_room_for_others() {
    let mut bench = Bench::new(&[("t", 4)]);
    for id in ["a", "b", "c"] {
        bench.beat(&join(id, &["t"])).unwrap();
    }
    assert_eq!(bench.beat(&join("d", &["t"])), Err(ErrorCode::GroupMaxSizeReached));
    assert_eq!(bench.beat(&beat("b", LEAVING)), Ok((LEAVING, None)));
    assert_eq!(bench.beat(&beat("b", LEAVING)), Err(ErrorCode::UnknownMemberId));
    bench.now += SESSION - Duration::from_secs(1);
    let (epoch, told) = bench.beat(&beat("a", 1)).unwrap();
    assert_eq!(told, Some(2));
    assert_eq!(bench.group.next_deadline(), Some(bench.now + Duration::from_secs(1)));
    bench.now += Duration::from_secs(1);
    bench.group.expire(bench.now);
    assert_eq!(bench.beat(&beat("c", 3)), Err(ErrorCode::UnknownMemberId));
    assert_eq!(bench.beat(&beat("a", epoch)), Ok((epoch + 1, Some(4))));
    assert_eq!(bench.group.state(), "Stable");
    bench.beat(&beat("a", LEAVING)).unwrap();
    assert_eq!((bench.group.state(), bench.group.bytes()), ("Empty", 0));
}

#[test]
fn only_epochs_that_a_member_may_know_pass() {
    let mut bench = Bench::new(&[("t", 4)]);
    assert_eq!(bench.beat(&beat("a", 1)), Err(ErrorCode::UnknownMemberId));
    for (id, epoch) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!(bench.beat(&join(id, &["t"])).unwrap().0, epoch);
    }
    bench.beat(&beat("a", 1)).unwrap();
    assert_eq!(bench.beat(&beat("a", 4)), Err(ErrorCode::FencedMemberEpoch));
    assert_eq!(bench.beat(&beat("a", 2)), Err(ErrorCode::FencedMemberEpoch));
    assert_eq!(bench.beat(&beat("a", 1)).unwrap().0, 3);
    assert_eq!(bench.beat(&join("a", &["t"])).unwrap().0, 3);
}

#[test]
fn the_journal_is_told_of_each_epoch_once() {
    let mut bench = Bench::new(&[("t", 4)]);
    bench.beat(&join("a", &["t"])).unwrap();
    assert_eq!(bench.group.news("g").unwrap(), [br#"{"record":"share","group":"g","epoch":1}"#]);
    bench.group.mark_written();
    bench.beat(&beat("a", 1)).unwrap();
    assert!(bench.group.news("g").unwrap().is_empty());
    bench.group = ShareGroup::replayed(7);
    assert!(bench.group.news("g").unwrap().is_empty());
    assert_eq!(bench.beat(&beat("a", 1)), Err(ErrorCode::UnknownMemberId), "it has to join again");
    assert_eq!(bench.beat(&join("a", &["t"])), Ok((8, Some(4))));
}
