//! `1001 AlterSecurity`, Schloss's own: groups, roles, bindings, and policies as a whole.

use std::sync::Arc;

use schloss_metadata::security::{SecurityChange, Step};
use schloss_metadata::{ChangeError, Metadata};
use schloss_policy::Subject;
use schloss_wire::{AlterSecurityRequest, AlterSecurityResponse, ErrorCode, Response};
use serde_json::json;

use crate::changes::Change;

/// Steps of one change that get a record each in the audit trail; the rest of them share one.
const STEPS_MAX: usize = 10_000;

pub(super) async fn serve(
    metadata: &Arc<Metadata>,
    request: AlterSecurityRequest,
    caller: &Subject,
    keeps_quotas: bool,
) -> (Response, Vec<Change>) {
    let change: SecurityChange = match serde_json::from_slice(&request.document) {
        Ok(change) => change,
        Err(error) => {
            // The reader's words may quote what stands in the document, and credentials do.
            let (response, _) =
                refused(ErrorCode::InvalidRequest, format!("the change can't be read: {error}"));
            let (_, told) = refused(ErrorCode::InvalidRequest, "the change can't be read".to_owned());
            return (response, told);
        }
    };
    if let (SecurityChange::Apply { policy, .. }, false) = (&change, keeps_quotas)
        && policy.quotas.is_some()
    {
        let words = "the cluster behind this gateway keeps the quotas: leave the part 'quotas' out";
        return refused(ErrorCode::InvalidRequest, words.to_owned());
    }
    let dry_run = matches!(
        change,
        SecurityChange::Apply { dry_run: true, .. } | SecurityChange::Offboard { dry_run: true, .. }
    );
    match metadata.alter_security(change, caller).await {
        Ok(steps) => match serde_json::to_vec(&steps) {
            Ok(document) => {
                let response = AlterSecurityResponse { document: document.into(), ..Default::default() };
                (response.into(), if dry_run { vec![planned(steps.len())] } else { changes(&steps) })
            }
            Err(error) => {
                refused(ErrorCode::UnknownServerError, format!("the answer can't be written: {error}"))
            }
        },
        Err(ChangeError::Refused(refusal)) => refused(refusal.code, refusal.message),
        Err(ChangeError::Metadata(error)) => {
            tracing::error!("can't change groups, roles or policy: {error}");
            refused(error.code(), "the change could not be stored".to_owned())
        }
    }
}

fn changes(steps: &[Step]) -> Vec<Change> {
    let mut changes: Vec<Change> =
        steps.iter().take(STEPS_MAX).map(|step| done(&step.what, &step.name, json!(step))).collect();
    if steps.len() > STEPS_MAX {
        let rest = json!({ "action": "more", "steps": steps.len() - STEPS_MAX });
        changes.push(done("policy", "", rest));
    }
    if changes.is_empty() {
        changes.push(done("policy", "", json!({ "action": "nothing" })));
    }
    changes
}

fn planned(steps: usize) -> Change {
    done("policy", "", json!({ "action": "plan", "steps": steps }))
}

fn done(what: &str, name: &str, change: serde_json::Value) -> Change {
    Change { error: 0, ..Change::new(resource_type(what), name, change) }
}

fn refused(code: ErrorCode, words: String) -> (Response, Vec<Change>) {
    let change = json!({ "action": "refused", "why": words });
    let response = AlterSecurityResponse {
        error_code: code.code(),
        error_message: Some(words.as_str().into()),
        ..Default::default()
    };
    (response.into(), vec![Change { error: code.code(), ..Change::new("Policy", "", change) }])
}

/// The name of a sort of thing in the audit trail.
fn resource_type(what: &str) -> &'static str {
    match what {
        "user" => "User",
        "account" => "Account",
        "group" => "LocalGroup",
        "role" => "Role",
        "binding" => "RoleBinding",
        "acl" => "Acl",
        "quota" => "ClientQuota",
        _ => "Policy",
    }
}
