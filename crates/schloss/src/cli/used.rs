//! What the audit log says was done: reads and writes, and administration.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::Context;
use schloss_audit::{CloudEvent, DecisionFilter, EventKind, Query, query};
use schloss_policy::table::TABLE;
use schloss_policy::{Access, Asker, CLUSTER_NAME, Operation, ResourceType};
use schloss_wire::Principal;
use serde::Serialize;
use time::OffsetDateTime;

/// Most different accesses that are kept apart.
const MAX_KEPT: usize = 1_000_000;

/// Who did what from where: what tells accesses apart.
type Key = (Principal, Option<IpAddr>, ResourceType, String, Operation);

/// One access, however often it was made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Used {
    pub(super) principal: Principal,
    pub(super) host: Option<IpAddr>,
    pub(super) operation: Operation,
    pub(super) resource_type: ResourceType,
    pub(super) resource_name: String,
    /// The groups that it last logged in with, besides local ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) groups: Vec<Principal>,
    pub(super) times: u64,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) last: OffsetDateTime,
}

impl Used {
    /// The question whether it is allowed.
    pub(super) fn question(&self) -> (Asker, Access) {
        let asker = Asker { principal: self.principal.clone(), groups: self.groups.clone(), host: self.host };
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
        let Self { principal, host, operation, resource_type, resource_name, groups: _, times, last: _ } =
            self;
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
    let mut all: BTreeMap<Key, (u64, OffsetDateTime)> = BTreeMap::new();
    let mut groups: BTreeMap<Principal, Vec<Principal>> = BTreeMap::new();
    let matches = query(directory, &wanted).with_context(|| format!("can't read {}", directory.display()))?;
    for record in matches {
        let event = record?.event;
        if let Some((principal, told)) = login(&event) {
            groups.insert(principal, told);
        }
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
            let groups = groups.get(&principal).cloned().unwrap_or_default();
            Used { principal, host, operation, resource_type, resource_name, groups, times, last }
        });
    Ok(used.collect())
}

/// Who logged in, and with which groups.
fn login(event: &CloudEvent) -> Option<(Principal, Vec<Principal>)> {
    let info = event
        .data
        .authentication_info
        .as_ref()
        .filter(|_| event.kind() == Some(EventKind::Authentication))?;
    let groups = info.metadata.groups.iter().filter_map(|group| group.parse().ok()).collect();
    Some((info.principal.as_deref()?.parse().ok()?, groups))
}

/// Who did what from where, if the event tells of that.
fn key(event: &CloudEvent) -> Option<Key> {
    let is_access = matches!(event.kind(), Some(EventKind::Traffic | EventKind::Administration));
    let info = event.data.authorization_info.as_ref().filter(|_| is_access)?;
    let host = event.data.client_address.as_deref().and_then(|text| text.parse::<SocketAddr>().ok());
    let operation: Operation = info.operation.as_deref()?.parse().ok()?;
    let (resource_type, name) = decided_on(event, operation)?;
    let host = host.map(|address| address.ip().to_canonical());
    Some((event.principal()?.parse().ok()?, host, resource_type, name, operation))
}

/// What the decision was about. A record of administration names what was changed; the right may be one on the
/// cluster, as the table of APIs says.
fn decided_on(event: &CloudEvent, operation: Operation) -> Option<(ResourceType, String)> {
    let (kind, name) = event.data.resource_name.as_deref()?.split_once('=')?;
    let (_, api) = event.data.method_name.split_once('.')?;
    let needs = TABLE.iter().find(|row| row.name == api).map_or(&[][..], |row| row.needs);
    let needed = |kind| needs.iter().any(|need| need.operation == operation && need.resource_type == kind);
    let named = kind.parse::<ResourceType>().ok();
    match named.filter(|kind| needed(*kind) && *kind != ResourceType::Cluster) {
        Some(kind) => Some((kind, name.to_owned())),
        None => needed(ResourceType::Cluster).then(|| (ResourceType::Cluster, CLUSTER_NAME.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(method: &str, operation: &str, resource: &str) -> CloudEvent {
        let event = serde_json::json!({
            "specversion": "1.0", "id": "1", "source": "/test", "type": "io.schloss.audit/administration",
            "time": "2026-11-24T08:00:00Z", "datacontenttype": "application/json",
            "data": {
                "serviceName": "schloss", "methodName": method, "resourceName": resource,
                "authorizationInfo": { "granted": true, "operation": operation },
                "result": { "status": "SUCCESS" },
            },
        });
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn administration_is_by_a_right_on_what_it_names_or_on_the_cluster() {
        for (method, operation, resource, expected) in [
            ("kafka.CreateTopics", "Create", "topic=orders", Some((ResourceType::Topic, "orders"))),
            ("kafka.CreateAcls", "Alter", "topic=orders", Some((ResourceType::Cluster, CLUSTER_NAME))),
            (
                "kafka.AlterUserScramCredentials",
                "Alter",
                "User=bob",
                Some((ResourceType::Cluster, CLUSTER_NAME)),
            ),
            ("schloss.AlterSecurity", "Alter", "localgroup=ops", Some((ResourceType::Cluster, CLUSTER_NAME))),
            ("kafka.Nonsense", "Alter", "topic=orders", None),
        ] {
            let found = decided_on(&event(method, operation, resource), operation.parse().unwrap());
            let expected = expected.map(|(kind, name)| (kind, name.to_owned()));
            assert_eq!(found, expected, "{method}");
        }
    }
}
