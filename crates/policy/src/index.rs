//! Rules by resource and by who holds them.
//!
//! A decision looks at one name and at the ids of everything that the asker counts as (itself, its groups,
//! everybody): the name is hashed in one pass, its prefixes with it, and holders are numbers. A changed index
//! shares with the one before all that the change is not about.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::hash::{PrefixHashes, hash, hash_number};
use crate::kind::{Operation, PatternType, ResourceType, WILDCARD};
use crate::rule::{Operations, Rule};
use crate::shards::{Hashed, Shards};

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

/// All rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    by_type: [Patterns; ResourceType::ALL.len()],
    /// Where each holder has rules, for questions that name no resource.
    places: Shards<Places>,
}

/// One pattern on which somebody holds rules.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    pub(crate) resource_type: ResourceType,
    pub(crate) pattern_type: PatternType,
    pub(crate) name: Arc<str>,
}

/// The patterns on which one holder has rules, ascending.
#[derive(Clone, Debug)]
struct Places {
    holder: Id,
    all: Arc<[Place]>,
}

/// The rules on one type of resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    /// Those on the literal `*`.
    everything: Holders,
    literal: Shards<Holders>,
    prefixed: Shards<Holders>,
    /// How long prefixes are, ascending, and how many are so long.
    lengths: Vec<(usize, usize)>,
}

/// The rules on one pattern, by their holder.
#[derive(Clone, Debug)]
pub(crate) struct Holders {
    name: Arc<str>,
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

/// A rule that comes or goes.
#[derive(Debug)]
pub(crate) struct Edit<'a> {
    pub(crate) on: (ResourceType, PatternType, &'a str),
    pub(crate) holder: Id,
    pub(crate) rule: Rule,
    pub(crate) comes: bool,
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
    fn new(name: &str) -> Self {
        Self { name: name.into(), heads: Arc::default(), rules: Arc::default() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
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
    fn change(&mut self, mut edits: Vec<(Id, Rule, bool)>) -> bool {
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

impl Hashed for Places {
    fn hashed(&self) -> u64 {
        hash_number(self.holder.0)
    }
}

impl Patterns {
    /// Those that take effect on `name`: of the name, of everything, of its prefixes, the longest first.
    pub(crate) fn on<'a>(&'a self, name: &str) -> impl Iterator<Item = (PatternType, &'a Holders)> + use<'a> {
        let bytes = name.as_bytes();
        let mut hashes = PrefixHashes::new(bytes);
        let mut prefixes: SmallVec<[&Holders; 24]> = SmallVec::new();
        for (length, _) in self.lengths.iter().take_while(|(length, _)| *length <= bytes.len()) {
            let is_it = |known: &Holders| *known.name.as_bytes() == bytes[..*length];
            prefixes.extend(self.prefixed.find(hashes.of(*length), is_it));
        }
        let literal = self.literal.find(hashes.of(bytes.len()), |known| *known.name == *name);
        let literal = literal.into_iter().chain([&self.everything]);
        let prefixes = prefixes.into_iter().rev();
        literal
            .map(|pattern| (PatternType::Literal, pattern))
            .chain(prefixes.map(|pattern| (PatternType::Prefixed, pattern)))
    }

    /// Those on prefixes of `name`.
    pub(crate) fn prefixes_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Holders> + use<'a> {
        let prefixed = self.on(name).filter(|(pattern, _)| *pattern == PatternType::Prefixed);
        prefixed.map(|(_, pattern)| pattern)
    }

    /// Those on exactly this pattern.
    pub(crate) fn exactly(&self, pattern: PatternType, name: &str) -> Option<&Holders> {
        let is_it = |known: &Holders| *known.name == *name;
        match pattern {
            PatternType::Literal if name == WILDCARD => Some(&self.everything),
            PatternType::Literal => self.literal.find(hash(name), is_it),
            PatternType::Prefixed => self.prefixed.find(hash(name), is_it),
        }
    }

    fn change(&mut self, pattern: PatternType, name: &str, edits: Vec<(Id, Rule, bool)>) {
        if (pattern, name) == (PatternType::Literal, WILDCARD) {
            self.everything.change(edits);
            return;
        }
        let patterns = match pattern {
            PatternType::Literal => &mut self.literal,
            PatternType::Prefixed => &mut self.prefixed,
        };
        let before = patterns.len();
        let is_it = |known: &Holders| *known.name == *name;
        patterns.change(hash(name), is_it, || Holders::new(name), |found| found.change(edits));
        if pattern == PatternType::Prefixed {
            let found = self.lengths.binary_search_by_key(&name.len(), |(length, _)| *length);
            let at = found.unwrap_or_else(|at| {
                self.lengths.insert(at, (name.len(), 0));
                at
            });
            let count = &mut self.lengths[at].1;
            *count = *count + patterns.len() - before;
            if *count == 0 {
                self.lengths.remove(at);
            }
        }
    }
}

impl Index {
    pub(crate) fn of(&self, resource_type: ResourceType) -> &Patterns {
        &self.by_type[resource_type.place()]
    }

    /// Where this holder has rules.
    pub(crate) fn places(&self, holder: Id) -> &[Place] {
        let found = self.places.find(hash_number(holder.0), |known| known.holder == holder);
        found.map_or(&[], |places| &places.all)
    }

    /// How many hold a rule.
    pub(crate) const fn holders(&self) -> usize {
        self.places.len()
    }

    /// Lets rules come and go.
    pub(crate) fn change(&mut self, mut edits: Vec<Edit<'_>>) {
        edits.sort_by_key(|edit| edit.on);
        let mut moved: BTreeMap<Id, Vec<(Place, bool)>> = BTreeMap::new();
        let mut edits = edits.into_iter().peekable();
        while let Some(first) = edits.next() {
            let on = first.on;
            let mut here = vec![(first.holder, first.rule, first.comes)];
            while let Some(edit) = edits.next_if(|edit| edit.on == on) {
                here.push((edit.holder, edit.rule, edit.comes));
            }
            let mut holders: Vec<Id> = here.iter().map(|(holder, ..)| *holder).collect();
            holders.sort_unstable();
            holders.dedup();
            let (resource_type, pattern_type, name) = on;
            let patterns = &mut self.by_type[resource_type.place()];
            patterns.change(pattern_type, name, here);
            let found = patterns.exactly(pattern_type, name);
            let shared = found.map_or_else(|| name.into(), |pattern| Arc::clone(&pattern.name));
            for holder in holders {
                let place = Place { resource_type, pattern_type, name: Arc::clone(&shared) };
                let stays = found.is_some_and(|pattern| !pattern.of(holder).is_empty());
                moved.entry(holder).or_default().push((place, stays));
            }
        }
        for (holder, moved) in moved {
            let make = || Places { holder, all: Arc::default() };
            let change = |places: &mut Places| {
                places.all = merged(&places.all, moved);
                !places.all.is_empty()
            };
            self.places.change(hash_number(holder.0), |known| known.holder == holder, make, change);
        }
    }
}

/// Sorted items with others that are among them or not; each is told once.
pub(crate) fn merged<T: Clone + Ord>(items: &[T], mut told: Vec<(T, bool)>) -> Arc<[T]> {
    told.sort_by(|one, other| one.0.cmp(&other.0));
    let mut all = Vec::with_capacity(items.len() + told.len());
    let mut items = items.iter().peekable();
    for (item, stays) in told {
        while let Some(before) = items.next_if(|known| **known < item) {
            all.push(before.clone());
        }
        items.next_if(|known| **known == item);
        if stays {
            all.push(item);
        }
    }
    all.extend(items.cloned());
    all.into()
}
