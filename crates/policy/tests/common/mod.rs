//! What groups and roles mean, in ACLs alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests are tests too")]

use std::collections::BTreeSet;

use schloss_policy::{Acl, Bindings, Groups, Permission, grants_of};
use schloss_wire::Principal;

/// A group's rules held by each member, a role's operations as ACLs.
pub(crate) fn spelled_out(acls: &[Acl], groups: &Groups, bindings: &Bindings) -> Vec<Acl> {
    let mut plain: BTreeSet<Acl> = acls.iter().cloned().collect();
    for binding in bindings {
        let Some(pattern) = &binding.resource else { continue };
        let operations =
            grants_of(&binding.role, &Default::default()).unwrap().remove(&pattern.resource_type);
        for operation in operations.unwrap_or_default() {
            plain.insert(Acl {
                resource_type: pattern.resource_type,
                pattern_type: pattern.pattern_type,
                resource_name: pattern.resource_name.clone(),
                principal: binding.principal.to_string(),
                host: "*".to_owned(),
                operation,
                permission: Permission::Allow,
            });
        }
    }
    let held = |acl: &Acl| -> Vec<Acl> {
        let holder: Principal = acl.principal.parse().unwrap();
        if !holder.is_group() {
            return vec![acl.clone()];
        }
        let members = groups.get(holder.name()).into_iter().flatten();
        members.map(|member| Acl { principal: member.to_string(), ..acl.clone() }).collect()
    };
    let all: BTreeSet<Acl> = plain.iter().flat_map(held).collect();
    all.into_iter().collect()
}
