//! What all connections of a gate share.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use schloss_audit::Audit;
use schloss_identity::{FakeSaltKey, OsNonce};
use schloss_metadata::Metadata;
use schloss_policy::{AclSet, DecisionCache, Judge, Subject, TopicNames};
use schloss_wire::Api;
use tokio::sync::watch;

use crate::api_versions::Offer;
use crate::limits::Limits;
use crate::memory::FrameMemory;
use crate::sasl::Door;
use crate::security_apis;
use crate::session::Peer;
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
    pub(crate) limits: Arc<Limits>,
    /// For frames of authenticated connections.
    pub(crate) memory: FrameMemory,
    /// For frames of all others.
    pub(crate) stranger_memory: FrameMemory,
    // Turns true when the gate closes.
    closing: watch::Receiver<bool>,
    fake_salts: Arc<FakeSaltKey>,
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
            fake_salts: Arc::clone(snapshot.fake_salt_key()),
            config,
            engine,
            metadata,
            audit,
            limits,
            closing,
            connections: AtomicU64::new(0),
        }
    }

    /// Judges for one request of `subject`, whose session keeps `cache`. Users and ACLs are guarded even where
    /// everything else is only observed: what is planted there would be in force later.
    pub(crate) fn judge<'a>(
        &self,
        api: Api,
        acls: &'a AclSet,
        subject: &'a Subject,
        cache: &'a mut DecisionCache,
    ) -> Judge<'a> {
        let observes = self.config.insecure_observe_only && !security_apis::serves(api);
        Judge::new(acls, subject, cache).observing(observes)
    }

    /// Ends when the gate closes; a gate that is dropped closes as well.
    pub(crate) fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closing = self.closing.clone();
        async move {
            let _ = closing.wait_for(|closing| *closing).await;
        }
    }

    /// The number of a new connection, counted from 1.
    pub(crate) fn next_connection_id(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What an authentication of `peer` needs, as of now.
    pub(crate) fn door<'a>(&'a self, peer: &'a Peer, offer: &'a Offer) -> Door<'a> {
        Door {
            mechanisms: &peer.mechanisms,
            offer,
            credentials: self.metadata.snapshot(),
            fake_salts: Arc::clone(&self.fake_salts),
            nonces: &OsNonce,
            audit_is_writable: self.audit.is_writable(),
        }
    }
}
