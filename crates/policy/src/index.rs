//! Rules by resource and by who holds them.
//!
//! A name is hashed in one pass, its prefixes with it. A changed index shares with the one before all that the change is
//! not about.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::hash::{PrefixHashes, hash, hash_number};
use crate::holders::{Holders, Id};
use crate::kind::{PatternType, ResourceType, WILDCARD};
use crate::rule::Rule;
use crate::shards::{Hashed, Shards};

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

/// A rule that comes or goes.
#[derive(Debug)]
pub(crate) struct Edit<'a> {
    pub(crate) on: (ResourceType, PatternType, &'a str),
    pub(crate) holder: Id,
    pub(crate) rule: Rule,
    pub(crate) comes: bool,
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
