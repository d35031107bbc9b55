//! The first topic, made by the first administrator.

use std::net::IpAddr;

use schloss_client::{Cluster, NewTopic};
use schloss_wire::ErrorCode;

use super::Place;
use super::accounts::ADMIN;

const PARTITIONS: i32 = 3;

/// Asks for the topic with the client file of the administrator.
///
/// # Errors
/// The file does not work, or the broker refused.
pub(super) async fn make(place: &Place, route: IpAddr) -> anyhow::Result<()> {
    let mut cluster = Cluster::connect(place.client(ADMIN, route)?).await?;
    let topic = NewTopic { name: place.topic.clone(), partitions: Some(PARTITIONS), ..NewTopic::default() };
    match cluster.create_topic(&topic).await {
        // A start that was cut off may have come as far as this.
        Err(error) if error.code() != Some(ErrorCode::TopicAlreadyExists) => Err(error.into()),
        _ => Ok(()),
    }
}
