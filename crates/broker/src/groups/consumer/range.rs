//! `range`: of each topic, neighbouring partitions for each member; topics that are partitioned alike and have
//! the same members are shared out alike, so that records of the same key meet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schloss_wire::Uuid;

use super::assignor::{Target, Wishes};

pub(super) fn assign(wishes: &Wishes) -> Target {
    let mut target: Target = wishes.members.keys().map(|id| (Arc::clone(id), BTreeSet::new())).collect();
    for ((count, members), topics) in alike(wishes) {
        let shares = share(count, &before(wishes, &members, &topics));
        for (id, partitions) in members.iter().zip(&shares) {
            let owned = topics.iter().flat_map(|topic| partitions.iter().map(|number| (*topic, *number)));
            target.entry(Arc::clone(id)).or_default().extend(owned);
        }
    }
    target
}

/// How many partitions, and who wants them, in the order in which they get them.
type Class = (i32, Vec<Arc<str>>);

/// Topics of the same number of partitions that the same members want.
fn alike(wishes: &Wishes) -> BTreeMap<Class, Vec<Uuid>> {
    // Static members by their instance id, so that they get the same when they come back.
    let mut order: Vec<_> = wishes.members.iter().collect();
    order.sort_by_key(|(id, wish)| (wish.instance_id.as_ref().unwrap_or(id), *id));
    let mut classes: BTreeMap<Class, Vec<Uuid>> = BTreeMap::new();
    for (topic, count) in &wishes.topics {
        let wants = order.iter().filter(|(_, wish)| wish.topics.contains(topic));
        let members: Vec<_> = wants.map(|(id, _)| Arc::clone(id)).collect();
        if !members.is_empty() {
            classes.entry((*count, members)).or_default().push(*topic);
        }
    }
    classes
}

/// What each member had of the first of these topics of which anybody had anything: it stands for all of them.
fn before(wishes: &Wishes, members: &[Arc<str>], topics: &[Uuid]) -> Vec<Vec<i32>> {
    let of = |topic: Uuid| {
        let had = |id: &Arc<str>| match wishes.members.get(id) {
            Some(wish) => {
                let owned = wish.before.range((topic, i32::MIN)..=(topic, i32::MAX));
                owned
                    .map(|(_, number)| *number)
                    .filter(|number| wishes.wants(wish, (topic, *number)))
                    .collect()
            }
            None => Vec::new(),
        };
        members.iter().map(had).collect::<Vec<Vec<i32>>>()
    };
    let mut each = topics.iter().map(|topic| of(*topic));
    let nothing = vec![Vec::new(); members.len()];
    each.find(|had| had.iter().any(|numbers| !numbers.is_empty())).unwrap_or(nothing)
}

/// Shares out the partitions of one topic: everybody keeps what its share holds, and gets the lowest free ones.
fn share(count: i32, before: &[Vec<i32>]) -> Vec<Vec<i32>> {
    let total = usize::try_from(count).unwrap_or_default();
    let (least, mut extra) = (total / before.len(), total % before.len());
    let mut shares: Vec<Vec<i32>> = Vec::new();
    let mut quotas = Vec::new();
    // Whoever has more than the least keeps one of the partitions that can't be shared evenly.
    for had in before {
        let keeps_extra = had.len() > least && extra > 0;
        extra -= usize::from(keeps_extra);
        quotas.push(least + usize::from(keeps_extra));
    }
    for (quota, had) in quotas.iter_mut().zip(before) {
        if *quota == least && extra > 0 {
            extra -= 1;
            *quota += 1;
        }
        shares.push(had.iter().copied().take(*quota).collect());
    }
    let taken: BTreeSet<i32> = shares.iter().flatten().copied().collect();
    let mut free = (0..count).filter(|number| !taken.contains(number));
    for (share, quota) in shares.iter_mut().zip(quotas) {
        let room = quota - share.len();
        share.extend(free.by_ref().take(room));
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::super::assignor::testing::{check, moved, settle, sizes, topic, wishes};
    use super::*;

    fn numbers(target: &Target, id: &str, number: u8) -> Vec<i32> {
        target[id].iter().filter(|(one, _)| *one == topic(number)).map(|(_, number)| *number).collect()
    }

    #[test]
    fn each_gets_neighbours_and_the_first_get_one_more() {
        let group =
            wishes(&[(1, 5), (2, 5), (3, 2)], &[("a", &[1, 2, 3]), ("b", &[1, 2, 3]), ("c", &[1, 2])]);
        let target = assign(&group);
        check(&group, &target);
        for number in [1, 2] {
            assert_eq!(numbers(&target, "a", number), [0, 1]);
            assert_eq!(numbers(&target, "b", number), [2, 3]);
            assert_eq!(numbers(&target, "c", number), [4]);
        }
        assert_eq!(numbers(&target, "a", 3), [0]);
        assert_eq!(numbers(&target, "b", 3), [1]);
    }

    #[test]
    fn members_keep_what_they_can_and_topics_alike_stay_alike() {
        let mut group = wishes(&[(1, 6)], &[("b", &[1]), ("c", &[1])]);
        let first = assign(&group);
        settle(&mut group, &first);
        group.members.extend(wishes(&[], &[("a", &[1])]).members);
        let second = assign(&group);
        check(&group, &second);
        assert_eq!(sizes(&second), [2, 2, 2]);
        assert_eq!(moved(&group, &second), 2);

        settle(&mut group, &second);
        group.topics.insert(topic(2), 6);
        for wish in group.members.values_mut() {
            wish.topics.insert(topic(2));
        }
        let third = assign(&group);
        check(&group, &third);
        assert_eq!(moved(&group, &third), 0);
        for id in ["a", "b", "c"] {
            assert_eq!(numbers(&third, id, 1), numbers(&third, id, 2), "{id}");
        }
    }

    #[test]
    fn static_members_stand_in_the_order_of_their_instances() {
        let mut group = wishes(&[(1, 2)], &[("x", &[1]), ("y", &[1])]);
        for (id, instance) in [("x", "2"), ("y", "1")] {
            group.members.get_mut(id).unwrap().instance_id = Some(instance.into());
        }
        let target = assign(&group);
        assert_eq!((numbers(&target, "y", 1), numbers(&target, "x", 1)), (vec![0], vec![1]));
    }

    #[test]
    fn more_members_than_partitions_leave_some_idle() {
        let group = wishes(&[(1, 2)], &[("a", &[1]), ("b", &[1]), ("c", &[1])]);
        let target = assign(&group);
        check(&group, &target);
        assert_eq!(sizes(&target), [1, 1, 0]);
    }
}
