//! The first topic: its own, never somebody's.

use schloss_client::{ClientConfig, ClientError, Cluster, NewTopic};
use schloss_wire::ErrorCode;

/// The topic that the service accounts get, where nobody else has one of this name.
pub(super) const TOPIC: &str = "orders";
/// The one that they get there.
pub(super) const OTHER: &str = "schloss-quickstart";
const PARTITIONS: i32 = 3;

/// Asks for the topic `name` as `client`.
///
/// # Errors
/// The client can't connect, or the broker refused; not if the topic is there.
pub(super) async fn make(client: ClientConfig, name: &str) -> Result<(), ClientError> {
    let is_there = |error: &ClientError| error.code() == Some(ErrorCode::TopicAlreadyExists);
    create(client, name).await.or_else(|error| if is_there(&error) { Ok(()) } else { Err(error) })
}

/// Makes a topic that was not there before, and returns its name. Only what this call has made is known not to
/// hold records of somebody, whatever a listing that is cut to our rights says.
///
/// # Errors
/// As [`make`].
pub(super) async fn make_own(client: &ClientConfig) -> Result<&'static str, ClientError> {
    match create(client.clone(), TOPIC).await {
        Ok(()) => Ok(TOPIC),
        Err(error) if error.code() == Some(ErrorCode::TopicAlreadyExists) => {
            make(client.clone(), OTHER).await.map(|()| OTHER)
        }
        Err(error) => Err(error),
    }
}

async fn create(client: ClientConfig, name: &str) -> Result<(), ClientError> {
    let mut cluster = Cluster::connect(client).await?;
    let topic = NewTopic { name: name.to_owned(), partitions: Some(PARTITIONS), ..NewTopic::default() };
    cluster.create_topic(&topic).await
}
