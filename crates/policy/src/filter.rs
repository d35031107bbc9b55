//! Which ACLs a description or a deletion means.

use crate::acl::Acl;
use crate::kind::{Operation, PatternType, Permission, ResourceType, WILDCARD};

/// How a filter reads its resource name (KIP-290).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum PatternFilter {
    /// Any pattern with exactly this name.
    #[default]
    Any,
    /// Every pattern that takes effect on a resource of this name: the literal, the wildcard, its prefixes.
    Match,
    /// Patterns of this one type with exactly this name.
    Only(PatternType),
}

impl PatternFilter {
    /// The filter of this wire value; none for 0 (unknown) and values Kafka doesn't have.
    #[must_use]
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            1 => Some(Self::Any),
            2 => Some(Self::Match),
            _ => match PatternType::from_code(code) {
                Some(pattern) => Some(Self::Only(pattern)),
                None => None,
            },
        }
    }

    /// The wire value.
    #[must_use]
    pub const fn code(self) -> i8 {
        match self {
            Self::Any => 1,
            Self::Match => 2,
            Self::Only(pattern) => pattern.code(),
        }
    }
}

/// A filter over ACLs (Kafka's `AclBindingFilter`). What is `None` matches everything; the rest is compared
/// exactly: a filter on READ does not find an ACL on ALL.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct AclFilter {
    /// The resource type.
    pub resource_type: Option<ResourceType>,
    /// How `resource_name` is read.
    pub pattern: PatternFilter,
    /// The resource name.
    pub resource_name: Option<String>,
    /// The principal, `Type:name`.
    pub principal: Option<String>,
    /// The host as it was written.
    pub host: Option<String>,
    /// The operation.
    pub operation: Option<Operation>,
    /// The permission.
    pub permission: Option<Permission>,
}

impl AclFilter {
    /// Whether the filter means this ACL.
    #[must_use]
    pub fn matches(&self, acl: &Acl) -> bool {
        fn any_or<T: PartialEq>(wanted: Option<&T>, actual: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == actual)
        }
        any_or(self.resource_type.as_ref(), &acl.resource_type)
            && self.matches_name(acl)
            && any_or(self.principal.as_ref(), &acl.principal)
            && any_or(self.host.as_ref(), &acl.host)
            && any_or(self.operation.as_ref(), &acl.operation)
            && any_or(self.permission.as_ref(), &acl.permission)
    }

    /// The one ACL that it can mean, if it says all of it.
    pub(crate) fn as_acl(&self) -> Option<Acl> {
        let PatternFilter::Only(pattern_type) = self.pattern else { return None };
        Some(Acl {
            resource_type: self.resource_type?,
            pattern_type,
            resource_name: self.resource_name.clone()?,
            principal: self.principal.clone()?,
            host: self.host.clone()?,
            operation: self.operation?,
            permission: self.permission?,
        })
    }

    fn matches_name(&self, acl: &Acl) -> bool {
        if let PatternFilter::Only(pattern) = self.pattern
            && pattern != acl.pattern_type
        {
            return false;
        }
        let Some(name) = &self.resource_name else { return true };
        match (self.pattern, acl.pattern_type) {
            (PatternFilter::Match, PatternType::Literal) => {
                *name == acl.resource_name || acl.resource_name == WILDCARD
            }
            (PatternFilter::Match, PatternType::Prefixed) => name.starts_with(&acl.resource_name),
            (PatternFilter::Any | PatternFilter::Only(_), _) => *name == acl.resource_name,
        }
    }
}
