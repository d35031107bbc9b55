//! Who may commit.

use schloss_wire::Uuid;

use super::*;
use crate::groups::messages::Claim;
use crate::groups::offsets::{Commit, Committed};

fn commit(topic: Uuid, partition: i32) -> Commit {
    let committed = Committed { offset: 1, leader_epoch: -1, metadata: "".into(), time_ms: 0 };
    Commit { topic, partition, committed }
}

fn claim(member_id: &str, generation: i32) -> Claim<'_> {
    Claim { member_id, instance_id: None, generation }
}

#[test]
fn a_member_commits_for_what_it_has() {
    let mut bench = Bench::alone();
    let topic = bench.known.topics["in"].id;
    let all: Vec<_> = (0..4).map(|partition| commit(topic, partition)).collect();
    let check = |bench: &Bench, claim, commits: &[Commit]| bench.group.check_commit(claim, commits);
    assert_eq!(check(&bench, claim("a", 2), &all), Ok(()));
    assert_eq!(check(&bench, claim("a", 1), &all), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(check(&bench, claim("a", 3), &all), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(check(&bench, claim("b", 2), &all), Err(ErrorCode::UnknownMemberId));
    assert_eq!(check(&bench, claim("", -1), &all), Err(ErrorCode::UnknownMemberId), "it has members");

    // It gives up two and enters an epoch of which it has not heard yet.
    bench.beat(&join("b", plain()));
    bench.beat(&beat("a", 2));
    assert_eq!(check(&bench, claim("a", 2), &all), Ok(()), "it may still have them");
    bench.beat(&owning("a", 2, &active(&[0, 1])));
    assert_eq!(check(&bench, claim("a", 2), &all[..2]), Ok(()));
    assert_eq!(check(&bench, claim("a", 2), &all), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(check(&bench, claim("a", 2), &[commit(Uuid::ZERO, 0)]), Err(ErrorCode::StaleMemberEpoch));

    assert_eq!(bench.group.check_fetch(Some("a"), 3), Ok(()));
    assert_eq!(bench.group.check_fetch(Some("a"), 2), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(bench.group.check_fetch(None, -1), Ok(()), "administrators may");
    for id in ["a", "b"] {
        bench.reply(&beat(id, LEAVING));
    }
    assert_eq!(check(&bench, claim("", -1), &all), Ok(()), "nobody is in it");
}
