//! Where credentials come from, and what stands in for those that do not exist.

use std::sync::Arc;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::credential::{
    DEFAULT_ITERATIONS, MAX_ITERATIONS, MAX_SALT_BYTES, MIN_ITERATIONS, MIN_SALT_BYTES, SALT_BYTES,
    ScramCredential,
};
use crate::delegation::TOKEN_ITERATIONS;
use crate::{DelegationToken, Mechanism, random};

const BASE_36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// Java's tools make a salt of 130 random bits written in base 36: when it has 26 digits, the first is 1.
const JAVA_SALT_DIGITS: usize = 26;

/// Looks up credentials.
///
/// The two `unknown_*` methods make a user that does not exist look like those that do. Their `seed`
/// depends on the user and the mechanism and is the same for both: a store that answers from the
/// credential at `seed % number of credentials` (in the same order in both methods) imitates that one.
pub trait CredentialStore: Send + Sync {
    /// The credential of `user` for `mechanism`.
    fn scram(&self, user: &str, mechanism: Mechanism) -> Option<Arc<ScramCredential>>;

    /// Whose account a name stands for that somebody logs in with, where that is another one: an API key's.
    fn account_of(&self, user: &str) -> Option<String> {
        let _ = user;
        None
    }

    /// Whether a name is taken here, so that a directory has no say in who logs in by it.
    fn is_taken(&self, user: &str) -> bool {
        self.account_of(user).is_some()
            || Mechanism::ALL.into_iter().any(|mechanism| self.scram(user, mechanism).is_some())
    }

    /// The delegation token of this id, whether it is over or not.
    fn delegation_token(&self, id: &str, mechanism: Mechanism) -> Option<DelegationToken> {
        let _ = (id, mechanism);
        None
    }

    /// The iteration count shown for a user that does not exist.
    fn unknown_iterations(&self, mechanism: Mechanism, seed: u64) -> u32 {
        let _ = (mechanism, seed);
        DEFAULT_ITERATIONS
    }

    /// The form of the salt shown for a user that does not exist.
    fn unknown_salt_shape(&self, mechanism: Mechanism, seed: u64) -> SaltShape {
        let _ = (mechanism, seed);
        SaltShape::DEFAULT
    }
}

/// What a salt looks like from outside.
///
/// Tools make salts of their own form: `kafka-configs` sends 26 or so letters and digits, librdkafka 64
/// bytes. A fake salt of another form would tell the users apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SaltShape {
    /// Length in bytes.
    pub bytes: usize,
    /// Whether it holds only lower-case letters and digits, as the Java tools make it.
    pub alphanumeric: bool,
}

impl SaltShape {
    /// The form of the salts that Schloss makes itself.
    pub const DEFAULT: Self = Self { bytes: SALT_BYTES, alphanumeric: false };
}

/// The key from which the salts of unknown users are made.
///
/// 32 random bytes kept per installation: an unknown user gets the same salt each time, on each node and
/// after a restart, just as a known one does.
pub struct FakeSaltKey(Zeroizing<[u8; Self::BYTES]>);

impl FakeSaltKey {
    /// Length in bytes.
    pub const BYTES: usize = 32;

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

    /// The key itself, to keep it. Whoever knows it can tell unknown users from known ones.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// What stands in for the credential of `user`; no password fits it.
    pub(crate) fn credential(
        &self,
        store: &dyn CredentialStore,
        user: &str,
        mechanism: Mechanism,
    ) -> Arc<ScramCredential> {
        let seed =
            self.stream("seed", user, mechanism, 8).iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte));
        let iterations = store.unknown_iterations(mechanism, seed).clamp(MIN_ITERATIONS, MAX_ITERATIONS);
        let salt = self.salt(store.unknown_salt_shape(mechanism, seed), user, mechanism);
        let stored_key = self.stream("stored key", user, mechanism, mechanism.key_bytes());
        let server_key = self.stream("server key", user, mechanism, mechanism.key_bytes());
        Arc::new(ScramCredential::stand_in(mechanism, iterations, salt, stored_key, server_key))
    }

    /// What stands in for the credential of a delegation token. Not that of a user of this name: whoever got the same
    /// salt for both would know that there is neither.
    pub(crate) fn token_credential(&self, id: &str, mechanism: Mechanism) -> Arc<ScramCredential> {
        let name = format!("\0token\0{id}");
        let salt = self.stream("salt", &name, mechanism, SALT_BYTES);
        let stored_key = self.stream("stored key", &name, mechanism, mechanism.key_bytes());
        let server_key = self.stream("server key", &name, mechanism, mechanism.key_bytes());
        Arc::new(ScramCredential::stand_in(mechanism, TOKEN_ITERATIONS, salt, stored_key, server_key))
    }

    fn salt(&self, shape: SaltShape, user: &str, mechanism: Mechanism) -> Vec<u8> {
        let length = shape.bytes.clamp(MIN_SALT_BYTES, MAX_SALT_BYTES);
        if !shape.alphanumeric {
            return self.stream("salt", user, mechanism, length);
        }
        // Two bytes for one digit: the remainder of 16 bits by 36 shows no bias.
        let stream = self.stream("salt", user, mechanism, length * 2);
        let digit =
            |pair: &[u8]| BASE_36[pair.iter().fold(0, |value, byte| value << 8 | usize::from(*byte)) % 36];
        let mut salt: Vec<u8> = stream.chunks_exact(2).map(digit).collect();
        if length == JAVA_SALT_DIGITS {
            salt[0] = b'1';
        }
        salt
    }

    /// `length` bytes that depend on all that is named and nothing else: HMAC in counter mode.
    fn stream(&self, label: &str, user: &str, mechanism: Mechanism, length: usize) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA512, self.0.as_slice());
        let mut bytes = Vec::new();
        for count in 0_u32.. {
            // A user name holds no NUL, so the parts can't be shifted against each other.
            let block = format!("{count}\0{label}\0{mechanism}\0{user}");
            bytes.extend_from_slice(hmac::sign(&key, block.as_bytes()).as_ref());
            if bytes.len() >= length {
                break;
            }
        }
        bytes.truncate(length);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shapes(u32, SaltShape);

    impl CredentialStore for Shapes {
        fn scram(&self, _: &str, _: Mechanism) -> Option<Arc<ScramCredential>> {
            None
        }
        fn unknown_iterations(&self, _: Mechanism, _: u64) -> u32 {
            self.0
        }
        fn unknown_salt_shape(&self, _: Mechanism, _: u64) -> SaltShape {
            self.1
        }
    }

    fn fake(key: u8, store: &dyn CredentialStore, user: &str) -> Arc<ScramCredential> {
        FakeSaltKey::from_bytes([key; 32]).credential(store, user, Mechanism::ScramSha512)
    }

    #[test]
    fn a_fake_depends_on_key_user_and_mechanism_and_on_nothing_else() {
        let store = Shapes(8192, SaltShape::DEFAULT);
        assert_eq!(fake(1, &store, "a"), fake(1, &store, "a"));
        assert_ne!(fake(1, &store, "a").salt(), fake(2, &store, "a").salt());
        assert_ne!(fake(1, &store, "a").salt(), fake(1, &store, "b").salt());
        let other = FakeSaltKey::from_bytes([1; 32]).credential(&store, "a", Mechanism::ScramSha256);
        assert_ne!(fake(1, &store, "a").salt(), other.salt());
    }

    #[test]
    fn the_fake_of_a_token_is_not_that_of_a_user_of_its_name() {
        let store = Shapes(TOKEN_ITERATIONS, SaltShape::DEFAULT);
        let token = FakeSaltKey::from_bytes([1; 32]).token_credential("a", Mechanism::ScramSha512);
        assert_ne!(token.salt(), fake(1, &store, "a").salt());
        let shape = (token.iterations(), token.salt_shape());
        assert_eq!(shape, (TOKEN_ITERATIONS, SaltShape::DEFAULT), "as those of tokens that exist");
    }

    #[test]
    fn a_fake_looks_like_the_credential_it_imitates() {
        for bytes in [8, 26, 64, 65, 128] {
            for alphanumeric in [false, true] {
                let shape = SaltShape { bytes, alphanumeric };
                let fake = fake(1, &Shapes(4096, shape), "a");
                assert_eq!((fake.iterations(), fake.salt_shape()), (4096, shape));
            }
        }
    }

    #[test]
    fn a_fake_salt_of_26_digits_begins_as_those_of_the_java_tools_do() {
        let store = Shapes(4096, SaltShape { bytes: 26, alphanumeric: true });
        for user in ["a", "b", "c"] {
            assert_eq!(fake(1, &store, user).salt()[0], b'1');
        }
    }

    #[test]
    fn a_store_that_answers_out_of_bounds_does_no_harm() {
        let long = fake(1, &Shapes(u32::MAX, SaltShape { bytes: usize::MAX, alphanumeric: true }), "a");
        assert_eq!((long.iterations(), long.salt().len()), (MAX_ITERATIONS, MAX_SALT_BYTES));
        let short = fake(1, &Shapes(0, SaltShape { bytes: 0, alphanumeric: false }), "a");
        assert_eq!((short.iterations(), short.salt().len()), (MIN_ITERATIONS, MIN_SALT_BYTES));
    }
}
