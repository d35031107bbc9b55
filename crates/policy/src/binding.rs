//! Who has which role, on what, until when.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use schloss_wire::Principal;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::acl::AclError;
use crate::kind::{CLUSTER_NAME, PatternType, ResourceType};
use crate::role::{RoleError, Roles, grants_of};

/// All bindings.
pub type Bindings = BTreeSet<Binding>;

/// The resources that a binding is on.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// Their type.
    pub resource_type: ResourceType,
    /// Whether `resource_name` is a whole name or the beginning of names.
    pub pattern_type: PatternType,
    /// The name; the literal `*` stands for every resource of the type.
    pub resource_name: String,
}

/// A role in the hands of a user or group. Two bindings that differ in their end alone are the same one.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The name of the role.
    pub role: String,
    /// `User:name` or `Group:name`.
    pub principal: Principal,
    /// On which resources; none for the whole cluster: itself and everything in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Pattern>,
    /// From when on it is not in force any more.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub expires: Option<OffsetDateTime>,
}

impl Binding {
    /// Checks that it can mean something.
    ///
    /// # Errors
    /// What is wrong, in words for whoever made it.
    pub fn validate(&self, made: &Roles) -> Result<(), RoleError> {
        let grants = grants_of(&self.role, made).ok_or_else(|| RoleError::Unknown(self.role.clone()))?;
        let name = self.principal.name();
        let is_one =
            matches!(self.principal.kind(), Principal::USER | Principal::GROUP) && name.len() <= MAX_BYTES;
        if !is_one {
            return Err(RoleError::Principal(self.principal.to_string()));
        }
        let Some(pattern) = &self.resource else { return Ok(()) };
        pattern.validate()?;
        if !grants.contains_key(&pattern.resource_type) {
            return Err(RoleError::NothingThere {
                role: self.role.clone(),
                resource_type: pattern.resource_type,
                known: grants.into_keys().collect(),
            });
        }
        Ok(())
    }

    /// From when on it is not in force, in milliseconds since 1970; the last moment there is if it does not end.
    pub(crate) fn ends_ms(&self) -> u64 {
        self.expires
            .map_or(u64::MAX, |end| u64::try_from(end.unix_timestamp_nanos() / 1_000_000).unwrap_or_default())
    }

    /// What tells it from others.
    fn key(&self) -> (&str, &Principal, Option<&Pattern>) {
        (&self.role, &self.principal, self.resource.as_ref())
    }
}

/// Longest name in bytes: that of a Kafka string.
const MAX_BYTES: usize = i16::MAX as usize;

impl Pattern {
    fn validate(&self) -> Result<(), AclError> {
        let name = &self.resource_name;
        if name.is_empty() {
            return Err(AclError::EmptyName(self.resource_type));
        }
        if name.len() > MAX_BYTES {
            return Err(AclError::TooLong { what: "resource name", bytes: name.len() });
        }
        if self.resource_type == ResourceType::Cluster && name != CLUSTER_NAME {
            return Err(AclError::NotTheCluster(name.clone()));
        }
        Ok(())
    }
}

impl PartialEq for Binding {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Binding {}

impl PartialOrd for Binding {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Binding {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource_type, pattern_type, resource_name } = self;
        write!(formatter, "{resource_type} {pattern_type} {resource_name}")
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "role {} of {} on ", self.role, self.principal)?;
        match &self.resource {
            Some(pattern) => pattern.fmt(formatter)?,
            None => formatter.write_str("the cluster")?,
        }
        match self.expires.map(|end| end.format(&Rfc3339)) {
            Some(Ok(end)) => write!(formatter, " until {end}"),
            _ => Ok(()),
        }
    }
}
