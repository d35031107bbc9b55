//! What the audit log says was done: reads and writes, and administration.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::Context;
use schloss_audit::{CloudEvent, DecisionFilter, EventKind, Query, query};
use schloss_policy::{Access, Asker, Operation, ResourceType};
use schloss_wire::Principal;
use serde::Serialize;
use time::OffsetDateTime;

/// Most different accesses that are kept apart.
const MAX_KEPT: usize = 1_000_000;

/// One access, however often it was made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Used {
    pub(super) principal: Principal,
    pub(super) host: Option<IpAddr>,
    pub(super) operation: Operation,
    pub(super) resource_type: ResourceType,
    pub(super) resource_name: String,
    pub(super) times: u64,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) last: OffsetDateTime,
}

impl Used {
    /// The question whether it is allowed.
    pub(super) fn question(&self) -> (Asker, Access) {
        let asker = Asker { principal: self.principal.clone(), groups: Vec::new(), host: self.host };
        (
            asker,
            Access {
                operation: self.operation,
                resource_type: self.resource_type,
                resource_name: self.resource_name.clone(),
            },
        )
    }
}

impl fmt::Display for Used {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { principal, host, operation, resource_type, resource_name, times, last: _ } = self;
        write!(formatter, "{principal} {operation} {resource_type} {resource_name}")?;
        if let Some(host) = host {
            write!(formatter, " from {host}")?;
        }
        write!(formatter, ", {times} time(s)")
    }
}

/// Everything that was allowed since a time, by one principal or by all.
///
/// # Errors
/// The audit log can't be read.
pub(super) fn used(
    directory: &Path,
    since: OffsetDateTime,
    principal: Option<&Principal>,
) -> anyhow::Result<Vec<Used>> {
    let wanted = Query {
        principal: principal.map(Principal::to_string),
        decision: Some(DecisionFilter::Allowed),
        since: Some(since),
        ..Query::default()
    };
    let mut all: BTreeMap<
        (Principal, Option<IpAddr>, ResourceType, String, Operation),
        (u64, OffsetDateTime),
    > = BTreeMap::new();
    let matches = query(directory, &wanted).with_context(|| format!("can't read {}", directory.display()))?;
    for record in matches {
        let event = record?.event;
        let Some(key) = key(&event) else { continue };
        if all.len() >= MAX_KEPT && !all.contains_key(&key) {
            anyhow::bail!(
                "the audit log tells of more than {MAX_KEPT} different accesses: look at fewer days"
            );
        }
        let times = event.data.traffic.map_or(1, |traffic| traffic.requests);
        let (sum, last) = all.entry(key).or_insert((0, event.time));
        *sum += times;
        *last = (*last).max(event.time);
    }
    let used =
        all.into_iter().map(|((principal, host, resource_type, resource_name, operation), (times, last))| {
            Used { principal, host, operation, resource_type, resource_name, times, last }
        });
    Ok(used.collect())
}

/// Who did what from where, if the event tells of that.
fn key(event: &CloudEvent) -> Option<(Principal, Option<IpAddr>, ResourceType, String, Operation)> {
    let is_access = matches!(event.kind(), Some(EventKind::Traffic | EventKind::Administration));
    let info = event.data.authorization_info.as_ref().filter(|_| is_access)?;
    let host = event.data.client_address.as_deref().and_then(|text| text.parse::<SocketAddr>().ok());
    let (kind, name) = event.data.resource_name.as_deref()?.split_once('=')?;
    Some((
        event.principal()?.parse().ok()?,
        host.map(|address| address.ip().to_canonical()),
        info.resource_type.as_deref().unwrap_or(kind).parse().ok()?,
        name.to_owned(),
        info.operation.as_deref()?.parse().ok()?,
    ))
}
