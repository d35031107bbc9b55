//! Why an authentication failed: all of it for the audit log, none of it for the peer.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

use crate::{MAX_TOKEN_BYTES, SaslMechanism, UserNameError};

/// A failed authentication.
///
/// `Display` gives the one text a peer may see. What really happened is in `reason`, for the audit log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthFailure {
    /// What happened, in words for the audit log. Never send it to the peer.
    pub reason: AuthFailureReason,
    /// The user that the peer claimed to be, when it came so far. Bounded by
    /// [`crate::MAX_USER_NAME_BYTES`] and free of control characters.
    pub claimed_user: Option<String>,
}

impl AuthFailure {
    /// What the peer is told, whatever the reason: Kafka's own text for error 58.
    #[must_use]
    pub fn client_message(mechanism: SaslMechanism) -> String {
        format!(
            "Authentication failed during authentication due to invalid credentials with SASL mechanism {mechanism}"
        )
    }

    /// Under which name it is counted: a token is not a user of the same name.
    #[must_use]
    pub fn counted_as(&self) -> Option<Cow<'_, str>> {
        match &self.reason {
            AuthFailureReason::DelegationToken { id, .. } => Some(counted_token(id).into()),
            _ => self.claimed_user.as_deref().map(Cow::from),
        }
    }
}

/// A name that no user can have, since theirs hold no control characters.
pub(crate) fn counted_token(id: &str) -> String {
    format!("token\0{id}")
}

impl fmt::Display for AuthFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("authentication failed")
    }
}

impl std::error::Error for AuthFailure {}

/// What made an authentication fail.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum AuthFailureReason {
    /// The token is longer than [`MAX_TOKEN_BYTES`].
    #[error("the SASL token is longer than {MAX_TOKEN_BYTES} bytes")]
    TokenTooLong,
    /// The token does not follow the grammar of RFC 5802, section 7; the text names the place.
    #[error("malformed SASL token: {0}")]
    Malformed(&'static str),
    /// The client asks for channel binding (`p=`), which only the `-PLUS` mechanisms have.
    #[error("the client asks for channel binding, which is not offered")]
    ChannelBinding,
    /// The user name can't be one.
    #[error("{0}")]
    UserName(#[from] UserNameError),
    /// The client wants to act as somebody else.
    #[error("the authorization id differs from the user name")]
    AuthorizationId,
    /// A log-in with a delegation token (`tokenauth=true`, KIP-48) has failed.
    #[error("delegation token {id}: {why}")]
    DelegationToken {
        /// The id that the client claimed; bounded as names of users are.
        id: String,
        /// Why.
        why: Box<AuthFailureReason>,
    },
    /// There is no token of this id.
    #[error("there is no such token, or tokens are off")]
    UnknownToken,
    /// The proof does not fit the token.
    #[error("wrong HMAC")]
    WrongHmac,
    /// It was good once.
    #[error("it has expired")]
    ExpiredToken,
    /// The nonce of the last message is not the one this exchange agreed on.
    #[error("the nonce was changed within the exchange")]
    NonceMismatch,
    /// The `c=` of the last message does not repeat the header of the first.
    #[error("the channel binding data differs from the first message")]
    ChannelBindingMismatch,
    /// The proof has another length than the mechanism's.
    #[error("the proof has the wrong length")]
    ProofLength,
    /// No such user, or the user has no credential for this mechanism.
    #[error("unknown user, or no credential for this mechanism")]
    UnknownUser,
    /// The proof does not fit the user's credential.
    #[error("wrong password")]
    WrongPassword,
    /// The password can't be one: it is empty or too long.
    #[error("the password is empty or too long")]
    NoPassword,
    /// A client certificate that names nobody; the text says why.
    #[error("{0}")]
    Certificate(String),
    /// On an open connection, somebody else authenticated than whose it is (KIP-368).
    #[error("the client authenticated again as somebody else")]
    AnotherPrincipal,
    /// A token that proves nothing; the text says why.
    #[error("the token is not good: {0}")]
    Token(String),
    /// A ticket of Kerberos that proves nothing, or a client that did not keep to the exchange; the text says why.
    #[error("Kerberos: {0}")]
    Kerberos(String),
    /// No ticket can be looked at, whoever comes with it; the text says why.
    #[error("Kerberos can't be served: {0}; see to the keytab")]
    KerberosUnable(String),
    /// Too many log-ins have failed before; the text says of whom, and for how long nobody is let in.
    #[error("{0}")]
    LockedOut(String),
    /// Nobody is served by this account; the text says why.
    #[error("{0}")]
    Barred(&'static str),
    /// The directory refuses the account whatever the password is, or has found it good; the text says why.
    #[error("the directory refuses the account: {0}")]
    Directory(String),
    /// The directory can't be asked; the text says why.
    #[error("the directory can't be asked: {0}")]
    DirectoryDown(String),
    /// A success that can't be written down.
    #[error("the audit trail can't be written, so nobody is let in; see to the audit directory")]
    NoAudit,
    /// The server is ending and checks nothing any more.
    #[error("the server is stopping")]
    Stopping,
    /// A token came after the exchange had ended.
    #[error("a SASL token came after the exchange had ended")]
    Ended,
}

impl AuthFailureReason {
    /// Whether it may have been a guess at a user or a password, of which there should not be many. Whoever has proved
    /// who they are, and is not let in for another reason, did not guess. Nor did who was not heard by a directory.
    #[must_use]
    pub fn is_guess(&self) -> bool {
        match self {
            Self::DelegationToken { why, .. } => why.is_guess(),
            Self::LockedOut(_)
            | Self::Barred(_)
            | Self::Directory(_)
            | Self::DirectoryDown(_)
            | Self::KerberosUnable(_)
            | Self::NoAudit
            | Self::Stopping
            | Self::AnotherPrincipal
            | Self::ExpiredToken => false,
            _ => true,
        }
    }
}
