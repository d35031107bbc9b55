//! `17 SaslHandshake` and `36 SaslAuthenticate`: from a stranger to a proof, as a state machine without I/O.
//!
//! Each state takes one frame and is consumed by it. The only way to a [`Session`](crate::session::Session) is
//! [`Turn::Admit`], which carries the proof that a mechanism made; an exchange that merely ended has none.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use schloss_identity::{
    AuthFailure, AuthFailureReason, Authenticated, BearerServer, CredentialStore, Directory, FakeSaltKey,
    GssapiServer, KerberosLogin, Locks, OsNonce, PasswordChecks, PlainServer, SaslMechanism, SaslServer,
    ScramServer, Step, TokenLogin,
};
use schloss_metadata::Snapshot;
use schloss_policy::refuse;
use schloss_wire::messages::{SaslAuthenticateResponse, SaslHandshakeResponse};
use schloss_wire::{
    Api, DecodeBudget, ErrorCode, LENGTH_PREFIX_BYTES, Principal, Request, RequestHead, Response, build,
};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::api_versions::Offer;
use crate::lockout::Lockouts;

/// What the states need to know about the house.
pub(crate) struct Door {
    pub(crate) mechanisms: Arc<[SaslMechanism]>,
    pub(crate) offer: Arc<Offer>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) fake_salts: Arc<FakeSaltKey>,
    pub(crate) password_checks: PasswordChecks,
    /// Whose tokens are good, where they are.
    pub(crate) tokens: Option<Arc<TokenLogin>>,
    /// Who knows users that are not known here.
    pub(crate) directory: Option<Arc<dyn Directory>>,
    /// Whether delegation tokens let anybody in.
    pub(crate) takes_delegation_tokens: bool,
    /// Whose tickets are, where they are.
    pub(crate) kerberos: Option<Arc<KerberosLogin>>,
    pub(crate) lockouts: Arc<Lockouts>,
    /// Where the client is.
    pub(crate) address: IpAddr,
    /// How long a session lasts without authenticating again, if there is a bound.
    pub(crate) max_reauth: Option<Duration>,
    /// The only one who may come in, where somebody authenticates again.
    pub(crate) expected: Option<Principal>,
    /// Whether a success can be recorded. If it can't, nobody gets in.
    pub(crate) audit_is_writable: bool,
}

impl Door {
    /// Why somebody who has proved who they are is not let in all the same, if so.
    fn objection(&self, proof: &Authenticated) -> Option<AuthFailureReason> {
        if self.expected.as_ref().is_some_and(|expected| expected != proof.principal()) {
            return Some(AuthFailureReason::AnotherPrincipal);
        }
        if proof.delegation_token().is_some() && !self.takes_delegation_tokens {
            return Some(AuthFailureReason::Barred("delegation tokens are off"));
        }
        let locked = self.lockouts.locked(Some(&proof.counted_as()), self.address, Instant::now());
        if let Some(locked) = locked {
            return Some(AuthFailureReason::LockedOut(locked.to_string()));
        }
        let account = self.snapshot.accounts().get(proof.principal().name());
        let objection = account.and_then(|account| account.objection(OffsetDateTime::now_utc()));
        objection.map(AuthFailureReason::Barred)
    }

    /// Counts a failure, if it may have been a guess; what is to be said of it.
    fn failed(&self, failure: &AuthFailure) -> String {
        let words = failure.reason.to_string();
        if !failure.reason.is_guess() {
            return words;
        }
        let locks = self.lockouts.failed(failure.counted_as().as_deref(), self.address, Instant::now());
        locks.iter().fold(words, |words, lock| format!("{words}; {lock}"))
    }

    /// Who is not to be tried at a directory.
    fn locks(&self) -> Box<Locks> {
        let (lockouts, address) = (Arc::clone(&self.lockouts), self.address);
        Box::new(move |user| {
            let locked = lockouts.locked(Some(user), address, Instant::now());
            locked.map(|locked| locked.to_string())
        })
    }

    /// The exchange of a mechanism that is offered here.
    fn server(&self, mechanism: SaslMechanism) -> Option<SaslServer> {
        if !self.mechanisms.contains(&mechanism) {
            return None;
        }
        let credentials: Arc<dyn CredentialStore> = Arc::clone(&self.snapshot) as _;
        let fakes = Arc::clone(&self.fake_salts);
        Some(match mechanism {
            SaslMechanism::Scram(mechanism) => {
                SaslServer::Scram(ScramServer::new(mechanism, credentials, fakes, &OsNonce))
            }
            SaslMechanism::Plain => {
                let server = PlainServer::new(credentials, fakes, self.password_checks.clone());
                SaslServer::Plain(match &self.directory {
                    Some(directory) => server.with_directory(Arc::clone(directory), self.locks()),
                    None => server,
                })
            }
            SaslMechanism::OAuthBearer => {
                SaslServer::Bearer(BearerServer::new(Arc::clone(self.tokens.as_ref()?)))
            }
            SaslMechanism::Gssapi => {
                SaslServer::Gssapi(GssapiServer::new(Arc::clone(self.kerberos.as_ref()?)))
            }
        })
    }
}

/// How long a session of `proof` lasts from now on, if there is an end to it (KIP-368): as long as `max_reauth` says
/// and what was proved with holds. A millisecond at least, since zero says that there is no end.
pub(crate) fn session_lifetime(proof: &Authenticated, max_reauth: Option<Duration>) -> Option<Duration> {
    let left = |end: SystemTime| end.duration_since(SystemTime::now()).unwrap_or_default();
    let lifetime = proof.expires().map(left).into_iter().chain(max_reauth).min()?;
    Some(lifetime.max(Duration::from_millis(1)))
}

/// How far an unauthenticated connection is.
pub(crate) enum Stage {
    /// No mechanism is chosen: ApiVersions and SaslHandshake only.
    Greeting,
    /// A mechanism is chosen: its tokens only.
    Exchange(Box<Exchange>),
}

/// One running exchange.
pub(crate) struct Exchange {
    server: SaslServer,
    // SaslHandshake v0: the tokens come as frames without a Kafka header.
    raw_tokens: bool,
}

/// What one frame led to.
pub(crate) enum Turn {
    /// Send this and wait for the next frame.
    Answer(BytesMut, Stage),
    /// Send this; the peer has proved who it is.
    Admit(BytesMut, Authenticated),
    /// Send this if there is something to send, and close.
    Refuse(Option<BytesMut>, Refusal),
}

/// Why a connection is closed before it is authenticated, for the audit trail and the log.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: ErrorCode,
    pub(crate) words: String,
    pub(crate) mechanism: Option<String>,
    pub(crate) claimed_user: Option<String>,
    pub(crate) head: Option<RequestHead>,
    /// Whether somebody tried to authenticate: the answer is held back, and the record is one of a failed
    /// authentication rather than of a broken connection.
    pub(crate) is_failed_login: bool,
}

impl Stage {
    /// Takes one frame of the peer.
    pub(crate) async fn step(self, frame: Bytes, door: &Door) -> Turn {
        match self {
            Self::Exchange(exchange) if exchange.raw_tokens => exchange.raw_token(&frame, door).await,
            stage => match RequestHead::parse(frame) {
                Err(error) => Turn::Refuse(None, Refusal::malformed("request header", &error, None)),
                Ok((head, body)) => stage.request(head, body, door).await,
            },
        }
    }

    /// Takes one request of the peer.
    pub(crate) async fn request(self, head: RequestHead, body: Bytes, door: &Door) -> Turn {
        match self {
            Self::Greeting => greet(head, body, door),
            Self::Exchange(exchange) => exchange.request(head, body, door).await,
        }
    }
}

fn greet(head: RequestHead, body: Bytes, door: &Door) -> Turn {
    match Api::from_key(head.api_key) {
        Some(Api::ApiVersions) => match door.offer.answer(&head, body) {
            Ok((response, version)) => answer(&response, &head, version, Stage::Greeting),
            Err(error) => Turn::Refuse(None, Refusal::malformed("ApiVersions request", &error, Some(head))),
        },
        Some(Api::SaslHandshake) if Api::SaslHandshake.supports(head.api_version) => {
            handshake(head, body, door)
        }
        _ => {
            let name = describe(&head);
            let words = format!("{name} came before authentication");
            Turn::Refuse(None, Refusal::new(ErrorCode::IllegalSaslState, words, Some(head)))
        }
    }
}

fn handshake(head: RequestHead, body: Bytes, door: &Door) -> Turn {
    let limits = DecodeBudget::Unauthenticated.limits();
    let wanted = match Request::decode(Api::SaslHandshake, head.api_version, body, limits) {
        Ok(Request::SaslHandshake(request)) => request.mechanism,
        Ok(_) => {
            return Turn::Refuse(None, Refusal::new(ErrorCode::InvalidRequest, String::new(), Some(head)));
        }
        Err(error) => {
            return Turn::Refuse(None, Refusal::malformed("SaslHandshake request", &error, Some(head)));
        }
    };
    let mechanisms = door.mechanisms.iter().map(|mechanism| mechanism.name().into()).collect();
    let chosen = SaslMechanism::from_name(&wanted).and_then(|mechanism| door.server(mechanism));
    let Some(server) = chosen else {
        let error = ErrorCode::UnsupportedSaslMechanism;
        let response = build!(SaslHandshakeResponse { error_code: error.code(), mechanisms });
        let frame = encode(&response.into(), &head, head.api_version);
        let words = "the client asked for a mechanism that is not offered".to_owned();
        let refusal = Refusal {
            mechanism: Some(wanted.as_str().to_owned()),
            is_failed_login: true,
            ..Refusal::new(error, words, Some(head))
        };
        return Turn::Refuse(frame, refusal);
    };
    let exchange = Exchange { server, raw_tokens: head.api_version == 0 };
    let response = build!(SaslHandshakeResponse { mechanisms });
    answer(&response.into(), &head, head.api_version, Stage::Exchange(Box::new(exchange)))
}

impl Exchange {
    async fn request(mut self: Box<Self>, head: RequestHead, body: Bytes, door: &Door) -> Turn {
        let limits = DecodeBudget::Unauthenticated.limits();
        let api = Api::from_key(head.api_key).filter(|api| api.supports(head.api_version));
        let request = api.map(|api| Request::decode(api, head.api_version, body, limits));
        let token = match request {
            Some(Ok(Request::SaslAuthenticate(request))) => request.auth_bytes,
            Some(Ok(other)) => return self.out_of_order(&head, Some(&other)),
            Some(Err(error)) => {
                let refusal = Refusal::malformed("request during authentication", &error, Some(head));
                return Turn::Refuse(None, Refusal { mechanism: self.mechanism_name(), ..refusal });
            }
            None => return self.out_of_order(&head, None),
        };
        if !door.audit_is_writable {
            return Turn::Refuse(None, Refusal { head: Some(head), ..self.unrecordable() });
        }
        match self.step(&token, door).await {
            Ok(Step::Continue(reply)) => {
                let response = build!(SaslAuthenticateResponse { auth_bytes: reply.into() });
                answer(&response.into(), &head, head.api_version, Stage::Exchange(self))
            }
            Ok(Step::Done { reply, proof }) => {
                let lifetime = session_lifetime(&proof, door.max_reauth).unwrap_or_default();
                let session_lifetime_ms = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX);
                let response =
                    build!(SaslAuthenticateResponse { auth_bytes: reply.into(), session_lifetime_ms });
                match encode(&response.into(), &head, head.api_version) {
                    Some(frame) => Turn::Admit(frame, proof),
                    None => Turn::Refuse(None, Refusal::unencodable(head)),
                }
            }
            Err(failure) => {
                let frame = self.failure_frame(&head);
                Turn::Refuse(frame, Refusal { head: Some(head), ..self.failed(failure, door) })
            }
        }
    }

    /// A token in a frame of its own (SaslHandshake v0); a failure has no answer here, as in Kafka.
    async fn raw_token(mut self: Box<Self>, token: &[u8], door: &Door) -> Turn {
        if !door.audit_is_writable {
            return Turn::Refuse(None, self.unrecordable());
        }
        match self.step(token, door).await {
            Ok(Step::Continue(reply)) => Turn::Answer(raw_frame(&reply), Stage::Exchange(self)),
            Ok(Step::Done { reply, proof }) => Turn::Admit(raw_frame(&reply), proof),
            Err(failure) => Turn::Refuse(None, self.failed(failure, door)),
        }
    }

    async fn step(&mut self, token: &[u8], door: &Door) -> Result<Step, AuthFailure> {
        let (reply, proof) = match self.server.step(token).await? {
            Step::Done { reply, proof } => (reply, proof),
            more => return Ok(more),
        };
        if let Some(reason) = door.objection(&proof) {
            return Err(AuthFailure { reason, claimed_user: Some(proof.principal().name().to_owned()) });
        }
        door.lockouts.succeeded(&proof.counted_as(), door.address, Instant::now());
        Ok(Step::Done { reply, proof: proof.joined(door.directory.as_deref(), &*door.snapshot).await })
    }

    fn out_of_order(&self, head: &RequestHead, request: Option<&Request>) -> Turn {
        let error = ErrorCode::IllegalSaslState;
        let words = format!("{} came in the middle of a SASL exchange", describe(head));
        let frame = request.and_then(|request| {
            let message = "Unexpected Kafka request during SASL authentication.";
            encode(&refuse(request, head.api_version, error, Some(message)), head, head.api_version)
        });
        let refusal = Refusal::new(error, words, Some(head.clone()));
        Turn::Refuse(frame, Refusal { mechanism: self.mechanism_name(), ..refusal })
    }

    /// What the peer is told, whatever went wrong.
    fn failure_frame(&self, head: &RequestHead) -> Option<BytesMut> {
        let response = build!(SaslAuthenticateResponse {
            error_code: ErrorCode::SaslAuthenticationFailed.code(),
            error_message: Some(AuthFailure::client_message(self.server.mechanism()).into()),
        });
        encode(&response.into(), head, head.api_version)
    }

    fn failed(&self, failure: AuthFailure, door: &Door) -> Refusal {
        let words = door.failed(&failure);
        self.failed_login(words, failure.claimed_user)
    }

    /// No token is looked at, so nothing is learned of passwords. And there is no answer: to clients a failed
    /// authentication is final, while a connection that ends is tried again.
    fn unrecordable(&self) -> Refusal {
        self.failed_login(AuthFailureReason::NoAudit.to_string(), None)
    }

    fn failed_login(&self, words: String, claimed_user: Option<String>) -> Refusal {
        Refusal {
            mechanism: self.mechanism_name(),
            claimed_user,
            is_failed_login: true,
            ..Refusal::new(ErrorCode::SaslAuthenticationFailed, words, None)
        }
    }

    fn mechanism_name(&self) -> Option<String> {
        Some(self.server.mechanism().name().to_owned())
    }
}

impl Refusal {
    fn new(error: ErrorCode, words: String, head: Option<RequestHead>) -> Self {
        Self { error, words, mechanism: None, claimed_user: None, head, is_failed_login: false }
    }

    fn malformed(what: &str, error: &dyn std::error::Error, head: Option<RequestHead>) -> Self {
        Self::new(ErrorCode::InvalidRequest, format!("malformed {what}: {error}"), head)
    }

    fn unencodable(head: RequestHead) -> Self {
        Self::new(ErrorCode::UnknownServerError, "the answer can't be encoded".to_owned(), Some(head))
    }
}

/// The name and version of a request for a person, whether known or not.
pub(crate) fn describe(head: &RequestHead) -> String {
    match Api::from_key(head.api_key) {
        Some(api) => format!("{} v{}", api.name(), head.api_version),
        None => format!("a request with API key {} v{}", head.api_key, head.api_version),
    }
}

fn answer(response: &Response, head: &RequestHead, version: i16, stage: Stage) -> Turn {
    match encode(response, head, version) {
        Some(frame) => Turn::Answer(frame, stage),
        None => Turn::Refuse(None, Refusal::unencodable(head.clone())),
    }
}

fn encode(response: &Response, head: &RequestHead, version: i16) -> Option<BytesMut> {
    response.encode_frame(head.correlation_id, version).ok()
}

fn raw_frame(token: &[u8]) -> BytesMut {
    let mut frame = BytesMut::with_capacity(LENGTH_PREFIX_BYTES + token.len());
    // Tokens of ours are a few hundred bytes.
    frame.extend_from_slice(&u32::try_from(token.len()).unwrap_or(0).to_be_bytes());
    frame.extend_from_slice(token);
    frame
}
