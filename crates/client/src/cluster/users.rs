//! SCRAM users (KIP-554). The password never leaves this process: the broker gets it salted.

use bytes::Bytes;
use schloss_identity::{Mechanism, Password, SaltedPassword, check_user_name};
use schloss_wire::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use schloss_wire::messages::describe_user_scram_credentials_request::UserName;
use schloss_wire::messages::{AlterUserScramCredentialsRequest, DescribeUserScramCredentialsRequest};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::Cluster;
use super::topics::NO_RESULT;
use crate::error::{ClientError, Need};

/// A user with their SCRAM credentials; none of them holds a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScramUser {
    /// The name.
    pub user: String,
    /// Mechanism and PBKDF2 iterations of each credential.
    pub credentials: Vec<(Mechanism, u32)>,
}

impl Cluster {
    /// Adds a user or changes their password for one mechanism.
    ///
    /// # Errors
    /// The name, password or iterations are out of range, or the user who asks lacks `ALTER` on the cluster.
    pub async fn upsert_scram_user(
        &mut self,
        user: &str,
        mechanism: Mechanism,
        iterations: u32,
        password: Password,
    ) -> Result<(), ClientError> {
        check_user_name(user).map_err(|error| ClientError::Usage(error.to_string()))?;
        // PBKDF2 takes milliseconds: not on the threads that serve sockets.
        let salting = move || SaltedPassword::derive(mechanism, &password, iterations);
        let salted = tokio::task::spawn_blocking(salting)
            .await
            .map_err(|_| ClientError::Usage("the client was shut down".to_owned()))?
            .map_err(|error| ClientError::Usage(error.to_string()))?;
        let upsertion = build!(ScramCredentialUpsertion {
            name: StrBytes::from(user),
            mechanism: mechanism.code(),
            iterations: i32::try_from(iterations).unwrap_or(i32::MAX),
            salt: Bytes::from(salted.salt),
            salted_password: Bytes::copy_from_slice(&salted.salted),
        });
        let request = build!(AlterUserScramCredentialsRequest { upsertions: vec![upsertion] });
        self.alter_scram(&request, || format!("setting the password of user {user}")).await
    }

    /// Removes a user's credential for one mechanism.
    ///
    /// # Errors
    /// There is none (`RESOURCE_NOT_FOUND`), or the user who asks lacks `ALTER` on the cluster.
    pub async fn delete_scram_user(&mut self, user: &str, mechanism: Mechanism) -> Result<(), ClientError> {
        let deletion =
            build!(ScramCredentialDeletion { name: StrBytes::from(user), mechanism: mechanism.code() });
        let request = build!(AlterUserScramCredentialsRequest { deletions: vec![deletion] });
        self.alter_scram(&request, || format!("removing user {user}")).await
    }

    async fn alter_scram(
        &mut self,
        request: &AlterUserScramCredentialsRequest,
        doing: impl FnOnce() -> String,
    ) -> Result<(), ClientError> {
        let response = self
            .call_controller(request, |response| {
                response.results.first().map_or(NO_RESULT, |result| result.error_code)
            })
            .await?;
        let result = response.results.first();
        let code = result.map_or(NO_RESULT, |result| result.error_code);
        let message = result.and_then(|result| result.error_message.as_deref());
        self.check(code, message, &Need::cluster("ALTER"), doing)
    }

    /// The users that have SCRAM credentials: all, or those of these names that exist. By name.
    ///
    /// # Errors
    /// The user who asks lacks `DESCRIBE` on the cluster.
    pub async fn describe_scram_users(
        &mut self,
        users: Option<&[String]>,
    ) -> Result<Vec<ScramUser>, ClientError> {
        let users = users.map(|names| {
            names.iter().map(|name| build!(UserName { name: StrBytes::from(name.as_str()) })).collect()
        });
        let response = self.call_any(&build!(DescribeUserScramCredentialsRequest { users })).await?;
        let need = Need::cluster("DESCRIBE");
        let message = response.error_message.as_deref();
        self.check(response.error_code, message, &need, || "listing users".to_owned())?;
        let mut found = Vec::new();
        for result in response.results {
            if result.error_code == ErrorCode::ResourceNotFound.code() {
                continue;
            }
            self.check(result.error_code, result.error_message.as_deref(), &need, || {
                format!("describing user {}", result.user)
            })?;
            let credentials = result.credential_infos.iter().filter_map(|info| {
                Some((Mechanism::from_code(info.mechanism)?, u32::try_from(info.iterations).ok()?))
            });
            found.push(ScramUser { user: result.user.to_string(), credentials: credentials.collect() });
        }
        found.sort_by(|one, other| one.user.cmp(&other.user));
        Ok(found)
    }
}
