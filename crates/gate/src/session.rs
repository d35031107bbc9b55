//! A session: a connection whose peer has proved who it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use schloss_audit::Event;
use schloss_identity::{Authenticated, SaslMechanism, TokenLogin};
use schloss_metadata::{ClientQuotas, Snapshot};
use schloss_policy::{DecisionCache, Subject};
use schloss_wire::RequestHead;
use tokio::time::Instant;

use crate::audit_trail::with_session;
use crate::following::Following;
use crate::quota::{Account, Quotas, Seat};
use crate::standing::{ShownCertificate, Standing};
use crate::{Caller, EngineSession, Offer, TrustedClients};

/// Where a connection comes from; known before anybody is authenticated.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) listener: Arc<str>,
    pub(crate) connection_id: u64,
    /// What its listener offers.
    pub(crate) mechanisms: Arc<[SaslMechanism]>,
    /// Whose certificates are good there.
    pub(crate) clients: Option<TrustedClients>,
    /// Whose tokens are.
    pub(crate) tokens: Option<Arc<TokenLogin>>,
    /// How long sessions last there without authenticating again.
    pub(crate) max_reauth: Option<Duration>,
}

/// The only thing that requests are served for. It can't be made without the proof of a mechanism.
pub(crate) struct Session {
    proof: Authenticated,
    peer: Arc<Peer>,
    /// Whether it may go on.
    pub(crate) standing: Standing,
    following: Following,
    pub(crate) subject: Subject,
    pub(crate) cache: DecisionCache,
    /// What its entrance offers.
    pub(crate) offer: Arc<Offer>,
    /// Its place in the engine.
    pub(crate) engine: Box<dyn EngineSession>,
    client_id: Arc<str>,
    /// What is in force for it of quotas.
    pub(crate) seat: Seat,
}

impl Session {
    pub(crate) fn new(
        proof: Authenticated,
        peer: Arc<Peer>,
        certificate: Option<ShownCertificate>,
        offer: Arc<Offer>,
        engine: Box<dyn EngineSession>,
    ) -> Self {
        let standing = Standing::new(&proof, peer.max_reauth, certificate);
        let subject = Subject {
            principal: proof.principal().clone(),
            groups: proof.all_groups(),
            host: peer.address.ip().to_canonical(),
        };
        let cache = DecisionCache::default();
        Self {
            proof,
            peer,
            standing,
            following: Following::default(),
            subject,
            cache,
            offer,
            engine,
            client_id: Arc::from(""),
            seat: Seat::default(),
        }
    }

    pub(crate) fn proof(&self) -> &Authenticated {
        &self.proof
    }

    /// Goes on after its client has proved itself again.
    pub(crate) fn renew(&mut self, proof: Authenticated) {
        self.standing.renewed(&proof, self.peer.max_reauth);
        self.subject.groups = proof.all_groups();
        self.following = Following::default();
        self.proof = proof;
    }

    /// Takes what its directory says now of its groups; what to write down of that, if anything.
    pub(crate) fn follow(&mut self) -> Option<Event> {
        let event = self.following.listen(&self.proof, &mut self.subject)?;
        Some(with_session(self, event))
    }

    /// Why no further request is served, if so.
    pub(crate) fn objection(&mut self, now: Instant, snapshot: &Snapshot, observes: bool) -> Option<String> {
        let of_standing = self.standing.objection(now, snapshot);
        of_standing.or_else(|| self.following.objection(&self.proof, snapshot, observes))
    }

    /// Why the connection is of no use any more, if so. One whose client is silent may still be renewed.
    pub(crate) fn lasting_objection(
        &mut self,
        now: Instant,
        snapshot: &Snapshot,
        observes: bool,
    ) -> Option<String> {
        let of_standing = self.standing.lasting_objection(now, snapshot);
        of_standing.or_else(|| self.following.objection(&self.proof, snapshot, observes))
    }

    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// The quotas in force for one request.
    pub(crate) fn account(
        &mut self,
        kept: &Quotas,
        quotas: &Arc<ClientQuotas>,
        head: &RequestHead,
    ) -> Option<Arc<Account>> {
        self.seat.account(kept, quotas, self.proof.principal().name(), head.client_id())
    }

    /// Pauses no longer than these quotas ask for.
    pub(crate) fn reconsider(&mut self, kept: &Quotas, quotas: &Arc<ClientQuotas>) {
        self.seat.reconsider(kept, quotas, self.proof.principal().name());
    }

    /// The caller of one request. The client id is kept, since clients send the same one each time.
    pub(crate) fn caller(&mut self, head: &RequestHead) -> Caller {
        let client_id = head.client_id();
        if *self.client_id != *client_id {
            self.client_id = Arc::from(client_id);
        }
        Caller {
            principal: self.proof.principal().clone(),
            groups: Arc::clone(&self.subject.groups),
            address: self.peer.address,
            client_id: Arc::clone(&self.client_id),
            connection_id: self.peer.connection_id,
            listener: Arc::clone(&self.peer.listener),
            api_version: head.api_version,
            correlation_id: head.correlation_id,
        }
    }
}
