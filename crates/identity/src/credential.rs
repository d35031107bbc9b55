//! What is stored to check a password: never the password.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::store::SaltShape;
use crate::{Mechanism, Password, random};

/// The fewest PBKDF2 iterations of a credential (Kafka's bound, RFC 7677's advice).
pub const MIN_ITERATIONS: u32 = 4096;
/// The most PBKDF2 iterations of a credential (Kafka's bound).
pub const MAX_ITERATIONS: u32 = 16384;
/// The PBKDF2 iterations of a credential when nobody says otherwise.
pub const DEFAULT_ITERATIONS: u32 = 16384;
/// The length in bytes of the salts we make.
pub const SALT_BYTES: usize = 32;
/// The shortest salt, in bytes, that is accepted from outside.
pub const MIN_SALT_BYTES: usize = 8;
/// The longest salt, in bytes, that is accepted from outside.
pub const MAX_SALT_BYTES: usize = 128;
/// The longest password, in bytes of UTF-8.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// What can't be a credential.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum CredentialError {
    /// No password at all.
    #[error("the password is empty")]
    EmptyPassword,
    /// Longer than [`MAX_PASSWORD_BYTES`].
    #[error("the password is longer than {MAX_PASSWORD_BYTES} bytes")]
    PasswordTooLong,
    /// Fewer than [`MIN_ITERATIONS`] or more than [`MAX_ITERATIONS`].
    #[error("{0} iterations are out of range: use {MIN_ITERATIONS} to {MAX_ITERATIONS}")]
    Iterations(u32),
    /// Shorter than [`MIN_SALT_BYTES`] or longer than [`MAX_SALT_BYTES`].
    #[error("a salt of {0} bytes is out of range: use {MIN_SALT_BYTES} to {MAX_SALT_BYTES}")]
    SaltLength(usize),
    /// A salted password or key that is not as long as the mechanism's hash.
    #[error("a key of {found} bytes does not fit {mechanism}: it takes {}", mechanism.key_bytes())]
    KeyLength {
        /// The mechanism that was named.
        mechanism: Mechanism,
        /// The length in bytes that came.
        found: usize,
    },
}

/// The verifier of one user's password for one mechanism (RFC 5802, section 3).
///
/// Serialised for the metadata log, keys in base64. `Debug` shows no salt and no key; equality takes the
/// same time wherever the keys differ.
#[derive(Clone, ZeroizeOnDrop)]
pub struct ScramCredential {
    #[zeroize(skip)]
    mechanism: Mechanism,
    #[zeroize(skip)]
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl ScramCredential {
    /// Makes a credential with a fresh random salt.
    ///
    /// Runs PBKDF2: about 9 ms of CPU at the default iteration count. Call it off the reactor.
    ///
    /// # Errors
    /// When the password is empty or too long, or the iterations are out of range.
    pub fn derive(
        mechanism: Mechanism,
        password: &Password,
        iterations: u32,
    ) -> Result<Self, CredentialError> {
        Self::derive_with_salt(mechanism, password, iterations, fresh_salt())
    }

    pub(crate) fn derive_with_salt(
        mechanism: Mechanism,
        password: &Password,
        iterations: u32,
        salt: Vec<u8>,
    ) -> Result<Self, CredentialError> {
        let SaltedPassword { salt, salted } =
            SaltedPassword::with_salt(mechanism, password, iterations, salt)?;
        Self::from_salted_password(mechanism, iterations, salt, &salted)
    }

    /// Makes a credential from a password that the client has salted: what an `AlterUserScramCredentials`
    /// upsertion carries (KIP-554).
    ///
    /// # Errors
    /// When iterations, salt or salted password are out of range (Kafka answers
    /// `UNACCEPTABLE_CREDENTIAL`, 93).
    pub fn from_salted_password(
        mechanism: Mechanism,
        iterations: u32,
        salt: Vec<u8>,
        salted_password: &[u8],
    ) -> Result<Self, CredentialError> {
        fits(mechanism, salted_password)?;
        let stored_key = stored_key(mechanism, &client_key(mechanism, salted_password));
        let server_key = hmac_of(mechanism, salted_password, b"Server Key");
        Self::from_parts(Parts { mechanism, iterations, salt, stored_key, server_key })
    }

    /// A credential of a user that does not exist. The caller keeps the bounds.
    pub(crate) fn stand_in(
        mechanism: Mechanism,
        iterations: u32,
        salt: Vec<u8>,
        stored_key: Vec<u8>,
        server_key: Vec<u8>,
    ) -> Self {
        Self { mechanism, iterations, salt, stored_key, server_key }
    }

    /// The mechanism it is for.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Its PBKDF2 iterations.
    #[must_use]
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// What its salt looks like from outside.
    #[must_use]
    pub fn salt_shape(&self) -> SaltShape {
        let alphanumeric = self.salt.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        SaltShape { bytes: self.salt.len(), alphanumeric }
    }

    pub(crate) fn rounds(&self) -> Result<NonZeroU32, CredentialError> {
        accepted_iterations(self.iterations)
    }

    pub(crate) fn salt(&self) -> &[u8] {
        &self.salt
    }

    pub(crate) fn stored_key(&self) -> &[u8] {
        &self.stored_key
    }

    pub(crate) fn server_key(&self) -> &[u8] {
        &self.server_key
    }

    fn from_parts(parts: Parts) -> Result<Self, CredentialError> {
        let Parts { mechanism, iterations, salt, stored_key, server_key } = parts;
        // The value exists before the checks, so that what is refused is overwritten too.
        let credential = Self { mechanism, iterations, salt, stored_key, server_key };
        accepted_iterations(iterations)?;
        if !(MIN_SALT_BYTES..=MAX_SALT_BYTES).contains(&credential.salt.len()) {
            return Err(CredentialError::SaltLength(credential.salt.len()));
        }
        fits(mechanism, &credential.stored_key)?;
        fits(mechanism, &credential.server_key)?;
        Ok(credential)
    }
}

/// A password as an `AlterUserScramCredentials` upsertion carries it (KIP-554). Whoever has it can make the
/// credential, and log in: it has no `Debug`, and `salted` is wiped when dropped.
pub struct SaltedPassword {
    /// The salt.
    pub salt: Vec<u8>,
    /// `SaltedPassword` of RFC 5802, section 3.
    pub salted: Zeroizing<Vec<u8>>,
}

impl SaltedPassword {
    /// Salts a password with a fresh random salt. Runs PBKDF2 as [`ScramCredential::derive`] does.
    ///
    /// # Errors
    /// When the password is empty or too long, or the iterations are out of range.
    pub fn derive(
        mechanism: Mechanism,
        password: &Password,
        iterations: u32,
    ) -> Result<Self, CredentialError> {
        Self::with_salt(mechanism, password, iterations, fresh_salt())
    }

    fn with_salt(
        mechanism: Mechanism,
        password: &Password,
        iterations: u32,
        salt: Vec<u8>,
    ) -> Result<Self, CredentialError> {
        if password.expose().is_empty() {
            return Err(CredentialError::EmptyPassword);
        }
        if password.expose().len() > MAX_PASSWORD_BYTES {
            return Err(CredentialError::PasswordTooLong);
        }
        let rounds = accepted_iterations(iterations)?;
        let salted = salt_password(mechanism, password, &salt, rounds);
        Ok(Self { salt, salted })
    }
}

fn fresh_salt() -> Vec<u8> {
    random::bytes::<SALT_BYTES>().to_vec()
}

impl PartialEq for ScramCredential {
    fn eq(&self, other: &Self) -> bool {
        self.mechanism == other.mechanism
            && self.iterations == other.iterations
            && bool::from(
                self.salt.ct_eq(&other.salt)
                    & self.stored_key.ct_eq(&other.stored_key)
                    & self.server_key.ct_eq(&other.server_key),
            )
    }
}

impl Eq for ScramCredential {}

impl fmt::Debug for ScramCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ScramCredential")
            .field("mechanism", &self.mechanism)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

impl Serialize for ScramCredential {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Borrowed, so that no second copy of the keys has to be overwritten.
        #[derive(Serialize)]
        struct Borrowed<'a> {
            mechanism: Mechanism,
            iterations: u32,
            #[serde(with = "as_base64")]
            salt: &'a [u8],
            #[serde(with = "as_base64")]
            stored_key: &'a [u8],
            #[serde(with = "as_base64")]
            server_key: &'a [u8],
        }
        let Self { mechanism, iterations, salt, stored_key, server_key } = self;
        Borrowed { mechanism: *mechanism, iterations: *iterations, salt, stored_key, server_key }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ScramCredential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_parts(Parts::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A credential's fields before they are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    mechanism: Mechanism,
    iterations: u32,
    #[serde(with = "as_base64")]
    salt: Vec<u8>,
    #[serde(with = "as_base64")]
    stored_key: Vec<u8>,
    #[serde(with = "as_base64")]
    server_key: Vec<u8>,
}

/// Bytes as base64 text.
mod as_base64 {
    use base64::Engine as _;

    use super::{Deserialize, Deserializer, STANDARD, Serializer, Zeroizing};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(bytes)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        // The decoder's own message would quote the byte it stumbled over.
        STANDARD.decode(text.as_bytes()).map_err(|_| serde::de::Error::custom("no valid base64"))
    }
}

/// `SaltedPassword := Hi(password, salt, i)`.
pub(crate) fn salt_password(
    mechanism: Mechanism,
    password: &Password,
    salt: &[u8],
    iterations: NonZeroU32,
) -> Zeroizing<Vec<u8>> {
    let mut salted = Zeroizing::new(vec![0; mechanism.key_bytes()]);
    pbkdf2::derive(mechanism.pbkdf2(), iterations, salt, password.expose().as_bytes(), &mut salted);
    salted
}

/// `ClientKey := HMAC(SaltedPassword, "Client Key")`.
pub(crate) fn client_key(mechanism: Mechanism, salted_password: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(hmac_of(mechanism, salted_password, b"Client Key"))
}

/// `StoredKey := H(ClientKey)`.
pub(crate) fn stored_key(mechanism: Mechanism, client_key: &[u8]) -> Vec<u8> {
    digest::digest(mechanism.digest(), client_key).as_ref().to_vec()
}

/// `HMAC(key, message)` with the mechanism's hash.
pub(crate) fn hmac_of(mechanism: Mechanism, key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(mechanism.hmac(), key), message).as_ref().to_vec()
}

fn accepted_iterations(iterations: u32) -> Result<NonZeroU32, CredentialError> {
    NonZeroU32::new(iterations)
        .filter(|accepted| (MIN_ITERATIONS..=MAX_ITERATIONS).contains(&accepted.get()))
        .ok_or(CredentialError::Iterations(iterations))
}

fn fits(mechanism: Mechanism, key: &[u8]) -> Result<(), CredentialError> {
    if key.len() == mechanism.key_bytes() {
        Ok(())
    } else {
        Err(CredentialError::KeyLength { mechanism, found: key.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    fn derived(iterations: u32) -> ScramCredential {
        ScramCredential::derive(Mechanism::ScramSha256, &password("pencil"), iterations).unwrap()
    }

    #[test]
    fn each_credential_has_its_own_salt() {
        assert_ne!(derived(4096), derived(4096));
        assert_eq!(derived(4096).salt_shape(), SaltShape::DEFAULT);
    }

    #[test]
    fn a_salted_password_makes_the_same_credential_as_the_password() {
        for mechanism in Mechanism::ALL {
            let salt = b"0123456789".to_vec();
            let salted = salt_password(mechanism, &password("pencil"), &salt, NonZeroU32::new(5000).unwrap());
            assert_eq!(
                ScramCredential::from_salted_password(mechanism, 5000, salt.clone(), &salted),
                ScramCredential::derive_with_salt(mechanism, &password("pencil"), 5000, salt)
            );
        }
    }

    #[test]
    fn a_client_salts_within_the_bounds_and_never_twice_alike() {
        let salt = || SaltedPassword::derive(Mechanism::ScramSha512, &password("pencil"), 4096).unwrap();
        let (one, two) = (salt(), salt());
        assert_ne!((&one.salt, &*one.salted), (&two.salt, &*two.salted));
        assert_eq!((one.salt.len(), one.salted.len()), (SALT_BYTES, 64));
        let refused = SaltedPassword::derive(Mechanism::ScramSha512, &password("pencil"), 4095);
        assert_eq!(refused.err(), Some(CredentialError::Iterations(4095)));
    }

    #[test]
    fn iterations_outside_kafkas_bounds_are_refused() {
        for iterations in [0, MIN_ITERATIONS - 1, MAX_ITERATIONS + 1, u32::MAX] {
            let refused = ScramCredential::derive(Mechanism::ScramSha256, &password("pencil"), iterations);
            assert_eq!(refused, Err(CredentialError::Iterations(iterations)));
            let salted = ScramCredential::from_salted_password(
                Mechanism::ScramSha256,
                iterations,
                vec![1; 16],
                &[1; 32],
            );
            assert_eq!(salted, Err(CredentialError::Iterations(iterations)));
        }
    }

    #[test]
    fn empty_and_endless_passwords_are_refused() {
        let derive = |text: &str| ScramCredential::derive(Mechanism::ScramSha512, &password(text), 4096);
        assert_eq!(derive(""), Err(CredentialError::EmptyPassword));
        assert_eq!(derive(&"x".repeat(MAX_PASSWORD_BYTES + 1)), Err(CredentialError::PasswordTooLong));
        assert!(derive(&"x".repeat(MAX_PASSWORD_BYTES)).is_ok());
    }

    #[test]
    fn salts_and_keys_of_other_lengths_are_refused() {
        let upsert = |salt: usize, key: usize| {
            ScramCredential::from_salted_password(Mechanism::ScramSha512, 4096, vec![1; salt], &vec![1; key])
                .map(|_| ())
        };
        for salt in [0, MIN_SALT_BYTES - 1, MAX_SALT_BYTES + 1] {
            assert_eq!(upsert(salt, 64), Err(CredentialError::SaltLength(salt)));
        }
        for found in [0, 32, 65] {
            let mechanism = Mechanism::ScramSha512;
            assert_eq!(upsert(16, found), Err(CredentialError::KeyLength { mechanism, found }));
        }
        assert_eq!((upsert(MIN_SALT_BYTES, 64), upsert(MAX_SALT_BYTES, 64)), (Ok(()), Ok(())));
    }

    #[test]
    fn debug_shows_neither_salt_nor_keys() {
        assert_eq!(
            format!("{:?}", derived(4096)),
            "ScramCredential { mechanism: ScramSha256, iterations: 4096, .. }"
        );
    }

    #[test]
    fn a_credential_survives_the_metadata_log() {
        let credential = derived(4096);
        let text = serde_json::to_string(&credential).unwrap();
        assert!(text.starts_with(r#"{"mechanism":"SCRAM-SHA-256","iterations":4096,"salt":""#), "{text}");
        assert!(!text.contains("pencil"));
        assert_eq!(serde_json::from_str::<ScramCredential>(&text).unwrap(), credential);
    }

    #[test]
    fn a_damaged_or_foreign_entry_is_refused_without_quoting_it() {
        let good = serde_json::to_value(derived(4096)).unwrap();
        for (field, value) in [
            ("mechanism", "PLAIN".into()),
            ("iterations", 1.into()),
            ("salt", "".into()),
            ("stored_key", "c2VjcmV0".into()),
            ("server_key", "sec\u{e9}ret".into()),
            ("extra", "x".into()),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            let error = serde_json::from_value::<ScramCredential>(bad).unwrap_err().to_string();
            assert!(!error.contains("c2Vj") && !error.contains("ret"), "{field}: {error}");
        }
    }
}
