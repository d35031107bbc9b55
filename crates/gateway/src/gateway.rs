//! The gateway as a value: how it is opened, and its place behind the gate.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use schloss_client::{ClientConfig, ClientError, Connection};
use schloss_gate::{Engine, EngineSession, Entrance, Offer};
use schloss_policy::TopicNames;
use schloss_wire::Principal;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::identity::Credentials;
use crate::link::{Link, Opened};
use crate::session::{Nowhere, Session, Surroundings};
use crate::view::View;
use crate::{GatewayConfig, Identity};
use crate::{blame, follow};

/// Why a gateway can't be opened.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// The upstream cluster can't be reached, or does not let us in.
    #[error(transparent)]
    Upstream(#[from] ClientError),
    /// The upstream cluster has no id: it is older than any that is supported.
    #[error("the upstream cluster tells no cluster id; Apache Kafka 2.1 or later is needed")]
    NoClusterId,
    /// Tokens are presented by SASL.
    #[error(
        "impersonating clients needs SASL upstream, but the client file has none: name a SASL_SSL listener of the \
         upstream cluster in it"
    )]
    ImpersonateWithoutSasl,
}

/// The upstream cluster as an engine.
pub struct Gateway {
    view: Arc<View>,
    credentials: Arc<Credentials>,
    identity: Identity,
    upstream: Arc<ClientConfig>,
    /// By the listener's name.
    surroundings: HashMap<String, Arc<Surroundings>>,
    max_answer_bytes: usize,
    following: JoinHandle<()>,
    suspended: ArcSwapOption<String>,
}

impl Gateway {
    /// Looks at the upstream cluster and begins to follow it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The cluster can't be reached or does not let us in.
    pub async fn open(config: GatewayConfig) -> Result<Self, GatewayError> {
        if config.identity == Identity::Impersonate && config.upstream.sasl.is_none() {
            return Err(GatewayError::ImpersonateWithoutSasl);
        }
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
            credentials: Arc::new(Credentials::new(
                config.identity,
                Arc::clone(&config.upstream),
                Arc::clone(&view),
            )),
            identity: config.identity,
            upstream: config.upstream,
            view,
            max_answer_bytes,
            following,
            suspended: ArcSwapOption::empty(),
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

    /// Has the upstream cluster end the delegation tokens that gateways like this one hold for `principal`, and says how
    /// many there were. Without impersonation there are none.
    ///
    /// # Errors
    /// The upstream cluster can't be reached or does not end one of them.
    pub async fn take_back_tokens(&self, principal: &Principal) -> io::Result<usize> {
        self.credentials.take_back(principal).await
    }

    /// Serves nobody from now on, because of `why`, or everybody again: connections end at their next request, and
    /// new ones before they log in.
    pub fn suspend(&self, why: Option<String>) {
        self.suspended.store(why.map(Arc::new));
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
    // The cluster's brokers keep them, for whom a gateway's connections are those of its clients.
    fn keeps_quotas(&self) -> bool {
        true
    }

    fn offer(&self, entrance: &Entrance) -> Arc<Offer> {
        self.view.offer(self.node(entrance))
    }

    fn open(&self, entrance: &Entrance, principal: &Principal) -> Box<dyn EngineSession> {
        let node = self.node(entrance);
        let denied = blame::words(self.identity, &self.upstream, principal);
        let (view, credentials, principal) =
            (Arc::clone(&self.view), Arc::clone(&self.credentials), principal.clone());
        let connect = move || {
            let (view, credentials) = (Arc::clone(&view), Arc::clone(&credentials));
            let principal = principal.clone();
            Box::pin(async move { connect_as(&principal, &credentials, &view, node).await }) as _
        };
        let link = Link::new(Box::new(connect), self.max_answer_bytes);
        match self.surroundings.get(&*entrance.listener) {
            Some(surroundings) => Box::new(Session::new(link, Arc::clone(surroundings), &denied)),
            None => Box::new(Nowhere),
        }
    }

    fn suspended(&self) -> Option<String> {
        self.suspended.load().as_deref().cloned()
    }

    fn topics(&self) -> Arc<dyn TopicNames> {
        Arc::clone(&self.view) as Arc<dyn TopicNames>
    }
}

/// Attempts with credentials that a broker does not take, and the pause between them. A new token gets to all
/// brokers a moment after it was given.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);

async fn connect_as(
    principal: &Principal,
    credentials: &Credentials,
    view: &View,
    node: Option<i32>,
) -> io::Result<Opened> {
    let mut attempt = 1;
    loop {
        let config = credentials.of(principal).await?;
        let failed = match connect(view, node, &config).await {
            Ok(opened) => return Ok(opened),
            Err(failed) => failed,
        };
        let may_help = credentials.come_and_go()
            && matches!(failed, Failed::Upstream(_, ClientError::Authentication { .. }));
        if !may_help || attempt == ATTEMPTS {
            return Err(io::Error::other(failed));
        }
        if attempt == ATTEMPTS / 2 {
            // It may have ended before its time.
            credentials.forget(principal, &config).await;
        }
        attempt += 1;
        sleep(PAUSE).await;
    }
}

/// Why a client's request could not be brought to its broker.
#[derive(Debug, Error)]
enum Failed {
    #[error("broker {0} is not in the upstream cluster")]
    Absent(i32),
    #[error("no upstream broker is known")]
    Unknown,
    #[error("upstream broker {0}: {1}")]
    Upstream(i32, ClientError),
}

/// Connects to the broker, or to the first of all that can be reached.
async fn connect(view: &View, node: Option<i32>, config: &ClientConfig) -> Result<Opened, Failed> {
    let mut failed = node.map_or(Failed::Unknown, Failed::Absent);
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
            Err(error) => failed = Failed::Upstream(id, error),
        }
    }
    view.doubt();
    Err(failed)
}
