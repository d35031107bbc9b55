//! Static members (KIP-345): an instance that goes and comes back keeps its place.

use super::*;

fn instance(name: &str, beat: Beat) -> Beat {
    Beat { instance_id: Some(name.into()), ..beat }
}

/// `a`, which is instance `i`, and `b` with two partitions each, in epoch 2.
fn shared() -> Bench {
    let mut bench = Bench::new(&[("t", 4)]);
    bench.beat(&instance("i", join("a", &["t"])));
    bench.beat(&join("b", &["t"]));
    bench.beat(&instance("i", beat("a", 1)));
    let kept = bench.partitions("t", &[0, 1]);
    assert_eq!(bench.beat(&instance("i", owning("a", 1, &kept))).0, 2);
    bench.beat(&beat("b", 2));
    assert_eq!(bench.group.state(), "Stable");
    bench
}

#[test]
fn an_instance_comes_back_to_what_it_had_without_a_rebalance() {
    let mut bench = shared();
    let kept = bench.partitions("t", &[0, 1]);
    assert_eq!(bench.beat(&instance("i", beat("a", LEAVING_FOR_NOW))), (LEAVING_FOR_NOW, None));
    assert_eq!(bench.group.epoch, 2);
    assert_eq!(bench.beat(&beat("b", 2)), (2, None), "its place is kept");
    assert_eq!(bench.beat(&instance("i", join("a2", &["t"]))), (2, Some(kept.clone())));
    assert_eq!((bench.group.epoch, bench.group.state()), (2, "Stable"));
    assert_eq!(bench.try_beat(&instance("i", beat("a", 2))), Err(ErrorCode::FencedInstanceId));
    assert_eq!(bench.try_beat(&beat("a", 2)), Err(ErrorCode::UnknownMemberId));
    assert!(kept.iter().all(|one| &*bench.group.owners[one] == "a2"));
    assert_eq!(bench.group.members.len(), 2);
}

#[test]
fn an_instance_that_does_not_come_back_in_time_is_out() {
    let mut bench = shared();
    bench.beat(&instance("i", beat("a", LEAVING_FOR_NOW)));
    bench.wait(bench.config.consumer_session_timeout - Duration::from_secs(1));
    bench.beat(&beat("b", 2));
    bench.wait(Duration::from_secs(1));
    let (epoch, told) = bench.beat(&beat("b", 2));
    assert_eq!((epoch, told.unwrap().len()), (3, 4));
    assert!(bench.group.statics.is_empty());
}

#[test]
fn an_instance_that_is_there_is_not_replaced() {
    let mut bench = shared();
    assert_eq!(bench.try_beat(&instance("i", join("c", &["t"]))), Err(ErrorCode::UnreleasedInstanceId));
    // Not by itself either, as in Kafka: it has to leave first.
    assert_eq!(bench.try_beat(&instance("i", join("a", &["t"]))), Err(ErrorCode::UnreleasedInstanceId));
    assert_eq!(bench.try_beat(&instance("x", beat("a", 2))), Err(ErrorCode::UnknownMemberId));
    assert_eq!(bench.try_beat(&instance("i", beat("b", 2))), Err(ErrorCode::FencedInstanceId));
    assert_eq!(bench.group.epoch, 2);
}

#[test]
fn an_instance_can_not_come_back_as_somebody_else() {
    let mut bench = shared();
    bench.beat(&instance("i", beat("a", LEAVING_FOR_NOW)));
    assert_eq!(bench.try_beat(&instance("i", join("b", &["t"]))), Err(ErrorCode::InvalidRequest));
    assert_eq!(bench.group.members.len(), 2);
    assert_eq!(bench.beat(&beat("b", 2)), (2, None));
}

#[test]
fn an_instance_that_leaves_for_good_is_out_at_once() {
    let mut bench = shared();
    assert_eq!(bench.beat(&instance("i", beat("a", LEAVING))), (LEAVING, None));
    assert!(bench.group.statics.is_empty());
    assert_eq!(bench.beat(&beat("b", 2)).0, 3);
}

#[test]
fn what_an_instance_had_to_give_up_is_free_when_it_leaves_for_now() {
    let mut bench = Bench::new(&[("t", 4)]);
    bench.beat(&instance("i", join("a", &["t"])));
    bench.beat(&join("b", &["t"]));
    bench.beat(&instance("i", beat("a", 1)));
    bench.beat(&instance("i", beat("a", LEAVING_FOR_NOW)));
    let free = bench.partitions("t", &[2, 3]);
    assert_eq!(bench.beat(&beat("b", 2)), (2, Some(free)));
    let kept = bench.partitions("t", &[0, 1]);
    assert_eq!(bench.beat(&instance("i", join("a2", &["t"]))), (2, Some(kept)));
    assert_eq!(bench.group.state(), "Stable");
}

#[test]
fn administrators_take_out_instances_by_name() {
    let mut bench = shared();
    assert_eq!(bench.group.remove_static("x"), Err(ErrorCode::UnknownMemberId));
    assert_eq!(bench.group.remove_static("i"), Ok(()));
    assert_eq!(bench.try_beat(&instance("i", beat("a", 2))), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn a_member_has_one_instance_at_a_time() {
    let mut bench = Bench::new(&[("t", 1)]);
    for name in ["i", "j", "k"] {
        bench.beat(&instance(name, join("a", &["t"])));
    }
    assert_eq!(bench.group.statics.keys().map(|name| &**name).collect::<Vec<_>>(), ["k"]);
}
