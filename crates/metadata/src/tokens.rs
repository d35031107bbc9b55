//! Delegation tokens (KIP-48), as they are kept: without their HMACs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schloss_identity::{DelegationToken, Mechanism, ScramCredential, TOKEN_DIGEST_BYTES, TokenHmac};
use schloss_wire::Principal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::{MAX_TOKEN_ID_BYTES, MAX_TOKEN_RENEWERS};

/// A token, without what it logs in with. Times are milliseconds since 1970.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// As whom it lets act.
    pub owner: Principal,
    /// Who made it: its owner, or somebody who may make tokens for others (KIP-373).
    pub requester: Principal,
    /// Who may renew and end it besides its owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renewers: Vec<Principal>,
    /// The groups that a proof said its owner is in when it was made. A session by the token is in them:
    /// otherwise somebody whom a DENY of a group binds would be rid of it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<Principal>,
    /// When it was made.
    pub issued_ms: i64,
    /// From when on it is of no use, unless it is renewed before.
    pub expiry_ms: i64,
    /// How far it can be renewed.
    pub max_ms: i64,
    /// What it is found by.
    pub digest: TokenDigest,
    /// What checks its HMAC, one for each mechanism.
    pub credentials: Vec<ScramCredential>,
}

/// The SHA-256 of a token's HMAC.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TokenDigest([u8; TOKEN_DIGEST_BYTES]);

impl Token {
    /// Whether it is over.
    #[must_use]
    pub const fn is_over(&self, now_ms: i64) -> bool {
        self.expiry_ms <= now_ms
    }

    /// Whether somebody may renew and end it.
    #[must_use]
    pub fn may_be_changed_by(&self, principal: &Principal) -> bool {
        self.owner == *principal || self.renewers.contains(principal)
    }

    /// Whether somebody may be told of it, its HMAC too, without any ACL.
    #[must_use]
    pub fn is_known_to(&self, principal: &Principal) -> bool {
        self.may_be_changed_by(principal) || self.requester == *principal
    }

    /// As a log-in by this mechanism sees it.
    pub(crate) fn login(&self, mechanism: Mechanism) -> Option<DelegationToken> {
        let credential = self.credentials.iter().find(|one| one.mechanism() == mechanism)?;
        let expiry = Duration::from_millis(u64::try_from(self.expiry_ms).unwrap_or(0));
        Some(DelegationToken {
            owner: self.owner.clone(),
            groups: self.groups.iter().cloned().collect(),
            expires: UNIX_EPOCH.checked_add(expiry).unwrap_or(UNIX_EPOCH),
            credential: Arc::new(credential.clone()),
        })
    }
}

/// Whether there can be such a token.
///
/// # Errors
/// In words, why not.
pub(crate) fn check_token(id: &str, token: &Token) -> Result<(), String> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if id.is_empty() || id.len() > MAX_TOKEN_ID_BYTES || !id.bytes().all(is_letter) {
        return Err("a delegation token has an id that can't be one".to_owned());
    }
    if token.owner.kind() != Principal::USER {
        return Err(format!("delegation token {id}: {} is no user", token.owner));
    }
    if token.renewers.len() > MAX_TOKEN_RENEWERS {
        return Err(format!("a delegation token has at most {MAX_TOKEN_RENEWERS} renewers"));
    }
    Ok(())
}

/// The milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

impl From<&TokenHmac> for TokenDigest {
    fn from(hmac: &TokenHmac) -> Self {
        Self(hmac.digest())
    }
}

impl Serialize for TokenDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for TokenDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; TOKEN_DIGEST_BYTES];
        match URL_SAFE_NO_PAD.decode_slice(&text, &mut bytes) {
            Ok(TOKEN_DIGEST_BYTES) => Ok(Self(bytes)),
            _ => Err(serde::de::Error::custom("the digest is not 32 bytes in base64")),
        }
    }
}

/// All tokens. A clone shares every [`Token`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens {
    by_id: BTreeMap<Arc<str>, Arc<Token>>,
    by_digest: HashMap<TokenDigest, Arc<str>>,
}

impl Tokens {
    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Token>> {
        self.by_id.get(id)
    }

    pub(crate) fn find(&self, digest: &TokenDigest) -> Option<(&Arc<str>, &Arc<Token>)> {
        self.by_id.get_key_value(self.by_digest.get(digest)?)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Arc<Token>)> {
        self.by_id.iter()
    }

    pub(crate) fn set(&mut self, id: &str, token: Token) {
        self.remove(id);
        let (id, digest): (Arc<str>, _) = (id.into(), token.digest);
        self.by_digest.insert(digest, Arc::clone(&id));
        self.by_id.insert(id, Arc::new(token));
    }

    pub(crate) fn remove(&mut self, id: &str) {
        if let Some(token) = self.by_id.remove(id) {
            self.by_digest.remove(&token.digest);
        }
    }
}
