//! AlterUserScramCredentials: ALTER on the cluster.

use std::collections::BTreeSet;

use schloss_wire::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use schloss_wire::messages::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::{allow, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: AlterUserScramCredentialsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [alter] = table::ALTER_USER_SCRAM_CREDENTIALS;
    match alter.refusal_on_cluster(judge) {
        Some(code) => Verdict::Refused(refuse(&request, code, None).into()),
        None => allow(request),
    }
}

/// One result per user, however many entries name it.
pub(super) fn refuse(
    request: &AlterUserScramCredentialsRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> AlterUserScramCredentialsResponse {
    let deleted = request.deletions.iter().map(|deletion| &deletion.name);
    let upserted = request.upsertions.iter().map(|upsertion| &upsertion.name);
    let users: BTreeSet<&StrBytes> = deleted.chain(upserted).collect();
    let results = users.into_iter().map(|user| {
        build!(AlterUserScramCredentialsResult {
            user: user.clone(),
            error_code: code.code(),
            error_message: text(message),
        })
    });
    build!(AlterUserScramCredentialsResponse { results: results.collect() })
}
