//! The brokers that matter: the leader of the topic, and the coordinator of our transactions.

use std::sync::Arc;

use schloss_client::{ClientConfig, ClientError, Cluster, Connection};
use schloss_wire::messages::FindCoordinatorRequest;
use schloss_wire::{ErrorCode, StrBytes, build};

/// `FindCoordinatorRequest.CoordinatorType.TRANSACTION` of Kafka.
const TRANSACTION: i8 = 1;
/// The first version that asks for several keys at once.
const BATCHED_VERSION: i16 = 4;

/// The cluster, and the topic in it. The transactional id of all writers is the name of the topic.
pub(crate) struct Upstream {
    config: Arc<ClientConfig>,
    topic: String,
}

impl Upstream {
    pub(crate) const fn new(config: Arc<ClientConfig>, topic: String) -> Self {
        Self { config, topic }
    }

    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    pub(crate) fn wire_topic(&self) -> StrBytes {
        StrBytes::from(self.topic.as_str())
    }

    pub(crate) async fn cluster(&self) -> Result<Cluster, ClientError> {
        Cluster::connect((*self.config).clone()).await
    }

    /// A connection to the leader of the topic.
    pub(crate) async fn leader(&self) -> Result<Connection, ClientError> {
        let mut cluster = self.cluster().await?;
        let topic = cluster.fresh_topic(&self.topic).await?;
        let leader = topic.partitions.first().and_then(|partition| partition.leader);
        let broker = cluster.brokers().into_iter().find(|broker| Some(broker.id) == leader);
        let broker = broker.ok_or_else(|| {
            broker_error(
                ErrorCode::LeaderNotAvailable.code(),
                format!("looking for the leader of {}", self.topic),
            )
        })?;
        Connection::connect(&self.config, &broker.address).await
    }

    /// A connection to the coordinator of our transactions.
    pub(crate) async fn coordinator(&self) -> Result<Connection, ClientError> {
        let mut last = ClientError::Usage("there is no bootstrap address".to_owned());
        for address in &self.config.bootstrap {
            match self.coordinator_by(address).await {
                Err(error) if error.is_retriable() => last = error,
                other => return other,
            }
        }
        Err(last)
    }

    async fn coordinator_by(&self, address: &str) -> Result<Connection, ClientError> {
        let mut connection = Connection::connect(&self.config, address).await?;
        let version = connection.version::<FindCoordinatorRequest>(i16::MAX)?;
        let mut request = build!(FindCoordinatorRequest { key_type: TRANSACTION });
        if version >= BATCHED_VERSION {
            request.coordinator_keys = vec![self.wire_topic()];
        } else {
            request.key = self.wire_topic();
        }
        let mut response = connection.call_at(&request, version).await?;
        let found = response.coordinators.pop();
        let (code, host, port) = match &found {
            Some(found) => (found.error_code, &found.host, found.port),
            None => (response.error_code, &response.host, response.port),
        };
        if code != 0 {
            let doing = format!("finding the coordinator of the transactional id {}", self.topic);
            return Err(broker_error(code, doing));
        }
        let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Connection::connect(&self.config, &address).await
    }
}

/// An error code of a response as an error.
pub(crate) fn broker_error(code: i16, doing: String) -> ClientError {
    ClientError::Broker { code, doing, message: None }
}
