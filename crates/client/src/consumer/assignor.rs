//! Java's `RangeAssignor`: who of a group reads which partitions.

use std::collections::{BTreeMap, BTreeSet};

/// Partition indexes by topic.
pub(super) type Assignment = BTreeMap<String, Vec<i32>>;

/// Shares the partitions out: in each topic the members that want it, in the order of their ids, get one
/// range each, and the first ones get one partition more where it does not divide.
pub(super) fn range(
    wanted: &BTreeMap<String, BTreeSet<String>>,
    partitions: &BTreeMap<String, i32>,
) -> BTreeMap<String, Assignment> {
    let mut shares: BTreeMap<String, Assignment> =
        wanted.keys().map(|member| (member.clone(), Assignment::new())).collect();
    for (topic, &count) in partitions {
        let members: Vec<&String> =
            wanted.iter().filter(|(_, topics)| topics.contains(topic)).map(|(member, _)| member).collect();
        let Ok(readers) = i32::try_from(members.len()) else { continue };
        if readers == 0 {
            continue;
        }
        let (each, more) = (count / readers, count % readers);
        let mut first = 0;
        for (index, member) in (0..).zip(members) {
            let length = each + i32::from(index < more);
            if length > 0
                && let Some(share) = shares.get_mut(member)
            {
                share.insert(topic.clone(), (first..first + length).collect());
            }
            first += length;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(members: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
        members
            .iter()
            .map(|(member, topics)| {
                ((*member).to_owned(), topics.iter().map(|topic| (*topic).to_owned()).collect())
            })
            .collect()
    }

    fn counts(topics: &[(&str, i32)]) -> BTreeMap<String, i32> {
        topics.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect()
    }

    #[test]
    fn the_first_members_get_the_rest() {
        let shares = range(&wanted(&[("c", &["t"]), ("a", &["t"]), ("b", &["t"])]), &counts(&[("t", 7)]));
        assert_eq!(shares["a"]["t"], [0, 1, 2]);
        assert_eq!(shares["b"]["t"], [3, 4]);
        assert_eq!(shares["c"]["t"], [5, 6]);
    }

    #[test]
    fn a_member_gets_only_topics_that_it_wants_and_may_get_none() {
        let shares = range(
            &wanted(&[("a", &["t", "u"]), ("b", &["t"]), ("c", &["t"])]),
            &counts(&[("t", 2), ("u", 3)]),
        );
        assert_eq!(shares["a"]["u"], [0, 1, 2]);
        assert_eq!(shares["b"]["t"], [1]);
        assert!(shares["c"].is_empty());
    }

    #[test]
    fn every_partition_has_one_reader() {
        for readers in 1..8 {
            for count in 0..20 {
                let names: Vec<String> = (0..readers).map(|index| format!("m{index}")).collect();
                let members: Vec<(&str, &[&str])> =
                    names.iter().map(|name| (name.as_str(), &["t"][..])).collect();
                let shares = range(&wanted(&members), &counts(&[("t", count)]));
                let mut all: Vec<i32> =
                    shares.values().flat_map(|share| share.values().flatten().copied()).collect();
                all.sort_unstable();
                assert_eq!(all, (0..count).collect::<Vec<_>>(), "{readers} readers");
            }
        }
    }
}
