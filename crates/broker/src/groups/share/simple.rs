//! `simple`: each partition is looked at by somebody, each member looks at something, and the loads are even.
//!
//! With more members than partitions a partition is with several; with fewer, a member has several.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::groups::consumer::{Target, TopicPartition, Wish, Wishes};

/// Kafka's name.
pub(super) const NAME: &str = "simple";

pub(super) fn assign(wishes: &Wishes) -> Target {
    let wanted: BTreeSet<TopicPartition> = wishes
        .partitions()
        .filter(|one| wishes.members.values().any(|wish| wishes.wants(wish, *one)))
        .collect();
    let members = wishes.members.values().filter(|wish| !wish.topics.is_empty()).count();
    let mut shares = Shares::keeping(
        wishes,
        // No member keeps more, and no partition is kept by more, than an even share.
        wanted.len().div_ceil(members.max(1)).max(1),
        members.div_ceil(wanted.len().max(1)).max(1),
    );
    for one in wanted {
        if shares.members_at(one) == 0 {
            shares.give_to_least_loaded(wishes, one);
        }
    }
    for (id, wish) in &wishes.members {
        if shares.target.get(id).is_none_or(BTreeSet::is_empty) {
            shares.give_least_crowded(wishes, id, wish);
        }
    }
    shares.target
}

/// Who looks at what so far.
struct Shares {
    target: Target,
    /// How many members each partition is with.
    crowds: BTreeMap<TopicPartition, usize>,
}

impl Shares {
    /// What members had before and still want, as far as these bounds let them.
    fn keeping(wishes: &Wishes, most_of_member: usize, most_at_partition: usize) -> Self {
        let mut shares = Self { target: Target::new(), crowds: BTreeMap::new() };
        for (id, wish) in &wishes.members {
            shares.target.insert(Arc::clone(id), BTreeSet::new());
            let kept = wish.before.iter().filter(|one| wishes.wants(wish, **one));
            let kept =
                kept.filter(|one| shares.crowds.get(one).is_none_or(|crowd| *crowd < most_at_partition));
            let kept: Vec<_> = kept.take(most_of_member).copied().collect();
            for one in kept {
                shares.give(one, id);
            }
        }
        shares
    }

    fn members_at(&self, one: TopicPartition) -> usize {
        self.crowds.get(&one).copied().unwrap_or_default()
    }

    fn give(&mut self, one: TopicPartition, id: &Arc<str>) {
        if self.target.entry(Arc::clone(id)).or_default().insert(one) {
            *self.crowds.entry(one).or_default() += 1;
        }
    }

    fn give_to_least_loaded(&mut self, wishes: &Wishes, one: TopicPartition) {
        let takers = wishes.members.iter().filter(|(_, wish)| wishes.wants(wish, one));
        let load = |id: &Arc<str>| self.target.get(id).map_or(0, BTreeSet::len);
        let taker = takers.map(|(id, _)| id).min_by_key(|id| load(id));
        if let Some(id) = taker {
            self.give(one, id);
        }
    }

    fn give_least_crowded(&mut self, wishes: &Wishes, id: &Arc<str>, wish: &Wish) {
        let wanted = wishes.partitions().filter(|one| wishes.wants(wish, *one));
        if let Some(one) = wanted.min_by_key(|one| self.members_at(*one)) {
            self.give(one, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::consumer::testing::{moved, settle, sizes, wishes};

    /// Every partition that somebody wants is with somebody who does, and whoever wants any has one.
    fn check(wishes: &Wishes, target: &Target) {
        for (id, wish) in &wishes.members {
            assert!(target[id].iter().all(|one| wishes.wants(wish, *one)), "{id}");
            let wants_any = wishes.partitions().any(|one| wishes.wants(wish, one));
            assert_eq!(!target[id].is_empty(), wants_any, "{id}");
        }
        let taken: BTreeSet<_> = target.values().flatten().copied().collect();
        let wanted =
            wishes.partitions().filter(|one| wishes.members.values().any(|wish| wishes.wants(wish, *one)));
        assert_eq!(taken, wanted.collect());
    }

    #[test]
    fn nobody_and_nothing_are_no_trouble() {
        assert!(assign(&Wishes::default()).is_empty());
        assert_eq!(sizes(&assign(&wishes(&[], &[("a", &[]), ("b", &[])]))), [0, 0]);
    }

    #[test]
    fn fewer_members_than_partitions_share_them_out() {
        let mut group = wishes(&[(1, 7)], &[("a", &[1])]);
        let first = assign(&group);
        assert_eq!(sizes(&first), [7]);
        settle(&mut group, &first);
        group.members.extend(wishes(&[], &[("b", &[1]), ("c", &[1])]).members);
        let second = assign(&group);
        check(&group, &second);
        assert_eq!(sizes(&second), [3, 2, 2]);
        settle(&mut group, &second);
        assert_eq!(moved(&group, &assign(&group)), 0, "nothing changed");
    }

    #[test]
    fn more_members_than_partitions_look_at_the_same() {
        let mut group = wishes(&[(1, 2)], &[("a", &[1]), ("b", &[1]), ("c", &[1]), ("d", &[1]), ("e", &[1])]);
        let first = assign(&group);
        check(&group, &first);
        assert_eq!(sizes(&first), [1; 5]);
        let crowd = |target: &Target, partition| {
            target.values().filter(|own| own.iter().any(|one| one.1 == partition)).count()
        };
        assert_eq!(crowd(&first, 0).abs_diff(crowd(&first, 1)), 1);
        settle(&mut group, &first);
        // All who looked at one of them go: somebody else has to.
        group.members.retain(|id, _| first[id].iter().all(|one| one.1 == 0));
        let second = assign(&group);
        check(&group, &second);
        assert_eq!(crowd(&second, 0).abs_diff(crowd(&second, 1)), 1);
    }

    #[test]
    fn everybody_gets_only_topics_that_they_asked_for() {
        let group =
            wishes(&[(1, 3), (2, 1), (3, 2)], &[("a", &[1]), ("b", &[1, 2]), ("c", &[]), ("d", &[2])]);
        check(&group, &assign(&group));
    }
}
