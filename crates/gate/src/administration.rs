//! Requests that change something: what they did is on disk in the audit trail before the answer goes out.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use schloss_audit::Event;
use schloss_policy::{Admitted, Decision, DecisionCache, Repair, Subject, refuse};
use schloss_wire::ErrorCode;

use crate::audit_trail::{Origin, decided};
use crate::changes::{self, Change};
use crate::house::House;
use crate::{Outcome, security_apis};

/// Told to a client whose change was made but can't be accounted for.
const UNRECORDED: &str = "the change was made, but the audit trail could not be written";

/// Serves an administrative request and records it.
pub(crate) fn perform(
    house: Arc<House>,
    origin: Origin,
    admitted: Admitted,
    repair: Repair,
    decisions: Vec<Decision>,
) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let version = origin.caller.api_version;
        let unrecorded = refuse(admitted.request(), version, ErrorCode::KafkaStorageError, Some(UNRECORDED));
        let (mut response, changes) = if security_apis::serves(origin.api) {
            security_apis::change(&house, admitted).await
        } else {
            let mut changes = changes::planned(admitted.request());
            match house.engine.call(origin.caller.clone(), admitted).await {
                Outcome::Reply(response) => {
                    changes::add_results(&mut changes, &response);
                    (response, changes)
                }
                other => return other,
            }
        };
        let events = events(&origin, changes, &decisions);
        if let Err(error) = house.audit.record_durably(events).await {
            tracing::error!(principal = %origin.caller.principal, "{UNRECORDED}: {error}");
            response = unrecorded;
        }
        let snapshot = house.metadata.snapshot();
        let subject = Subject {
            principal: origin.caller.principal.clone(),
            host: origin.caller.address.ip().to_canonical(),
        };
        let mut cache = DecisionCache::default();
        let mut judge = house.judge(snapshot.acls(), &subject, &mut cache);
        repair.apply(&mut response, &mut judge, &*house.topics);
        Outcome::Reply(response)
    })
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
