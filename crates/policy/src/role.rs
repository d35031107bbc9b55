//! Roles: sets of operations under one name.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::kind::{Operation, ResourceType};

/// What a role allows on each type of resource.
pub type Grants = BTreeMap<ResourceType, BTreeSet<Operation>>;

/// The roles that somebody made, by name.
pub type Roles = BTreeMap<String, Grants>;

/// Longest name of a role or a group, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// A role that is always there.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in one sentence.
    pub purpose: &'static str,
    grants: &'static [(ResourceType, &'static [Operation])],
}

/// Why something can't be a role, a group or a binding.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum RoleError {
    /// The name is empty, too long, or holds what can't be printed.
    #[error(
        "'{name}' can't be the name of a {what}: use 1 to {MAX_NAME_BYTES} bytes without control characters"
    )]
    Name {
        /// Role or group.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The name is that of a built-in role.
    #[error("{0} is a built-in role: give yours another name")]
    BuiltIn(String),
    /// It allows nothing.
    #[error("role {0} allows nothing: give it at least one operation")]
    Empty(String),
    /// The operation means nothing on such a resource.
    #[error("operation {operation} means nothing on a {resource_type}")]
    Operation {
        /// The operation.
        operation: Operation,
        /// The type of the resource.
        resource_type: ResourceType,
    },
    /// There is no such role.
    #[error("there is no role {0}: 'schloss role list' shows which there are")]
    Unknown(String),
    /// The role allows nothing on resources of the type, so binding it there would do nothing.
    #[error("role {role} allows nothing on a {resource_type}: it is about {}", types(.known))]
    NothingThere {
        /// The role.
        role: String,
        /// The type asked for.
        resource_type: ResourceType,
        /// The types that it is about.
        known: Vec<ResourceType>,
    },
    /// A role can be bound to users and groups.
    #[error("a role is bound to User:name or Group:name, not to {0}")]
    Principal(String),
    /// A group in a group.
    #[error("{0} can't be a member of a group: members are users, and groups are not nested")]
    Member(String),
    /// The resource of a binding is none.
    #[error(transparent)]
    Resource(#[from] crate::acl::AclError),
}

fn types(known: &[ResourceType]) -> String {
    known.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
}

use Operation as O;
use ResourceType as R;

const ALL: &[Operation] = &[O::All];
/// What can be done to a topic without reading or writing its records.
const MANAGE_TOPIC: &[Operation] =
    &[O::Create, O::Delete, O::Alter, O::Describe, O::DescribeConfigs, O::AlterConfigs];
const MANAGE_GROUP: &[Operation] = &[O::Delete, O::Describe, O::DescribeConfigs, O::AlterConfigs];

/// Every built-in role, the mightiest first.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "SystemAdmin",
        purpose: "everything on everything",
        grants: &[
            (R::Topic, ALL),
            (R::Group, ALL),
            (R::Cluster, ALL),
            (R::TransactionalId, ALL),
            (R::DelegationToken, ALL),
            (R::User, ALL),
        ],
    },
    BuiltIn {
        name: "ClusterAdmin",
        purpose: "runs the cluster and its topics, without their records and without users and rights",
        grants: &[
            (R::Topic, MANAGE_TOPIC),
            (R::Group, MANAGE_GROUP),
            // ALTER on the cluster changes ACLs, so whoever has it has everything.
            (R::Cluster, &[O::Create, O::Describe, O::DescribeConfigs, O::AlterConfigs]),
            (R::TransactionalId, &[O::Describe]),
        ],
    },
    BuiltIn {
        name: "UserAdmin",
        purpose: "users, groups, roles, bindings and ACLs; can give itself every right",
        grants: &[
            (R::Cluster, &[O::Alter, O::Describe]),
            (R::DelegationToken, &[O::Describe]),
            (R::User, &[O::CreateTokens, O::DescribeTokens]),
        ],
    },
    BuiltIn {
        name: "SecurityAdmin",
        purpose: "sees users, rights and settings, and changes nothing",
        grants: &[
            (R::Topic, &[O::Describe, O::DescribeConfigs]),
            (R::Group, &[O::Describe, O::DescribeConfigs]),
            (R::Cluster, &[O::Describe, O::DescribeConfigs]),
            (R::TransactionalId, &[O::Describe]),
            (R::DelegationToken, &[O::Describe]),
            (R::User, &[O::DescribeTokens]),
        ],
    },
    BuiltIn {
        name: "Operator",
        purpose: "sees everything that runs and changes settings, without creating or deleting",
        grants: &[
            (R::Topic, &[O::Describe, O::DescribeConfigs, O::AlterConfigs]),
            (R::Group, &[O::Describe, O::DescribeConfigs, O::AlterConfigs]),
            (R::Cluster, &[O::Describe, O::DescribeConfigs, O::AlterConfigs]),
            (R::TransactionalId, &[O::Describe]),
        ],
    },
    BuiltIn {
        name: "ResourceOwner",
        purpose: "everything on topics, groups and transactional ids",
        grants: &[(R::Topic, ALL), (R::Group, ALL), (R::TransactionalId, ALL)],
    },
    BuiltIn {
        name: "DeveloperRead",
        purpose: "reads topics, with groups",
        grants: &[(R::Topic, &[O::Read, O::Describe]), (R::Group, &[O::Read, O::Describe])],
    },
    BuiltIn {
        name: "DeveloperWrite",
        purpose: "writes topics, with transactions",
        grants: &[
            (R::Topic, &[O::Write, O::Describe]),
            (R::Cluster, &[O::IdempotentWrite]),
            (R::TransactionalId, &[O::Write, O::Describe]),
        ],
    },
    BuiltIn {
        name: "DeveloperManage",
        purpose: "creates, changes and deletes topics and groups, without their records",
        grants: &[(R::Topic, MANAGE_TOPIC), (R::Group, MANAGE_GROUP), (R::TransactionalId, &[O::Describe])],
    },
];

impl BuiltIn {
    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        BUILT_IN.iter().find(|role| role.name == name)
    }

    /// What it allows.
    #[must_use]
    pub fn grants(&self) -> Grants {
        self.grants.iter().map(|(kind, operations)| (*kind, operations.iter().copied().collect())).collect()
    }
}

/// What the role of this name allows, built-in or made.
#[must_use]
pub fn grants_of(name: &str, made: &Roles) -> Option<Grants> {
    BuiltIn::named(name).map(BuiltIn::grants).or_else(|| made.get(name).cloned())
}

/// Checks that a role can be made.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_role(name: &str, grants: &Grants) -> Result<(), RoleError> {
    check_name("role", name)?;
    if BUILT_IN.iter().any(|role| role.name.eq_ignore_ascii_case(name)) {
        return Err(RoleError::BuiltIn(name.to_owned()));
    }
    if grants.values().all(BTreeSet::is_empty) {
        return Err(RoleError::Empty(name.to_owned()));
    }
    for (&resource_type, operations) in grants {
        let meaningless =
            |operation: &&O| **operation != O::All && !resource_type.operations().contains(operation);
        if let Some(&operation) = operations.iter().find(meaningless) {
            return Err(RoleError::Operation { operation, resource_type });
        }
    }
    Ok(())
}

/// Checks the name of a role or group.
///
/// # Errors
/// It is empty, too long, or holds what can't be printed.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), RoleError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(RoleError::Name {
            what,
            name: name.chars().filter(|c| !c.is_control()).take(80).collect(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_roles_hold_only_what_means_something() {
        for role in BUILT_IN {
            for (kind, operations) in role.grants() {
                for operation in operations {
                    assert!(operation == O::All || kind.operations().contains(&operation), "{}", role.name);
                }
            }
        }
    }

    #[test]
    fn only_two_roles_can_change_rights() {
        let mighty: Vec<&str> = BUILT_IN
            .iter()
            .filter(|role| {
                let grants = role.grants();
                let on_cluster = grants.get(&R::Cluster);
                on_cluster.is_some_and(|operations| operations.iter().any(|held| held.allows(O::Alter)))
            })
            .map(|role| role.name)
            .collect();
        assert_eq!(mighty, ["SystemAdmin", "UserAdmin"]);
    }

    #[test]
    fn a_role_has_a_name_of_its_own_and_allows_something_that_exists() {
        let reads: Grants = [(R::Topic, [O::Read].into())].into();
        assert_eq!(check_role("auditor", &reads), Ok(()));
        assert_eq!(check_role("systemadmin", &reads), Err(RoleError::BuiltIn("systemadmin".to_owned())));
        assert!(matches!(check_role("a\nb", &reads), Err(RoleError::Name { .. })));
        assert!(matches!(check_role(&"x".repeat(256), &reads), Err(RoleError::Name { .. })));
        assert!(matches!(check_role("none", &Grants::new()), Err(RoleError::Empty(_))));
        let odd: Grants = [(R::Group, [O::Write].into())].into();
        assert!(matches!(check_role("odd", &odd), Err(RoleError::Operation { .. })));
    }
}
