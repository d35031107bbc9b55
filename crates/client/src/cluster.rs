//! A cluster: its brokers, who leads what, one connection to each, and the calls of an administrator.

mod acls;
mod configs;
mod coordinator;
mod groups;
mod metadata;
mod quotas;
mod security;
mod tokens;
mod topics;
mod users;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use schloss_wire::{ErrorCode, RequestResponsePair};

pub use acls::{AclEntry, AclEntryFilter};
pub use configs::ConfigEntry;
pub use groups::GroupInfo;
pub use metadata::{BrokerInfo, PartitionInfo, TopicInfo};
pub use quotas::{QuotaEntity, QuotaEntry};
pub use tokens::TokenInfo;
pub use topics::NewTopic;
pub use users::ScramUser;

use crate::config::ClientConfig;
use crate::connection::Connection;
use crate::error::{ClientError, Need};
pub(crate) use coordinator::has_moved;
use metadata::View;

/// Pause between attempts of what failed for the moment, as `retry.backoff.ms` of Kafka.
pub(crate) const RETRY_BACKOFF: Duration = Duration::from_millis(100);
/// Most brokers that connections are kept to.
const MAX_CONNECTIONS: usize = 1024;

/// A cluster that we are connected to. Calls go one after another.
pub struct Cluster {
    config: Arc<ClientConfig>,
    view: View,
    connections: HashMap<i32, Connection>,
}

impl Cluster {
    /// Connects to the first bootstrap address that answers and learns the brokers.
    ///
    /// # Errors
    /// Every address failed: the error of the first that trying again would not help, else of the last. A refused authentication ends the search at once, since more attempts could
    /// lock the user out.
    pub async fn connect(config: ClientConfig) -> Result<Self, ClientError> {
        let mut cluster =
            Self { config: Arc::new(config), view: View::default(), connections: HashMap::new() };
        let mut bootstrap = cluster.bootstrap().await?;
        cluster.view.update_all(&mut bootstrap, Some(&[])).await?;
        Ok(cluster)
    }

    pub(crate) fn shared_config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// The configuration it was connected with.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// The cluster's id.
    #[must_use]
    pub fn cluster_id(&self) -> Option<&str> {
        self.view.cluster_id.as_deref()
    }

    /// The brokers as last seen, by id.
    #[must_use]
    pub fn brokers(&self) -> Vec<BrokerInfo> {
        self.view.brokers()
    }

    /// The controller as last seen. Clusters of KRaft name a broker that forwards to it.
    #[must_use]
    pub fn controller(&self) -> Option<i32> {
        self.view.controller
    }

    pub(crate) fn user(&self) -> Option<&str> {
        self.config.user()
    }

    pub(crate) fn address(&self, node: i32) -> Option<&str> {
        self.view.address(node)
    }

    /// Checks the code of a response; see [`ClientError::check`].
    pub(crate) fn check(
        &self,
        code: i16,
        message: Option<&str>,
        need: &Need,
        doing: impl FnOnce() -> String,
    ) -> Result<(), ClientError> {
        ClientError::check(code, message, self.user(), need, doing)
    }

    async fn bootstrap(&self) -> Result<Connection, ClientError> {
        let mut told: Option<ClientError> = None;
        for address in &self.config.bootstrap {
            match Connection::connect(&self.config, address).await {
                Ok(connection) => return Ok(connection),
                Err(error @ ClientError::Authentication { .. }) => return Err(error),
                // A wrong CA says more than another broker that happens to be down.
                Err(error) if told.as_ref().is_none_or(ClientError::is_retriable) => told = Some(error),
                Err(_) => {}
            }
        }
        Err(told.unwrap_or_else(|| ClientError::Usage("there is no bootstrap address".to_owned())))
    }

    /// A connection to a broker, kept for the next call.
    pub(crate) async fn node(&mut self, node: i32) -> Result<&mut Connection, ClientError> {
        if self.connections.get(&node).is_none_or(Connection::is_spent) {
            let connection = self.fresh(node).await?;
            if self.connections.len() >= MAX_CONNECTIONS {
                self.connections.clear();
            }
            self.connections.insert(node, connection);
        }
        self.connections.get_mut(&node).ok_or_else(|| unknown_node(node))
    }

    /// A new connection to a broker, the caller's own.
    pub(crate) async fn fresh(&self, node: i32) -> Result<Connection, ClientError> {
        let address = self.view.address(node).ok_or_else(|| unknown_node(node))?;
        Connection::connect(&self.config, address).await
    }

    /// Calls one broker, at the highest version in common and at most `ceiling`. A kept connection that turns out
    /// to be closed is replaced once, so the request may arrive twice.
    ///
    /// # Errors
    /// The broker is unknown or can't be reached. Error codes in the response are the caller's to look at.
    pub async fn call_node<R: RequestResponsePair>(
        &mut self,
        node: i32,
        request: &R,
        ceiling: i16,
    ) -> Result<R::Response, ClientError> {
        let was_kept = self.connections.contains_key(&node);
        match self.call_once(node, request, ceiling).await {
            Err(ClientError::Closed { .. }) if was_kept => self.call_once(node, request, ceiling).await,
            other => other,
        }
    }

    async fn call_once<R: RequestResponsePair>(
        &mut self,
        node: i32,
        request: &R,
        ceiling: i16,
    ) -> Result<R::Response, ClientError> {
        let connection = self.node(node).await?;
        let version = connection.version::<R>(ceiling)?;
        connection.call_at(request, version).await
    }

    /// Calls whichever broker answers: one that is connected, any other, a bootstrap address at last. The request
    /// may arrive more than once.
    ///
    /// # Errors
    /// None can be reached. Error codes in the response are the caller's to look at.
    pub async fn call_any<R: RequestResponsePair>(
        &mut self,
        request: &R,
    ) -> Result<R::Response, ClientError> {
        let mut last = None;
        for node in self.nodes() {
            match self.call_node(node, request, i16::MAX).await {
                Err(error) if error.is_retriable() => last = Some(error),
                other => return other,
            }
        }
        match self.bootstrap().await {
            Ok(mut connection) => connection.call(request).await,
            Err(error) => Err(last.unwrap_or(error)),
        }
    }

    /// Known brokers, the connected ones first.
    fn nodes(&self) -> Vec<i32> {
        let mut nodes: Vec<i32> = self.view.brokers().into_iter().map(|broker| broker.id).collect();
        nodes.sort_by_key(|node| !self.connections.contains_key(node));
        nodes
    }

    /// Calls the controller, looking it up again while the answer says that it moved. `code` takes the first
    /// error out of a response. KRaft brokers forward; ZooKeeper clusters insist on the controller.
    ///
    /// # Errors
    /// It can't be reached. Other error codes in the response are the caller's to look at.
    pub async fn call_controller<R: RequestResponsePair>(
        &mut self,
        request: &R,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, ClientError> {
        let deadline = Instant::now() + self.config.request_timeout;
        loop {
            let response = match self.view.controller {
                Some(controller) => self.call_node(controller, request, i16::MAX).await?,
                None => self.call_any(request).await?,
            };
            if code(&response) != ErrorCode::NotController.code() || Instant::now() > deadline {
                return Ok(response);
            }
            tokio::time::sleep(RETRY_BACKOFF).await;
            self.refresh(Some(&[])).await?;
        }
    }
}

fn unknown_node(node: i32) -> ClientError {
    ClientError::Broker {
        code: ErrorCode::BrokerNotAvailable.code(),
        doing: format!("looking for broker {node}"),
        message: Some("the cluster's metadata does not hold it; try again when it is back".to_owned()),
    }
}
