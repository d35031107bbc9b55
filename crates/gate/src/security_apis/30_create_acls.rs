//! `30 CreateAcls`: one result per ACL, always; one that exists already is no error.

use std::sync::Arc;

use schloss_metadata::{Metadata, Refusal};
use schloss_policy::Acl;
use schloss_wire::messages::create_acls_request::AclCreation;
use schloss_wire::messages::create_acls_response::AclCreationResult;
use schloss_wire::messages::{CreateAclsRequest, CreateAclsResponse};
use schloss_wire::{ErrorCode, Response, build};
use serde_json::json;

use super::acl_codec::{read_creation, shown};
use crate::changes::Change;

pub(super) async fn serve(metadata: &Arc<Metadata>, request: CreateAclsRequest) -> (Response, Vec<Change>) {
    let read: Vec<Result<Acl, String>> = request.creations.iter().map(read_creation).collect();
    let good: Vec<Acl> = read.iter().flatten().cloned().collect();
    let outcomes = match metadata.add_acls(good).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            tracing::error!("can't add ACLs: {error}");
            let message = "the ACL could not be stored".to_owned();
            let refusal = Refusal { code: error.code(), message };
            read.iter().flatten().map(|_| Err(refusal.clone())).collect()
        }
    };
    let mut outcomes = outcomes.into_iter();
    let mut results = Vec::with_capacity(read.len());
    let mut changes = Vec::with_capacity(read.len());
    for (creation, acl) in request.creations.iter().zip(read) {
        let outcome = match &acl {
            Ok(_) => outcomes.next().unwrap_or(Ok(false)),
            Err(words) => Err(Refusal { code: ErrorCode::InvalidRequest, message: words.clone() }),
        };
        changes.push(change(creation, acl.as_ref().ok(), &outcome));
        results.push(result(outcome));
    }
    (build!(CreateAclsResponse { results }).into(), changes)
}

fn result(outcome: Result<bool, Refusal>) -> AclCreationResult {
    match outcome {
        Ok(_) => AclCreationResult::default(),
        Err(Refusal { code, message }) => {
            build!(AclCreationResult { error_code: code.code(), error_message: Some(message.into()) })
        }
    }
}

fn change(creation: &AclCreation, acl: Option<&Acl>, outcome: &Result<bool, Refusal>) -> Change {
    let what = json!({
        "action": "create",
        "acl": acl.map(shown),
        "existedBefore": matches!(outcome, Ok(false)),
    });
    let resource_type = acl.map_or("Acl", |acl| super::resource_type_name(acl.resource_type));
    let error = outcome.as_ref().err().map_or(0, |refusal| refusal.code.code());
    Change { error, ..Change::new(resource_type, creation.resource_name.as_str(), what) }
}
