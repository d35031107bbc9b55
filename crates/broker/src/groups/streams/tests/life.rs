//! Members that come, share and go.

use super::*;

#[test]
fn a_member_gives_up_before_another_takes_over() {
    let mut bench = Bench::alone();
    assert_eq!(bench.beat(&beat("a", 2)), (2, None), "nothing is new");
    // The newcomer has to wait for its half.
    assert_eq!(bench.beat(&join("b", plain())), (3, Some(vec![])));
    assert_eq!(bench.group.state(), "Reconciling");
    assert_eq!(bench.beat(&beat("a", 2)), (2, Some(active(&[0, 1]))));
    assert_eq!(bench.beat(&beat("b", 3)), (3, None), "they may still be with the other");
    let (epoch, _) = bench.beat(&owning("a", 2, &active(&[0, 1])));
    assert_eq!(epoch, 3);
    assert_eq!(bench.beat(&beat("b", 3)), (3, Some(active(&[2, 3]))));
    assert_eq!(bench.group.state(), "Stable");

    bench.reply(&beat("a", LEAVING));
    assert_eq!(bench.group.state(), "Assigning");
    assert_eq!(bench.beat(&beat("b", 3)), (4, Some(active(&[0, 1, 2, 3]))));
    bench.reply(&beat("b", LEAVING));
    assert_eq!((bench.group.state(), bench.group.epoch()), ("Empty", 5));
}

#[test]
fn silence_and_a_late_answer_cost_the_place() {
    let mut bench = Bench::alone();
    bench.beat(&join("b", plain()));
    bench.beat(&beat("a", 2));
    // It has to give up two tasks and doesn't say that it did.
    bench.wait(REBALANCE);
    assert_eq!(bench.try_reply(&beat("a", 2)), Err(ErrorCode::UnknownMemberId));
    assert_eq!(bench.beat(&beat("b", 3)), (4, Some(active(&[0, 1, 2, 3]))));
    bench.wait(SESSION);
    assert!(bench.group.is_empty());
}

#[test]
fn an_epoch_that_is_not_the_members_is_fenced() {
    let mut bench = Bench::alone();
    assert_eq!(bench.try_reply(&beat("a", 3)), Err(ErrorCode::FencedMemberEpoch));
    assert_eq!(bench.try_reply(&beat("a", 1)), Err(ErrorCode::FencedMemberEpoch));
    assert_eq!(bench.try_reply(&beat("x", 2)), Err(ErrorCode::UnknownMemberId));
    assert_eq!(bench.try_reply(&beat("x", LEAVING)), Err(ErrorCode::UnknownMemberId));
    bench.config.max_group_size = 1;
    assert_eq!(bench.try_reply(&join("b", plain())), Err(ErrorCode::GroupMaxSizeReached));
    let invented = task(Role::Active, "0", 4);
    assert_eq!(bench.try_reply(&owning("a", 2, &[invented])), Err(ErrorCode::InvalidRequest));
}

#[test]
fn who_missed_an_answer_hears_it_again() {
    let mut bench = Bench::alone();
    // It was told of four tasks, and says that it has none.
    assert_eq!(bench.beat(&owning("a", 2, &[])), (2, Some(active(&[0, 1, 2, 3]))));
    // The same with the answer to the join: it comes again with its epoch of then.
    assert_eq!(bench.beat(&join("a", plain())), (2, Some(active(&[0, 1, 2, 3]))));
}

#[test]
fn topics_move_the_epoch() {
    let mut bench = Bench::alone();
    bench.known.set("in", 5);
    assert_eq!(bench.beat(&beat("a", 2)), (3, Some(active(&[0, 1, 2, 3, 4]))));
    bench.known.set("other", 1);
    assert_eq!(bench.beat(&beat("a", 3)), (3, None), "it is of no concern");

    bench.known.delete("in");
    let reply = bench.reply(&beat("a", 3));
    assert_eq!((statuses(&reply), bench.group.state()), (vec![StatusKind::MissingSourceTopics], "NotReady"));
    assert_eq!(reply.tasks, Some(BTreeSet::new()), "nothing to work on");
    bench.known.set("in", 1);
    let (epoch, tasks) = bench.beat(&owning("a", 3, &[]));
    assert_eq!((epoch, tasks), (5, Some(active(&[0]))));
}

#[test]
fn internal_topics_come_first() {
    let mut bench = Bench::new(&[("in", 3)]);
    let reply = bench.reply(&join("a", word_count()));
    assert_eq!(statuses(&reply), [StatusKind::MissingInternalTopics]);
    assert_eq!(reply.tasks, Some(BTreeSet::new()));
    let missing: Vec<_> = reply.missing.iter().map(|topic| (topic.name.as_str(), topic.partitions)).collect();
    assert_eq!(missing, [("counts", 3), ("words", 3)]);
    for topic in &reply.missing {
        bench.known.set(&topic.name, topic.partitions);
    }
    let reply = bench.reply(&beat("a", reply.epoch));
    assert_eq!((reply.statuses.len(), reply.missing.len(), reply.tasks.unwrap().len()), (0, 0, 6));
}

#[test]
fn the_first_member_brings_the_topology() {
    let mut bench = Bench::alone();
    let newer = topology(2, vec![reading(&["in"]), reading(&["in"])]);
    assert_eq!(bench.try_reply(&join("b", newer.clone())), Err(ErrorCode::InvalidRequest));
    let older = topology(0, vec![reading(&["in"]), reading(&["in"])]);
    let reply = bench.reply(&join("c", older));
    assert_eq!(statuses(&reply), [StatusKind::StaleTopology]);
    assert_eq!(bench.group.topology.as_ref().unwrap(), &plain());

    // An application that was stopped may come back as another one.
    bench.reply(&beat("a", LEAVING));
    bench.reply(&beat("c", LEAVING));
    let reply = bench.reply(&join("b", newer.clone()));
    assert_eq!((reply.tasks.unwrap().len(), bench.group.topology.as_ref().unwrap()), (8, &newer));
}

#[test]
fn one_member_ends_the_application() {
    let mut bench = Bench::alone();
    bench.beat(&join("b", plain()));
    let reply = bench.reply(&StreamsBeat { shuts_down: true, ..beat("b", 3) });
    assert_eq!(statuses(&reply), [StatusKind::ShutdownApplication]);
    assert_eq!(statuses(&bench.reply(&beat("a", 2))), [StatusKind::ShutdownApplication]);
    for id in ["a", "b"] {
        bench.reply(&beat(id, LEAVING));
    }
    assert!(bench.reply(&join("a", plain())).statuses.is_empty(), "the next run is another one");
}

#[test]
fn a_group_that_waits_for_more_members_gives_nothing_out() {
    let mut bench = Bench::new(&[("in", 4)]);
    let times = StreamsTimes { initial_delay: Duration::from_secs(3), ..TIMES };
    let first = bench.reply(&StreamsBeat { times, ..join("a", plain()) });
    assert_eq!((statuses(&first), first.epoch), (vec![StatusKind::AssignmentDelayed], 1));
    bench.wait(Duration::from_secs(2));
    let second = bench.reply(&StreamsBeat { times, ..join("b", plain()) });
    assert_eq!((second.tasks, second.epoch), (Some(BTreeSet::new()), 1));
    bench.wait(Duration::from_secs(1));
    assert_eq!(bench.beat(&StreamsBeat { times, ..beat("a", 1) }), (3, Some(active(&[0, 2]))));
    assert_eq!(bench.beat(&StreamsBeat { times, ..beat("b", 1) }), (3, Some(active(&[1, 3]))));
}

#[test]
fn copies_follow_the_setting() {
    let stateful =
        topology(1, vec![Subtopology { changelogs: internal(&[("log", None)]), ..reading(&["in"]) }]);
    let mut bench = Bench::new(&[("in", 2), ("log", 2)]);
    bench.beat(&join("a", stateful.clone()));
    bench.beat(&join("b", stateful));
    let (epoch, tasks) = bench.beat(&beat("a", 2));
    bench.beat(&owning("a", epoch, &tasks.unwrap()));
    bench.beat(&beat("b", 3));
    let times = StreamsTimes { standbys: 1, ..TIMES };
    let (epoch, tasks) = bench.beat(&StreamsBeat { times, ..beat("a", 3) });
    assert_eq!((epoch, tasks), (4, Some(vec![task(Role::Active, "0", 0), task(Role::Standby, "0", 1)])));
    let (_, tasks) = bench.beat(&StreamsBeat { times, ..beat("b", 3) });
    assert_eq!(tasks, Some(vec![task(Role::Active, "0", 1), task(Role::Standby, "0", 0)]));
}

#[test]
fn endpoints_are_told_to_who_does_not_know_them() {
    let mut bench = Bench::new(&[("in", 2)]);
    let endpoint = super::super::endpoints::Endpoint { host: "a.example".to_owned(), port: 80 };
    let first = bench.reply(&StreamsBeat { endpoint: Some(endpoint.clone()), ..join("a", plain()) });
    assert_eq!(first.endpoint_epoch, 1);
    let told = first.endpoints.unwrap();
    assert_eq!((told.len(), &told[0].endpoint, told[0].standby.len()), (1, &endpoint, 0));
    assert_eq!((&*told[0].active[0].topic, &told[0].active[0].partitions[..]), ("in", &[0, 1][..]));
    let knows = StreamsBeat { endpoint_epoch: 1, ..beat("a", 2) };
    assert_eq!(bench.reply(&knows).endpoints, None);
    let newcomer = bench.reply(&join("b", plain()));
    assert_eq!((newcomer.endpoint_epoch, newcomer.endpoints.unwrap().len()), (1, 1));
}
