//! Adding and deleting ACLs.

use std::collections::HashSet;
use std::sync::Arc;

use schloss_policy::{Acl, AclFilter};
use schloss_wire::ErrorCode;

use crate::error::{MetadataError, Refusal};
use crate::limits::MAX_ACLS;
use crate::metadata::Metadata;
use crate::record::Record;

impl Metadata {
    /// Adds ACLs, all in one change, and returns for each, in order, whether it is new; one that exists
    /// already is no error, as in Kafka.
    ///
    /// A change costs what is in it, not what is there; each is a write of the ledger: add many in one call.
    ///
    /// # Errors
    /// Nothing was added. What is wrong with one ACL is in its [`Refusal`] and does not hinder the others.
    pub async fn add_acls(
        self: &Arc<Self>,
        acls: Vec<Acl>,
    ) -> Result<Vec<Result<bool, Refusal>>, MetadataError> {
        self.change(|snapshot| {
            let known = snapshot.acls();
            let mut new: HashSet<&Acl> = HashSet::new();
            let outcomes: Vec<Result<bool, Refusal>> = acls
                .iter()
                .map(|acl| {
                    acl.validate()
                        .map_err(|error| Refusal::new(ErrorCode::InvalidRequest, error.to_string()))?;
                    if known.contains(acl) || new.contains(acl) {
                        return Ok(false);
                    }
                    if known.iter().len() + new.len() >= MAX_ACLS {
                        let message = format!("There can be no more than {MAX_ACLS} ACLs.");
                        return Err(Refusal::new(ErrorCode::PolicyViolation, message));
                    }
                    Ok(new.insert(acl))
                })
                .collect();
            let new = acls.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Ok(true));
            Ok((new.map(|(acl, _)| Record::Acl(acl.clone())).collect(), outcomes))
        })
        .await
    }

    /// Deletes the ACLs that filters find, all in one change, and returns for each filter, in order, what it
    /// found. An ACL that two filters find is returned for both.
    ///
    /// # Errors
    /// Nothing was deleted.
    pub async fn delete_acls(
        self: &Arc<Self>,
        filters: Vec<AclFilter>,
    ) -> Result<Vec<Vec<Acl>>, MetadataError> {
        self.change(|snapshot| {
            let found =
                |filter: &AclFilter| -> Vec<Acl> { snapshot.acls().matching(filter).cloned().collect() };
            let deleted: Vec<Vec<Acl>> = filters.iter().map(found).collect();
            let once: HashSet<&Acl> = deleted.iter().flatten().collect();
            Ok((once.into_iter().cloned().map(Record::AclDeleted).collect(), deleted))
        })
        .await
    }
}
