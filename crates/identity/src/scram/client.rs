//! The client's side of one exchange.

use thiserror::Error;

use crate::{Mechanism, NonceSource, Password};

/// The most PBKDF2 iterations a server may ask of our client.
pub const MAX_CLIENT_ITERATIONS: u32 = 200_000;

/// One exchange with a server that is not trusted yet.
pub struct ScramClient {
    mechanism: Mechanism,
    user: String,
    password: Password,
    nonce: String,
}

/// Why the client gave up.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ScramClientError {
    /// The server sent an error instead of its proof.
    #[error("the server refused the authentication: {0}")]
    ServerError(String),
    /// The methods were called in another order.
    #[error("the exchange is not at this step")]
    OutOfOrder,
}

impl ScramClient {
    /// Begins an exchange.
    #[must_use]
    pub fn new(mechanism: Mechanism, user: &str, password: Password, nonce: &dyn NonceSource) -> Self {
        Self { mechanism, user: user.to_owned(), password, nonce: nonce.nonce() }
    }

    /// The first token to send.
    #[must_use]
    pub fn first(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Answers the server's first message. Runs PBKDF2: call it off the reactor.
    ///
    /// # Errors
    /// When the message is malformed or asks for what is out of bounds.
    pub fn reply(&mut self, server_first: &[u8]) -> Result<Vec<u8>, ScramClientError> {
        let _ = (server_first, self.mechanism, &self.user, &self.password, &self.nonce);
        Err(ScramClientError::OutOfOrder)
    }

    /// Checks the server's proof; only then is the server the one that knows the password.
    ///
    /// # Errors
    /// When the server sent an error, or its proof is wrong.
    pub fn finish(self, server_final: &[u8]) -> Result<(), ScramClientError> {
        let _ = server_final;
        Err(ScramClientError::OutOfOrder)
    }
}
