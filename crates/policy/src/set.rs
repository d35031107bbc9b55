//! ACLs, groups and roles, compiled for decisions.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use schloss_wire::Principal;

use crate::acl::Acl;
use crate::binding::{Binding, Bindings};
use crate::chunks::Chunks;
use crate::decision::{Decision, Reason, Subject};
use crate::filter::AclFilter;
use crate::group::{Groups, Members};
use crate::hash::hash;
use crate::holders::{Case, Id, Ids};
use crate::index::{Edit, Index, Patterns, merged};
use crate::kind::{CLUSTER_NAME, Operation, PatternType, ResourceType, WILDCARD, is_reserved};
use crate::role::{Roles, grants_of};
use crate::rule::Rule;
use crate::shards::{Hashed, Shards};

/// The principal of ACLs that concern everybody, of whatever type.
pub(crate) const EVERYBODY: &str = "User:*";

/// The name that Kafka asks for first where any will do (`Authorizer.authorizeByResourceType`).
const SOME_NAME: &str = "hardcode";

/// Everything that decisions rest on, before it is compiled.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The ACLs.
    pub acls: Vec<Acl>,
    /// Who is in which local group.
    pub groups: Arc<Groups>,
    /// The roles that somebody made.
    pub roles: Arc<Roles>,
    /// Who has which role.
    pub bindings: Arc<Bindings>,
    /// Whom nothing binds.
    pub super_users: Vec<Principal>,
}

/// What there is from now on in place of what there was.
#[derive(Clone, Debug)]
pub struct RuleChanges {
    /// ACLs, each once, that are there from now on or not any more. Others stay.
    pub acls: Vec<(Acl, bool)>,
    /// Who is in which local group.
    pub groups: Arc<Groups>,
    /// The roles that somebody made.
    pub roles: Arc<Roles>,
    /// Who has which role.
    pub bindings: Arc<Bindings>,
}

/// An immutable set of ACLs, local groups, role bindings and super users, indexed so that a decision looks only
/// at the rules of the asking principal, of its groups and of everybody on the asked resource.
///
/// A clone is cheap, and so is the set that follows after a change: they share what is the same.
#[derive(Clone, Debug, Default)]
pub struct AclSet {
    acls: Chunks<Acl>,
    groups: Arc<Groups>,
    roles: Arc<Roles>,
    bindings: Arc<Bindings>,
    super_users: Arc<HashSet<Principal>>,
    /// The numbers of groups and of whoever holds a rule, or did.
    ids: Shards<Numbered>,
    /// How many numbers were given out.
    numbers: u32,
    /// The local groups of their members.
    memberships: Shards<Member>,
    index: Index,
    /// When bindings end, in milliseconds since 1970, ascending.
    ends_ms: Arc<[u64]>,
    generation: u64,
}

/// A principal with its number.
#[derive(Clone, Debug)]
struct Numbered {
    principal: Arc<str>,
    id: Id,
}

/// A principal with the numbers of its local groups, ascending.
#[derive(Clone, Debug)]
struct Member {
    principal: Principal,
    groups: Arc<[Id]>,
}

impl Hashed for Numbered {
    fn hashed(&self) -> u64 {
        hash(&self.principal)
    }
}

impl Hashed for Member {
    fn hashed(&self) -> u64 {
        hash(self.principal.as_str())
    }
}

/// Numbers beyond twice those in use that may have been given out before all are given out anew.
const SPARE_NUMBERS: usize = 10_000;

/// A subject as this one set knows it.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    is_super: bool,
    pub(crate) ids: Ids,
    pub(crate) host: IpAddr,
}

/// A moment, and how many bindings have ended by then: as long as that is the same, so are all decisions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Moment {
    pub(crate) now_ms: u64,
    pub(crate) ended: usize,
}

impl AclSet {
    /// Compiles ACLs alone. `generation` must be another number after every change: caches go by it. One that is told
    /// twice is one.
    ///
    /// ACLs are expected to have passed [`Acl::validate`]. Should one carry a host that can't be read, it
    /// fails closed: an ALLOW then allows nobody and a DENY denies from everywhere.
    #[must_use]
    pub fn new(acls: Vec<Acl>, super_users: Vec<Principal>, generation: u64) -> Self {
        Self::compile(Rules { acls, super_users, ..Rules::default() }, generation)
    }

    /// Compiles rules. `generation` must be another number after every change: caches go by it.
    ///
    /// Rules are expected to have been checked. A binding of a role that there is not allows nothing; for ACLs
    /// see [`AclSet::new`].
    #[must_use]
    pub fn compile(rules: Rules, generation: u64) -> Self {
        let Rules { acls, groups, roles, bindings, super_users } = rules;
        let acls = acls.into_iter().map(|acl| (acl, true)).collect();
        let nothing = Self { super_users: Arc::new(super_users.into_iter().collect()), ..Self::default() };
        nothing.after(RuleChanges { acls, groups, roles, bindings }, generation)
    }

    /// What follows after a change; it costs what the change is about, however many rules there are.
    /// `generation` must be another number: caches go by it.
    #[must_use]
    pub fn after(&self, changes: RuleChanges, generation: u64) -> Self {
        let RuleChanges { acls, groups, roles, bindings } = changes;
        let mut next = Self { generation, ..self.clone() };
        let mut changed: Vec<(Arc<Acl>, bool)> = Vec::with_capacity(acls.len());
        for (acl, comes) in acls {
            let acl = Arc::new(acl);
            let is_new = if comes { next.acls.insert(Arc::clone(&acl)) } else { next.acls.remove(&acl) };
            if is_new {
                changed.push((acl, comes));
            }
        }
        let mut edits = Vec::with_capacity(changed.len());
        for (acl, comes) in &changed {
            let Some(rule) = Rule::of_acl(acl) else { continue };
            let Some(holder) = next.number(&acl.principal) else { continue };
            let on = (acl.resource_type, acl.pattern_type, &*acl.resource_name);
            edits.push(Edit { on, holder, rule, comes: *comes });
        }
        let others = differing(&self.roles, &roles);
        let is_same = |binding: &Binding, known: &Bindings| {
            let known = known.get(binding);
            known.is_some_and(|known| known.expires == binding.expires) && !others.contains(&*binding.role)
        };
        for binding in self.bindings.iter().filter(|binding| !is_same(binding, &bindings)) {
            next.bind(&mut edits, binding, &self.roles, false);
        }
        for binding in bindings.iter().filter(|binding| !is_same(binding, &self.bindings)) {
            next.bind(&mut edits, binding, &roles, true);
        }
        next.index.change(edits);
        next.regroup(&self.groups, &groups);
        let mut ends_ms: Vec<u64> =
            bindings.iter().map(Binding::ends_ms).filter(|end| *end != u64::MAX).collect();
        ends_ms.sort_unstable();
        next.ends_ms = ends_ms.into();
        (next.groups, next.roles, next.bindings) = (groups, roles, bindings);
        let in_use = next.index.holders() + next.groups.len();
        if next.numbers as usize > 2 * in_use + SPARE_NUMBERS {
            return Self::compile(next.rules(), generation);
        }
        next
    }

    fn rules(&self) -> Rules {
        Rules {
            acls: self.iter().cloned().collect(),
            groups: Arc::clone(&self.groups),
            roles: Arc::clone(&self.roles),
            bindings: Arc::clone(&self.bindings),
            super_users: self.super_users.iter().cloned().collect(),
        }
    }

    /// The number of a principal; none for text that is no principal, and so nobody's.
    fn number(&mut self, principal: &str) -> Option<Id> {
        if let Some(id) = self.id(principal) {
            return Some(id);
        }
        principal.parse::<Principal>().ok()?;
        let id = Id(self.numbers);
        self.numbers = self.numbers.checked_add(1)?;
        let made = || Numbered { principal: principal.into(), id };
        self.ids.change(hash(principal), |known| *known.principal == *principal, made, |_| true);
        Some(id)
    }

    fn id(&self, principal: &str) -> Option<Id> {
        self.ids.find(hash(principal), |known| *known.principal == *principal).map(|known| known.id)
    }

    /// Adds what a binding allows, type by type, to what comes or goes.
    fn bind<'a>(&mut self, edits: &mut Vec<Edit<'a>>, binding: &'a Binding, roles: &Roles, comes: bool) {
        let Some(grants) = grants_of(&binding.role, roles) else { return };
        let Some(holder) = self.number(binding.principal.as_str()) else { return };
        let shared = Arc::new(binding.clone());
        for (resource_type, operations) in &grants {
            let on = match &binding.resource {
                Some(on) if on.resource_type == *resource_type => (on.pattern_type, &*on.resource_name),
                Some(_) => continue,
                None if *resource_type == ResourceType::Cluster => (PatternType::Literal, CLUSTER_NAME),
                None => (PatternType::Literal, WILDCARD),
            };
            let rule = Rule::of_binding(&shared, operations);
            edits.push(Edit { on: (*resource_type, on.0, on.1), holder, rule, comes });
        }
    }

    /// Notes who is in which group, where that is another one than before.
    fn regroup(&mut self, before: &Arc<Groups>, after: &Arc<Groups>) {
        if Arc::ptr_eq(before, after) {
            return;
        }
        let nobody = Members::new();
        let mut moved: BTreeMap<&Principal, Vec<(Id, bool)>> = BTreeMap::new();
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let [old, new] = [before, after].map(|groups| groups.get(name).unwrap_or(&nobody));
            if old == new {
                continue;
            }
            let Some(id) = self.number(Principal::group(name).as_str()) else { continue };
            old.difference(new).for_each(|member| moved.entry(member).or_default().push((id, false)));
            new.difference(old).for_each(|member| moved.entry(member).or_default().push((id, true)));
        }
        for (principal, moved) in moved {
            let make = || Member { principal: principal.clone(), groups: Arc::default() };
            let change = |member: &mut Member| {
                member.groups = merged(&member.groups, moved);
                !member.groups.is_empty()
            };
            let is_it = |known: &Member| known.principal == *principal;
            self.memberships.change(hash(principal.as_str()), is_it, make, change);
        }
    }

    /// Every ACL, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Acl> {
        self.acls.iter()
    }

    /// Whether this ACL is one of them.
    #[must_use]
    pub fn contains(&self, acl: &Acl) -> bool {
        self.acls.get(acl).is_some()
    }

    /// The ACLs that a filter means, ascending. One that names a single ACL does not look at the others.
    pub fn matching<'a>(&'a self, filter: &'a AclFilter) -> impl Iterator<Item = &'a Acl> {
        let (one, all) = match filter.as_acl() {
            Some(acl) => (self.acls.get(&acl), None),
            None => (None, Some(self.acls.iter().filter(|acl| filter.matches(acl)))),
        };
        one.into_iter().chain(all.into_iter().flatten())
    }

    /// Who is in which local group.
    #[must_use]
    pub const fn groups(&self) -> &Arc<Groups> {
        &self.groups
    }

    /// The roles that somebody made.
    #[must_use]
    pub const fn roles(&self) -> &Arc<Roles> {
        &self.roles
    }

    /// Who has which role.
    #[must_use]
    pub const fn bindings(&self) -> &Arc<Bindings> {
        &self.bindings
    }

    /// The generation that it was compiled with.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether rules don't bind this principal.
    #[must_use]
    pub fn is_super_user(&self, principal: &Principal) -> bool {
        self.super_users.contains(principal)
    }

    /// How many principals take memory: those of groups and rules, and some that are gone.
    #[must_use]
    pub const fn known_principals(&self) -> usize {
        self.ids.len()
    }

    /// The local groups that this principal is in.
    pub fn groups_of<'a>(&'a self, principal: &'a Principal) -> impl Iterator<Item = &'a str> {
        let holds =
            |(name, members): (&'a String, &'a Members)| members.contains(principal).then_some(name.as_str());
        self.groups.iter().filter_map(holds)
    }

    /// Decides about one operation on one resource, now, in Kafka's order: super user, DENY, ALLOW, denied. What
    /// is reserved is denied before that. Roles only allow, so a DENY beats every one.
    #[must_use]
    pub fn decide(
        &self,
        subject: &Subject,
        operation: Operation,
        resource_type: ResourceType,
        name: &str,
    ) -> Decision {
        let (allowed, reason) = self.judge(&self.who(subject), self.now(), operation, resource_type, name);
        Decision { allowed, enforced: true, operation, resource_type, resource_name: name.into(), reason }
    }

    /// Decides whether the operation is allowed on at least one conceivable resource of the type
    /// (`Authorizer.authorizeByResourceType`, KIP-679). A wildcard DENY dominates all, a prefixed DENY all
    /// that begins with it.
    #[must_use]
    pub fn decide_any(
        &self,
        subject: &Subject,
        operation: Operation,
        resource_type: ResourceType,
    ) -> Decision {
        let (allowed, reason) = self.judge_any(&self.who(subject), self.now(), operation, resource_type);
        Decision { allowed, enforced: true, operation, resource_type, resource_name: WILDCARD.into(), reason }
    }

    pub(crate) fn judge(
        &self,
        who: &Who,
        Moment { now_ms, .. }: Moment,
        operation: Operation,
        resource_type: ResourceType,
        name: &str,
    ) -> (bool, Reason) {
        if is_reserved(resource_type, name) {
            return (false, Reason::Reserved);
        }
        if who.is_super {
            return (true, Reason::SuperUser);
        }
        let case = Case { ids: &who.ids, host: who.host, operation, now_ms };
        let mut allowing: Option<&Rule> = None;
        for (_, holders) in self.index.of(resource_type).on(name) {
            if let Some(rule) = holders.denying(case) {
                return (false, rule.reason());
            }
            allowing = allowing.or_else(|| holders.allowing(case));
        }
        match allowing {
            Some(rule) => (true, rule.reason()),
            None => (false, Reason::NoMatchingAcl),
        }
    }

    pub(crate) fn judge_any(
        &self,
        who: &Who,
        moment: Moment,
        operation: Operation,
        resource_type: ResourceType,
    ) -> (bool, Reason) {
        if who.is_super {
            return (true, Reason::SuperUser);
        }
        let (allowed, reason) = self.judge(who, moment, operation, resource_type, SOME_NAME);
        if allowed {
            return (true, reason);
        }
        let now_ms = moment.now_ms;
        let patterns = self.index.of(resource_type);
        let case = Case { ids: &who.ids, host: who.host, operation, now_ms };
        let denial = |pattern: PatternType, name: &str| patterns.exactly(pattern, name)?.denying(case);
        if let Some(rule) = denial(PatternType::Literal, WILDCARD) {
            return (false, rule.reason());
        }
        let places = |id| self.index.places(id).iter().map(move |place| (id, place));
        for (id, place) in who.ids.iter().flat_map(places) {
            let (pattern, name) = (place.pattern_type, &*place.name);
            if place.resource_type != resource_type {
                continue;
            }
            let mine = patterns.exactly(pattern, name).into_iter();
            let mut mine = mine.flat_map(|holders| holders.of(id));
            let Some(rule) = mine.find(|rule| rule.allows_by_name(operation, who.host, now_ms)) else {
                continue;
            };
            let is_exact = pattern == PatternType::Literal;
            let is_all = is_exact && name == WILDCARD;
            // What an exact DENY leaves of a wildcard or of a prefix is still some resource.
            let is_dominated = || {
                patterns.prefixes_of(name).any(|holders| holders.denying(case).is_some())
                    || (is_exact && denial(PatternType::Literal, name).is_some())
            };
            if is_all || !is_dominated() {
                return (true, rule.reason());
            }
        }
        (false, Reason::NoneOfType)
    }

    /// A subject as this set knows it.
    pub(crate) fn who(&self, subject: &Subject) -> Who {
        let id = |principal: &Principal| self.id(principal.as_str());
        let hash = hash(subject.principal.as_str());
        let member = self.memberships.find(hash, |known| known.principal == subject.principal);
        let local = member.into_iter().flat_map(|member| member.groups.iter().copied());
        let ids = Ids::new(
            id(&subject.principal)
                .into_iter()
                .chain(self.id(EVERYBODY))
                .chain(subject.groups.iter().filter_map(id))
                .chain(local),
        );
        Who { is_super: self.is_super_user(&subject.principal), ids, host: subject.host.to_canonical() }
    }

    /// Now, as far as it matters to decisions: the clock is read only where bindings end.
    pub(crate) fn now(&self) -> Moment {
        if self.ends_ms.is_empty() {
            return Moment::default();
        }
        // A clock before 1970 is broken; nothing that ends counts then.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(u64::MAX - 1, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX - 1));
        self.moment(now)
    }

    /// The moment of this time, in milliseconds since 1970.
    pub(crate) fn moment(&self, now_ms: u64) -> Moment {
        Moment { now_ms, ended: self.ends_ms.partition_point(|end| *end <= now_ms) }
    }

    pub(crate) fn patterns(&self, resource_type: ResourceType) -> &Patterns {
        self.index.of(resource_type)
    }

    pub(crate) const fn index(&self) -> &Index {
        &self.index
    }
}

/// The names of roles that are not in both alike.
fn differing<'a>(one: &'a Roles, other: &'a Roles) -> BTreeSet<&'a str> {
    let names = one.keys().chain(other.keys());
    names.filter(|name| one.get(*name) != other.get(*name)).map(String::as_str).collect()
}
