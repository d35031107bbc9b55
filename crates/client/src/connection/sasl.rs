//! Proving who we are: SaslHandshake v1, then tokens in SaslAuthenticate (KIP-43, KIP-152).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schloss_identity::{Mechanism, OsNonce, ScramClient, ScramClientError};
use schloss_wire::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use schloss_wire::{ErrorCode, StrBytes, build};
use zeroize::Zeroizing;

use super::Connection;
use crate::config::{Sasl, SaslMechanism};
use crate::error::ClientError;

/// The handshake version whose tokens travel in SaslAuthenticate; version 0 is raw tokens.
const HANDSHAKE_VERSION: i16 = 1;
/// Longest text of a server that is repeated in an error.
const MAX_DETAIL_CHARS: usize = 500;

/// Authenticates and returns how long the session may last, if the broker limits it.
pub(super) async fn authenticate(
    connection: &mut Connection,
    sasl: &Sasl,
) -> Result<Option<Duration>, ClientError> {
    let mut exchange = Exchange { connection, sasl };
    exchange.handshake().await?;
    let lifetime = match sasl.mechanism {
        SaslMechanism::Scram(mechanism) => exchange.scram(mechanism).await?,
        SaslMechanism::Plain => exchange.plain().await?,
    };
    Ok(u64::try_from(lifetime).ok().filter(|millis| *millis > 0).map(Duration::from_millis))
}

struct Exchange<'a> {
    connection: &'a mut Connection,
    sasl: &'a Sasl,
}

impl Exchange<'_> {
    async fn handshake(&mut self) -> Result<(), ClientError> {
        let request = build!(SaslHandshakeRequest { mechanism: StrBytes::from(self.sasl.mechanism.name()) });
        let version = self.connection.version::<SaslHandshakeRequest>(HANDSHAKE_VERSION)?;
        if version != HANDSHAKE_VERSION {
            return Err(ClientError::Unsupported {
                address: self.connection.address.clone(),
                what: "SaslHandshake 1".to_owned(),
            });
        }
        let response = self.connection.call_at(&request, version).await?;
        match ErrorCode::from_code(response.error_code) {
            Some(ErrorCode::None) => Ok(()),
            Some(ErrorCode::UnsupportedSaslMechanism) => {
                let offered: Vec<&str> = response.mechanisms.iter().map(|name| name.as_str()).collect();
                Err(self.failed(&format!(
                    "the broker does not offer this mechanism, it offers {}; set sasl.mechanism to one of them",
                    offered.join(", ")
                )))
            }
            Some(ErrorCode::IllegalSaslState) => Err(self.failed(
                "this listener does not authenticate by SASL; set security.protocol to SSL (or PLAINTEXT), or use another port",
            )),
            _ => Err(self.failed(&ErrorCode::describe(response.error_code))),
        }
    }

    async fn scram(&mut self, mechanism: Mechanism) -> Result<i64, ClientError> {
        let mut client =
            ScramClient::new(mechanism, &self.sasl.user, (*self.sasl.password).clone(), &OsNonce)
                .with_memory(Arc::clone(&self.sasl.salted));
        if self.sasl.token {
            client = client.with_token_auth();
        }
        let (server_first, _) = self.token(client.first().into()).await?;
        let has_to_salt = client.has_to_salt(&server_first);
        let reply = move || {
            let reply = client.reply(&server_first);
            (client, reply)
        };
        // PBKDF2 takes milliseconds: not on the threads that serve sockets.
        let replied = if has_to_salt { tokio::task::spawn_blocking(reply).await } else { Ok(reply()) };
        let Ok((client, reply)) = replied else { return Err(self.failed("the client was shut down")) };
        let reply = reply.map_err(|error| self.scram_failed(&error))?;
        let (server_final, lifetime) = self.token(reply.into()).await?;
        client.finish(&server_final).map_err(|error| self.scram_failed(&error))?;
        Ok(lifetime)
    }

    async fn plain(&mut self) -> Result<i64, ClientError> {
        let password = self.sasl.password.expose();
        let token = Zeroizing::new([b"\0", self.sasl.user.as_bytes(), b"\0", password.as_bytes()].concat());
        let (_, lifetime) = self.token(Bytes::copy_from_slice(&token)).await?;
        Ok(lifetime)
    }

    /// Sends one token and returns the server's, with the lifetime of the session in milliseconds.
    async fn token(&mut self, token: Bytes) -> Result<(Bytes, i64), ClientError> {
        let request = build!(SaslAuthenticateRequest { auth_bytes: token });
        let response = self.connection.call(&request).await?;
        if response.error_code == 0 {
            return Ok((response.auth_bytes, response.session_lifetime_ms));
        }
        let said = response.error_message.as_ref().map_or("", |message| message.as_str());
        Err(self.failed(&format!(
            "{}{}{}; {}",
            ErrorCode::describe(response.error_code),
            if said.is_empty() { "" } else { ": " },
            printable(said),
            self.advice()
        )))
    }

    /// What to check when the broker refuses. It says the same of a wrong password and of an unknown user.
    fn advice(&self) -> &'static str {
        match self.sasl.mechanism {
            _ if self.sasl.token => {
                "the delegation token may have expired or been removed, not have reached this broker yet, or its \
                 HMAC is wrong: create a new one"
            }
            SaslMechanism::Scram(_) => {
                "check user and password, and that the user has a credential for this mechanism"
            }
            SaslMechanism::Plain => "check user and password",
        }
    }

    fn scram_failed(&self, error: &ScramClientError) -> ClientError {
        match error {
            ScramClientError::ServerError(_) => {
                self.failed(&format!("{}; {}", printable(&error.to_string()), self.advice()))
            }
            _ => self.failed(&format!(
                "{}; the server has not proved that it knows the password: check that the address is your broker's",
                printable(&error.to_string())
            )),
        }
    }

    fn failed(&self, detail: &str) -> ClientError {
        ClientError::Authentication {
            address: self.connection.address.clone(),
            mechanism: self.sasl.mechanism.name(),
            user: self.sasl.user.clone(),
            detail: detail.to_owned(),
        }
    }
}

/// Text of a server that is not trusted yet, without what could rule a terminal, and not too long.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(MAX_DETAIL_CHARS).collect()
}
