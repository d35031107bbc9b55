//! Changes that are larger than one entry of the journal, and such that were cut off.

use super::*;

/// Three members that are subscribed to so much that no entry holds them all; nothing of it is written yet.
fn large() -> Bench {
    let mut bench = Bench::new(&[("t", 6)]);
    let names: Vec<String> = (0..1_000).map(|number| format!("{number:0>100}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["t"]).collect();
    for id in ["a", "b", "c"] {
        bench.beat(&join(id, &names));
    }
    bench
}

fn entries(group: &ConsumerGroup) -> Vec<Vec<u8>> {
    group.unwritten().iter().map(|changes| serde_json::to_vec(changes).unwrap()).collect()
}

fn replayed(entries: &[Vec<u8>]) -> ConsumerGroup {
    let mut group = ConsumerGroup::new(0);
    for entry in entries {
        group.replay(Instant::now(), serde_json::from_slice(entry).unwrap());
    }
    group.resume(Instant::now(), SESSION);
    group
}

#[test]
fn a_large_change_is_several_entries_that_the_journal_takes() {
    let bench = large();
    let entries = entries(&bench.group);
    assert!(entries.len() > 1 && entries.iter().all(|one| one.len() < schloss_log::journal::MAX_ENTRY_BYTES));
    let again = replayed(&entries);
    assert_eq!((again.epoch, again.assignment_epoch), (bench.group.epoch, bench.group.assignment_epoch));
    assert_eq!((again.members.len(), &again.owners), (3, &bench.group.owners));
    assert!(again.unwritten().is_empty(), "what was read is written");
}

#[test]
fn after_a_change_that_was_cut_off_everything_is_assigned_anew() {
    let bench = large();
    let entries = entries(&bench.group);
    let again = replayed(&entries[..entries.len() - 1]);
    assert_eq!(again.epoch, bench.group.epoch + 1);
    assert_eq!(again.state(), "Assigning");
    assert_eq!(again.unwritten().len(), 1, "the new epoch");
}

#[test]
fn what_was_meant_for_two_is_with_one() {
    let mut bench = Bench::alone();
    let mut entries = entries(&bench.group);
    bench.group.mark_written();
    bench.beat(&join("b", &["t"]));
    // Of this change only what concerns the newcomer was written.
    let text = serde_json::to_string(&bench.group.unwritten()[0]).unwrap();
    let mut change: serde_json::Value = serde_json::from_str(&text).unwrap();
    change["unfinished"] = true.into();
    change["members"].as_array_mut().unwrap().retain(|member| member["id"] == "b");
    entries.push(change.to_string().into_bytes());
    let again = replayed(&entries);
    let targets: Vec<_> = again.members.values().flat_map(|member| member.place.target.iter()).collect();
    assert_eq!(targets.len(), 4, "each partition once: {targets:?}");
}

#[test]
fn nothing_new_is_no_entry() {
    let mut bench = Bench::alone();
    assert_eq!(entries(&bench.group).len(), 1);
    bench.group.mark_written();
    bench.beat(&beat("a", 1));
    bench.beat(&Beat { epoch: 1, ..join("a", &["t"]) });
    assert!(bench.group.unwritten().is_empty());
    bench.beat(&Beat { rack_id: Some("r".into()), ..beat("a", 1) });
    assert_eq!(bench.group.unwritten().len(), 1);
}
