//! What all connections of a gate share.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schloss_audit::Audit;
use schloss_identity::{FakeSaltKey, Method, PasswordChecks, SaslMechanism};
use schloss_metadata::Metadata;
use schloss_policy::{AclSet, DecisionCache, Judge, Subject, TopicNames};
use schloss_wire::Api;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::api_versions::Offer;
use crate::limits::Limits;
use crate::lockout::Lockouts;
use crate::memory::FrameMemory;
use crate::quota::{QUOTA_APIS, Quotas};
use crate::sasl::Door;
use crate::security_apis;
use crate::session::{Peer, Session};
use crate::{Engine, GateConfig};

/// Bytes of a frame that an unauthenticated connection may hold without asking; handshakes and tokens are
/// smaller.
const STRANGER_FREE_BYTES: usize = 4 * 1024;
/// Bytes of larger frames that all unauthenticated connections together may hold.
const STRANGERS_BYTES: usize = 16 << 20;
/// Bytes of a frame that an authenticated connection may hold without asking.
const FREE_BYTES: usize = 64 * 1024;

pub(crate) struct House {
    pub(crate) config: GateConfig,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) topics: Arc<dyn TopicNames>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) audit: Audit,
    /// None where the engine keeps them.
    pub(crate) quotas: Option<Quotas>,
    pub(crate) limits: Arc<Limits>,
    /// For frames of authenticated connections.
    pub(crate) memory: FrameMemory,
    /// For frames of all others.
    pub(crate) stranger_memory: FrameMemory,
    /// Moves when users or accounts change.
    identities: watch::Sender<u64>,
    // Turns true when the gate closes.
    closing: watch::Receiver<bool>,
    fake_salts: Arc<FakeSaltKey>,
    pub(crate) password_checks: PasswordChecks,
    pub(crate) lockouts: Arc<Lockouts>,
    connections: AtomicU64,
}

impl House {
    pub(crate) fn new(
        config: GateConfig,
        engine: Arc<dyn Engine>,
        metadata: Arc<Metadata>,
        audit: Audit,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let snapshot = metadata.snapshot();
        let limits = Limits::new(
            config.max_connections,
            config.max_connections_per_address,
            config.max_concurrent_handshakes,
        );
        Self {
            memory: FrameMemory::new(config.max_buffered_bytes, FREE_BYTES),
            stranger_memory: FrameMemory::new(STRANGERS_BYTES, STRANGER_FREE_BYTES),
            topics: engine.topics(),
            quotas: (!engine.keeps_quotas()).then(Quotas::new),
            fake_salts: Arc::clone(snapshot.fake_salt_key()),
            password_checks: PasswordChecks::new(),
            lockouts: Arc::new(Lockouts::new(config.lockout)),
            config,
            engine,
            metadata,
            audit,
            limits,
            identities: watch::Sender::new(snapshot.identity_generation()),
            closing,
            connections: AtomicU64::new(0),
        }
    }

    /// Whether the gate serves this API itself.
    pub(crate) fn serves(&self, api: Api) -> bool {
        security_apis::serves(api) || (self.quotas.is_some() && QUOTA_APIS.contains(&api))
    }

    /// How long one more connection of this address has to wait; nothing if that is too long.
    pub(crate) fn connection_delay(&self, address: IpAddr) -> Option<Duration> {
        match &self.quotas {
            Some(quotas) => quotas.connection(self.metadata.snapshot().client_quotas(), address),
            None => Some(Duration::ZERO),
        }
    }

    /// Judges for one request of `subject`, whose session keeps `cache`. What the gate serves itself is guarded
    /// even where everything else is only observed: what is planted there would be in force later.
    pub(crate) fn judge<'a>(
        &self,
        api: Api,
        acls: &'a AclSet,
        subject: &'a Subject,
        cache: &'a mut DecisionCache,
    ) -> Judge<'a> {
        let observes = self.config.insecure_observe_only && !self.serves(api);
        Judge::new(acls, subject, cache).observing(observes)
    }

    /// Tells sessions of each change of users or accounts, until the gate closes.
    pub(crate) async fn follow_identities(self: Arc<Self>) {
        let mut changes = self.metadata.changes();
        let closing = self.closing();
        tokio::pin!(closing);
        loop {
            let generation = changes.borrow_and_update().identity_generation();
            self.identities.send_if_modified(|known| std::mem::replace(known, generation) != generation);
            tokio::select! {
                () = &mut closing => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Has every session look at what it rests on.
    pub(crate) fn tell_sessions(&self) {
        self.identities.send_modify(|_| {});
    }

    /// Ends when users or accounts change after this moment, or a delegation token ends.
    pub(crate) fn identity_change(&self) -> BoxFuture<'static, ()> {
        let mut identities = self.identities.subscribe();
        async move {
            if identities.changed().await.is_err() {
                std::future::pending().await
            }
        }
        .boxed()
    }

    /// Ends when the gate closes; a gate that is dropped closes as well.
    pub(crate) fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closing = self.closing.clone();
        async move {
            let _ = closing.wait_for(|closing| *closing).await;
        }
    }

    /// Waits so long; whether that came to its end before the gate closed.
    pub(crate) async fn waits(&self, delay: Duration) -> bool {
        delay.is_zero()
            || tokio::select! {
                () = sleep(delay) => true,
                () = self.closing() => false,
            }
    }

    /// The number of a new connection, counted from 1.
    pub(crate) fn next_connection_id(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What an authentication of `peer` needs, as of now.
    pub(crate) fn door(&self, peer: &Peer, offer: &Arc<Offer>) -> Door {
        Door {
            mechanisms: Arc::clone(&peer.mechanisms),
            offer: Arc::clone(offer),
            snapshot: self.metadata.snapshot(),
            fake_salts: Arc::clone(&self.fake_salts),
            password_checks: self.password_checks.clone(),
            tokens: peer.tokens.clone(),
            directory: self.config.directory.clone(),
            takes_delegation_tokens: self.config.delegation_tokens.enabled,
            kerberos: self.config.kerberos.clone(),
            lockouts: Arc::clone(&self.lockouts),
            address: peer.address.ip(),
            max_reauth: peer.max_reauth,
            expected: None,
            audit_is_writable: self.audit.is_writable(),
        }
    }

    /// The same for whoever has a session and authenticates again: as the same one, by the same mechanism (KIP-368).
    pub(crate) fn door_again(&self, session: &Session) -> Door {
        let mechanisms = match session.proof().method() {
            Method::Sasl(mechanism) => Arc::new([mechanism]) as Arc<[SaslMechanism]>,
            Method::Certificate => Arc::new([]),
        };
        let expected = Some(session.proof().principal().clone());
        Door { mechanisms, expected, ..self.door(session.peer(), &session.offer) }
    }
}
