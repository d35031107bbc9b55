//! Joining, sharing, giving up, falling silent and leaving.

use super::*;

#[test]
fn a_member_alone_gets_everything_and_is_told_once() {
    let mut bench = Bench::alone();
    assert_eq!(bench.group.state(), "Stable");
    assert_eq!(bench.beat(&beat("a", 1)), (1, None), "nothing new");
    let full = Beat { owned: Some(BTreeSet::new()), ..join("a", &["t"]) };
    let (epoch, told) = bench.beat(&Beat { epoch: 1, ..full });
    assert_eq!((epoch, told.map(|told| told.len())), (1, Some(4)), "a full heartbeat gets a full answer");
}

#[test]
fn what_is_given_up_comes_to_the_other_only_then() {
    let mut bench = Bench::alone();
    let all = bench.partitions("t", &[0, 1, 2, 3]);
    // `b` is in the new epoch at once, but what it should get is still with `a`.
    assert_eq!(bench.beat(&join("b", &["t"])), (2, Some(vec![])));
    assert_eq!(bench.group.state(), "Reconciling");
    // `a` is told to give up half, stays in its epoch, and is not taken at its word before it says so.
    assert_eq!(bench.beat(&beat("a", 1)), (1, Some(all[..2].to_vec())));
    assert_eq!(bench.beat(&owning("a", 1, &all)), (1, None));
    assert_eq!(bench.beat(&beat("a", 1)), (1, None));
    assert_eq!(bench.beat(&beat("b", 2)), (2, None));
    assert_eq!(bench.beat(&owning("a", 1, &all[..2])), (2, None));
    assert_eq!(bench.beat(&beat("b", 2)), (2, Some(all[2..].to_vec())));
    assert_eq!(bench.group.state(), "Stable");
    assert_eq!((bench.group.epoch, bench.group.assignment_epoch), (2, 2));
}

#[test]
fn a_member_that_missed_an_answer_may_come_with_its_epoch_before() {
    let mut bench = Bench::alone();
    let all = bench.partitions("t", &[0, 1, 2, 3]);
    bench.known.set("u", 1);
    let both = Beat { names: join("a", &["t", "u"]).names, ..beat("a", 1) };
    assert_eq!(bench.beat(&both).0, 2);
    assert_eq!(
        bench.try_beat(&beat("a", 1)),
        Err(ErrorCode::FencedMemberEpoch),
        "it doesn't say what it owns"
    );
    let strange = [(id_of(77), 0)];
    assert_eq!(bench.try_beat(&owning("a", 1, &strange)), Err(ErrorCode::FencedMemberEpoch));
    assert_eq!(bench.beat(&owning("a", 1, &all)).0, 2);
    assert_eq!(bench.try_beat(&beat("a", 3)), Err(ErrorCode::FencedMemberEpoch), "a greater epoch");
    bench.known.set("u", 2);
    assert_eq!(bench.beat(&beat("a", 2)).0, 3);
    assert_eq!(bench.try_beat(&owning("a", 1, &all)), Err(ErrorCode::FencedMemberEpoch), "two epochs before");
    // It abandons everything and joins again, in the same place.
    let (epoch, told) = bench.beat(&join("a", &["t", "u"]));
    assert_eq!((epoch, told.unwrap().len()), (3, 6));
}

#[test]
fn strangers_are_unknown() {
    let mut bench = Bench::alone();
    for epoch in [LEAVING, 1, 5] {
        assert_eq!(bench.try_beat(&beat("x", epoch)), Err(ErrorCode::UnknownMemberId), "epoch {epoch}");
    }
    assert_eq!(bench.group.epoch, 1);
}

#[test]
fn a_member_that_leaves_leaves_all_to_the_others_with_their_next_heartbeat() {
    let mut bench = Bench::alone();
    let all = bench.partitions("t", &[0, 1, 2, 3]);
    bench.beat(&join("b", &["t"]));
    assert_eq!(bench.beat(&beat("a", LEAVING)), (LEAVING, None));
    assert_eq!((bench.group.state(), bench.group.epoch), ("Assigning", 3));
    assert_eq!(bench.beat(&beat("b", 2)), (3, Some(all)));
    bench.beat(&beat("b", LEAVING));
    assert_eq!(bench.group.state(), "Empty");
    assert!(bench.group.owners.is_empty() && bench.group.topics.is_empty());
}

#[test]
fn a_silent_member_is_out_when_its_session_ends() {
    let mut bench = Bench::alone();
    let session = SESSION;
    bench.wait(session / 2);
    bench.beat(&beat("a", 1));
    assert_eq!(bench.group.next_deadline(), Some(bench.now + session));
    bench.wait(session - Duration::from_millis(1));
    assert_eq!(bench.group.state(), "Stable");
    bench.wait(Duration::from_millis(1));
    assert_eq!((bench.group.state(), bench.group.epoch), ("Empty", 2));
    assert_eq!(bench.try_beat(&beat("a", 1)), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn a_member_that_does_not_give_up_in_time_is_out() {
    let mut bench = Bench::alone();
    let all = bench.partitions("t", &[0, 1, 2, 3]);
    bench.beat(&join("b", &["t"]));
    bench.beat(&owning("a", 1, &all));
    let since = bench.now;
    // It lives, and says that it still owns everything: that does not give it more time.
    bench.wait(REBALANCE / 2);
    bench.beat(&owning("a", 1, &all));
    bench.beat(&beat("b", 2));
    bench.wait(since + REBALANCE - bench.now);
    assert_eq!(bench.try_beat(&owning("a", 1, &all)), Err(ErrorCode::UnknownMemberId));
    assert_eq!(bench.beat(&beat("b", 2)), (3, Some(all)));
}

#[test]
fn topics_that_come_grow_and_go_make_a_new_epoch() {
    let mut bench = Bench::new(&[("t", 1)]);
    let first = bench.partitions("t", &[0]);
    assert_eq!(bench.beat(&join("a", &["t", "u"])), (1, Some(first.clone())));
    bench.known.set("other", 3);
    assert_eq!(bench.beat(&beat("a", 1)), (1, None), "not one of its topics");
    bench.known.set("u", 1);
    let (epoch, told) = bench.beat(&beat("a", 1));
    assert_eq!((epoch, told.unwrap().len()), (2, 2));
    bench.known.set("t", 3);
    let (epoch, told) = bench.beat(&beat("a", 2));
    assert_eq!((epoch, told.unwrap().len()), (3, 4));
    // A deleted topic is taken back like any other partition.
    let left = bench.partitions("t", &[0, 1, 2]);
    bench.known.delete("u");
    assert_eq!(bench.beat(&beat("a", 3)), (3, Some(left.clone())));
    assert_eq!(bench.beat(&owning("a", 3, &left)), (4, None));
    // Made again, it is another topic.
    bench.known.set("u", 1);
    let (epoch, told) = bench.beat(&beat("a", 4));
    assert_eq!((epoch, told.unwrap().len()), (5, 4));
}

#[test]
fn the_most_wanted_assignor_assigns() {
    let mut bench = Bench::new(&[("t", 2), ("u", 2)]);
    let wanting = |id: &str, assignor| Beat { assignor, ..join(id, &["t", "u"]) };
    bench.beat(&wanting("a", Some(Assignor::Range)));
    assert_eq!(bench.group.assignor(), Assignor::Range);
    bench.beat(&wanting("b", None));
    assert_eq!(bench.group.assignor(), Assignor::Range);
    let target =
        |bench: &Bench, id: &str| bench.group.members[id].place.target.iter().copied().collect::<Vec<_>>();
    let wanted = [bench.partitions("t", &[0]), bench.partitions("u", &[0])].concat();
    assert_eq!(target(&bench, "a"), wanted, "the same number of each");
    bench.beat(&wanting("c", Some(Assignor::Uniform)));
    assert_eq!(bench.group.assignor(), Assignor::Uniform, "the default if as many want it");
}

#[test]
fn a_full_group_takes_members_back_and_nobody_else() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.config.max_group_size = 1;
    bench.beat(&join("a", &["t"]));
    assert_eq!(bench.try_beat(&join("b", &["t"])), Err(ErrorCode::GroupMaxSizeReached));
    assert_eq!(bench.beat(&join("a", &["t"])).0, 1);
}

#[test]
fn epochs_go_on_from_where_the_group_was() {
    let mut bench = Bench::new(&[("t", 1)]);
    bench.group = ConsumerGroup::new(41);
    assert_eq!(bench.beat(&join("a", &["t"])).0, 42);
}
