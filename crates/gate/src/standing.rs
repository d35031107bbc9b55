//! Whether a session may go on: proofs end, certificates are revoked, accounts are disabled.

use std::time::Duration;

use rustls::ServerConnection;
use rustls::pki_types::CertificateDer;
use schloss_identity::{Authenticated, CredentialStore, Method, SaslMechanism};
use schloss_metadata::{Snapshot, now_ms};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::TrustedClients;
use crate::sasl::session_lifetime;

/// A client that authenticates again sooner than this is refused, as by Kafka.
const REAUTH_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// What a session rests on.
pub(crate) struct Standing {
    begun: Instant,
    /// When its proof ends.
    ends: Option<Instant>,
    /// Whether its client can prove itself again on the same connection.
    is_renewable: bool,
    certificate: Option<ShownCertificate>,
    account: KnownAccount,
}

/// Whose session it is, and when that was last found good.
struct KnownAccount {
    name: String,
    /// What it logged in with: its name, or one of its keys.
    login: String,
    method: Method,
    /// Whether no password of it is kept here.
    of_directory: bool,
    /// Whether it logged in with a delegation token, whose id `login` is.
    is_token: bool,
    /// That of the state it was found good in.
    generation: Option<u64>,
    /// When it is over.
    ends: Option<OffsetDateTime>,
    /// When its delegation token is, in milliseconds since 1970.
    token_ends: Option<i64>,
}

/// The certificate that a client has shown, and when it was last found good.
pub(crate) struct ShownCertificate {
    chain: Vec<CertificateDer<'static>>,
    clients: TrustedClients,
    generation: u64,
}

impl ShownCertificate {
    /// What a connection has shown, if anything. `generation` is that of the trust before its handshake.
    pub(crate) fn of(
        connection: &ServerConnection,
        clients: Option<&TrustedClients>,
        generation: u64,
    ) -> Option<Self> {
        let (clients, chain) = (clients?.clone(), connection.peer_certificates()?.to_vec());
        Some(Self { chain, clients, generation })
    }

    /// Looks at the chain again if others are good now.
    fn objection(&mut self) -> Option<String> {
        let generation = self.clients.trust.generation();
        if generation == self.generation {
            return None;
        }
        match self.clients.trust.check(&self.chain) {
            Ok(()) => {
                self.generation = generation;
                None
            }
            Err(error) => Some(format!("the client certificate is not good any more: {error}")),
        }
    }
}

impl KnownAccount {
    fn of(proof: &Authenticated) -> Self {
        let name = proof.principal().name().to_owned();
        let login = proof.login().to_owned();
        let (method, of_directory) = (proof.method(), proof.is_of_directory());
        let is_token = proof.delegation_token().is_some();
        Self { name, login, method, of_directory, is_token, generation: None, ends: None, token_ends: None }
    }

    /// Looks at the account again if users or accounts have changed.
    fn objection(&mut self, snapshot: &Snapshot) -> Option<String> {
        if self.generation == Some(snapshot.identity_generation()) {
            let is_over = self.ends.is_some_and(|end| end <= OffsetDateTime::now_utc());
            let account = is_over.then(|| "the account has expired".to_owned());
            return account.or_else(|| self.token_objection());
        }
        let is_password_gone = |has_credential: bool| {
            let owner = snapshot.account_of(&self.login);
            !has_credential || owner.as_ref().unwrap_or(&self.login) != &self.name
        };
        let token = snapshot.token(&self.login).filter(|token| token.owner.name() == self.name);
        let is_gone = match self.method {
            _ if self.of_directory => false,
            _ if self.is_token => token.is_none(),
            Method::Sasl(SaslMechanism::Scram(mechanism)) => {
                is_password_gone(snapshot.scram(&self.login, mechanism).is_some())
            }
            Method::Sasl(SaslMechanism::Plain) => is_password_gone(snapshot.user(&self.login).is_some()),
            Method::Sasl(SaslMechanism::OAuthBearer | SaslMechanism::Gssapi) | Method::Certificate => false,
        };
        if is_gone {
            return Some("the credential that the client logged in with was removed".to_owned());
        }
        let account = snapshot.accounts().get(&self.name);
        if let Some(words) = account.and_then(|account| account.objection(OffsetDateTime::now_utc())) {
            return Some(words.to_owned());
        }
        self.ends = account.and_then(|account| account.expires);
        self.token_ends = token.filter(|_| self.is_token).map(|token| token.expiry_ms);
        self.generation = Some(snapshot.identity_generation());
        self.token_objection()
    }

    fn token_objection(&self) -> Option<String> {
        let is_over = self.token_ends.is_some_and(|end| end <= now_ms());
        is_over.then(|| "the delegation token has expired".to_owned())
    }
}

impl Standing {
    pub(crate) fn new(
        proof: &Authenticated,
        max_reauth: Option<Duration>,
        certificate: Option<ShownCertificate>,
    ) -> Self {
        let begun = Instant::now();
        let is_renewable = proof.method() != Method::Certificate;
        // A certificate can't be shown again, so only its own end counts.
        let max_reauth = max_reauth.filter(|_| is_renewable);
        let ends = session_lifetime(proof, max_reauth).and_then(|lifetime| begun.checked_add(lifetime));
        Self { begun, ends, is_renewable, certificate, account: KnownAccount::of(proof) }
    }

    /// The same after its client has proved itself again.
    pub(crate) fn renewed(&mut self, proof: &Authenticated, max_reauth: Option<Duration>) {
        *self = Self::new(proof, max_reauth, self.certificate.take());
    }

    /// Whether its client may prove itself again now. Where no session ends there is no need for it.
    pub(crate) fn may_renew(&self, now: Instant) -> bool {
        let is_early = now.saturating_duration_since(self.begun) < REAUTH_INTERVAL_MIN;
        self.is_renewable && self.ends.is_some() && !is_early
    }

    /// Why no further request is served, if so.
    pub(crate) fn objection(&mut self, now: Instant, snapshot: &Snapshot) -> Option<String> {
        self.gone(snapshot).or_else(|| self.end(now))
    }

    /// Why the connection is of no use any more, if so. One whose client is silent may still be renewed.
    pub(crate) fn lasting_objection(&mut self, now: Instant, snapshot: &Snapshot) -> Option<String> {
        self.gone(snapshot).or_else(|| self.end(now).filter(|_| !self.is_renewable))
    }

    fn gone(&mut self, snapshot: &Snapshot) -> Option<String> {
        let certificate = self.certificate.as_mut().and_then(ShownCertificate::objection);
        certificate.or_else(|| self.account.objection(snapshot))
    }

    fn end(&self, now: Instant) -> Option<String> {
        let is_over = self.ends.is_some_and(|end| end <= now);
        let words = if self.is_renewable {
            "the session has ended, and its client has not authenticated again"
        } else {
            "the client certificate has expired"
        };
        is_over.then(|| words.to_owned())
    }
}
