//! The client's side of one exchange.

use std::mem;
use std::num::NonZeroU32;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use super::memory::SaltMemory;
use super::messages::{MAX_TOKEN_BYTES, Malformed, ServerFinal, ServerFirst, error_of, escape, to_base64};
use crate::credential::{MIN_ITERATIONS, client_key, hmac_of, salt_password, stored_key};
use crate::{Mechanism, NonceSource, Password};

/// The most PBKDF2 iterations a server may ask of our client.
///
/// Kafka stores at most 16,384; other brokers may store more, and a hostile one asks for 2^32 to keep a CPU
/// busy. This many take about a tenth of a second with SHA-512.
pub const MAX_CLIENT_ITERATIONS: u32 = 200_000;

/// `n,,`: no channel binding, no other user to act as.
const GS2_HEADER: &str = "n,,";

/// Kafka's extension by which the user name is a delegation token's id.
const TOKEN_EXTENSION: &str = ",tokenauth=true";

/// One exchange with a server that is not trusted yet: [`first`](Self::first), [`reply`](Self::reply),
/// [`finish`](Self::finish). Only after `finish` has the server proved that it knows the credential.
pub struct ScramClient {
    mechanism: Mechanism,
    password: Password,
    first_bare: String,
    nonce: String,
    memory: Arc<SaltMemory>,
    state: State,
}

enum State {
    Start,
    Replied { server_signature: Vec<u8> },
    Ended,
}

/// Why the client gave up.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ScramClientError {
    /// The server sent an error instead of its proof. Control characters are taken out of the text.
    #[error("the server refused the authentication: {0}")]
    ServerError(String),
    /// The message is longer than [`MAX_TOKEN_BYTES`].
    #[error("the server's message is longer than {MAX_TOKEN_BYTES} bytes")]
    TokenTooLong,
    /// The message does not follow RFC 5802, section 7; the text names the place.
    #[error("malformed message of the server: {0}")]
    Malformed(&'static str),
    /// The server's nonce does not begin with ours, or adds nothing: a replay, or somebody in between.
    #[error("the server's nonce does not continue ours: somebody may be in between")]
    NonceMismatch,
    /// Fewer than [`MIN_ITERATIONS`], which would make the password easier to guess.
    #[error("the server asks for {0} iterations, fewer than the {MIN_ITERATIONS} that are safe")]
    TooFewIterations(u32),
    /// More than [`MAX_CLIENT_ITERATIONS`].
    #[error("the server asks for {0} iterations, more than the {MAX_CLIENT_ITERATIONS} that are accepted")]
    TooManyIterations(u32),
    /// There is nothing to prove with.
    #[error("the password is empty")]
    EmptyPassword,
    /// The server does not know the credential: it is not the one it seems to be.
    #[error("the server's proof is wrong: it is not the server that knows this user")]
    WrongServerSignature,
    /// The methods were called in another order, or once more after a failure.
    #[error("the exchange is not at this step")]
    OutOfOrder,
}

impl ScramClient {
    /// Begins an exchange.
    #[must_use]
    pub fn new(mechanism: Mechanism, user: &str, password: Password, nonce: &dyn NonceSource) -> Self {
        let nonce = nonce.nonce();
        let first_bare = format!("n={},r={nonce}", escape(user));
        Self { mechanism, password, first_bare, nonce, memory: Arc::default(), state: State::Start }
    }

    /// The same with what this password came to in exchanges before.
    #[must_use]
    pub fn with_memory(mut self, memory: Arc<SaltMemory>) -> Self {
        self.memory = memory;
        self
    }

    /// Whether [`reply`](Self::reply) to this message would run PBKDF2.
    #[must_use]
    pub fn has_to_salt(&self, server_first: &[u8]) -> bool {
        let read = readable(server_first).and_then(|text| Ok(ServerFirst::read(text)?));
        read.is_ok_and(|server| {
            let iterations = accepted_iterations(server.iterations);
            iterations.is_ok_and(|iterations| self.memory.recall(&server.salt, iterations).is_none())
        })
    }

    /// The same for a delegation token (KIP-48): the user is the token's id, the password its HMAC in base64.
    #[must_use]
    pub fn with_token_auth(mut self) -> Self {
        self.first_bare.push_str(TOKEN_EXTENSION);
        self
    }

    /// The first token to send.
    #[must_use]
    pub fn first(&self) -> Vec<u8> {
        format!("{GS2_HEADER}{}", self.first_bare).into_bytes()
    }

    /// Answers the server's first message.
    ///
    /// May run PBKDF2, some milliseconds of CPU: call it off the reactor if [`has_to_salt`](Self::has_to_salt).
    ///
    /// # Errors
    /// When the server refuses, the message is malformed, its nonce is not a continuation of ours, or its
    /// iteration count is out of bounds. The exchange is over then.
    pub fn reply(&mut self, server_first: &[u8]) -> Result<Vec<u8>, ScramClientError> {
        let State::Start = mem::replace(&mut self.state, State::Ended) else {
            return Err(ScramClientError::OutOfOrder);
        };
        let text = readable(server_first)?;
        if let Some(error) = error_of(text) {
            return Err(server_error(error));
        }
        let server = ServerFirst::read(text)?;
        if !server.nonce.starts_with(&self.nonce) || server.nonce.len() == self.nonce.len() {
            return Err(ScramClientError::NonceMismatch);
        }
        let iterations = accepted_iterations(server.iterations)?;
        if self.password.expose().is_empty() {
            return Err(ScramClientError::EmptyPassword);
        }

        let without_proof = format!("c={},r={}", to_base64(GS2_HEADER.as_bytes()), server.nonce);
        let message = format!("{},{text},{without_proof}", self.first_bare);
        let salted = self.memory.recall(&server.salt, iterations).unwrap_or_else(|| {
            let salted = salt_password(self.mechanism, &self.password, &server.salt, iterations);
            self.memory.keep(&server.salt, iterations, &salted);
            salted
        });
        let mut proof = client_key(self.mechanism, &salted);
        let signature = hmac_of(self.mechanism, &stored_key(self.mechanism, &proof), message.as_bytes());
        proof.iter_mut().zip(&signature).for_each(|(byte, mask)| *byte ^= mask);

        let server_key = Zeroizing::new(hmac_of(self.mechanism, &salted, b"Server Key"));
        let server_signature = hmac_of(self.mechanism, &server_key, message.as_bytes());
        self.state = State::Replied { server_signature };
        Ok(format!("{without_proof},p={}", to_base64(&proof)).into_bytes())
    }

    /// Checks the server's proof.
    ///
    /// # Errors
    /// When the server sent an error, its proof is wrong or malformed, or it sent a proof before it had
    /// asked for ours.
    pub fn finish(self, server_final: &[u8]) -> Result<(), ScramClientError> {
        let State::Replied { server_signature } = self.state else {
            return Err(ScramClientError::OutOfOrder);
        };
        match ServerFinal::read(readable(server_final)?)? {
            ServerFinal::Error(text) => Err(server_error(text)),
            ServerFinal::Signature(claimed) if bool::from(claimed.ct_eq(&server_signature)) => Ok(()),
            ServerFinal::Signature(_) => Err(ScramClientError::WrongServerSignature),
        }
    }
}

fn accepted_iterations(iterations: u32) -> Result<NonZeroU32, ScramClientError> {
    match NonZeroU32::new(iterations) {
        Some(_) if iterations > MAX_CLIENT_ITERATIONS => Err(ScramClientError::TooManyIterations(iterations)),
        Some(accepted) if iterations >= MIN_ITERATIONS => Ok(accepted),
        _ => Err(ScramClientError::TooFewIterations(iterations)),
    }
}

fn readable(message: &[u8]) -> Result<&str, ScramClientError> {
    if message.len() > MAX_TOKEN_BYTES {
        return Err(ScramClientError::TokenTooLong);
    }
    str::from_utf8(message).map_err(|_| ScramClientError::Malformed("the message is no UTF-8"))
}

/// The text comes from somebody who has proved nothing and may end on a terminal.
fn server_error(text: &str) -> ScramClientError {
    ScramClientError::ServerError(text.chars().filter(|letter| !letter.is_control()).collect())
}

impl From<Malformed> for ScramClientError {
    fn from(Malformed(place): Malformed) -> Self {
        Self::Malformed(place)
    }
}
