//! DescribeUserScramCredentials: DESCRIBE on the cluster.

use schloss_wire::messages::describe_user_scram_credentials_response::DescribeUserScramCredentialsResult;
use schloss_wire::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{allow, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: DescribeUserScramCredentialsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [describe] = table::DESCRIBE_USER_SCRAM_CREDENTIALS;
    match describe.refusal_on_cluster(judge) {
        Some(code) => Verdict::Refused(refuse(&request, code, None).into()),
        None => allow(request),
    }
}

/// The error stands at the top, where clients look first, and as often as users were named, without their names.
pub(super) fn refuse(
    request: &DescribeUserScramCredentialsRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> DescribeUserScramCredentialsResponse {
    let (error_code, error_message) = (code.code(), text(message));
    let results = request.users.iter().flatten().map(|_| {
        build!(DescribeUserScramCredentialsResult { error_code, error_message: error_message.clone() })
    });
    build!(DescribeUserScramCredentialsResponse {
        error_code,
        results: results.collect(),
        error_message: error_message.clone(),
    })
}
