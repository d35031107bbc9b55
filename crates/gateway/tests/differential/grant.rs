//! ACLs in words: `allow read topic a`, `deny all topic pre* from 10.1.2.3`, `allow create cluster`.

use schloss_client::AclEntry;
use schloss_policy::{Acl, CLUSTER_NAME, Operation, PatternType, Permission, ResourceType, WILDCARD};

use crate::names::Names;

/// What coordinators keep.
const KEPT: [ResourceType; 2] = [ResourceType::Group, ResourceType::TransactionalId];

/// The ACL of a user that these words say, of one twin's resources.
pub(crate) fn acl(words: &str, user: &str, names: &Names) -> Acl {
    let mut words = words.split(' ');
    let permission: Permission = words.next().unwrap().parse().unwrap();
    let operation: Operation = words.next().unwrap().parse().unwrap();
    let resource_type: ResourceType = words.next().unwrap().parse().unwrap();
    let (pattern_type, resource_name) = match words.next().filter(|word| *word != "from") {
        None => (PatternType::Literal, CLUSTER_NAME.to_owned()),
        Some(WILDCARD) => (PatternType::Literal, WILDCARD.to_owned()),
        Some(name) => match name.strip_suffix('*') {
            Some(prefix) => (PatternType::Prefixed, names.name(prefix)),
            None if resource_type == ResourceType::User => {
                (PatternType::Literal, format!("User:{}", names.name(name)))
            }
            None if KEPT.contains(&resource_type) => (PatternType::Literal, names.kept(name)),
            None => (PatternType::Literal, names.name(name)),
        },
    };
    Acl {
        resource_type,
        pattern_type,
        resource_name,
        principal: format!("User:{user}"),
        host: words.next_back().unwrap_or("*").to_owned(),
        operation,
        permission,
    }
}

/// The same as the client sends it.
pub(crate) fn entry(acl: &Acl) -> AclEntry {
    AclEntry {
        resource_type: acl.resource_type.code(),
        resource_name: acl.resource_name.clone(),
        pattern_type: acl.pattern_type.code(),
        principal: acl.principal.clone(),
        host: acl.host.clone(),
        operation: acl.operation.code(),
        permission: acl.permission.code(),
    }
}
