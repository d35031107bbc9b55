//! The server's side of one exchange (RFC 4752, section 3.2).

use std::sync::Arc;
use std::time::SystemTime;

use schloss_wire::Principal;

use super::{GssClient, GssContext, GssReply, KerberosLogin, MAX_GSS_TOKEN_BYTES};
use crate::{AuthFailure, AuthFailureReason, Authenticated, Method, SaslMechanism, Step, check_user_name};

/// Tokens until a client is known. Kerberos needs one, or two.
const MAX_CONTEXT_TOKENS: u8 = 4;
/// The one security layer on offer: none, since all is inside of TLS. It needs no buffers, so their size is zero.
const NO_LAYER: [u8; 4] = [1, 0, 0, 0];

/// One exchange with a client that is not known yet.
pub struct GssapiServer {
    login: Arc<KerberosLogin>,
    state: State,
}

enum State {
    Start,
    /// The library wants the client's next token; so many have come.
    Context(Box<dyn GssContext>, u8),
    /// The library knows the client, which is to take our last token before it is offered a layer.
    Known(Box<dyn GssContext>, GssClient),
    /// The client is to choose a layer, and says whom it wants to be.
    Offered(Box<dyn GssContext>, GssClient),
    Ended,
}

impl GssapiServer {
    /// Begins an exchange.
    #[must_use]
    pub fn new(login: Arc<KerberosLogin>) -> Self {
        Self { login, state: State::Start }
    }

    /// Takes the client's next token.
    ///
    /// # Errors
    /// When the authentication has failed; every later call fails too.
    pub async fn step(&mut self, token: &[u8]) -> Result<Step, AuthFailure> {
        if token.len() > MAX_GSS_TOKEN_BYTES {
            self.state = State::Ended;
            return Err(unclaimed(AuthFailureReason::TokenTooLong));
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Start => {
                let login = Arc::clone(&self.login);
                let context = self.login.turns.run(move || login.acceptor.begin()).await;
                let context = context.ok_or_else(stopping)?;
                let context = context
                    .map_err(|failure| unclaimed(AuthFailureReason::KerberosUnable(failure.to_string())))?;
                self.accept(context, token, 1).await
            }
            State::Context(context, count) => self.accept(context, token, count + 1).await,
            State::Known(context, client) if token.is_empty() => self.offer(context, client).await,
            State::Known(_, client) => {
                Err(of(&client, "a token came where the client has to say that it has taken the last one"))
            }
            State::Offered(context, client) => self.choose(context, client, token).await,
            State::Ended => Err(unclaimed(AuthFailureReason::Ended)),
        }
    }

    async fn accept(
        &mut self,
        context: Box<dyn GssContext>,
        token: &[u8],
        count: u8,
    ) -> Result<Step, AuthFailure> {
        if count > MAX_CONTEXT_TOKENS {
            let words = format!("no ticket in {MAX_CONTEXT_TOKENS} tokens");
            return Err(unclaimed(AuthFailureReason::Kerberos(words)));
        }
        let token = token.to_vec();
        let (context, accepted) =
            ask(Arc::clone(&self.login), context, move |context| context.accept(&token)).await?;
        let GssReply { token, client } =
            accepted.map_err(|failure| unclaimed(AuthFailureReason::Kerberos(failure.to_string())))?;
        match client {
            None => self.state = State::Context(context, count),
            // A client that has to prove us too waits for our token, and takes the offer after it.
            Some(client) if !token.is_empty() => self.state = State::Known(context, client),
            Some(client) => return self.offer(context, client).await,
        }
        Ok(Step::Continue(token))
    }

    async fn offer(&mut self, context: Box<dyn GssContext>, client: GssClient) -> Result<Step, AuthFailure> {
        let (context, wrapped) =
            ask(Arc::clone(&self.login), context, |context| context.wrap(&NO_LAYER)).await?;
        let offer = wrapped.map_err(|failure| of(&client, failure.to_string()))?;
        self.state = State::Offered(context, client);
        Ok(Step::Continue(offer))
    }

    async fn choose(
        &mut self,
        context: Box<dyn GssContext>,
        client: GssClient,
        token: &[u8],
    ) -> Result<Step, AuthFailure> {
        let token = token.to_vec();
        let (_, choice) =
            ask(Arc::clone(&self.login), context, move |context| context.unwrap(&token)).await?;
        let choice = choice.map_err(|failure| of(&client, failure.to_string()))?;
        let Some((layer, acts_as)) = choice.split_first_chunk::<4>() else {
            return Err(of(&client, "the client's choice of a security layer is shorter than four bytes"));
        };
        if *layer != NO_LAYER {
            return Err(of(
                &client,
                "the client wants a security layer of its own, and TLS is the only one here: set its qop to auth",
            ));
        }
        if !acts_as.is_empty() && acts_as != client.name.as_bytes() {
            let reason = AuthFailureReason::AuthorizationId;
            return Err(AuthFailure { reason, claimed_user: claimed(&client.name) });
        }
        let user = self.login.rules.apply(&client.name).map_err(|error| of(&client, error.to_string()))?;
        let proof = Authenticated::new(Principal::user(&user), Method::Sasl(SaslMechanism::Gssapi));
        let proof = proof.by(client.name).until(SystemTime::now() + client.lifetime);
        Ok(Step::Done { reply: Vec::new(), proof })
    }
}

/// Asks the library on a thread that may be blocked.
async fn ask<T: Send + 'static>(
    login: Arc<KerberosLogin>,
    mut context: Box<dyn GssContext>,
    question: impl FnOnce(&mut dyn GssContext) -> T + Send + 'static,
) -> Result<(Box<dyn GssContext>, T), AuthFailure> {
    let work = move || {
        let answer = question(context.as_mut());
        (context, answer)
    };
    login.turns.run(work).await.ok_or_else(stopping)
}

fn stopping() -> AuthFailure {
    unclaimed(AuthFailureReason::Stopping)
}

fn unclaimed(reason: AuthFailureReason) -> AuthFailure {
    AuthFailure { reason, claimed_user: None }
}

fn of(client: &GssClient, words: impl Into<String>) -> AuthFailure {
    AuthFailure { reason: AuthFailureReason::Kerberos(words.into()), claimed_user: claimed(&client.name) }
}

/// A name as the audit trail may have it.
fn claimed(name: &str) -> Option<String> {
    check_user_name(name).is_ok().then(|| name.to_owned())
}
