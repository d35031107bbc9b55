//! Principals, SASL mechanisms and credentials.
//!
//! Start at [`SaslServer`]: one exchange with a peer that is not known yet, fed token by token. It ends in
//! an [`AuthFailure`], which is for the audit log, or in an [`Authenticated`] value, which nothing outside
//! this crate can make; [`CertificateIdentity`] makes one of a TLS connection. [`ScramClient`] is the other side.
//! Nothing here reads a socket or a file: nonces come from a [`NonceSource`], credentials from a
//! [`CredentialStore`].

mod authenticated;
mod certificate;
mod credential;
mod delegation;
mod directory;
mod failure;
mod kerberos;
mod mechanism;
mod nonce;
mod oauth;
mod password;
mod password_checks;
mod plain;
mod random;
mod sasl_mechanism;
mod sasl_server;
mod scram;
mod store;
mod substitution;
mod user;

pub use authenticated::{Authenticated, MAX_GROUPS, TooManyGroups, groups};
pub use certificate::{CertificateIdentity, MappingRules, NameSource};
pub use credential::{
    CredentialError, DEFAULT_ITERATIONS, MAX_ITERATIONS, MAX_PASSWORD_BYTES, MAX_SALT_BYTES, MIN_ITERATIONS,
    MIN_SALT_BYTES, SALT_BYTES, SaltedPassword, ScramCredential,
};
pub use delegation::{DelegationToken, TOKEN_DIGEST_BYTES, TOKEN_ITERATIONS, TokenHmac, TokenKey};
pub use directory::{Asking, Directory, DirectoryEntry, DirectoryGroups, Member, Membership};
pub use failure::{AuthFailure, AuthFailureReason};
pub use kerberos::{
    GssAcceptor, GssClient, GssContext, GssFailure, GssReply, GssapiServer, KerberosLogin, KerberosNameError,
    KerberosRules, MAX_GSS_TOKEN_BYTES, check_realm,
};
pub use mechanism::Mechanism;
pub use nonce::{NonceSource, OsNonce};
pub use oauth::{
    BearerServer, IssuerKeys, KeySource, KeysError, MAX_BEARER_BYTES, MAX_KEYS_BYTES, TokenAlgorithm,
    TokenLogin, TokenRules,
};
pub use password::Password;
pub use password_checks::PasswordChecks;
pub use plain::{Locks, PlainServer};
pub use sasl_mechanism::{Method, SaslMechanism};
pub use sasl_server::{SaslServer, Step};
pub use scram::{
    MAX_CLIENT_ITERATIONS, MAX_NONCE_BYTES, MAX_TOKEN_BYTES, SaltMemory, ScramClient, ScramClientError,
    ScramServer,
};
pub use store::{CredentialStore, FakeSaltKey, SaltShape};
pub use substitution::RuleError;
pub use user::{MAX_USER_NAME_BYTES, UserNameError, check_user_name};
