//! `uniform`: loads that differ as little as subscriptions allow, then as few moves as that allows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schloss_wire::Uuid;

use super::assignor::{Target, Wishes};
use super::topics::TopicPartition;

/// Most times that all partitions are gone through for a better place. Each time makes loads more even, so few
/// are needed; the bound is for subscriptions that somebody made up to be slow.
const MAX_ROUNDS: usize = 64;

pub(super) fn assign(wishes: &Wishes) -> Target {
    let mut subscriptions = wishes.members.values().map(|wish| &wish.topics);
    let first = subscriptions.next();
    if subscriptions.all(|topics| Some(topics) == first) { assign_alike(wishes) } else { assign_any(wishes) }
}

/// What each member keeps of what it had.
fn kept(wishes: &Wishes) -> Target {
    let keep = |(id, wish): (&Arc<str>, &super::assignor::Wish)| {
        let kept = wish.before.iter().copied().filter(|one| wishes.wants(wish, *one)).collect();
        (Arc::clone(id), kept)
    };
    wishes.members.iter().map(keep).collect()
}

/// Everybody is subscribed to the same topics: all get the same number, give or take one.
fn assign_alike(wishes: &Wishes) -> Target {
    let mut target = kept(wishes);
    let total = wishes.partitions().count();
    let (least, mut extra) = (total / target.len().max(1), total % target.len().max(1));
    // Whoever has most already gets what can't be shared evenly, so that it need not move.
    let mut order: Vec<_> = target.iter().map(|(id, owned)| (owned.len(), Arc::clone(id))).collect();
    order.sort_by(|(one, _), (other, _)| other.cmp(one));
    let mut room = Vec::new();
    for (had, id) in order {
        let quota = least + usize::from(extra > 0);
        extra = extra.saturating_sub(1);
        if let Some(owned) = target.get_mut(&id) {
            while owned.len() > quota {
                owned.pop_last();
            }
        }
        room.push((id, quota.saturating_sub(had)));
    }
    let taken: BTreeSet<_> = target.values().flatten().copied().collect();
    let mut free = wishes.partitions().filter(|one| !taken.contains(one)).collect::<Vec<_>>().into_iter();
    for (id, room) in room {
        target.entry(id).or_default().extend(free.by_ref().take(room));
    }
    target
}

/// Subscriptions differ: free partitions go to the least loaded, then single moves make loads more even.
fn assign_any(wishes: &Wishes) -> Target {
    let mut shares = Shares::new(wishes);
    let mut free: Vec<_> = wishes.partitions().filter(|one| !shares.owner.contains_key(one)).collect();
    // What few can take first, while they still have room.
    free.sort_by_key(|(topic, partition)| (shares.takers(*topic).len(), *topic, *partition));
    for one in free {
        if let Some(taker) = shares.least_loaded(one.0) {
            shares.give(one, taker);
        }
    }
    for _ in 0..MAX_ROUNDS {
        if !shares.improve(wishes) {
            break;
        }
    }
    shares.into_target(wishes)
}

/// Who has how much, by number of member.
struct Shares<'a> {
    members: Vec<&'a Arc<str>>,
    takers: BTreeMap<Uuid, Vec<usize>>,
    load: Vec<usize>,
    owner: BTreeMap<TopicPartition, usize>,
}

impl<'a> Shares<'a> {
    fn new(wishes: &'a Wishes) -> Self {
        let members: Vec<_> = wishes.members.keys().collect();
        let mut takers: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
        for (number, wish) in wishes.members.values().enumerate() {
            for topic in &wish.topics {
                takers.entry(*topic).or_default().push(number);
            }
        }
        let mut shares = Self { load: vec![0; members.len()], members, takers, owner: BTreeMap::new() };
        for (number, owned) in kept(wishes).into_values().enumerate() {
            for one in owned {
                shares.give(one, number);
            }
        }
        shares
    }

    fn takers(&self, topic: Uuid) -> &[usize] {
        self.takers.get(&topic).map(Vec::as_slice).unwrap_or_default()
    }

    fn least_loaded(&self, topic: Uuid) -> Option<usize> {
        self.takers(topic).iter().copied().min_by_key(|number| self.load[*number])
    }

    fn give(&mut self, one: TopicPartition, taker: usize) {
        if let Some(giver) = self.owner.insert(one, taker) {
            self.load[giver] -= 1;
        }
        self.load[taker] += 1;
    }

    /// Moves each partition whose owner has at least two more than another who could take it.
    fn improve(&mut self, wishes: &Wishes) -> bool {
        let mut improved = false;
        for one in wishes.partitions() {
            let Some(owner) = self.owner.get(&one).copied() else { continue };
            if let Some(taker) = self.least_loaded(one.0)
                && self.load[taker] + 1 < self.load[owner]
            {
                self.give(one, taker);
                improved = true;
            }
        }
        improved
    }

    fn into_target(self, wishes: &Wishes) -> Target {
        let mut target: Target = wishes.members.keys().map(|id| (Arc::clone(id), BTreeSet::new())).collect();
        for (one, number) in self.owner {
            target.entry(Arc::clone(self.members[number])).or_default().insert(one);
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::super::assignor::testing::{check, moved, settle, sizes, wishes};
    use super::*;

    #[test]
    fn nobody_and_nothing_are_no_trouble() {
        assert!(assign(&Wishes::default()).is_empty());
        let idle = wishes(&[], &[("a", &[]), ("b", &[])]);
        assert_eq!(sizes(&assign(&idle)), [0, 0]);
    }

    #[test]
    fn alike_members_differ_by_one_at_most_and_little_moves() {
        let mut group = wishes(&[(1, 7), (2, 4)], &[("a", &[1, 2]), ("b", &[1, 2])]);
        let first = assign(&group);
        check(&group, &first);
        assert_eq!(sizes(&first), [6, 5]);
        settle(&mut group, &first);
        assert_eq!(moved(&group, &assign(&group)), 0, "nothing changed");

        let joined = wishes(&[(1, 7), (2, 4)], &[("0", &[1, 2])]).members;
        group.members.extend(joined);
        let second = assign(&group);
        check(&group, &second);
        assert_eq!(sizes(&second), [3, 4, 4]);
        assert_eq!(moved(&group, &second), 3, "no more than the newcomer needs");

        settle(&mut group, &second);
        group.members.remove("a");
        let third = assign(&group);
        check(&group, &third);
        assert_eq!(sizes(&third), [5, 6]);
        assert_eq!(moved(&group, &third), 0, "only what is free is given away");
    }

    #[test]
    fn topics_that_shrink_or_go_leave_nothing_behind() {
        let mut group = wishes(&[(1, 4), (2, 4)], &[("a", &[1, 2]), ("b", &[1, 2])]);
        let first = assign(&group);
        settle(&mut group, &first);
        group.topics.remove(&super::super::assignor::testing::topic(2));
        for wish in group.members.values_mut() {
            wish.topics.pop_last();
        }
        let second = assign(&group);
        check(&group, &second);
        assert_eq!(sizes(&second), [2, 2]);
    }

    #[test]
    fn unlike_members_are_as_even_as_one_move_can_make_it() {
        let mut group = wishes(&[(1, 6), (2, 2), (3, 1)], &[("a", &[1]), ("b", &[1, 2]), ("c", &[2, 3])]);
        let first = assign(&group);
        check(&group, &first);
        assert_eq!(sizes(&first), [3, 3, 3]);
        settle(&mut group, &first);
        assert_eq!(moved(&group, &assign(&group)), 0);

        // All were with one; the other comes to it and takes half of what both want.
        let mut group = wishes(&[(1, 6), (2, 2)], &[("a", &[1, 2])]);
        let alone = assign(&group);
        settle(&mut group, &alone);
        group.members.extend(wishes(&[(1, 6)], &[("b", &[1])]).members);
        let shared = assign(&group);
        check(&group, &shared);
        assert_eq!(sizes(&shared), [4, 4]);
        assert_eq!(moved(&group, &shared), 4);
    }
}
