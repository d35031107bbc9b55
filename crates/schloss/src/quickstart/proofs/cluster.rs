//! What only a gateway has to prove: the cluster behind it is out of sight.

use anyhow::{bail, ensure};
use schloss_audit::{DecisionFilter, EventKind, Query};
use schloss_client::Connection;
use schloss_gateway::Addressing;
use schloss_wire::ErrorCode;

use super::super::accounts::ADMIN;
use super::{Bench, Proof};

/// Runs the proofs, and prints each.
///
/// # Errors
/// The first proof that failed.
pub(in super::super) async fn prove(
    bench: &Bench<'_>,
    addressing: &Addressing,
    state_topic: &str,
) -> anyhow::Result<()> {
    bench.show("every broker is reached through the gateway", bench.brokers_are_ours(addressing)).await?;
    bench.show("the state of the gateways is hidden", bench.state_is_hidden(state_topic)).await
}

impl Bench<'_> {
    async fn brokers_are_ours(&self, addressing: &Addressing) -> anyhow::Result<Proof<()>> {
        let config = self.client(ADMIN)?;
        let brokers = self.cluster(ADMIN).await?.brokers();
        ensure!(!brokers.is_empty(), "no broker is named");
        let mut found = Vec::new();
        for broker in brokers {
            let ours = addressing.address(broker.id).map(|(host, port)| match host.contains(':') {
                true => format!("[{host}]:{port}"),
                false => format!("{host}:{port}"),
            });
            ensure!(
                ours.as_ref() == Some(&broker.address),
                "broker {} is said to be at {}",
                broker.id,
                broker.address
            );
            Connection::connect(&config, &broker.address).await?;
            found.push(format!("{} at {}", broker.id, broker.address));
        }
        Ok(Proof {
            found: found.join(", "),
            record: Query {
                principal: Some(format!("User:{ADMIN}")),
                kind: Some(EventKind::Authentication),
                decision: Some(DecisionFilter::Allowed),
                ..Query::default()
            },
            value: (),
        })
    }

    async fn state_is_hidden(&self, topic: &str) -> anyhow::Result<Proof<()>> {
        let mut cluster = self.cluster(ADMIN).await?;
        let listed = cluster.list_topics().await?;
        ensure!(listed.iter().all(|listed| listed.name != topic), "it is in the listing of topics");
        match cluster.fresh_topic(topic).await {
            Err(error) if error.code() == Some(ErrorCode::TopicAuthorizationFailed) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => bail!("the administrator may describe it"),
        }
        Ok(Proof {
            found: format!("{topic}: {}", ErrorCode::TopicAuthorizationFailed.name()),
            record: Query {
                principal: Some(format!("User:{ADMIN}")),
                resource: Some(topic.to_owned()),
                decision: Some(DecisionFilter::Denied),
                ..Query::default()
            },
            value: (),
        })
    }
}
