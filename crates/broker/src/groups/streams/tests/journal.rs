//! What the journal knows of a group.

use super::*;
use crate::groups::record::Record;

fn entries(group: &StreamsGroup) -> Vec<Vec<u8>> {
    group.news("g").unwrap()
}

fn replayed(entries: &[Vec<u8>]) -> StreamsGroup {
    let mut group = StreamsGroup::new(0);
    for entry in entries {
        match serde_json::from_slice(entry).unwrap() {
            Record::Topology { topology, .. } => group.replay_topology(topology.into_owned()),
            Record::Streams { changes, .. } => group.replay(Instant::now(), changes),
            other => panic!("{other:?}"),
        }
    }
    group.resume(Instant::now(), SESSION);
    group
}

/// All of a group but times.
fn facts(group: &StreamsGroup) -> String {
    let members = group.members.values().cloned().map(|mut member| {
        member.session_ends = Instant::now();
        let place = member.place.clone();
        let times = (member.rebalance_timeout, place.rebalance_ends.is_some());
        let who = (
            member.id,
            member.rack_id,
            member.process_id,
            member.endpoint,
            member.tags,
            member.topology_epoch,
        );
        format!("{who:?} {times:?} {:?} {:?} {:?}", place.assigned, place.revoking, place.target)
    });
    format!("{:?} {:?}", (group.epoch, group.assignment_epoch, &group.topology), members.collect::<Vec<_>>())
}

#[test]
fn a_group_comes_back_as_it_was() {
    let mut bench = Bench::alone();
    let mut journal = entries(&bench.group);
    assert_eq!(journal.len(), 2, "topology and member");
    bench.group.mark_written();
    assert!(entries(&bench.group).is_empty(), "nothing is new");
    let endpoint = super::super::endpoints::Endpoint { host: "b".to_owned(), port: 1 };
    let tags = BTreeMap::from([("zone".to_owned(), "\"1\"\n".to_owned())]);
    bench.beat(&StreamsBeat { endpoint: Some(endpoint), tags: Some(tags), ..join("b", plain()) });
    bench.beat(&beat("a", 2));
    journal.extend(entries(&bench.group));
    bench.group.mark_written();
    assert_eq!(journal.len(), 3, "the topology is as it was");
    let again = replayed(&journal);
    assert_eq!(facts(&again), facts(&bench.group));
    assert!(entries(&again).is_empty(), "what was read is written");
    // And written as a whole.
    let whole = again.all("g").unwrap();
    assert_eq!(facts(&replayed(&whole)), facts(&bench.group));

    // Its members go on: tasks that have to be given up, then those of the other.
    bench.group = again;
    let (epoch, _) = bench.beat(&owning("a", 2, &active(&[0, 1])));
    assert_eq!(epoch, 4, "the topics were looked at anew");
    assert_eq!(bench.beat(&owning("b", 3, &[])), (4, Some(active(&[2, 3]))));
}

#[test]
fn who_left_stays_away() {
    let mut bench = Bench::alone();
    let mut journal = entries(&bench.group);
    bench.group.mark_written();
    bench.reply(&beat("a", LEAVING));
    journal.extend(entries(&bench.group));
    let again = replayed(&journal);
    assert!(again.is_empty());
    assert_eq!((again.epoch(), again.topology.as_ref()), (3, Some(&plain())));
}
