//! The rules on one pattern, by who holds them.
//!
//! Who asks counts as several holders (itself, its groups, everybody), and each is a number. A decision goes through a few
//! bytes of each rule, and looks at a rule itself only if those say that it is meant.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::hash::hash;
use crate::kind::{Operation, WILDCARD};
use crate::rule::{Operations, Rule};
use crate::shards::Hashed;

/// The number of a principal that some rule names.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Id(pub(crate) u32);

/// The ids of one asker: a user in twenty groups fits without an allocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    /// Ascending, each once.
    all: SmallVec<[Id; 24]>,
    /// A bit for each, by its last bits: most ids of others are told apart by one look at it.
    marks: [u64; MARKS],
}

/// Words of marks: a user in twenty groups has marks in one of twenty-five places.
const MARKS: usize = 8;
/// From so many holders on for each id of an asker, the ids are looked up among the holders, not the other way.
const MANY: usize = 8;

/// The rules on one pattern, by their holder.
#[derive(Clone, Debug)]
pub(crate) struct Holders {
    pub(crate) name: Arc<str>,
    /// A few bytes of each rule, in the same order: most are passed over by these.
    heads: Arc<[Head]>,
    rules: Arc<[Rule]>,
}

/// What tells that a rule is not meant.
#[derive(Clone, Copy, Debug)]
struct Head {
    holder: Id,
    allows: Operations,
    denies: Operations,
}

/// What a decision is about, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) ids: &'a Ids,
    pub(crate) host: IpAddr,
    pub(crate) operation: Operation,
    pub(crate) now_ms: u64,
}

impl Ids {
    pub(crate) fn new(ids: impl IntoIterator<Item = Id>) -> Self {
        let mut all: SmallVec<[Id; 24]> = ids.into_iter().collect();
        all.sort_unstable();
        all.dedup();
        let mut marks = [0; MARKS];
        for id in &all {
            let (word, bit) = mark(*id);
            marks[word] |= bit;
        }
        Self { all, marks }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Id> {
        self.all.iter().copied()
    }

    #[inline]
    pub(crate) fn has(&self, id: Id) -> bool {
        let (word, bit) = mark(id);
        self.marks[word] & bit != 0 && self.all.binary_search(&id).is_ok()
    }
}

const fn mark(Id(number): Id) -> (usize, u64) {
    ((number >> 6) as usize % MARKS, 1 << (number & 63))
}

impl Default for Holders {
    fn default() -> Self {
        Self::new(WILDCARD)
    }
}

impl Holders {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), heads: Arc::default(), rules: Arc::default() }
    }

    /// The first rule that denies it.
    pub(crate) fn denying(&self, case: Case<'_>) -> Option<&Rule> {
        let Case { ids, host, operation, now_ms } = case;
        self.find(ids, |head| head.denies.has(operation), |rule| rule.is_in_force(host, now_ms))
    }

    /// The first rule that allows it.
    pub(crate) fn allowing(&self, case: Case<'_>) -> Option<&Rule> {
        let Case { ids, host, operation, now_ms } = case;
        self.find(ids, |head| head.allows.has(operation), |rule| rule.is_in_force(host, now_ms))
    }

    /// The first rule of one of these holders.
    #[inline]
    fn find(
        &self,
        ids: &Ids,
        may_be: impl Fn(&Head) -> bool,
        is_it: impl Fn(&Rule) -> bool,
    ) -> Option<&Rule> {
        if self.heads.len() <= MANY * ids.all.len() {
            let mine = |(head, _): &(&Head, &Rule)| may_be(head) && ids.has(head.holder);
            let mut all = self.heads.iter().zip(&*self.rules).filter(mine);
            return all.find(|(_, rule)| is_it(rule)).map(|(_, rule)| rule);
        }
        let mut mine = ids.iter().flat_map(|id| self.range(id));
        let at = mine.find(|at| may_be(&self.heads[*at]) && is_it(&self.rules[*at]))?;
        Some(&self.rules[at])
    }

    /// The rules of one holder.
    pub(crate) fn of(&self, holder: Id) -> &[Rule] {
        &self.rules[self.range(holder)]
    }

    fn range(&self, holder: Id) -> Range<usize> {
        let begin = self.heads.partition_point(|head| head.holder < holder);
        begin..begin + self.heads[begin..].partition_point(|head| head.holder == holder)
    }

    /// Every rule with its holder.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &Rule)> {
        self.heads.iter().map(|head| head.holder).zip(&*self.rules)
    }

    /// Makes changes; whether a rule is left.
    pub(crate) fn change(&mut self, mut edits: Vec<(Id, Rule, bool)>) -> bool {
        // One that is changed goes before it comes.
        edits.sort_by(|one, other| order((one.0, &one.1), (other.0, &other.1)).then(one.2.cmp(&other.2)));
        let mut heads = Vec::with_capacity(self.heads.len() + edits.len());
        let mut rules = Vec::with_capacity(heads.capacity());
        let mut keep = |holder, rule: Rule| {
            heads.push(Head { holder, allows: rule.allows, denies: rule.denies });
            rules.push(rule);
        };
        let mut known = self.iter().peekable();
        for (holder, rule, comes) in edits {
            while let Some((other, before)) = known.next_if(|known| order(*known, (holder, &rule)).is_lt()) {
                keep(other, before.clone());
            }
            known.next_if(|known| order(*known, (holder, &rule)).is_eq());
            if comes {
                keep(holder, rule);
            }
        }
        known.for_each(|(holder, rule)| keep(holder, rule.clone()));
        (self.heads, self.rules) = (heads.into(), rules.into());
        !self.rules.is_empty()
    }
}

fn order(one: (Id, &Rule), other: (Id, &Rule)) -> Ordering {
    one.0.cmp(&other.0).then_with(|| one.1.origin.cmp(&other.1.origin))
}

impl Hashed for Holders {
    fn hashed(&self) -> u64 {
        hash(&self.name)
    }
}
