//! A decision and what it rests on.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use schloss_wire::Principal;

use crate::acl::Acl;
use crate::binding::Binding;
use crate::kind::{Operation, ResourceType};

/// Who asks, and from where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subject {
    /// The authenticated principal.
    pub principal: Principal,
    /// The groups that its proof or a directory says it is in, each `Group:name`. Local groups are not among
    /// them: the policy knows who is in those.
    pub groups: Arc<[Principal]>,
    /// The address of the connection's other end. A v4-mapped v6 address counts as the v4 address.
    pub host: IpAddr,
}

impl Subject {
    /// Somebody who is in no group but local ones.
    #[must_use]
    pub fn new(principal: Principal, host: IpAddr) -> Self {
        Self { principal, groups: Arc::default(), host }
    }

    /// Whether they are equal; quick where the groups are those of the same session.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let is_same_groups = Arc::ptr_eq(&self.groups, &other.groups) || self.groups == other.groups;
        self.host == other.host && self.principal == other.principal && is_same_groups
    }
}

/// What was decided about one operation on one resource, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// False when it went through although it is not allowed, because decisions are only observed.
    pub enforced: bool,
    /// The operation.
    pub operation: Operation,
    /// The type of the resource.
    pub resource_type: ResourceType,
    /// Its name; `*` when the question was about any resource of the type.
    pub resource_name: Arc<str>,
    /// The rule that decided.
    pub reason: Reason,
}

/// Which rule decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// The principal is a super user: ACLs are not consulted.
    SuperUser,
    /// This ACL allows or denies it.
    Acl(Arc<Acl>),
    /// This binding of a role allows it.
    Role(Arc<Binding>),
    /// No ACL matches, and what is not allowed is denied.
    NoMatchingAcl,
    /// The resource is Schloss's own; see [`is_reserved`](crate::is_reserved).
    Reserved,
    /// The question was about any resource of a type, and no ACL leaves one allowed.
    NoneOfType,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SuperUser => formatter.write_str("super user"),
            Self::Acl(acl) => acl.fmt(formatter),
            Self::Role(binding) => binding.fmt(formatter),
            Self::Reserved => formatter.write_str("reserved for Schloss itself"),
            Self::NoMatchingAcl => formatter.write_str("no ACL matches, denied by default"),
            Self::NoneOfType => {
                formatter.write_str("no ACL allows it on any resource of the type, denied by default")
            }
        }
    }
}
