//! The server's side of one exchange.

use std::mem;
use std::sync::Arc;
use std::time::SystemTime;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::messages::{ClientFinal, ClientFirst, MAX_TOKEN_BYTES, Malformed, to_base64};
use crate::credential::{hmac_of, stored_key};
use crate::{
    AuthFailure, AuthFailureReason, Authenticated, CredentialStore, DelegationToken, FakeSaltKey, Mechanism,
    NonceSource, ScramCredential, Step, check_user_name,
};

/// One exchange with a client that is not known yet.
///
/// Feed it the client's tokens until it is [`Step::Done`] or fails. A user that does not exist is led
/// through the whole exchange, with the same messages and the same work, and fails as a wrong password does; so is a
/// delegation token that does not exist. Users and tokens are never looked for among each other.
/// No step is expensive: PBKDF2 is the client's part.
pub struct ScramServer {
    mechanism: Mechanism,
    store: Arc<dyn CredentialStore>,
    fake: Arc<FakeSaltKey>,
    nonce: String,
    claimed_user: Option<String>,
    /// Whether that is a delegation token's id.
    is_token: bool,
    state: State,
}

enum State {
    Start,
    Challenged(Challenge),
    Ended,
}

/// What the last message is checked against.
struct Challenge {
    user: String,
    gs2_header: String,
    client_nonce: String,
    /// The client's nonce and ours.
    nonce: String,
    /// The two messages so far, as both proofs cover them.
    messages: String,
    credential: Arc<ScramCredential>,
    holder: Holder,
}

/// Whose credential it is.
enum Holder {
    NoUser,
    NoToken,
    User,
    Token(DelegationToken),
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
        let (nonce, claimed_user, state) = (nonce.nonce(), None, State::Start);
        Self { mechanism, store, fake, nonce, claimed_user, is_token: false, state }
    }

    /// The mechanism of this exchange.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Takes the client's next token.
    ///
    /// # Errors
    /// When the authentication has failed; every later call fails too. Tell the peer
    /// [`AuthFailure::client_message`] and nothing else.
    pub fn step(&mut self, client: &[u8]) -> Result<Step, AuthFailure> {
        // Whatever happens below, no second token finds the same state.
        let state = mem::replace(&mut self.state, State::Ended);
        readable(client)
            .and_then(|text| match state {
                State::Start => self.challenge(text),
                State::Challenged(challenge) => challenge.verify(self.mechanism, self.store.as_ref(), text),
                State::Ended => Err(AuthFailureReason::Ended),
            })
            .map_err(|reason| self.failure(reason))
    }

    fn failure(&self, reason: AuthFailureReason) -> AuthFailure {
        let claimed_user = self.claimed_user.clone();
        match claimed_user {
            Some(id) if self.is_token => {
                let reason = AuthFailureReason::DelegationToken { id, why: Box::new(reason) };
                AuthFailure { reason, claimed_user: None }
            }
            claimed_user => AuthFailure { reason, claimed_user },
        }
    }

    fn challenge(&mut self, text: &str) -> Result<Step, AuthFailureReason> {
        let first = ClientFirst::read(text)?;
        check_user_name(&first.user)?;
        self.claimed_user = Some(first.user.clone());
        self.is_token = first.token_auth;
        if first.channel_binding {
            return Err(AuthFailureReason::ChannelBinding);
        }
        if first.authorization_id.as_ref().is_some_and(|id| *id != first.user) {
            return Err(AuthFailureReason::AuthorizationId);
        }
        let (credential, holder) =
            if first.token_auth { self.token(&first.user) } else { self.user(&first.user) };

        let nonce = format!("{}{}", first.nonce, self.nonce);
        let reply = format!("r={nonce},s={},i={}", to_base64(credential.salt()), credential.iterations());
        self.state = State::Challenged(Challenge {
            gs2_header: first.gs2_header.to_owned(),
            messages: format!("{},{reply}", first.bare),
            user: first.user,
            client_nonce: first.nonce.to_owned(),
            nonce,
            credential,
            holder,
        });
        Ok(Step::Continue(reply.into_bytes()))
    }

    /// The fake is made for known users as well, so that both take the same time.
    fn user(&self, name: &str) -> (Arc<ScramCredential>, Holder) {
        let fake = self.fake.credential(self.store.as_ref(), name, self.mechanism);
        match self.store.scram(name, self.mechanism) {
            Some(credential) => (credential, Holder::User),
            None => (fake, Holder::NoUser),
        }
    }

    fn token(&self, id: &str) -> (Arc<ScramCredential>, Holder) {
        let fake = self.fake.token_credential(id, self.mechanism);
        match self.store.delegation_token(id, self.mechanism) {
            Some(token) => (Arc::clone(&token.credential), Holder::Token(token)),
            None => (fake, Holder::NoToken),
        }
    }
}

impl Challenge {
    /// librdkafka before 2.6 puts its own nonce before the whole nonce once more, and that is what kcat is built
    /// with in long-lived distributions. Freshness stands or falls with our part: it is all there, and the proof
    /// covers the text as it was sent, so this one other spelling gives nothing to anybody.
    fn is_doubled(&self, nonce: &str) -> bool {
        nonce.strip_prefix(self.client_nonce.as_str()) == Some(self.nonce.as_str())
    }

    fn verify(
        self,
        mechanism: Mechanism,
        store: &dyn CredentialStore,
        text: &str,
    ) -> Result<Step, AuthFailureReason> {
        let last = ClientFinal::read(text)?;
        if last.nonce != self.nonce && !self.is_doubled(last.nonce) {
            return Err(AuthFailureReason::NonceMismatch);
        }
        if last.channel_binding != self.gs2_header.as_bytes() {
            return Err(AuthFailureReason::ChannelBindingMismatch);
        }
        if last.proof.len() != mechanism.key_bytes() {
            return Err(AuthFailureReason::ProofLength);
        }

        let message = format!("{},{}", self.messages, last.without_proof);
        let mut client_key = Zeroizing::new(last.proof);
        let signature = hmac_of(mechanism, self.credential.stored_key(), message.as_bytes());
        client_key.iter_mut().zip(&signature).for_each(|(byte, mask)| *byte ^= mask);
        let proved = stored_key(mechanism, &client_key).ct_eq(self.credential.stored_key());
        let server_signature = hmac_of(mechanism, self.credential.server_key(), message.as_bytes());

        let proof = match self.holder {
            Holder::NoUser => return Err(AuthFailureReason::UnknownUser),
            Holder::NoToken => return Err(AuthFailureReason::UnknownToken),
            Holder::User if !bool::from(proved) => return Err(AuthFailureReason::WrongPassword),
            Holder::Token(_) if !bool::from(proved) => return Err(AuthFailureReason::WrongHmac),
            Holder::Token(token) if token.expires <= SystemTime::now() => {
                return Err(AuthFailureReason::ExpiredToken);
            }
            Holder::User => Authenticated::by_password(&self.user, mechanism, store),
            Holder::Token(token) => Authenticated::by_token(&self.user, token, mechanism),
        };
        let reply = format!("v={}", to_base64(&server_signature)).into_bytes();
        Ok(Step::Done { reply, proof })
    }
}

fn readable(token: &[u8]) -> Result<&str, AuthFailureReason> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(AuthFailureReason::TokenTooLong);
    }
    str::from_utf8(token).map_err(|_| AuthFailureReason::Malformed("the token is no UTF-8"))
}

impl From<Malformed> for AuthFailureReason {
    fn from(Malformed(place): Malformed) -> Self {
        Self::Malformed(place)
    }
}
