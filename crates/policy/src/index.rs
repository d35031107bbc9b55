//! Rules by resource and by who holds them.
//!
//! A decision looks at one name and at the ids of everything that the asker counts as (itself, its groups,
//! everybody): the name is hashed once, and holders are numbers.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::kind::{PatternType, ResourceType, WILDCARD};
use crate::prefixes::Prefixes;
use crate::rule::Rule;

/// The number of a principal that some rule names.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Id(pub(crate) u32);

/// The ids of one asker, ascending: a user in twenty groups fits without an allocation.
pub(crate) type Ids = SmallVec<[Id; 24]>;

/// All rules.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_type: HashMap<ResourceType, Patterns>,
    /// Where each holder has rules, for questions that name no resource.
    places: HashMap<Id, Vec<Place>>,
}

/// One pattern on which somebody holds rules.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) resource_type: ResourceType,
    pub(crate) pattern_type: PatternType,
    pub(crate) name: Arc<str>,
}

/// The rules on one type of resource.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    /// Those on the literal `*`.
    everything: Holders,
    literal: HashMap<Arc<str>, Holders>,
    prefixed: Prefixes<Holders>,
}

/// The rules on one pattern by their holder, ascending.
#[derive(Debug, Default)]
pub(crate) struct Holders(Vec<(Id, Vec<Rule>)>);

impl Holders {
    /// The rules of these holders.
    pub(crate) fn of<'a>(&'a self, ids: &'a [Id]) -> impl Iterator<Item = &'a Rule> {
        // Whichever side is shorter is gone through; the other is looked up.
        let few = self.0.len() < ids.len();
        let mine = few.then(|| self.0.iter().filter(|(id, _)| ids.binary_search(id).is_ok()));
        let theirs = (!few).then(|| ids.iter().filter_map(|id| self.find(*id)));
        let mine = mine.into_iter().flatten().flat_map(|(_, rules)| rules);
        mine.chain(theirs.into_iter().flatten().flatten())
    }

    /// Every rule with its holder.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &Rule)> {
        self.0.iter().flat_map(|(id, rules)| rules.iter().map(move |rule| (*id, rule)))
    }

    fn find(&self, id: Id) -> Option<&Vec<Rule>> {
        let place = self.0.binary_search_by_key(&id, |(holder, _)| *holder).ok()?;
        Some(&self.0[place].1)
    }

    fn push(&mut self, id: Id, rule: Rule) {
        // Sorted at the end; equal neighbours are the usual case.
        match self.0.last_mut() {
            Some((last, rules)) if *last == id => rules.push(rule),
            _ => self.0.push((id, vec![rule])),
        }
    }

    fn sort(&mut self) {
        self.0.sort_by_key(|(id, _)| *id);
        self.0.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1.append(&mut next.1);
            }
            same
        });
    }
}

impl Patterns {
    /// Those that take effect on `name`: of the name, of everything, of its prefixes, the longest first.
    pub(crate) fn on<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Holders> + use<'a> {
        self.literal.get(name).into_iter().chain([&self.everything]).chain(self.prefixed.of(name))
    }

    /// As [`Patterns::on`], with the patterns.
    pub(crate) fn named_on<'a>(
        &'a self,
        name: &str,
    ) -> impl Iterator<Item = (PatternType, &'a str, &'a Holders)> + use<'a> {
        let literal = self.literal.get_key_value(name).map(|(name, holders)| (&**name, holders));
        let literal = literal.into_iter().chain([(WILDCARD, &self.everything)]);
        let literal = literal.map(|(name, holders)| (PatternType::Literal, name, holders));
        let prefixed = self.prefixed.entries_of(name);
        literal.chain(prefixed.map(|(name, holders)| (PatternType::Prefixed, name, holders)))
    }

    /// Those on prefixes of `name`.
    pub(crate) fn prefixes_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Holders> + use<'a> {
        self.prefixed.of(name)
    }

    /// Those on exactly this pattern.
    pub(crate) fn exactly(&self, pattern: PatternType, name: &str) -> Option<&Holders> {
        match pattern {
            PatternType::Literal if name == WILDCARD => Some(&self.everything),
            PatternType::Literal => self.literal.get(name),
            PatternType::Prefixed => self.prefixed.get(name),
        }
    }
}

impl Index {
    pub(crate) fn of(&self, resource_type: ResourceType) -> Option<&Patterns> {
        self.by_type.get(&resource_type)
    }

    /// Where this holder has rules.
    pub(crate) fn places(&self, id: Id) -> impl Iterator<Item = &Place> {
        self.places.get(&id).into_iter().flatten()
    }
}

/// Collects rules; compiling is done once.
#[derive(Default)]
pub(crate) struct Collector {
    by_type: HashMap<ResourceType, HashMap<PatternType, HashMap<Arc<str>, Holders>>>,
    places: HashMap<Id, Vec<Place>>,
}

impl Collector {
    pub(crate) fn add(
        &mut self,
        holder: Id,
        (resource_type, pattern_type, name): (ResourceType, PatternType, &str),
        rule: Rule,
    ) {
        let names = self.by_type.entry(resource_type).or_default().entry(pattern_type).or_default();
        let name = match names.get_key_value(name) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(name),
        };
        names.entry(Arc::clone(&name)).or_default().push(holder, rule);
        let places = self.places.entry(holder).or_default();
        let place = Place { resource_type, pattern_type, name };
        // Rules come sorted by resource or by holder; what comes twice all the same is taken out at the end.
        if places.last() != Some(&place) {
            places.push(place);
        }
    }

    pub(crate) fn finish(mut self) -> Index {
        for places in self.places.values_mut() {
            places.sort_by(|one, other| one.key().cmp(&other.key()));
            places.dedup();
        }
        let by_type = self.by_type.into_iter().map(|(kind, mut patterns)| {
            let mut sorted = |pattern| {
                let mut names: HashMap<Arc<str>, Holders> = patterns.remove(&pattern).unwrap_or_default();
                names.values_mut().for_each(Holders::sort);
                names
            };
            let mut literal = sorted(PatternType::Literal);
            let everything = literal.remove(WILDCARD).unwrap_or_default();
            let prefixed = Prefixes::new(sorted(PatternType::Prefixed).into_iter().collect());
            (kind, Patterns { everything, literal, prefixed })
        });
        Index { by_type: by_type.collect(), places: self.places }
    }
}

impl Place {
    fn key(&self) -> (ResourceType, PatternType, &str) {
        (self.resource_type, self.pattern_type, &self.name)
    }
}
