//! `1000 DescribeSecurity`, Schloss's own: groups, roles, policies and explanations.

use schloss_metadata::Snapshot;
use schloss_metadata::security::{SecurityAnswer, SecurityQuestion};
use schloss_wire::{DescribeSecurityRequest, DescribeSecurityResponse, ErrorCode};

/// `keeps_quotas`: whether the quotas in the snapshot are those in force; else a policy doesn't tell of any.
pub(super) fn serve(
    snapshot: &Snapshot,
    request: &DescribeSecurityRequest,
    keeps_quotas: bool,
) -> DescribeSecurityResponse {
    let question: SecurityQuestion = match serde_json::from_slice(&request.document) {
        Ok(question) => question,
        Err(error) => {
            return failed(ErrorCode::InvalidRequest, &format!("the question can't be read: {error}"));
        }
    };
    let mut answer = question.answer(snapshot);
    if let (SecurityAnswer::Policy(policy), false) = (&mut answer, keeps_quotas) {
        policy.quotas = None;
    }
    match serde_json::to_vec(&answer) {
        Ok(document) => DescribeSecurityResponse { document: document.into(), ..Default::default() },
        Err(error) => failed(ErrorCode::UnknownServerError, &format!("the answer can't be written: {error}")),
    }
}

fn failed(code: ErrorCode, words: &str) -> DescribeSecurityResponse {
    DescribeSecurityResponse {
        error_code: code.code(),
        error_message: Some(words.into()),
        ..Default::default()
    }
}
