//! `51 AlterUserScramCredentials`: one result per user, always (KIP-554).
//!
//! An upsertion carries the salted password, from which everything else follows: it is turned into a
//! credential at once and shown to nobody, the audit trail included.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use schloss_identity::{CredentialError, Mechanism, ScramCredential};
use schloss_metadata::{Metadata, Refusal, ScramChange, UserOutcome};
use schloss_wire::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use schloss_wire::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use schloss_wire::messages::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse};
use schloss_wire::{ErrorCode, Response, build};
use serde_json::{Value, json};

use crate::changes::Change;

pub(super) async fn serve(
    metadata: &Arc<Metadata>,
    request: AlterUserScramCredentialsRequest,
) -> (Response, Vec<Change>) {
    let shown = shown(&request);
    let mut wishes = Vec::new();
    let mut refused: Vec<UserOutcome> = Vec::new();
    // Whoever has one bad wish gets none fulfilled, so all of theirs are left out.
    let mut refused_users = HashSet::new();
    let deletions =
        request.deletions.iter().map(|deletion| (deletion.name.as_str(), read_deletion(deletion)));
    let upsertions =
        request.upsertions.iter().map(|upsertion| (upsertion.name.as_str(), read_upsertion(upsertion)));
    for (user, wish) in deletions.chain(upsertions) {
        match wish {
            Ok(wish) => wishes.push(wish),
            Err(refusal) => {
                if refused_users.insert(user.to_owned()) {
                    refused.push(UserOutcome { user: user.to_owned(), result: Err(refusal) });
                }
            }
        }
    }
    wishes.retain(|wish| !refused_users.contains(wish.user()));
    let users: Vec<String> = wishes.iter().map(|wish| wish.user().to_owned()).collect();
    let mut outcomes = match metadata.alter_scram(wishes).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            tracing::error!("can't change credentials: {error}");
            let message = "the credential could not be stored".to_owned();
            let refusal = Refusal { code: error.code(), message };
            let mut seen = HashSet::new();
            let once_each = users.into_iter().filter(|user| seen.insert(user.clone()));
            once_each.map(|user| UserOutcome { user, result: Err(refusal.clone()) }).collect()
        }
    };
    outcomes.extend(refused);
    let changes = outcomes.iter().map(|outcome| change(outcome, &shown)).collect();
    let results = outcomes.into_iter().map(result).collect();
    (build!(AlterUserScramCredentialsResponse { results }).into(), changes)
}

fn read_deletion(deletion: &ScramCredentialDeletion) -> Result<ScramChange, Refusal> {
    let mechanism = read_mechanism(deletion.mechanism)?;
    Ok(ScramChange::Remove { user: deletion.name.to_string(), mechanism })
}

fn read_upsertion(upsertion: &ScramCredentialUpsertion) -> Result<ScramChange, Refusal> {
    let mechanism = read_mechanism(upsertion.mechanism)?;
    let unacceptable = |message: String| Refusal { code: ErrorCode::UnacceptableCredential, message };
    let iterations = u32::try_from(upsertion.iterations)
        .map_err(|_| unacceptable(format!("{} is no number of iterations", upsertion.iterations)))?;
    let credential = ScramCredential::from_salted_password(
        mechanism,
        iterations,
        upsertion.salt.to_vec(),
        &upsertion.salted_password,
    )
    .map_err(|error: CredentialError| unacceptable(error.to_string()))?;
    Ok(ScramChange::Set { user: upsertion.name.to_string(), credential })
}

fn read_mechanism(code: i8) -> Result<Mechanism, Refusal> {
    Mechanism::from_code(code).ok_or_else(|| Refusal {
        code: ErrorCode::UnsupportedSaslMechanism,
        message: "Unknown SCRAM mechanism".to_owned(),
    })
}

fn result(outcome: UserOutcome) -> AlterUserScramCredentialsResult {
    let user = outcome.user.as_str().into();
    match outcome.result {
        Ok(()) => build!(AlterUserScramCredentialsResult { user, error_message: None }),
        Err(Refusal { code, message }) => build!(AlterUserScramCredentialsResult {
            user,
            error_code: code.code(),
            error_message: Some(message.into()),
        }),
    }
}

fn change(outcome: &UserOutcome, shown: &HashMap<String, Vec<Value>>) -> Change {
    let credentials = shown.get(&outcome.user);
    let error = outcome.result.as_ref().err().map_or(0, |refusal| refusal.code.code());
    let what = json!({ "action": "alter credentials", "credentials": credentials });
    Change { error, ..Change::new("User", outcome.user.as_str(), what) }
}

/// What is asked for, by user, without salts and keys.
fn shown(request: &AlterUserScramCredentialsRequest) -> HashMap<String, Vec<Value>> {
    let name = |code| Mechanism::from_code(code).map_or("unknown", Mechanism::name);
    let mut by_user: HashMap<String, Vec<Value>> = HashMap::new();
    for deletion in &request.deletions {
        let what = json!({ "delete": name(deletion.mechanism) });
        by_user.entry(deletion.name.to_string()).or_default().push(what);
    }
    for upsertion in &request.upsertions {
        let what = json!({ "set": name(upsertion.mechanism), "iterations": upsertion.iterations });
        by_user.entry(upsertion.name.to_string()).or_default().push(what);
    }
    by_user
}
