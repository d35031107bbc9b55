//! Requests that change something: what they did is on disk in the audit trail before the answer goes out.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use schloss_audit::Event;
use schloss_policy::{Admitted, Decision, DecisionCache, Repair, refuse};
use schloss_wire::{ErrorCode, Response};

use crate::audit_trail::{Origin, decided};
use crate::changes::{self, Change};
use crate::house::House;
use crate::{EngineSession, Forward, Outcome, security_apis};

/// Told to a client whose change was made but can't be accounted for.
const UNRECORDED: &str = "the change was made, but the audit trail could not be written";

/// An administrative request that was admitted.
pub(crate) struct Action {
    pub(crate) origin: Origin,
    pub(crate) repair: Repair,
    pub(crate) decisions: Vec<Decision>,
}

impl Action {
    /// Serves it and records it.
    pub(crate) fn perform(
        self,
        house: &Arc<House>,
        engine: &mut dyn EngineSession,
        admitted: Admitted,
    ) -> BoxFuture<'static, Outcome> {
        let (house, version) = (Arc::clone(house), self.origin.caller.api_version);
        let unrecorded = refuse(admitted.request(), version, ErrorCode::KafkaStorageError, Some(UNRECORDED));
        if house.serves(self.origin.api) {
            return Box::pin(async move {
                let (response, changes) = security_apis::change(&house, &self.origin.caller, admitted).await;
                self.conclude(&house, response, changes, unrecorded).await
            });
        }
        let mut changes = changes::planned(admitted.request());
        let future = engine.call(self.origin.caller.clone(), admitted);
        Box::pin(async move {
            let outcome = match future.await {
                Outcome::Forward(forward) => {
                    read(forward, &self.origin, house.config.max_request_bytes).await
                }
                outcome => outcome,
            };
            match outcome {
                Outcome::Reply(response) => {
                    changes::add_results(&mut changes, &response);
                    self.conclude(&house, response, changes, unrecorded).await
                }
                // Whether it was done is not known; that it was asked for is.
                other => {
                    let events = events(&self.origin, changes, &self.decisions);
                    if let Err(error) = house.audit.record_durably(events).await {
                        tracing::error!(principal = %self.origin.caller.principal, "{UNRECORDED}: {error}");
                    }
                    other
                }
            }
        })
    }

    async fn conclude(
        self,
        house: &House,
        mut response: Response,
        changes: Vec<Change>,
        unrecorded: Response,
    ) -> Outcome {
        let Self { origin, repair, decisions } = self;
        let events = events(&origin, changes, &decisions);
        if let Err(error) = house.audit.record_durably(events).await {
            tracing::error!(principal = %origin.caller.principal, "{UNRECORDED}: {error}");
            response = unrecorded;
        }
        let snapshot = house.metadata.snapshot();
        let subject = origin.caller.subject();
        let mut cache = DecisionCache::default();
        let mut judge = house.judge(origin.api, snapshot.acls(), &subject, &mut cache);
        repair.apply(&mut response, &mut judge, &*house.topics);
        Outcome::Reply(response)
    }
}

async fn read(forward: Forward, origin: &Origin, max_bytes: usize) -> Outcome {
    let Origin { api, caller, .. } = origin;
    match forward.into_response(*api, caller.api_version, max_bytes).await {
        Ok(response) => Outcome::Reply(response),
        Err(error) => {
            tracing::warn!(client = %caller.address, "no answer to {} for a client: {error}", api.name());
            Outcome::Close
        }
    }
}

fn events(origin: &Origin, changes: Vec<Change>, decisions: &[Decision]) -> Vec<Event> {
    if changes.is_empty() {
        return vec![origin.administration(ErrorCode::None)];
    }
    changes
        .into_iter()
        .map(|Change { resource_type, name, error, what }| {
            let event = origin.administration(ErrorCode::None);
            // A right on the cluster covers every topic, so the decision may name another resource.
            let allowed = || decisions.iter().filter(|decision| decision.allowed);
            let rule =
                allowed().find(|decision| *decision.resource_name == *name).or_else(|| allowed().next());
            let event = match rule {
                Some(decision) => decided(event, decision),
                None => event,
            };
            let result =
                if error == 0 { schloss_audit::SUCCESS.to_owned() } else { ErrorCode::describe(error) };
            event.resource(resource_type, name).result(result).change(what)
        })
        .collect()
}
