//! Local groups: who is in them is known here, without a directory.

use std::collections::{BTreeMap, BTreeSet};

use schloss_wire::Principal;

use crate::role::{RoleError, check_name};

/// The members of a group.
pub type Members = BTreeSet<Principal>;

/// Local groups by their name, without `Group:`.
pub type Groups = BTreeMap<String, Members>;

/// Checks that a group can be made.
///
/// # Errors
/// The name is none, or a member is a group itself.
pub fn check_group(name: &str, members: &Members) -> Result<(), RoleError> {
    check_name("group", name)?;
    match members.iter().find(|member| member.is_group()) {
        Some(member) => Err(RoleError::Member(member.to_string())),
        None => Ok(()),
    }
}
