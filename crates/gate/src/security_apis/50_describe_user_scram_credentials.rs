//! `50 DescribeUserScramCredentials`: who has which mechanism with how many iterations, and no more (KIP-554).

use std::collections::HashMap;

use schloss_metadata::{Snapshot, User};
use schloss_wire::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use schloss_wire::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};
use schloss_wire::{ErrorCode, build};

pub(super) fn serve(
    snapshot: &Snapshot,
    request: &DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    let asked = request.users.as_deref().unwrap_or_default();
    // Nobody named means everybody.
    let results = if asked.is_empty() {
        snapshot.users().map(|(name, user)| described(name, user)).collect()
    } else {
        let mut times: HashMap<&str, usize> = HashMap::new();
        for user in asked {
            *times.entry(&user.name).or_default() += 1;
        }
        let once_each = asked.iter().map(|user| user.name.as_str());
        once_each
            .filter_map(|name| times.remove(name).map(|times| (name, times)))
            .map(|(name, times)| match snapshot.user(name) {
                _ if times > 1 => refused(
                    name,
                    ErrorCode::DuplicateResource,
                    "Cannot describe SCRAM credentials for the same user twice in a single request",
                ),
                Some(user) => described(name, user),
                None => refused(
                    name,
                    ErrorCode::ResourceNotFound,
                    "Attempt to describe a user credential that does not exist",
                ),
            })
            .collect()
    };
    build!(DescribeUserScramCredentialsResponse { results })
}

fn described(name: &str, user: &User) -> DescribeUserScramCredentialsResult {
    let credential_infos = user
        .mechanisms()
        .map(|(mechanism, iterations)| {
            let iterations = i32::try_from(iterations).unwrap_or(i32::MAX);
            build!(CredentialInfo { mechanism: mechanism.code(), iterations })
        })
        .collect();
    build!(DescribeUserScramCredentialsResult { user: name.into(), credential_infos })
}

fn refused(name: &str, error: ErrorCode, words: &str) -> DescribeUserScramCredentialsResult {
    build!(DescribeUserScramCredentialsResult {
        user: name.into(),
        error_code: error.code(),
        error_message: Some(format!("{words}: {name}").into()),
    })
}
