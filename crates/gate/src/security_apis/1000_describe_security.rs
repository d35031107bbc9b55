//! `1000 DescribeSecurity`, Schloss's own: groups, roles, policies and explanations.

use schloss_identity::Directory;
use schloss_metadata::Snapshot;
use schloss_metadata::security::{SecurityAnswer, SecurityQuestion};
use schloss_policy::Asker;
use schloss_wire::{DescribeSecurityRequest, DescribeSecurityResponse, ErrorCode};

/// `keeps_quotas`: whether the quotas in the snapshot are those in force; else a policy doesn't tell of any.
/// `directory` knows the groups of users who have logged in, unless the question says which groups to think of.
pub(super) fn serve(
    snapshot: &Snapshot,
    request: &DescribeSecurityRequest,
    keeps_quotas: bool,
    directory: Option<&dyn Directory>,
) -> DescribeSecurityResponse {
    let mut question: SecurityQuestion = match serde_json::from_slice(&request.document) {
        Ok(question) => question,
        Err(error) => {
            return failed(ErrorCode::InvalidRequest, &format!("the question can't be read: {error}"));
        }
    };
    if let SecurityQuestion::Explain { asker, .. } | SecurityQuestion::RulesOf { asker } = &mut question {
        add_groups(asker, directory);
    }
    let mut answer = question.answer(snapshot);
    if let (SecurityAnswer::Policy(policy), false) = (&mut answer, keeps_quotas) {
        policy.quotas = None;
    }
    match serde_json::to_vec(&answer) {
        Ok(document) => DescribeSecurityResponse { document: document.into(), ..Default::default() },
        Err(error) => failed(ErrorCode::UnknownServerError, &format!("the answer can't be written: {error}")),
    }
}

fn add_groups(asker: &mut Asker, directory: Option<&dyn Directory>) {
    if let (Some(directory), true, true) = (directory, asker.groups.is_empty(), !asker.principal.is_group()) {
        asker.groups = directory.known(asker.principal.name()).unwrap_or_default().to_vec();
    }
}

fn failed(code: ErrorCode, words: &str) -> DescribeSecurityResponse {
    DescribeSecurityResponse {
        error_code: code.code(),
        error_message: Some(words.into()),
        ..Default::default()
    }
}
