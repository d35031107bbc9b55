//! Who may commit and fetch.

use super::*;

fn commit((topic, partition): TopicPartition) -> Commit {
    let committed = Committed { offset: 1, leader_epoch: -1, metadata: "".into(), time_ms: 0 };
    Commit { topic, partition, committed }
}

fn check(
    bench: &Bench,
    member_id: &str,
    generation: i32,
    partitions: &[TopicPartition],
) -> Result<(), ErrorCode> {
    let commits: Vec<_> = partitions.iter().copied().map(commit).collect();
    bench.group.check_commit(Claim { member_id, instance_id: None, generation }, &commits)
}

#[test]
fn a_member_commits_in_its_epoch_or_for_what_it_had_before_that() {
    let mut bench = Bench::alone();
    let all = bench.partitions("t", &[0, 1, 2, 3]);
    bench.known.set("u", 1);
    let both = Beat { names: join("a", &["t", "u"]).names, ..beat("a", 1) };
    assert_eq!(bench.beat(&both).0, 2);
    let new = bench.partitions("u", &[0]);
    assert_eq!(check(&bench, "a", 2, &new), Ok(()));
    // KIP-1251: in epoch 1 it had those of `t`, but not that of `u`.
    assert_eq!(check(&bench, "a", 1, &all), Ok(()));
    assert_eq!(check(&bench, "a", 1, &new), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(check(&bench, "a", 0, &all), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(check(&bench, "a", 3, &all), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(check(&bench, "x", 2, &all), Err(ErrorCode::UnknownMemberId));
    assert_eq!(
        check(&bench, "", -1, &all),
        Err(ErrorCode::UnknownMemberId),
        "no member, while there are some"
    );
    bench.beat(&beat("a", LEAVING));
    assert_eq!(check(&bench, "", -1, &all), Ok(()));
}

#[test]
fn a_member_commits_for_what_it_has_to_give_up_until_it_did() {
    let mut bench = Bench::alone();
    let all = bench.partitions("t", &[0, 1, 2, 3]);
    bench.beat(&join("b", &["t"]));
    bench.beat(&owning("a", 1, &all));
    assert_eq!(check(&bench, "a", 1, &all), Ok(()));
    bench.beat(&owning("a", 1, &all[..2]));
    assert_eq!(check(&bench, "a", 1, &all[2..]), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(check(&bench, "a", 1, &all[..2]), Ok(()));
}

#[test]
fn a_member_fetches_in_its_epoch_and_administrators_at_any_time() {
    let bench = Bench::alone();
    assert_eq!(bench.group.check_fetch(Some("a"), 1), Ok(()));
    assert_eq!(bench.group.check_fetch(None, -1), Ok(()));
    assert_eq!(bench.group.check_fetch(Some("a"), 0), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(bench.group.check_fetch(Some("x"), 1), Err(ErrorCode::UnknownMemberId));
    assert_eq!(bench.group.check_fetch(None, 1), Err(ErrorCode::UnknownMemberId));
}
