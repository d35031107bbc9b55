//! What the audit log says really happened, decided again under another policy.

use schloss_policy::{Access, AclSet, CLUSTER_NAME, Explanation, ResourceType};
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::cli::output;
use crate::cli::used::{Told, Used};

/// An access that happened and would be denied.
#[derive(Serialize)]
pub(super) struct Lost {
    #[serde(flatten)]
    used: Used,
    /// What allows it now.
    allowed_by: String,
    /// Why it would be denied.
    denied_because: String,
}

/// When the last days began.
pub(super) fn begin(days: u16) -> OffsetDateTime {
    OffsetDateTime::now_utc() - Duration::days(i64::from(days))
}

/// What of that which happened is allowed now and would be denied.
pub(super) fn lost(told: &Told, before: &AclSet, after: &AclSet) -> Vec<Lost> {
    let mut lost = Vec::new();
    for used in &told.used {
        let (now, then) = (decided(before, used), decided(after, used));
        if now.allowed && !then.allowed {
            lost.push(Lost { used: used.clone(), allowed_by: now.reason, denied_because: then.reason });
        }
    }
    lost
}

/// The decision about an access; what is done to a topic or group may be allowed on the cluster instead.
fn decided(rules: &AclSet, used: &Used) -> Explanation {
    let (asker, access) = used.question();
    let on_cluster = Access {
        resource_type: ResourceType::Cluster,
        resource_name: CLUSTER_NAME.to_owned(),
        ..access.clone()
    };
    let by_name = rules.explain(&asker, &access);
    let on_cluster = rules.explain(&asker, &on_cluster);
    if on_cluster.allowed && !by_name.allowed { on_cluster } else { by_name }
}

pub(super) fn print(lost: &[Lost], days: u16) -> anyhow::Result<()> {
    if lost.is_empty() {
        return output::line(&format!("nothing that happened in the last {days} day(s) would be denied"));
    }
    output::line(&format!("happened in the last {days} day(s), and would be denied:"))?;
    lost.iter().try_for_each(|Lost { used, allowed_by, denied_because }| {
        output::line(&format!("! {used}\n    now: {allowed_by}\n    then: {denied_because}"))
    })
}
