//! The gateway as a value: how it is opened, and its place behind the gate.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use schloss_client::{ClientConfig, ClientError, Connection};
use schloss_gate::{Engine, EngineSession, Entrance, Offer};
use schloss_policy::TopicNames;
use schloss_wire::Principal;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::GatewayConfig;
use crate::follow;
use crate::identity::Credentials;
use crate::link::{Link, Opened};
use crate::session::{Nowhere, Session, Surroundings};
use crate::view::View;

/// Why a gateway can't be opened.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// The upstream cluster can't be reached, or does not let us in.
    #[error(transparent)]
    Upstream(#[from] ClientError),
    /// The upstream cluster has no id: it is older than any that is supported.
    #[error("the upstream cluster tells no cluster id; Apache Kafka 2.1 or later is needed")]
    NoClusterId,
}

/// The upstream cluster as an engine.
pub struct Gateway {
    view: Arc<View>,
    credentials: Arc<Credentials>,
    /// By the listener's name.
    surroundings: HashMap<String, Arc<Surroundings>>,
    max_answer_bytes: usize,
    following: JoinHandle<()>,
}

impl Gateway {
    /// Looks at the upstream cluster and begins to follow it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The cluster can't be reached or does not let us in.
    pub async fn open(config: GatewayConfig) -> Result<Self, GatewayError> {
        let view = Arc::new(follow::first_look(&config.upstream).await?);
        let following = tokio::spawn(follow::follow(
            Arc::clone(&view),
            Arc::clone(&config.upstream),
            config.refresh_interval,
        ));
        let max_answer_bytes = config.max_answer_bytes;
        let surroundings = config.addressing.into_iter().map(|(listener, addressing)| {
            let view = Arc::clone(&view);
            (listener, Arc::new(Surroundings { view, addressing, max_answer_bytes }))
        });
        Ok(Self {
            surroundings: surroundings.collect(),
            credentials: Arc::new(Credentials::new(config.identity, config.upstream, Arc::clone(&view))),
            view,
            max_answer_bytes,
            following,
        })
    }

    /// The id of the upstream cluster.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        self.view.cluster_id()
    }

    /// The ids of the brokers, now and whenever they change.
    #[must_use]
    pub fn broker_ids(&self) -> watch::Receiver<Vec<i32>> {
        self.view.broker_ids()
    }

    fn node(&self, entrance: &Entrance) -> Option<i32> {
        self.surroundings.get(&*entrance.listener)?.addressing.node(entrance)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl Engine for Gateway {
    fn offer(&self, entrance: &Entrance) -> Arc<Offer> {
        self.view.offer(self.node(entrance))
    }

    fn open(&self, entrance: &Entrance, principal: &Principal) -> Box<dyn EngineSession> {
        let node = self.node(entrance);
        let (view, credentials, principal) =
            (Arc::clone(&self.view), Arc::clone(&self.credentials), principal.clone());
        let connect = move || {
            let (view, credentials) = (Arc::clone(&view), Arc::clone(&credentials));
            let principal = principal.clone();
            Box::pin(async move {
                let config = credentials.of(&principal).await?;
                connect(&view, node, &config).await
            }) as _
        };
        let link = Link::new(Box::new(connect), self.max_answer_bytes);
        match self.surroundings.get(&*entrance.listener) {
            Some(surroundings) => Box::new(Session::new(link, Arc::clone(surroundings))),
            None => Box::new(Nowhere),
        }
    }

    fn topics(&self) -> Arc<dyn TopicNames> {
        Arc::clone(&self.view) as Arc<dyn TopicNames>
    }
}

/// Connects to the broker, or to the first of all that can be reached.
async fn connect(view: &View, node: Option<i32>, config: &ClientConfig) -> io::Result<Opened> {
    let mut failed = match node {
        Some(node) => format!("broker {node} is not in the upstream cluster"),
        None => "no upstream broker is known".to_owned(),
    };
    for (id, address) in view.addresses(node) {
        let connected = Connection::connect(config, &address).await.and_then(|connection| {
            view.introduce(id, connection.api_versions());
            connection.into_raw()
        });
        match connected {
            Ok(raw) => {
                return Ok(Opened {
                    stream: Box::new(raw.stream),
                    unread: raw.unread,
                    expires: raw.expires.map(Into::into),
                });
            }
            Err(error) => failed = format!("upstream broker {id}: {error}"),
        }
    }
    view.doubt();
    Err(io::Error::other(failed))
}
