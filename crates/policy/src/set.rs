//! All ACLs, compiled for decisions.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use schloss_wire::Principal;

use crate::acl::Acl;
use crate::decision::{Decision, Reason, Subject};
use crate::host::HostRule;
use crate::kind::{Operation, PatternType, Permission, ResourceType, WILDCARD, is_reserved};
use crate::prefixes::Prefixes;

/// The principal of ACLs that concern everybody, of whatever type.
const EVERYBODY: &str = "User:*";

/// An immutable set of ACLs and super users, indexed so that a decision looks only at the ACLs of the asking
/// principal (and of everybody) on the asked resource.
#[derive(Debug)]
pub struct AclSet {
    acls: Vec<Arc<Acl>>,
    super_users: HashSet<Principal>,
    by_principal: HashMap<Box<str>, HashMap<ResourceType, Patterns>>,
    generation: u64,
}

/// The ACLs of one principal on one type of resource.
#[derive(Debug, Default)]
struct Patterns {
    literal: HashMap<Box<str>, Vec<Rule>>,
    prefixed: Prefixes<Vec<Rule>>,
}

/// One ACL as a decision needs it.
#[derive(Debug)]
struct Rule {
    host: HostRule,
    acl: Arc<Acl>,
}

impl AclSet {
    /// Compiles a set. `generation` must be another number after every change: caches go by it.
    ///
    /// ACLs are expected to have passed [`Acl::validate`]. Should one carry a host that can't be read, it
    /// fails closed: an ALLOW then allows nobody and a DENY denies from everywhere.
    #[must_use]
    pub fn new(acls: Vec<Acl>, super_users: Vec<Principal>, generation: u64) -> Self {
        let acls: Vec<Arc<Acl>> = acls.into_iter().map(Arc::new).collect();
        Self { by_principal: index(&acls), super_users: super_users.into_iter().collect(), acls, generation }
    }

    /// Every ACL, in the order given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Acl> {
        self.acls.iter().map(|acl| &**acl)
    }

    /// The generation given to [`AclSet::new`].
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether ACLs don't bind this principal.
    #[must_use]
    pub fn is_super_user(&self, principal: &Principal) -> bool {
        self.super_users.contains(principal)
    }

    /// Decides about one operation on one resource, in Kafka's order: super user, DENY, ALLOW, denied. What
    /// is reserved is denied before that.
    #[must_use]
    pub fn decide(
        &self,
        subject: &Subject,
        operation: Operation,
        resource_type: ResourceType,
        name: &str,
    ) -> Decision {
        let (allowed, reason) = self.judge(subject, operation, resource_type, name);
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
        let (allowed, reason) = self.judge_any(subject, operation, resource_type);
        Decision { allowed, enforced: true, operation, resource_type, resource_name: WILDCARD.into(), reason }
    }

    pub(crate) fn judge(
        &self,
        subject: &Subject,
        operation: Operation,
        resource_type: ResourceType,
        name: &str,
    ) -> (bool, Reason) {
        if is_reserved(resource_type, name) {
            return (false, Reason::Reserved);
        }
        if self.is_super_user(&subject.principal) {
            return (true, Reason::SuperUser);
        }
        let host = subject.host.to_canonical();
        let mut allowing = None;
        for rule in self.patterns(subject, resource_type).flat_map(|patterns| patterns.on(name)) {
            if rule.denies(operation, host) {
                return (false, Reason::Acl(Arc::clone(&rule.acl)));
            }
            if allowing.is_none() && rule.allows(operation, host) {
                allowing = Some(&rule.acl);
            }
        }
        match allowing {
            Some(acl) => (true, Reason::Acl(Arc::clone(acl))),
            None => (false, Reason::NoMatchingAcl),
        }
    }

    pub(crate) fn judge_any(
        &self,
        subject: &Subject,
        operation: Operation,
        resource_type: ResourceType,
    ) -> (bool, Reason) {
        if self.is_super_user(&subject.principal) {
            return (true, Reason::SuperUser);
        }
        let host = subject.host.to_canonical();
        for patterns in self.patterns(subject, resource_type) {
            if let Some(rule) = patterns.literally(WILDCARD).find(|rule| rule.denies(operation, host)) {
                return (false, Reason::Acl(Arc::clone(&rule.acl)));
            }
        }
        for (pattern, name, rules) in self.patterns(subject, resource_type).flat_map(Patterns::iter) {
            let Some(rule) = rules.iter().find(|rule| rule.allows(operation, host)) else { continue };
            let exact = pattern == PatternType::Literal;
            let all = exact && name == WILDCARD;
            // What an exact DENY leaves of a wildcard or of a prefix is still some resource.
            let dominating = |patterns: &Patterns| {
                let exactly = patterns.literally(name).filter(|_| exact);
                patterns.prefixed.of(name).flatten().chain(exactly).any(|rule| rule.denies(operation, host))
            };
            if all || !self.patterns(subject, resource_type).any(dominating) {
                return (true, Reason::Acl(Arc::clone(&rule.acl)));
            }
        }
        (false, Reason::NoneOfType)
    }

    /// The ACLs that may concern the subject: its own and everybody's.
    fn patterns(&self, subject: &Subject, resource_type: ResourceType) -> impl Iterator<Item = &Patterns> {
        [subject.principal.as_str(), EVERYBODY]
            .into_iter()
            .filter_map(move |principal| self.by_principal.get(principal)?.get(&resource_type))
    }
}

impl Patterns {
    /// The rules that take effect on `name`.
    fn on<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Rule> + use<'a> {
        self.literally(name).chain(self.literally(WILDCARD)).chain(self.prefixed.of(name).flatten())
    }

    fn literally<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Rule> + use<'a> {
        self.literal.get(name).into_iter().flatten()
    }

    fn iter(&self) -> impl Iterator<Item = (PatternType, &str, &Vec<Rule>)> {
        let literal = self.literal.iter().map(|(name, rules)| (PatternType::Literal, &**name, rules));
        literal.chain(self.prefixed.iter().map(|(name, rules)| (PatternType::Prefixed, name, rules)))
    }
}

impl Rule {
    fn new(acl: &Arc<Acl>) -> Option<Self> {
        let host = match (HostRule::parse(&acl.host), acl.permission) {
            (Some(host), _) => host,
            (None, Permission::Deny) => HostRule::Anywhere,
            (None, Permission::Allow) => return None,
        };
        Some(Self { host, acl: Arc::clone(acl) })
    }

    fn allows(&self, operation: Operation, host: IpAddr) -> bool {
        self.acl.permission == Permission::Allow
            && self.acl.operation.allows(operation)
            && self.host.matches(host)
    }

    fn denies(&self, operation: Operation, host: IpAddr) -> bool {
        self.acl.permission == Permission::Deny
            && self.acl.operation.denies(operation)
            && self.host.matches(host)
    }
}

fn index(acls: &[Arc<Acl>]) -> HashMap<Box<str>, HashMap<ResourceType, Patterns>> {
    type Names = HashMap<Box<str>, Vec<Rule>>;
    let mut collected: HashMap<&str, HashMap<ResourceType, (Names, Names)>> = HashMap::new();
    for acl in acls {
        let Some(rule) = Rule::new(acl) else { continue };
        let (literal, prefixed) =
            collected.entry(&acl.principal).or_default().entry(acl.resource_type).or_default();
        let names = match acl.pattern_type {
            PatternType::Literal => literal,
            PatternType::Prefixed => prefixed,
        };
        names.entry(acl.resource_name.as_str().into()).or_default().push(rule);
    }
    let compile = |(literal, prefixed): (Names, Names)| Patterns {
        literal,
        prefixed: Prefixes::new(prefixed.into_iter().collect()),
    };
    collected
        .into_iter()
        .map(|(principal, types)| {
            let types = types.into_iter().map(|(kind, names)| (kind, compile(names))).collect();
            (principal.into(), types)
        })
        .collect()
}
