//! ACLs, as codes of the wire: their names belong to `policy`.

use schloss_wire::messages::create_acls_request::AclCreation;
use schloss_wire::messages::delete_acls_request::DeleteAclsFilter;
use schloss_wire::messages::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};
use schloss_wire::{StrBytes, build};

use super::Cluster;
use super::topics::NO_RESULT;
use crate::error::{ClientError, Need};

/// `ANY` of resource types, pattern types, operations and permissions.
const ANY: i8 = 1;

/// An ACL; the numbers are Kafka's codes (`AclBinding`).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AclEntry {
    /// Topic 2, group 3, cluster 4, transactional id 5, delegation token 6, user 7.
    pub resource_type: i8,
    /// Name, prefix or `*`; `kafka-cluster` for the cluster.
    pub resource_name: String,
    /// Literal 3, prefixed 4.
    pub pattern_type: i8,
    /// `User:alice` or `User:*`.
    pub principal: String,
    /// An address, a network, or `*`.
    pub host: String,
    /// All 2, read 3, write 4 and so on.
    pub operation: i8,
    /// Deny 2, allow 3.
    pub permission: i8,
}

/// Which ACLs are meant; what is `None` matches all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AclEntryFilter {
    /// As in [`AclEntry`].
    pub resource_type: Option<i8>,
    /// As in [`AclEntry`].
    pub resource_name: Option<String>,
    /// As in [`AclEntry`], and 2 (match): every pattern that covers the name.
    pub pattern_type: Option<i8>,
    /// As in [`AclEntry`].
    pub principal: Option<String>,
    /// As in [`AclEntry`].
    pub host: Option<String>,
    /// As in [`AclEntry`].
    pub operation: Option<i8>,
    /// As in [`AclEntry`].
    pub permission: Option<i8>,
}

impl Cluster {
    /// Adds ACLs; the results are in the order of `entries`.
    ///
    /// # Errors
    /// The call as a whole failed; what became of each ACL is in its own result.
    pub async fn create_acls(
        &mut self,
        entries: &[AclEntry],
    ) -> Result<Vec<Result<(), ClientError>>, ClientError> {
        let creations = entries.iter().map(|entry| {
            build!(AclCreation {
                resource_type: entry.resource_type,
                resource_name: StrBytes::from(entry.resource_name.as_str()),
                resource_pattern_type: entry.pattern_type,
                principal: StrBytes::from(entry.principal.as_str()),
                host: StrBytes::from(entry.host.as_str()),
                operation: entry.operation,
                permission_type: entry.permission,
            })
        });
        let request = build!(CreateAclsRequest { creations: creations.collect() });
        let response = self
            .call_controller(&request, |response| {
                response.results.first().map_or(NO_RESULT, |result| result.error_code)
            })
            .await?;
        let mut results = response.results.iter();
        Ok(entries
            .iter()
            .map(|_| {
                let result = results.next();
                let message = result.and_then(|result| result.error_message.as_deref());
                let code = result.map_or(NO_RESULT, |result| result.error_code);
                self.check(code, message, &Need::cluster("ALTER"), || "adding an ACL".to_owned())
            })
            .collect())
    }

    /// The ACLs that match, sorted.
    ///
    /// # Errors
    /// The user lacks `DESCRIBE` on the cluster, or the broker has no authorizer.
    pub async fn describe_acls(&mut self, filter: &AclEntryFilter) -> Result<Vec<AclEntry>, ClientError> {
        let request = build!(DescribeAclsRequest {
            resource_type_filter: filter.resource_type.unwrap_or(ANY),
            resource_name_filter: filter.resource_name.as_deref().map(StrBytes::from),
            pattern_type_filter: filter.pattern_type.unwrap_or(ANY),
            principal_filter: filter.principal.as_deref().map(StrBytes::from),
            host_filter: filter.host.as_deref().map(StrBytes::from),
            operation: filter.operation.unwrap_or(ANY),
            permission_type: filter.permission.unwrap_or(ANY),
        });
        let response = self.call_any(&request).await?;
        let message = response.error_message.as_deref();
        self.check(response.error_code, message, &Need::cluster("DESCRIBE"), || "listing ACLs".to_owned())?;
        let mut entries = Vec::new();
        for resource in response.resources {
            entries.extend(resource.acls.iter().map(|acl| AclEntry {
                resource_type: resource.resource_type,
                resource_name: resource.resource_name.to_string(),
                pattern_type: resource.pattern_type,
                principal: acl.principal.to_string(),
                host: acl.host.to_string(),
                operation: acl.operation,
                permission: acl.permission_type,
            }));
        }
        entries.sort();
        Ok(entries)
    }

    /// Removes the ACLs that match any of `filters` and returns them.
    ///
    /// # Errors
    /// The user lacks `ALTER` on the cluster, or one could not be removed.
    pub async fn delete_acls(&mut self, filters: &[AclEntryFilter]) -> Result<Vec<AclEntry>, ClientError> {
        let wire = filters.iter().map(|filter| {
            build!(DeleteAclsFilter {
                resource_type_filter: filter.resource_type.unwrap_or(ANY),
                resource_name_filter: filter.resource_name.as_deref().map(StrBytes::from),
                pattern_type_filter: filter.pattern_type.unwrap_or(ANY),
                principal_filter: filter.principal.as_deref().map(StrBytes::from),
                host_filter: filter.host.as_deref().map(StrBytes::from),
                operation: filter.operation.unwrap_or(ANY),
                permission_type: filter.permission.unwrap_or(ANY),
            })
        });
        let request = build!(DeleteAclsRequest { filters: wire.collect() });
        let response = self
            .call_controller(&request, |response| {
                response.filter_results.first().map_or(NO_RESULT, |result| result.error_code)
            })
            .await?;
        let mut removed = Vec::new();
        for result in response.filter_results {
            let need = Need::cluster("ALTER");
            let doing = || "removing ACLs".to_owned();
            self.check(result.error_code, result.error_message.as_deref(), &need, doing)?;
            for acl in result.matching_acls {
                self.check(acl.error_code, acl.error_message.as_deref(), &need, doing)?;
                removed.push(AclEntry {
                    resource_type: acl.resource_type,
                    resource_name: acl.resource_name.to_string(),
                    pattern_type: acl.pattern_type,
                    principal: acl.principal.to_string(),
                    host: acl.host.to_string(),
                    operation: acl.operation,
                    permission: acl.permission_type,
                });
            }
        }
        removed.sort();
        Ok(removed)
    }
}
