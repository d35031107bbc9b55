//! The public keys of an issuer (JWK Set, RFC 7517).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::token::TokenAlgorithm;

/// The longest set of keys, in bytes.
pub const MAX_KEYS_BYTES: usize = 1 << 20;
/// The most keys of a set.
const MAX_KEYS: usize = 100;

/// Where the keys of an issuer come from.
pub trait KeySource: Send + Sync {
    /// The newest keys that are good, if there are any.
    fn keys(&self) -> Option<Arc<IssuerKeys>>;

    /// Looks for newer keys, since one is asked for that is not among those. Ends when they are there, or when there
    /// are none to be had now. An implementation bounds how often it really looks: anybody can ask.
    fn look_again(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Public keys that verify signatures. A set's secret keys, and those for other uses, are not among them.
pub struct IssuerKeys(Vec<IssuerKey>);

pub(super) struct IssuerKey {
    id: Option<String>,
    algorithm: Option<KeyAlgorithm>,
    pub(super) key: DecodingKey,
}

/// What is no set of keys.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum KeysError {
    /// Longer than [`MAX_KEYS_BYTES`].
    #[error("the key set is longer than {MAX_KEYS_BYTES} bytes")]
    TooLong,
    /// No JSON, or not that of a set.
    #[error("the key set can't be read: {0}")]
    Malformed(String),
    /// No key that verifies a signature.
    #[error("the key set has no public key that verifies signatures")]
    NoKey,
}

impl IssuerKeys {
    /// Reads a set. Keys that are of no use here are passed over, as RFC 7517 (section 5) asks.
    ///
    /// # Errors
    /// It is no set, or has no key that is of use.
    pub fn read(json: &[u8]) -> Result<Self, KeysError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        if json.len() > MAX_KEYS_BYTES {
            return Err(KeysError::TooLong);
        }
        let set: Set =
            serde_json::from_slice(json).map_err(|error| KeysError::Malformed(error.to_string()))?;
        let keys: Vec<IssuerKey> = set.keys.into_iter().filter_map(usable).take(MAX_KEYS).collect();
        if keys.is_empty() { Err(KeysError::NoKey) } else { Ok(Self(keys)) }
    }

    /// The keys that may have signed a token: those with its id, or all if it names none.
    pub(super) fn candidates(
        &self,
        id: Option<&str>,
        algorithm: TokenAlgorithm,
    ) -> impl Iterator<Item = &IssuerKey> {
        self.0.iter().filter(move |key| {
            id.is_none_or(|id| key.id.as_deref() == Some(id))
                && key.key.family() == algorithm.family()
                && key.algorithm.is_none_or(|only| only.to_string() == algorithm.name())
        })
    }
}

fn usable(value: Value) -> Option<IssuerKey> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    // A secret in a public set is none, and a public key as one is the confusion of RFC 8725, section 2.1.
    (key.family() != AlgorithmFamily::Hmac).then_some(IssuerKey {
        id: jwk.common.key_id,
        algorithm: jwk.common.key_algorithm,
        key,
    })
}
