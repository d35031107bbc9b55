//! One ACL, and what makes it acceptable.

use std::fmt;

use schloss_wire::{Principal, PrincipalError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::host::HostRule;
use crate::kind::{CLUSTER_NAME, Operation, PatternType, Permission, ResourceType};

/// One rule: who may or may not do what to which resources, from where (Kafka's `AclBinding`).
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Acl {
    /// The type of the resources.
    pub resource_type: ResourceType,
    /// Whether `resource_name` is a whole name or the beginning of names.
    pub pattern_type: PatternType,
    /// The name; the literal `*` stands for every resource of the type.
    pub resource_name: String,
    /// `Type:name`, such as `User:alice`; `User:*` stands for everybody.
    pub principal: String,
    /// `*`, an IP address, or a network in CIDR form.
    pub host: String,
    /// The operation; ALL covers every one.
    pub operation: Operation,
    /// Which way it decides.
    pub permission: Permission,
}

/// Why an ACL is not acceptable.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum AclError {
    /// The resource has no name.
    #[error("the resource name is empty: name a {0}, or use * for all")]
    EmptyName(ResourceType),
    /// The cluster has one name only.
    #[error("'{0}' is not the cluster: its only name is {CLUSTER_NAME}")]
    NotTheCluster(String),
    /// A name or principal that no protocol string can carry.
    #[error("the {what} has {bytes} bytes, more than the {MAX_TEXT_BYTES} that Kafka can carry")]
    TooLong {
        /// Which field.
        what: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// The principal is not `Type:name`.
    #[error(transparent)]
    Principal(#[from] PrincipalError),
    /// The host is not `*`, an address or a network.
    #[error("'{0}' is not a host: use *, an IP address, or a network such as 10.0.0.0/8")]
    Host(String),
    /// The operation means nothing on this resource.
    #[error("operation {operation} means nothing on a {resource_type}: use one of {}", choices(.resource_type))]
    Operation {
        /// The operation asked for.
        operation: Operation,
        /// The type of the resource.
        resource_type: ResourceType,
    },
}

/// Longest name or principal in bytes: that of a Kafka string.
const MAX_TEXT_BYTES: usize = i16::MAX as usize;

fn choices(resource_type: &ResourceType) -> String {
    let operations = resource_type.operations().iter().chain(&[Operation::All]);
    operations.map(|operation| operation.name()).collect::<Vec<_>>().join(", ")
}

impl Acl {
    /// Checks that this rule can mean something.
    ///
    /// # Errors
    /// What is wrong, in words for whoever wrote it.
    pub fn validate(&self) -> Result<(), AclError> {
        for (what, text) in [("resource name", &self.resource_name), ("principal", &self.principal)] {
            if text.len() > MAX_TEXT_BYTES {
                return Err(AclError::TooLong { what, bytes: text.len() });
            }
        }
        if self.resource_name.is_empty() {
            return Err(AclError::EmptyName(self.resource_type));
        }
        if self.resource_type == ResourceType::Cluster && self.resource_name != CLUSTER_NAME {
            return Err(AclError::NotTheCluster(self.resource_name.clone()));
        }
        self.principal.parse::<Principal>()?;
        if HostRule::parse(&self.host).is_none() {
            return Err(AclError::Host(self.host.clone()));
        }
        let meaningful =
            self.operation == Operation::All || self.resource_type.operations().contains(&self.operation);
        if !meaningful {
            let (operation, resource_type) = (self.operation, self.resource_type);
            return Err(AclError::Operation { operation, resource_type });
        }
        Ok(())
    }
}

impl fmt::Display for Acl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource_type, pattern_type, resource_name, principal, host, operation, permission } =
            self;
        write!(
            formatter,
            "ACL {permission} {principal} {operation} {resource_type} {pattern_type} {resource_name} from {host}"
        )
    }
}
