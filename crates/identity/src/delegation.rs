//! Delegation tokens (KIP-48): who has one acts as its owner, for a while.
//!
//! A token is an id and the HMAC of it under a key that never leaves the house. It logs in by SCRAM, the id as the
//! user name and the HMAC, in base64, as the password.

use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schloss_wire::Principal;
use zeroize::Zeroizing;

use crate::credential::MIN_ITERATIONS;
use crate::{CredentialError, Mechanism, Password, ScramCredential, random};

/// Bytes of the digest that a token's HMAC is found by.
pub const TOKEN_DIGEST_BYTES: usize = 32;
/// PBKDF2 iterations of a token's credentials, as in Kafka. Its password has 512 random bits: more add nothing.
pub const TOKEN_ITERATIONS: u32 = MIN_ITERATIONS;

/// The key that the HMACs of tokens are made with. Whoever knows it can act as the owner of every token.
pub struct TokenKey(Zeroizing<[u8; Self::BYTES]>);

impl TokenKey {
    /// Length in bytes.
    pub const BYTES: usize = 64;

    /// The key kept by an installation.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A new random key.
    #[must_use]
    pub fn generate() -> Self {
        Self::from_bytes(random::bytes())
    }

    /// The key itself, to keep it sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The HMAC-SHA-512 of a token's id.
    #[must_use]
    pub fn hmac(&self, id: &str) -> TokenHmac {
        let key = hmac::Key::new(hmac::HMAC_SHA512, self.0.as_slice());
        TokenHmac::new(hmac::sign(&key, id.as_bytes()).as_ref())
    }
}

/// What proves that somebody holds a token. It has no `Debug` and is wiped when dropped.
pub struct TokenHmac(Zeroizing<Vec<u8>>);

impl TokenHmac {
    /// What somebody says is one.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The HMAC itself. Keep it out of logs, errors and copies.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Its SHA-256, which can be kept and looked up: it says nothing about the HMAC.
    #[must_use]
    pub fn digest(&self) -> [u8; TOKEN_DIGEST_BYTES] {
        let mut bytes = [0; TOKEN_DIGEST_BYTES];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, &self.0).as_ref());
        bytes
    }

    /// The password that the token logs in with.
    #[must_use]
    pub fn password(&self) -> Password {
        Password::new(STANDARD.encode(self.0.as_slice()))
    }

    /// What checks that password, for each mechanism. Runs PBKDF2: some 5 ms of CPU. Call it off the reactor.
    ///
    /// # Errors
    /// None for an HMAC of [`TokenKey::hmac`]; else its length.
    pub fn credentials(&self) -> Result<Vec<ScramCredential>, CredentialError> {
        let password = self.password();
        Mechanism::ALL
            .into_iter()
            .map(|mechanism| ScramCredential::derive(mechanism, &password, TOKEN_ITERATIONS))
            .collect()
    }
}

/// A token, as far as a log-in with it goes.
#[derive(Clone)]
pub struct DelegationToken {
    /// As whom it lets act.
    pub owner: Principal,
    /// The groups that its owner was found in when it was made.
    pub groups: Arc<[Principal]>,
    /// When it is over.
    pub expires: SystemTime,
    /// What checks its HMAC.
    pub credential: Arc<ScramCredential>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hmac_depends_on_key_and_id_and_is_kafkas() {
        let key = TokenKey::from_bytes([7; 64]);
        assert_eq!(key.hmac("a").expose(), key.hmac("a").expose());
        assert_ne!(key.hmac("a").expose(), key.hmac("b").expose());
        assert_ne!(key.hmac("a").expose(), TokenKey::generate().hmac("a").expose());
        assert_eq!(key.hmac("a").expose().len(), 64);
        // RFC 4231, test case 1: the key is shorter there, and an HMAC pads it with zeroes.
        let mut bytes = [0; 64];
        bytes[..20].fill(0x0b);
        let password = TokenKey::from_bytes(bytes).hmac("Hi There").password();
        assert!(password.expose().starts_with("h6p83qXvYZ1P8LQkGh1ssCN59OLO"), "{}", password.expose());
    }

    #[test]
    fn its_credentials_take_the_password_that_clients_make_of_it() {
        let hmac = TokenKey::generate().hmac("id");
        let credentials = hmac.credentials().unwrap();
        assert_eq!(credentials.len(), 2);
        for credential in credentials {
            assert_eq!(credential.iterations(), TOKEN_ITERATIONS);
            assert!(!format!("{credential:?}").contains(hmac.password().expose()));
        }
    }
}
