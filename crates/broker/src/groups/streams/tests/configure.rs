//! Topologies against topics.

use super::super::configure::{Configured, Shapes, configure};
use super::*;
use crate::groups::consumer::Topics as _;

fn configured(topology: &Topology, topics: &[(&str, i32)]) -> Configured {
    let known = Known::new(topics);
    let shapes: Shapes =
        topics.iter().map(|(name, _)| (Arc::from(*name), known.find(name).unwrap())).collect();
    configure(topology, &shapes)
}

fn problem(topology: &Topology, topics: &[(&str, i32)]) -> (StatusKind, String) {
    let status = configured(topology, topics).problem.expect("a problem");
    (status.kind, status.detail)
}

fn missing(configured: &Configured) -> Vec<(&str, i32)> {
    configured.missing.iter().map(|topic| (topic.name.as_str(), topic.partitions)).collect()
}

#[test]
fn repartition_topics_are_as_large_as_what_is_written_to_them() {
    let first = Subtopology { sinks: names(&["one"]), ..reading(&["a", "b"]) };
    let second =
        Subtopology { repartitions: internal(&[("one", None)]), sinks: names(&["two"]), ..reading(&["c"]) };
    let third = Subtopology {
        repartitions: internal(&[("two", None), ("given", Some(9))]),
        changelogs: internal(&[("store", None)]),
        ..reading(&[])
    };
    let chain = topology(1, vec![first, second, third]);
    let found = configured(&chain, &[("a", 2), ("b", 5), ("c", 3)]);
    assert_eq!(missing(&found), [("given", 9), ("one", 5), ("store", 9), ("two", 5)]);
    let tasks: Vec<_> = found.subtopologies.values().map(|shape| (shape.tasks, shape.is_stateful)).collect();
    assert_eq!(tasks, [(5, false), (5, false), (9, true)]);
    let all = [("a", 2), ("b", 5), ("c", 3), ("given", 9), ("one", 5), ("store", 9), ("two", 5)];
    assert!(configured(&chain, &all).is_ready());
    let wrong = [("a", 2), ("b", 5), ("c", 3), ("one", 4)];
    let (kind, words) = problem(&chain, &wrong);
    assert_eq!(kind, StatusKind::IncorrectlyPartitionedTopics);
    assert!(words.contains("expected 5, found 4"), "{words}");
}

#[test]
fn topics_that_are_read_together_are_of_one_size() {
    let join = |repartitions: &[(&str, Option<i32>)], sources: &[&str]| {
        let together: Vec<_> =
            repartitions.iter().map(|(name, _)| *name).chain(sources.iter().copied()).collect();
        let writer = Subtopology {
            sinks: repartitions.iter().map(|(name, _)| (*name).to_owned()).collect(),
            ..reading(&["big"])
        };
        let reader = Subtopology {
            repartitions: internal(repartitions),
            copartitioned: BTreeSet::from([names(&together)]),
            ..reading(sources)
        };
        topology(1, vec![writer, reader])
    };
    let topics = [("big", 7), ("a", 4), ("b", 4), ("c", 3)];
    assert_eq!(missing(&configured(&join(&[("r", None)], &["a", "b"]), &topics)), [("r", 4)]);
    assert_eq!(
        missing(&configured(&join(&[("r", None), ("s", Some(5))], &[]), &topics)),
        [("r", 5), ("s", 5)]
    );
    assert_eq!(missing(&configured(&join(&[("r", None), ("s", None)], &[]), &topics)), [("r", 7), ("s", 7)]);
    for wrong in [
        join(&[], &["a", "c"]),
        join(&[("r", Some(5))], &["a"]),
        join(&[("r", Some(5)), ("s", Some(6))], &[]),
    ] {
        let (kind, words) = problem(&wrong, &topics);
        assert_eq!(kind, StatusKind::IncorrectlyPartitionedTopics);
        assert!(words.contains("not co-partitioned"), "{words}");
    }
}

#[test]
fn what_can_not_be_worked_out_is_told() {
    let (kind, words) = problem(&topology(1, vec![reading(&["a", "b"])]), &[("b", 1)]);
    assert_eq!((kind, words.as_str()), (StatusKind::MissingSourceTopics, "Source topics [a] are missing."));
    // A circle, and a topic that nobody writes to.
    for sinks in [names(&["r"]), names(&[])] {
        let round = Subtopology { repartitions: internal(&[("r", None)]), sinks, ..reading(&[]) };
        let (kind, words) = problem(&topology(1, vec![round]), &[]);
        assert_eq!(kind, StatusKind::IncorrectlyPartitionedTopics);
        assert!(words.contains("[r]"), "{words}");
    }
    let many = (0..6).map(|_| reading(&["a"])).collect();
    let (kind, words) = problem(&topology(1, many), &[("a", 4_000)]);
    assert_eq!(kind, StatusKind::IncorrectlyPartitionedTopics);
    assert!(words.contains("24000 tasks"), "{words}");
}
