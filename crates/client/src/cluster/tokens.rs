//! Delegation tokens (KIP-48, KIP-373).

use bytes::Bytes;
use schloss_wire::messages::create_delegation_token_request::CreatableRenewers;
use schloss_wire::messages::describe_delegation_token_request::DescribeDelegationTokenOwner;
use schloss_wire::messages::{
    CreateDelegationTokenRequest, DescribeDelegationTokenRequest, ExpireDelegationTokenRequest,
    RenewDelegationTokenRequest,
};
use schloss_wire::{ErrorCode, Principal, build};
use zeroize::Zeroizing;

use super::Cluster;
use crate::error::{ClientError, Need};

/// A delegation token. Whoever has its HMAC can act as its owner: it has no `Debug`, and the HMAC is wiped when
/// dropped. Times are milliseconds since 1970.
pub struct TokenInfo {
    /// Its id: the user name of a log-in with it.
    pub id: String,
    /// As whom it lets act, as `User:alice`.
    pub owner: String,
    /// Who made it; empty where the brokers are older than Apache Kafka 3.3.
    pub requester: String,
    /// Who may renew and end it besides its owner.
    pub renewers: Vec<String>,
    /// When it was made.
    pub issued_ms: i64,
    /// From when on it is of no use, unless it is renewed.
    pub expiry_ms: i64,
    /// How far it can be renewed.
    pub max_ms: i64,
    /// Its HMAC; in base64 the password of a log-in with it.
    pub hmac: Zeroizing<Vec<u8>>,
}

impl Cluster {
    /// Makes a token for `owner`, or for whoever asks. `max_lifetime_ms` is the longest life; -1 leaves that to the
    /// brokers.
    ///
    /// # Errors
    /// The user who asks lacks `CREATE_TOKENS` on the owner, has logged in with a token, or there are no tokens here.
    pub async fn create_token(
        &mut self,
        owner: Option<&Principal>,
        renewers: &[Principal],
        max_lifetime_ms: i64,
    ) -> Result<TokenInfo, ClientError> {
        let renewer = |one: &Principal| {
            build!(CreatableRenewers { principal_type: one.kind().into(), principal_name: one.name().into() })
        };
        let request = build!(CreateDelegationTokenRequest {
            // A blank one is oneself; brokers older than Apache Kafka 3.3 know no other.
            owner_principal_type: Some(owner.map_or("", Principal::kind).into()),
            owner_principal_name: Some(owner.map_or("", Principal::name).into()),
            renewers: renewers.iter().map(renewer).collect(),
            max_lifetime_ms,
        });
        let response = self.call_any(&request).await?;
        let name = owner.map_or("oneself", Principal::as_str);
        let need = Need { operation: "CREATE_TOKENS", resource: "user-principal", name: name.to_owned() };
        let code = response.error_code;
        self.check(code, advice(code), &need, || format!("making a delegation token for {name}"))?;
        Ok(TokenInfo {
            id: response.token_id.to_string(),
            owner: joined(&response.principal_type, &response.principal_name),
            requester: joined(
                &response.token_requester_principal_type,
                &response.token_requester_principal_name,
            ),
            renewers: renewers.iter().map(ToString::to_string).collect(),
            issued_ms: response.issue_timestamp_ms,
            expiry_ms: response.expiry_timestamp_ms,
            max_ms: response.max_timestamp_ms,
            hmac: secret(&response.hmac),
        })
    }

    /// The tokens that the user who asks may see: all, or those that one of `owners` owns or may renew. By id.
    ///
    /// # Errors
    /// The user has logged in with a token, or there are no tokens here.
    pub async fn describe_tokens(
        &mut self,
        owners: Option<&[Principal]>,
    ) -> Result<Vec<TokenInfo>, ClientError> {
        let owner = |one: &Principal| {
            build!(DescribeDelegationTokenOwner {
                principal_type: one.kind().into(),
                principal_name: one.name().into(),
            })
        };
        let owners = owners.map(|owners| owners.iter().map(owner).collect());
        let response = self.call_any(&build!(DescribeDelegationTokenRequest { owners })).await?;
        let (code, need) = (response.error_code, Need::cluster("DESCRIBE_TOKENS"));
        self.check(code, advice(code), &need, || "listing delegation tokens".to_owned())?;
        let tokens = response.tokens.into_iter().map(|token| TokenInfo {
            id: token.token_id.to_string(),
            owner: joined(&token.principal_type, &token.principal_name),
            requester: joined(&token.token_requester_principal_type, &token.token_requester_principal_name),
            renewers: token
                .renewers
                .iter()
                .map(|one| joined(&one.principal_type, &one.principal_name))
                .collect(),
            issued_ms: token.issue_timestamp,
            expiry_ms: token.expiry_timestamp,
            max_ms: token.max_timestamp,
            hmac: secret(&token.hmac),
        });
        let mut tokens: Vec<TokenInfo> = tokens.collect();
        tokens.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(tokens)
    }

    /// Lets a token last for so many milliseconds from now on, or as long as the brokers say (-1); returns its end.
    ///
    /// # Errors
    /// There is no such token, it is over, or the user who asks neither owns it nor may renew it.
    pub async fn renew_token(&mut self, hmac: &[u8], period_ms: i64) -> Result<i64, ClientError> {
        let request = build!(RenewDelegationTokenRequest {
            hmac: Bytes::copy_from_slice(hmac),
            renew_period_ms: period_ms,
        });
        let response = self.call_any(&request).await?;
        let (code, need) = (response.error_code, Need::cluster("ALTER"));
        self.check(code, advice(code), &need, || "renewing a delegation token".to_owned())?;
        Ok(response.expiry_timestamp_ms)
    }

    /// Lets a token end in so many milliseconds, or at once (-1); returns its end.
    ///
    /// # Errors
    /// As [`Cluster::renew_token`].
    pub async fn expire_token(&mut self, hmac: &[u8], period_ms: i64) -> Result<i64, ClientError> {
        let request = build!(ExpireDelegationTokenRequest {
            hmac: Bytes::copy_from_slice(hmac),
            expiry_time_period_ms: period_ms,
        });
        let response = self.call_any(&request).await?;
        let (code, need) = (response.error_code, Need::cluster("ALTER"));
        self.check(code, advice(code), &need, || "ending a delegation token".to_owned())?;
        Ok(response.expiry_timestamp_ms)
    }
}

/// `Type:name`; empty if there is none.
fn joined(kind: &str, name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("{kind}:{name}") }
}

fn secret(hmac: &Bytes) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(hmac.to_vec())
}

/// What to do about an error that Kafka has no words for.
fn advice(code: i16) -> Option<&'static str> {
    Some(match ErrorCode::from_code(code)? {
        ErrorCode::DelegationTokenAuthDisabled => {
            "there are no delegation tokens here: set enabled of [delegation_tokens], or delegation.token.secret.key of \
             Apache Kafka"
        }
        ErrorCode::DelegationTokenRequestNotAllowed => {
            "who has logged in with a delegation token can't ask for any: log in with a password or a certificate"
        }
        ErrorCode::DelegationTokenOwnerMismatch => "its owner and its renewers may do that",
        ErrorCode::DelegationTokenExpired => "it is over: make another one",
        ErrorCode::InvalidPrincipalType => "owners and renewers are principals of type User",
        _ => return None,
    })
}
