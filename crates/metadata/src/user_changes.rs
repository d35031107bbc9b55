//! Setting and removing credentials.

use std::collections::HashSet;
use std::sync::Arc;

use schloss_identity::{Mechanism, ScramCredential, check_user_name};
use schloss_wire::ErrorCode;

use crate::error::{MetadataError, Refusal};
use crate::limits::MAX_USERS;
use crate::metadata::Metadata;
use crate::record::Record;
use crate::snapshot::Snapshot;

/// A wish about one credential of one user.
#[derive(Clone, Debug)]
pub enum ScramChange {
    /// Make it, or replace it.
    Set {
        /// The user's name.
        user: String,
        /// What checks the password.
        credential: ScramCredential,
    },
    /// Remove it.
    Remove {
        /// The user's name.
        user: String,
        /// For which mechanism.
        mechanism: Mechanism,
    },
}

/// What became of the wishes about one user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserOutcome {
    /// The user's name.
    pub user: String,
    /// All of the user's wishes came true, or none.
    pub result: Result<(), Refusal>,
}

impl ScramChange {
    /// Whose credential.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Set { user, .. } | Self::Remove { user, .. } => user,
        }
    }

    /// For which mechanism.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        match self {
            Self::Set { credential, .. } => credential.mechanism(),
            Self::Remove { mechanism, .. } => *mechanism,
        }
    }
}

impl Metadata {
    /// Changes credentials as `AlterUserScramCredentials` does (KIP-554), and returns one outcome per user, in
    /// the order they first come up. A user with one bad wish gets none fulfilled; other users do.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn alter_scram(
        self: &Arc<Self>,
        changes: Vec<ScramChange>,
    ) -> Result<Vec<UserOutcome>, MetadataError> {
        self.change(|snapshot| Ok(plan(snapshot, &changes))).await
    }

    /// Gives a user a credential, instead of the one for the same mechanism if there is one.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] for a name that can't be one or too many users; else nothing was changed.
    pub async fn set_scram(
        self: &Arc<Self>,
        user: &str,
        credential: ScramCredential,
    ) -> Result<(), ChangeError> {
        one(self.alter_scram(vec![ScramChange::Set { user: user.to_owned(), credential }]).await?)
    }

    /// Removes a user's credential for a mechanism; a user without any is gone.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] if there is none; else nothing was changed.
    pub async fn remove_scram(self: &Arc<Self>, user: &str, mechanism: Mechanism) -> Result<(), ChangeError> {
        one(self.alter_scram(vec![ScramChange::Remove { user: user.to_owned(), mechanism }]).await?)
    }
}

/// Why one single wish was not fulfilled.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It can't be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The metadata could not be changed.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

fn one(outcomes: Vec<UserOutcome>) -> Result<(), ChangeError> {
    outcomes.into_iter().try_for_each(|outcome| outcome.result).map_err(ChangeError::Refused)
}

fn plan(snapshot: &Snapshot, changes: &[ScramChange]) -> (Vec<Record>, Vec<UserOutcome>) {
    let mut users: Vec<(&str, Vec<&ScramChange>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for change in changes {
        let place = *places.entry(change.user()).or_insert_with_key(|user| {
            users.push((user, Vec::new()));
            users.len() - 1
        });
        users[place].1.push(change);
    }
    let mut records = Vec::new();
    let mut outcomes = Vec::new();
    let mut total = snapshot.users().len();
    for (user, changes) in users {
        let result = check(snapshot, user, &changes, &mut total);
        if result.is_ok() {
            records.extend(changes.into_iter().map(|change| match change.clone() {
                ScramChange::Set { user, credential } => Record::Scram { user, credential },
                ScramChange::Remove { user, mechanism } => Record::ScramDeleted { user, mechanism },
            }));
        }
        outcomes.push(UserOutcome { user: user.to_owned(), result });
    }
    (records, outcomes)
}

/// Checks all wishes about one user.
fn check(
    snapshot: &Snapshot,
    user: &str,
    changes: &[&ScramChange],
    total: &mut usize,
) -> Result<(), Refusal> {
    let known = snapshot.user(user);
    let mut mechanisms = HashSet::new();
    if !changes.iter().all(|change| mechanisms.insert(change.mechanism())) {
        return Err(Refusal::new(
            ErrorCode::DuplicateResource,
            "A user credential cannot be altered twice in the same request",
        ));
    }
    for change in changes {
        match change {
            ScramChange::Set { .. } => check_user_name(user)
                .map_err(|error| Refusal::new(ErrorCode::UnacceptableCredential, error.to_string()))?,
            ScramChange::Remove { mechanism, .. } => {
                if known.and_then(|known| known.credential(*mechanism)).is_none() {
                    return Err(Refusal::new(
                        ErrorCode::ResourceNotFound,
                        "Attempt to delete a user credential that does not exist",
                    ));
                }
            }
        }
    }
    // One who is not known can't have anything removed, so every wish left is to set something.
    if known.is_none() {
        if *total >= MAX_USERS {
            let message = format!("There can be no more than {MAX_USERS} users.");
            return Err(Refusal::new(ErrorCode::PolicyViolation, message));
        }
        *total += 1;
    }
    Ok(())
}
