//! What happens to the state that gateways share, told to log and audit trail.

use std::time::{Duration, SystemTime};

use schloss_audit::{Audit, Event};
use schloss_metadata_topic::{Health, Notice, SharedMetadata};
use schloss_wire::ErrorCode;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, info, warn};

use super::SYSTEM;
use crate::config::SharedState;

/// Stops to serve clients, because of this, or serves them again.
pub(super) type Suspend = Box<dyn Fn(Option<String>) + Send + Sync>;

/// What there is to hear of the shared state.
pub(super) struct StateWatch {
    topic: String,
    health: watch::Receiver<Health>,
    notices: Option<mpsc::Receiver<Notice>>,
    is_behind: bool,
    max_age: Duration,
    /// When the state is too old to serve by.
    expires: Option<Instant>,
    suspend: Suspend,
}

impl StateWatch {
    /// `suspend` is called when the state has become too old, and when it is the newest again.
    pub(super) fn of(shared: &mut SharedMetadata, state: &SharedState, suspend: Suspend) -> Self {
        let (mut health, notices) = (shared.health(), shared.notices());
        // It may have fallen behind before anybody listened.
        health.mark_changed();
        Self {
            topic: state.topic.clone(),
            health,
            notices,
            is_behind: false,
            max_age: state.max_age,
            expires: None,
            suspend,
        }
    }

    /// Reports for ever.
    pub(super) async fn report(&mut self, audit: &Audit) {
        loop {
            let event = tokio::select! {
                Ok(()) = self.health.changed() => {
                    let health = self.health.borrow_and_update().clone();
                    self.health_event(&health)
                }
                Some(notice) = next(&mut self.notices) => Some(self.notice_event(&notice)),
                () = reached(self.expires) => Some(self.expire()),
            };
            if let Some(event) = event {
                audit.record(event).await;
            }
        }
    }

    /// One event for each time that it falls behind or comes back, however often the reason changes meanwhile.
    fn health_event(&mut self, health: &Health) -> Option<Event> {
        let was_behind = std::mem::replace(&mut self.is_behind, *health != Health::Following);
        match health {
            Health::Behind { why, .. } if was_behind => {
                debug!(topic = self.topic, "still behind: {why}");
                None
            }
            Health::Behind { since, why } => {
                let age = since.elapsed().unwrap_or_default();
                self.expires = Some(Instant::now() + self.max_age.saturating_sub(age));
                let words = format!(
                    "users and ACLs are those of {}, later changes by other gateways are not in force and no changes are \
                     taken: {why}",
                    rfc3339(*since)
                );
                warn!(topic = self.topic, "{words}");
                let event = self.event("schloss.StateBehind");
                Some(event.result(ErrorCode::NetworkException.name()).message(words))
            }
            _ if !was_behind => None,
            _ => {
                self.expires = None;
                (self.suspend)(None);
                info!(topic = self.topic, "users and ACLs are the newest again");
                Some(self.event("schloss.StateFollowing"))
            }
        }
    }

    /// Who was removed elsewhere meanwhile must not go on for ever.
    fn expire(&mut self) -> Event {
        self.expires = None;
        let words = format!(
            "users and ACLs are older than state.max_age_ms = {} allows, so nobody is served until topic {} can be \
             followed again; the record schloss.StateBehind before this one says what hinders",
            self.max_age.as_millis(),
            self.topic
        );
        (self.suspend)(Some(words.clone()));
        error!(topic = self.topic, "{words}");
        let event = self.event("schloss.StateTooOld");
        event.result(ErrorCode::BrokerNotAvailable.name()).message(words)
    }

    fn notice_event(&self, notice: &Notice) -> Event {
        match notice {
            Notice::Forged { offset, keys, why } => forged(&self.topic, *offset, keys, why),
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
        event(&self.topic, method)
    }
}

/// The event of a record that no gateway wrote: as grave as any, so it is a denial, and an error in the log.
pub(super) fn forged(topic: &str, offset: i64, keys: &[String], why: &str) -> Event {
    let words = format!(
        "somebody who is no gateway wrote into the state of the gateways at offset {offset}, keys [{}], {why}: it is not \
         in force; find out who may write to the topic, and take that away from them",
        keys.join(", ")
    );
    error!(topic, "FORGED: {words}");
    let event = event(topic, "schloss.ForgedState").decision(false, why);
    event.result(ErrorCode::InvalidRecord.name()).message(words)
}

fn event(topic: &str, method: &str) -> Event {
    Event::system(method).principal(SYSTEM).resource("Topic", topic)
}

async fn next(notices: &mut Option<mpsc::Receiver<Notice>>) -> Option<Notice> {
    notices.as_mut()?.recv().await
}

async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn rfc3339(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use schloss_audit::{AuditConfig, DecisionFilter, Query, query};
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test]
    async fn what_happens_to_the_state_is_in_the_audit_trail_once() {
        let directory = tempfile::tempdir().unwrap();
        let audit = Audit::open(AuditConfig::new(directory.path())).unwrap();
        let recorded = || -> Vec<String> {
            let events = query(directory.path(), &Query::default()).unwrap();
            events.map(|record| record.unwrap().event.data.method_name).collect()
        };
        let awaited = async |count: usize| {
            while recorded().len() < count {
                audit.flush().await;
                sleep(Duration::from_millis(1)).await;
            }
        };
        let suspensions = Arc::new(Mutex::new(Vec::new()));
        let (health, hears_health) = watch::channel(Health::Following);
        let (notices, hears_notices) = mpsc::channel(4);
        let mut watch = StateWatch {
            topic: "__schloss_test".to_owned(),
            health: hears_health,
            notices: Some(hears_notices),
            is_behind: false,
            max_age: Duration::from_millis(1),
            expires: None,
            suspend: {
                let suspensions = Arc::clone(&suspensions);
                Box::new(move |why| suspensions.lock().unwrap().push(why.is_some()))
            },
        };
        let behind = |why: &str| Health::Behind { since: SystemTime::now(), why: why.into() };
        let script = async {
            health.send(behind("one broker is gone")).unwrap();
            awaited(2).await;
            health.send(behind("the other one too")).unwrap();
            // What is heard after it has been passed over.
            notices.send(Notice::Healed { keys: 3 }).await.unwrap();
            awaited(3).await;
            assert_eq!(*suspensions.lock().unwrap(), [true], "too old, and told once");
            health.send(Health::Following).unwrap();
            awaited(4).await;
            assert_eq!(*suspensions.lock().unwrap(), [true, false]);
            let keys = vec!["user/mallory".to_owned()];
            notices
                .send(Notice::Forged { offset: 7, keys, why: "it lacks our mark".to_owned() })
                .await
                .unwrap();
            awaited(5).await;
        };
        tokio::select! {
            () = watch.report(&audit) => {}
            ended = timeout(Duration::from_secs(10), script) => ended.unwrap(),
        }
        let expected = ["StateBehind", "StateTooOld", "HealedState", "StateFollowing", "ForgedState"]
            .map(|name| format!("schloss.{name}"));
        assert_eq!(recorded(), expected);
        let denied = Query { decision: Some(DecisionFilter::Denied), ..Query::default() };
        let denied: Vec<_> =
            query(directory.path(), &denied).unwrap().map(|record| record.unwrap().event).collect();
        assert_eq!(denied.len(), 1, "a forged record is as grave as a denial");
        let words = denied[0].data.result.message.clone().unwrap();
        assert!(words.contains("offset 7") && words.contains("user/mallory"), "{words}");
    }
}
