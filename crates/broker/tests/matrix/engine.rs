//! The real broker, and for the APIs that it does not serve an engine that does nothing and says yes: so that every
//! row of the table is asked through the gate.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schloss_broker::{Advertised, Broker, BrokerConfig, Storage};
use schloss_gate::{Caller, Engine, EngineSession, Entrance, Features, Offer, Outcome};
use schloss_log::{Flusher, LogConfig, Vault};
use schloss_metadata::Metadata;
use schloss_policy::{Admitted, TopicNames, refuse};
use schloss_wire::{Api, ErrorCode, Principal, Uuid};

/// Serves every API there is.
#[derive(Clone)]
pub(crate) struct Everything {
    broker: Arc<Broker>,
    calls: Arc<Mutex<HashMap<String, Vec<Api>>>>,
}

impl Everything {
    pub(crate) fn open(directory: &Path, metadata: &Arc<Metadata>, flusher: &Arc<Flusher>) -> Self {
        let address = Advertised { host: "localhost".to_owned(), port: 9092 };
        let advertised = HashMap::from([("CLIENTS".to_owned(), address)]);
        let config = BrokerConfig::new(directory.to_owned(), 1, advertised, LogConfig::default());
        let storage = Storage { flusher: Arc::clone(flusher), vault: Vault::InsecurePlain, on_damage: None };
        let broker = Broker::open(config, Arc::clone(metadata), storage);
        let broker = broker.unwrap_or_else(|error| panic!("{error}"));
        Self { broker, calls: Arc::default() }
    }

    /// What a user's requests have come to since this was last asked.
    pub(crate) fn take_calls(&self, user: &str) -> Vec<Api> {
        self.calls.lock().unwrap().remove(&format!("User:{user}")).unwrap_or_default()
    }

    /// Everybody who has reached the engine since they were last asked about.
    pub(crate) fn callers(&self) -> Vec<String> {
        self.calls.lock().unwrap().keys().cloned().collect()
    }
}

impl Engine for Everything {
    fn keeps_quotas(&self) -> bool {
        false
    }

    fn offer(&self, _: &Entrance) -> Arc<Offer> {
        let ranges = Api::ALL.iter().copied().map(Api::range);
        Arc::new(Offer::new(ranges, Features::default(), "cluster", Some(1)))
    }

    fn open(&self, entrance: &Entrance, principal: &Principal) -> Box<dyn EngineSession> {
        let broker = Engine::open(&*self.broker, entrance, principal);
        let served = Engine::offer(&*self.broker, entrance);
        Box::new(Session { everything: self.clone(), broker, served })
    }

    fn topics(&self) -> Arc<dyn TopicNames> {
        Arc::new(Topics(Engine::topics(&*self.broker)))
    }
}

struct Session {
    everything: Everything,
    broker: Box<dyn EngineSession>,
    served: Arc<Offer>,
}

impl EngineSession for Session {
    fn call(&mut self, caller: Caller, request: Admitted) -> BoxFuture<'static, Outcome> {
        let (api, version) = (request.request().api(), caller.api_version);
        let mut calls = self.everything.calls.lock().unwrap();
        calls.entry(caller.principal.to_string()).or_default().push(api);
        drop(calls);
        if self.served.serves(api, version) {
            return self.broker.call(caller, request);
        }
        let response = refuse(request.request(), version, ErrorCode::None, None);
        async move { Outcome::Reply(response) }.boxed()
    }
}

/// The broker's topics, of an engine that creates missing ones for whoever asks about them, as others do.
struct Topics(Arc<dyn TopicNames>);

impl TopicNames for Topics {
    fn name_of(&self, id: Uuid) -> Option<Arc<str>> {
        self.0.name_of(id)
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.0.names()
    }

    fn exists(&self, name: &str) -> bool {
        self.0.exists(name)
    }

    fn creates_missing_topics(&self) -> Option<bool> {
        Some(true)
    }
}
