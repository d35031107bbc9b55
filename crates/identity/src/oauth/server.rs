//! The server's side of one exchange.

use std::sync::Arc;

use super::MAX_BEARER_BYTES;
use super::message::Bearer;
use super::token::TokenLogin;
use crate::{AuthFailure, AuthFailureReason, Step};

/// What a client is told of a token that is not good: no more than that (RFC 7628, section 3.2.2).
const INVALID_TOKEN: &[u8] = br#"{"status":"invalid_token"}"#;

/// One exchange with a client that is not known yet. A client whose token is not good is told so in a message of its
/// own, which it acknowledges; then the exchange fails.
pub struct BearerServer {
    login: Arc<TokenLogin>,
    state: State,
}

enum State {
    Start,
    Refused(AuthFailure),
    Ended,
}

impl BearerServer {
    /// Begins an exchange.
    #[must_use]
    pub fn new(login: Arc<TokenLogin>) -> Self {
        Self { login, state: State::Start }
    }

    /// Takes the client's next token.
    ///
    /// # Errors
    /// When the authentication has failed; every later call fails too.
    pub async fn step(&mut self, client: &[u8]) -> Result<Step, AuthFailure> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Start => match self.prove(client).await {
                Ok(step) => Ok(step),
                Err(failure) => {
                    self.state = State::Refused(failure);
                    Ok(Step::Continue(INVALID_TOKEN.to_vec()))
                }
            },
            // Whatever the client says to that.
            State::Refused(failure) => Err(failure),
            State::Ended => Err(AuthFailure { reason: AuthFailureReason::Ended, claimed_user: None }),
        }
    }

    async fn prove(&self, client: &[u8]) -> Result<Step, AuthFailure> {
        let unclaimed = |reason| AuthFailure { reason, claimed_user: None };
        if client.len() > MAX_BEARER_BYTES {
            return Err(unclaimed(AuthFailureReason::TokenTooLong));
        }
        let text = str::from_utf8(client).map_err(|_| unclaimed(AuthFailureReason::Malformed("no UTF-8")))?;
        let message = Bearer::read(text).map_err(|what| unclaimed(AuthFailureReason::Malformed(what)))?;
        let proof = self.login.verify(message.token).await.map_err(unclaimed)?;
        let user = proof.principal().name();
        if message.acts_as.is_some_and(|acts_as| acts_as != user) {
            let claimed_user = Some(user.to_owned());
            return Err(AuthFailure { reason: AuthFailureReason::AuthorizationId, claimed_user });
        }
        Ok(Step::Done { reply: Vec::new(), proof })
    }
}
