//! ACLs, groups and roles, compiled for decisions.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use schloss_wire::Principal;

use crate::acl::Acl;
use crate::binding::{Binding, Bindings};
use crate::decision::{Decision, Reason, Subject};
use crate::group::Groups;
use crate::index::{Collector, Id, Ids, Index, Patterns};
use crate::kind::{CLUSTER_NAME, Operation, PatternType, ResourceType, WILDCARD, is_reserved};
use crate::role::{Roles, grants_of};
use crate::rule::Rule;

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

/// An immutable set of ACLs, local groups, role bindings and super users, indexed so that a decision looks only
/// at the rules of the asking principal, of its groups and of everybody on the asked resource.
#[derive(Debug)]
pub struct AclSet {
    acls: Vec<Arc<Acl>>,
    groups: Arc<Groups>,
    roles: Arc<Roles>,
    bindings: Arc<Bindings>,
    super_users: HashSet<Principal>,
    ids: HashMap<Box<str>, Id>,
    /// By number.
    names: Vec<Principal>,
    /// The local groups of their members, as far as rules name them.
    memberships: HashMap<Principal, Vec<Id>>,
    index: Index,
    /// When bindings end, in milliseconds since 1970, ascending.
    ends_ms: Vec<u64>,
    generation: u64,
}

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
    /// Compiles ACLs alone. `generation` must be another number after every change: caches go by it.
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
        let acls: Vec<Arc<Acl>> = acls.into_iter().map(Arc::new).collect();
        let mut numbers = Numbers::default();
        let mut collector = Collector::default();
        for acl in &acls {
            let Some(rule) = Rule::of_acl(acl) else { continue };
            let Some(holder) = numbers.of(&acl.principal) else { continue };
            collector.add(holder, (acl.resource_type, acl.pattern_type, &acl.resource_name), rule);
        }
        for binding in bindings.iter() {
            bind(&mut collector, &mut numbers, binding, &roles);
        }
        let mut ends_ms: Vec<u64> =
            bindings.iter().map(Binding::ends_ms).filter(|end| *end != u64::MAX).collect();
        ends_ms.sort_unstable();
        let Numbers { ids, names } = numbers;
        let mut memberships: HashMap<Principal, Vec<Id>> = HashMap::new();
        for (group, members) in groups.iter() {
            let Some(id) = ids.get(Principal::group(group).as_str()) else { continue };
            for member in members {
                memberships.entry(member.clone()).or_default().push(*id);
            }
        }
        let super_users = super_users.into_iter().collect();
        let index = collector.finish();
        Self {
            acls,
            groups,
            roles,
            bindings,
            super_users,
            ids,
            names,
            memberships,
            index,
            ends_ms,
            generation,
        }
    }

    /// Every ACL, in the order given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Acl> {
        self.acls.iter().map(|acl| &**acl)
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

    /// The local groups that this principal is in.
    pub fn groups_of<'a>(&'a self, principal: &'a Principal) -> impl Iterator<Item = &'a str> {
        let holds = |(name, members): (&'a String, &'a crate::Members)| {
            members.contains(principal).then_some(name.as_str())
        };
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
        let mut allowing: Option<&Rule> = None;
        let patterns = self.index.of(resource_type);
        let holders = patterns.into_iter().flat_map(|patterns| patterns.on(name));
        for rule in holders.flat_map(|holders| holders.of(&who.ids)) {
            if rule.denies(operation, who.host, now_ms) {
                return (false, rule.reason());
            }
            if allowing.is_none() && rule.allows(operation, who.host, now_ms) {
                allowing = Some(rule);
            }
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
        let Some(patterns) = self.index.of(resource_type) else { return (false, Reason::NoneOfType) };
        let denial = |pattern: PatternType, name: &str| {
            let holders = patterns.exactly(pattern, name)?;
            holders.of(&who.ids).find(|rule| rule.denies(operation, who.host, now_ms))
        };
        if let Some(rule) = denial(PatternType::Literal, WILDCARD) {
            return (false, rule.reason());
        }
        for (id, place) in who.ids.iter().flat_map(|id| self.index.places(*id).map(move |place| (id, place)))
        {
            let (pattern, name) = (place.pattern_type, &*place.name);
            if place.resource_type != resource_type {
                continue;
            }
            let mine = patterns.exactly(pattern, name).into_iter();
            let mut mine = mine.flat_map(|holders| holders.of(std::slice::from_ref(id)));
            let Some(rule) = mine.find(|rule| rule.allows_by_name(operation, who.host, now_ms)) else {
                continue;
            };
            let is_exact = pattern == PatternType::Literal;
            let is_all = is_exact && name == WILDCARD;
            // What an exact DENY leaves of a wildcard or of a prefix is still some resource.
            let mut dominating = patterns.prefixes_of(name).flat_map(|holders| holders.of(&who.ids));
            let mut is_dominated = || {
                dominating.any(|rule| rule.denies(operation, who.host, now_ms))
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
        let id = |principal: &Principal| self.ids.get(principal.as_str()).copied();
        let local = self.memberships.get(&subject.principal).into_iter().flatten().copied();
        let mut ids: Ids = id(&subject.principal)
            .into_iter()
            .chain(self.ids.get(EVERYBODY).copied())
            .chain(subject.groups.iter().filter_map(id))
            .chain(local)
            .collect();
        ids.sort_unstable();
        ids.dedup();
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

    pub(crate) fn patterns(&self, resource_type: ResourceType) -> Option<&Patterns> {
        self.index.of(resource_type)
    }

    pub(crate) const fn index(&self) -> &Index {
        &self.index
    }

    /// The principal of this number.
    pub(crate) fn principal(&self, Id(number): Id) -> Option<&Principal> {
        self.names.get(usize::try_from(number).ok()?)
    }
}

/// Numbers principals in the order in which they come up.
#[derive(Default)]
struct Numbers {
    ids: HashMap<Box<str>, Id>,
    names: Vec<Principal>,
}

impl Numbers {
    /// None for text that is no principal, and so nobody's.
    fn of(&mut self, principal: &str) -> Option<Id> {
        if let Some(id) = self.ids.get(principal) {
            return Some(*id);
        }
        let id = Id(u32::try_from(self.names.len()).ok()?);
        self.names.push(principal.parse().ok()?);
        self.ids.insert(principal.into(), id);
        Some(id)
    }
}

/// Adds what a binding allows, type by type.
fn bind(collector: &mut Collector, numbers: &mut Numbers, binding: &Binding, roles: &Roles) {
    let Some(grants) = grants_of(&binding.role, roles) else { return };
    let Some(holder) = numbers.of(binding.principal.as_str()) else { return };
    let shared = Arc::new(binding.clone());
    for (resource_type, operations) in &grants {
        let rule = || Rule::of_binding(&shared, operations);
        match &binding.resource {
            Some(on) if on.resource_type == *resource_type => {
                collector.add(holder, (*resource_type, on.pattern_type, &on.resource_name), rule());
            }
            Some(_) => {}
            None => {
                let all = if *resource_type == ResourceType::Cluster { CLUSTER_NAME } else { WILDCARD };
                collector.add(holder, (*resource_type, PatternType::Literal, all), rule());
            }
        }
    }
}
