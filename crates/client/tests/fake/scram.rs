//! The server's side of SASL, honest or not.

use std::sync::Arc;

use bytes::Bytes;
use schloss_client::ClientConfig;
use schloss_identity::{
    CredentialStore, FakeSaltKey, MIN_ITERATIONS, Mechanism, OsNonce, Password, ScramCredential, ScramServer,
    Step,
};
use schloss_wire::messages::{SaslAuthenticateResponse, SaslHandshakeResponse};
use schloss_wire::{Request, Response, StrBytes, build};

use super::{Act, Asked};

pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "correct horse";

struct OneUser(Arc<ScramCredential>);

impl CredentialStore for OneUser {
    fn scram(&self, user: &str, _mechanism: Mechanism) -> Option<Arc<ScramCredential>> {
        (user == USER).then(|| Arc::clone(&self.0))
    }
}

/// What the server does to its last SCRAM message.
pub(crate) type Twist = fn(Vec<u8>) -> Vec<u8>;

/// One connection's SASL state.
pub(crate) struct Sasl {
    server: ScramServer,
    twist: Twist,
}

impl Sasl {
    pub(crate) fn new(twist: Twist) -> Self {
        let mechanism = Mechanism::ScramSha256;
        let password = Password::new(PASSWORD.to_owned());
        let credential = ScramCredential::derive(mechanism, &password, MIN_ITERATIONS).unwrap();
        let store = Arc::new(OneUser(Arc::new(credential)));
        let server = ScramServer::new(mechanism, store, Arc::new(FakeSaltKey::generate()), &OsNonce);
        Self { server, twist }
    }

    /// Answers the SASL requests; `None` for others.
    pub(crate) fn answer(&mut self, asked: &Asked) -> Option<Act> {
        match asked.request() {
            Request::SaslHandshake(handshake) => Some(Act::Answer(handshake_answer(&handshake.mechanism))),
            Request::SaslAuthenticate(request) => Some(Act::Answer(self.token(&request.auth_bytes))),
            _ => None,
        }
    }

    fn token(&mut self, token: &Bytes) -> Response {
        match self.server.step(token) {
            Ok(Step::Continue(reply)) => build!(SaslAuthenticateResponse { auth_bytes: reply.into() }).into(),
            Ok(Step::Done { reply, .. }) => {
                build!(SaslAuthenticateResponse { auth_bytes: (self.twist)(reply).into() }).into()
            }
            Err(_) => build!(SaslAuthenticateResponse {
                error_code: 58,
                error_message: Some(StrBytes::from("Authentication failed")),
            })
            .into(),
        }
    }
}

fn handshake_answer(mechanism: &str) -> Response {
    let mechanisms = vec![StrBytes::from("SCRAM-SHA-256")];
    let error_code = if mechanism == "SCRAM-SHA-256" { 0 } else { 33 };
    build!(SaslHandshakeResponse { error_code, mechanisms }).into()
}

pub(crate) fn as_alice(config: ClientConfig, password: &str) -> ClientConfig {
    config.with_scram(Mechanism::ScramSha256, USER, Password::new(password.to_owned()))
}
