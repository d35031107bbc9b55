//! One rule as a decision needs it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::acl::Acl;
use crate::binding::Binding;
use crate::decision::Reason;
use crate::host::HostRule;
use crate::kind::{Operation, Permission};

/// A set of operations: bit `n` for the one with code `n`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Operations(u16);

/// What a rule comes from.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Origin {
    Acl(Arc<Acl>),
    Binding(Arc<Binding>),
}

/// What an ACL, or a binding on one kind of resource, allows or denies.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) origin: Origin,
    host: HostRule,
    pub(crate) allows: Operations,
    pub(crate) denies: Operations,
    /// From when on it is not in force, in milliseconds since 1970.
    ends_ms: u64,
}

impl Operations {
    /// Those of which `holds` says so.
    fn which(holds: impl Fn(Operation) -> bool) -> Self {
        let held = Operation::ALL.iter().filter(|operation| holds(**operation));
        Self(held.fold(0, |bits, operation| bits | 1 << operation.code()))
    }

    pub(crate) const fn has(self, operation: Operation) -> bool {
        self.0 >> operation.code() & 1 == 1
    }
}

impl Rule {
    /// The rule of an ACL. Should its host be unreadable, it fails closed: none if it allows, everywhere if it
    /// denies.
    pub(crate) fn of_acl(acl: &Arc<Acl>) -> Option<Self> {
        let host = match (HostRule::parse(&acl.host), acl.permission) {
            (Some(host), _) => host,
            (None, Permission::Deny) => HostRule::Anywhere,
            (None, Permission::Allow) => return None,
        };
        let (allows, denies) = match acl.permission {
            Permission::Allow => {
                (Operations::which(|asked| acl.operation.allows(asked)), Operations::default())
            }
            Permission::Deny => {
                (Operations::default(), Operations::which(|asked| acl.operation.denies(asked)))
            }
        };
        Some(Self { origin: Origin::Acl(Arc::clone(acl)), host, allows, denies, ends_ms: u64::MAX })
    }

    /// The rule of a binding, on resources on which its role holds these operations.
    pub(crate) fn of_binding<'a>(
        binding: &Arc<Binding>,
        held: impl IntoIterator<Item = &'a Operation> + Clone,
    ) -> Self {
        let holds = |asked| held.clone().into_iter().any(|held| held.allows(asked));
        Self {
            origin: Origin::Binding(Arc::clone(binding)),
            host: HostRule::Anywhere,
            allows: Operations::which(holds),
            denies: Operations::default(),
            ends_ms: binding.ends_ms(),
        }
    }

    /// Whether it says so of the operation itself, not of one that implies it: what Kafka goes by where no
    /// resource is named.
    pub(crate) fn allows_by_name(&self, operation: Operation, host: IpAddr, now_ms: u64) -> bool {
        let is_named = match &self.origin {
            Origin::Acl(acl) => matches!(acl.operation, Operation::All) || acl.operation == operation,
            // Roles name all that they allow.
            Origin::Binding(_) => true,
        };
        is_named && self.allows.has(operation) && self.is_in_force(host, now_ms)
    }

    /// Whether it is about this operation, from wherever and whenever.
    pub(crate) const fn is_about(&self, operation: Operation) -> bool {
        self.allows.has(operation) || self.denies.has(operation)
    }

    pub(crate) fn is_deny(&self) -> bool {
        self.denies != Operations::default()
    }

    pub(crate) fn is_here(&self, host: IpAddr) -> bool {
        self.host.matches(host)
    }

    pub(crate) const fn is_anywhere(&self) -> bool {
        matches!(self.host, HostRule::Anywhere)
    }

    pub(crate) const fn is_over(&self, now_ms: u64) -> bool {
        self.ends_ms <= now_ms
    }

    pub(crate) fn is_in_force(&self, host: IpAddr, now_ms: u64) -> bool {
        !self.is_over(now_ms) && self.is_here(host)
    }

    pub(crate) fn reason(&self) -> Reason {
        match &self.origin {
            Origin::Acl(acl) => Reason::Acl(Arc::clone(acl)),
            Origin::Binding(binding) => Reason::Role(Arc::clone(binding)),
        }
    }
}
