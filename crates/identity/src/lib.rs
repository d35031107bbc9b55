//! Principals, SASL mechanisms and credentials.
//!
//! Start at [`ScramServer`]: one exchange with a peer that is not known yet, fed token by token. It ends in
//! an [`AuthFailure`], which is for the audit log, or in an [`Authenticated`] value, which nothing outside
//! this crate can make. [`ScramClient`] is the other side. Nothing here reads a socket, a clock or a file:
//! nonces come from a [`NonceSource`], credentials from a [`CredentialStore`].

mod authenticated;
mod credential;
mod failure;
mod mechanism;
mod nonce;
mod password;
mod random;
mod scram;
mod store;
mod user;

pub use authenticated::{Authenticated, MAX_GROUPS, TooManyGroups, groups};
pub use credential::{
    CredentialError, DEFAULT_ITERATIONS, MAX_ITERATIONS, MAX_PASSWORD_BYTES, MAX_SALT_BYTES, MIN_ITERATIONS,
    MIN_SALT_BYTES, SALT_BYTES, SaltedPassword, ScramCredential,
};
pub use failure::{AuthFailure, AuthFailureReason};
pub use mechanism::Mechanism;
pub use nonce::{NonceSource, OsNonce};
pub use password::Password;
pub use scram::{
    MAX_CLIENT_ITERATIONS, MAX_NONCE_BYTES, MAX_TOKEN_BYTES, SaltMemory, ScramClient, ScramClientError,
    ScramServer, Step,
};
pub use store::{CredentialStore, FakeSaltKey, SaltShape};
pub use user::{MAX_USER_NAME_BYTES, UserNameError, check_user_name};
