//! Where credentials come from, and what stands in for those that do not exist.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::credential::{DEFAULT_ITERATIONS, SALT_BYTES, ScramCredential};
use crate::{Mechanism, random};

/// Looks up credentials.
///
/// The two `unknown_*` methods make a user that does not exist look like those that do. Their `seed`
/// depends on the user and the mechanism and is the same for both: a store that answers from the
/// credential at `seed % number of credentials` (in the same order in both methods) imitates that one.
pub trait CredentialStore: Send + Sync {
    /// The credential of `user` for `mechanism`.
    fn scram(&self, user: &str, mechanism: Mechanism) -> Option<Arc<ScramCredential>>;

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
}
