//! The server's side of one SASL exchange, whatever the mechanism.

use crate::{
    AuthFailure, Authenticated, BearerServer, GssapiServer, PlainServer, SaslMechanism, ScramServer,
};

/// One exchange with a client that is not known yet. Feed it the client's tokens until it is [`Step::Done`] or fails.
pub enum SaslServer {
    /// By a password that is never sent.
    Scram(ScramServer),
    /// By a password that is sent.
    Plain(PlainServer),
    /// By a signed token.
    Bearer(BearerServer),
    /// By a ticket of Kerberos.
    Gssapi(GssapiServer),
}

/// What one token of the client leads to.
pub enum Step {
    /// Send these bytes and wait for the client's next token.
    Continue(Vec<u8>),
    /// Send these bytes; the client has proved who it is.
    Done {
        /// The server's last message.
        reply: Vec<u8>,
        /// Who the client is.
        proof: Authenticated,
    },
}

impl SaslServer {
    /// The mechanism of this exchange.
    #[must_use]
    pub fn mechanism(&self) -> SaslMechanism {
        match self {
            Self::Scram(server) => server.mechanism().into(),
            Self::Plain(_) => SaslMechanism::Plain,
            Self::Bearer(_) => SaslMechanism::OAuthBearer,
            Self::Gssapi(_) => SaslMechanism::Gssapi,
        }
    }

    /// Takes the client's next token. What is expensive is done elsewhere than on the thread that asks.
    ///
    /// # Errors
    /// When the authentication has failed; every later call fails too. Tell the peer
    /// [`AuthFailure::client_message`] and nothing else.
    pub async fn step(&mut self, token: &[u8]) -> Result<Step, AuthFailure> {
        match self {
            Self::Scram(server) => server.step(token),
            Self::Plain(server) => server.step(token).await,
            Self::Bearer(server) => server.step(token).await,
            Self::Gssapi(server) => server.step(token).await,
        }
    }
}
