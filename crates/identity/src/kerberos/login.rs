//! What a listener knows of Kerberos, and what it asks of a library.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::KerberosRules;
use crate::PasswordChecks;

/// The accepting side of a Kerberos library. Calls may block: they are made on threads of their own, a few at once.
pub trait GssAcceptor: Send + Sync {
    /// Begins with a client that is not known yet.
    ///
    /// # Errors
    /// No ticket could be looked at, such as without a keytab.
    fn begin(&self) -> Result<Box<dyn GssContext>, GssFailure>;
}

/// What a library makes of the tokens of one client (RFC 2743). Calls may block.
pub trait GssContext: Send {
    /// Takes the client's next token.
    ///
    /// # Errors
    /// The token proves nothing.
    fn accept(&mut self, token: &[u8]) -> Result<GssReply, GssFailure>;

    /// Signs a message to the client, once the client is known; it is not encrypted.
    ///
    /// # Errors
    /// The library's.
    fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, GssFailure>;

    /// A message of the client, once it is known.
    ///
    /// # Errors
    /// The client did not sign it.
    fn unwrap(&mut self, token: &[u8]) -> Result<Vec<u8>, GssFailure>;
}

/// What one token led to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GssReply {
    /// To send to the client; may be empty once the client is known.
    pub token: Vec<u8>,
    /// Who it is, once that is proved.
    pub client: Option<GssClient>,
}

/// Whom a ticket is of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GssClient {
    /// The name, with its realm, as the library writes it: separators inside of a part have a backslash before them.
    pub name: String,
    /// How long the ticket is good from now on.
    pub lifetime: Duration,
}

/// Longest words of a library, in characters.
const MAX_WORDS: usize = 400;

/// Why a library said no, in its own words, which hold no secrets. They may repeat names that a stranger has sent, so
/// they are one line of bounded length.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{0}")]
pub struct GssFailure(String);

impl GssFailure {
    /// These words, as far as they may be told.
    #[must_use]
    pub fn new(words: &str) -> Self {
        let mut told = String::new();
        for letter in words.trim().chars().take(MAX_WORDS) {
            match letter {
                '\'' | '"' | '\\' => told.push(letter),
                other => told.extend(other.escape_debug()),
            }
        }
        Self(told)
    }
}

/// Whose tickets are good here, and which users they make.
pub struct KerberosLogin {
    pub(super) acceptor: Arc<dyn GssAcceptor>,
    pub(super) rules: KerberosRules,
    pub(super) turns: PasswordChecks,
}

impl KerberosLogin {
    /// Log-in by whatever tickets `acceptor` takes.
    #[must_use]
    pub fn new(acceptor: Arc<dyn GssAcceptor>, rules: KerberosRules) -> Self {
        // Turns of its own: a keytab on a disk that hangs must not hold up passwords.
        Self { acceptor, rules, turns: PasswordChecks::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_line_of_bounded_length() {
        assert_eq!(
            GssFailure::new(" 'a'\\/b\nc\u{1b}[1m\u{202e} ").to_string(),
            r"'a'\/b\nc\u{1b}[1m\u{202e}"
        );
        assert_eq!(GssFailure::new(&"x".repeat(100_000)).to_string().len(), MAX_WORDS);
    }
}
