//! The server's side of one exchange.

use std::sync::Arc;

use crate::{
    AuthFailure, AuthFailureReason, Authenticated, CredentialStore, FakeSaltKey, Mechanism, NonceSource,
};

/// One exchange with a client that is not known yet.
pub struct ScramServer {
    mechanism: Mechanism,
    store: Arc<dyn CredentialStore>,
    fake: Arc<FakeSaltKey>,
    nonce: String,
}

/// What one token of the client leads to.
pub enum Step {
    /// Send these bytes and wait for the client's next token.
    Continue(Vec<u8>),
    /// Send these bytes; the client has proved who it is.
    Done {
        /// The server's last message: its own proof.
        reply: Vec<u8>,
        /// Who the client is.
        proof: Authenticated,
    },
}

impl ScramServer {
    /// Begins an exchange.
    #[must_use]
    pub fn new(
        mechanism: Mechanism,
        store: Arc<dyn CredentialStore>,
        fake: Arc<FakeSaltKey>,
        nonce: &dyn NonceSource,
    ) -> Self {
        Self { mechanism, store, fake, nonce: nonce.nonce() }
    }

    /// Takes the client's next token.
    ///
    /// # Errors
    /// When the authentication has failed; every later call fails too.
    pub fn step(&mut self, client: &[u8]) -> Result<Step, AuthFailure> {
        let _ = (client, &self.mechanism, &self.store, &self.fake, &self.nonce);
        Err(AuthFailure { reason: AuthFailureReason::Ended, claimed_user: None })
    }
}
