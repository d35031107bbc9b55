//! ACLs and filters between their wire form and policy's.

use schloss_policy::{Acl, AclFilter, Operation, PatternFilter, PatternType, Permission, ResourceType};
use schloss_wire::StrBytes;
use schloss_wire::messages::create_acls_request::AclCreation;
use serde_json::{Value, json};

/// The code that stands for "any" in filters.
const ANY: i8 = 1;

/// The seven fields of a filter as both DescribeAcls and DeleteAcls carry them.
pub(super) struct WireFilter<'a> {
    pub(super) resource_type: i8,
    pub(super) resource_name: Option<&'a StrBytes>,
    pub(super) pattern_type: i8,
    pub(super) principal: Option<&'a StrBytes>,
    pub(super) host: Option<&'a StrBytes>,
    pub(super) operation: i8,
    pub(super) permission: i8,
}

impl WireFilter<'_> {
    /// # Errors
    /// What is wrong, in words for the client.
    pub(super) fn read(&self) -> Result<AclFilter, String> {
        let text = |text: Option<&StrBytes>| text.map(|text| text.as_str().to_owned());
        Ok(AclFilter {
            resource_type: or_any(self.resource_type, ResourceType::from_code, "resource type")?,
            pattern: PatternFilter::from_code(self.pattern_type)
                .ok_or_else(|| format!("pattern type {} is unknown", self.pattern_type))?,
            resource_name: text(self.resource_name),
            principal: text(self.principal),
            host: text(self.host),
            operation: or_any(self.operation, Operation::from_code, "operation")?,
            permission: or_any(self.permission, Permission::from_code, "permission type")?,
        })
    }
}

/// # Errors
/// What is wrong, in words for the client.
pub(super) fn read_creation(creation: &AclCreation) -> Result<Acl, String> {
    Ok(Acl {
        resource_type: exact(creation.resource_type, ResourceType::from_code, "resource type")?,
        pattern_type: exact(creation.resource_pattern_type, PatternType::from_code, "pattern type")?,
        resource_name: creation.resource_name.to_string(),
        principal: creation.principal.to_string(),
        host: creation.host.to_string(),
        operation: exact(creation.operation, Operation::from_code, "operation")?,
        permission: exact(creation.permission_type, Permission::from_code, "permission type")?,
    })
}

/// An ACL for the audit trail.
pub(super) fn shown(acl: &Acl) -> Value {
    json!({
        "resourceType": acl.resource_type.name(),
        "patternType": acl.pattern_type.name(),
        "resourceName": acl.resource_name,
        "principal": acl.principal,
        "host": acl.host,
        "operation": acl.operation.name(),
        "permission": acl.permission.name(),
    })
}

fn or_any<T>(code: i8, read: impl Fn(i8) -> Option<T>, what: &str) -> Result<Option<T>, String> {
    if code == ANY { Ok(None) } else { exact(code, read, what).map(Some) }
}

fn exact<T>(code: i8, read: impl Fn(i8) -> Option<T>, what: &str) -> Result<T, String> {
    read(code).ok_or_else(|| format!("{what} {code} can't be used here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(
        resource_type: i8,
        pattern_type: i8,
        operation: i8,
        permission: i8,
    ) -> Result<AclFilter, String> {
        let (resource_name, principal, host) = (None, None, None);
        WireFilter { resource_type, resource_name, pattern_type, principal, host, operation, permission }
            .read()
    }

    #[test]
    fn any_is_no_restriction_and_unknown_is_refused() {
        assert_eq!(filter(1, 1, 1, 1), Ok(AclFilter::default()));
        for (resource_type, pattern_type, operation, permission) in
            [(0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0), (99, 1, 1, 1), (1, 9, 1, 1)]
        {
            assert!(filter(resource_type, pattern_type, operation, permission).is_err());
        }
    }

    #[test]
    fn a_new_acl_may_not_say_any_or_match() {
        let good = || {
            schloss_wire::build!(AclCreation {
                resource_type: 2,
                resource_name: "orders".into(),
                resource_pattern_type: 3,
                principal: "User:a".into(),
                host: "*".into(),
                operation: 3,
                permission_type: 3
            })
        };
        assert!(read_creation(&good()).is_ok());
        for break_it in [
            (|acl| acl.resource_type = 1) as fn(&mut AclCreation),
            |acl| acl.resource_pattern_type = 2,
            |acl| acl.operation = 1,
            |acl| acl.permission_type = 1,
        ] {
            let mut bad = good();
            break_it(&mut bad);
            assert!(read_creation(&bad).is_err());
        }
    }
}
