//! What happens to the state that gateways share, told to log and audit trail.

use std::time::SystemTime;

use schloss_audit::{Audit, Event};
use schloss_metadata_topic::{Health, Notice, SharedMetadata};
use schloss_wire::ErrorCode;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use super::SYSTEM;

/// What there is to hear of the shared state.
pub(super) struct StateWatch {
    topic: String,
    health: watch::Receiver<Health>,
    notices: Option<mpsc::Receiver<Notice>>,
}

impl StateWatch {
    pub(super) fn of(shared: &mut SharedMetadata, topic: &str) -> Self {
        Self { topic: topic.to_owned(), health: shared.health(), notices: shared.notices() }
    }

    /// Reports for ever.
    pub(super) async fn report(&mut self, audit: &Audit) {
        loop {
            let event = tokio::select! {
                Ok(()) = self.health.changed() => {
                    let health = self.health.borrow_and_update().clone();
                    self.health_event(&health)
                }
                Some(notice) = next(&mut self.notices) => self.notice_event(&notice),
                else => return std::future::pending().await,
            };
            audit.record(event).await;
        }
    }

    fn health_event(&self, health: &Health) -> Event {
        match health {
            Health::Behind { since, why } => {
                let words = format!(
                    "users and ACLs are those of {}, later changes by other gateways are not in force and no changes are \
                     taken: {why}",
                    rfc3339(*since)
                );
                warn!(topic = self.topic, "{words}");
                self.event("schloss.StateBehind").result(ErrorCode::NetworkException.name()).message(words)
            }
            _ => {
                info!(topic = self.topic, "users and ACLs are the newest again");
                self.event("schloss.StateFollowing")
            }
        }
    }

    fn notice_event(&self, notice: &Notice) -> Event {
        match notice {
            Notice::Forged { offset, keys, why } => {
                let words = format!(
                    "somebody who is no gateway wrote into the state of the gateways at offset {offset}, keys [{}], {why}: \
                     it is not in force; find out who may write to the topic, and take that away from them",
                    keys.join(", ")
                );
                error!(topic = self.topic, "FORGED: {words}");
                let event = self.event("schloss.ForgedState").decision(false, why.as_str());
                event.result(ErrorCode::InvalidRecord.name()).message(words)
            }
            Notice::Healed { keys } => {
                let words = format!("what forged records stood over was written again: {keys} keys");
                warn!(topic = self.topic, "{words}");
                self.event("schloss.HealedState").message(words)
            }
            // A notice of a later version of the crate is better told roughly than not.
            other => {
                warn!(topic = self.topic, "{other:?}");
                self.event("schloss.StateNotice").message(format!("{other:?}"))
            }
        }
    }

    fn event(&self, method: &str) -> Event {
        Event::system(method).principal(SYSTEM).resource("Topic", self.topic.as_str())
    }
}

async fn next(notices: &mut Option<mpsc::Receiver<Notice>>) -> Option<Notice> {
    notices.as_mut()?.recv().await
}

fn rfc3339(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}
