//! What the audit log says was done: reads and writes, and administration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use schloss_audit::{CloudEvent, DecisionFilter, EventKind, Query, query};
use schloss_policy::table::TABLE;
use schloss_policy::{Access, Asker, CLUSTER_NAME, Operation, ResourceType};
use schloss_wire::Principal;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::exit::UsageError;
use super::output;

/// Most different accesses that are kept apart.
const MAX_KEPT: usize = 1_000_000;

/// The audit logs that are looked through.
#[derive(Args)]
pub(super) struct Places {
    /// The data directory of a node, whose audit log is read; may be given several times, one for each node
    #[arg(long = "data-dir", value_name = "DIR", default_value = "schloss-data", env = "SCHLOSS_DATA_DIR")]
    data_dirs: Vec<PathBuf>,
    /// An audit directory, or a copy of one; may be given several times. Data directories are then not read
    #[arg(long = "audit-dir", value_name = "DIR")]
    audit_dirs: Vec<PathBuf>,
}

impl Places {
    /// The directories, each once however it is written.
    ///
    /// # Errors
    /// One is none.
    pub(super) fn directories(&self) -> anyhow::Result<Vec<PathBuf>> {
        let in_data = || self.data_dirs.iter().map(|directory| directory.join("audit")).collect();
        let named: Vec<PathBuf> =
            if self.audit_dirs.is_empty() { in_data() } else { self.audit_dirs.clone() };
        let mut known = BTreeSet::new();
        let mut directories = Vec::new();
        for directory in named {
            let Some(whole) = directory.canonicalize().ok().filter(|whole| whole.is_dir()) else {
                let words = format!(
                    "{} is no directory: name the nodes' data directories with --data-dir, or audit directories with \
                     --audit-dir",
                    directory.display()
                );
                return Err(UsageError(words).into());
            };
            if known.insert(whole) {
                directories.push(directory);
            }
        }
        Ok(directories)
    }
}

/// One audit log that was read.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Log {
    directory: PathBuf,
    /// How many records of what was looked for it has.
    records: u64,
    /// When the first of them was, and the last.
    #[serde(with = "time::serde::rfc3339::option")]
    first: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    last: Option<OffsetDateTime>,
}

impl fmt::Display for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { directory, records, first, last } = self;
        write!(formatter, "read {}: {records} record(s)", directory.display())?;
        let text = |time: &Option<OffsetDateTime>| time.and_then(|time| time.format(&Rfc3339).ok());
        match (text(first), text(last)) {
            (Some(first), Some(last)) => write!(formatter, " from {first} to {last}"),
            _ => Ok(()),
        }
    }
}

/// What audit logs tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Told {
    pub(super) logs: Vec<Log>,
    pub(super) used: Vec<Used>,
}

impl Told {
    /// Prints what was read: what other nodes saw is not in it.
    ///
    /// # Errors
    /// Standard output is gone.
    pub(super) fn print_logs(&self) -> anyhow::Result<()> {
        self.logs.iter().try_for_each(|log| output::line(&log.to_string()))
    }
}

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

/// Everything that was allowed since a time, by one principal or by all, as the logs of some nodes tell it together.
///
/// # Errors
/// An audit log can't be read.
pub(super) fn used(
    directories: &[PathBuf],
    since: OffsetDateTime,
    principal: Option<&Principal>,
) -> anyhow::Result<Told> {
    let wanted = Query {
        principal: principal.map(Principal::to_string),
        decision: Some(DecisionFilter::Allowed),
        since: Some(since),
        ..Query::default()
    };
    let mut found = Found::default();
    let logs = directories.iter().map(|directory| found.read(directory, &wanted));
    let logs = logs.collect::<anyhow::Result<_>>()?;
    let Found { all, groups } = found;
    let used =
        all.into_iter().map(|((principal, host, resource_type, resource_name, operation), (times, last))| {
            let groups = groups.get(&principal).map(|(_, groups)| groups.clone()).unwrap_or_default();
            Used { principal, host, operation, resource_type, resource_name, groups, times, last }
        });
    Ok(Told { logs, used: used.collect() })
}

/// What was found so far.
#[derive(Default)]
struct Found {
    all: BTreeMap<Key, (u64, OffsetDateTime)>,
    /// The groups of the last log-in, wherever that was.
    groups: BTreeMap<Principal, (OffsetDateTime, Vec<Principal>)>,
}

impl Found {
    fn read(&mut self, directory: &Path, wanted: &Query) -> anyhow::Result<Log> {
        let matches =
            query(directory, wanted).with_context(|| format!("can't read {}", directory.display()))?;
        let mut log = Log { directory: directory.to_owned(), records: 0, first: None, last: None };
        for record in matches {
            let event = record?.event;
            log.records += 1;
            log.first = Some(log.first.map_or(event.time, |first| first.min(event.time)));
            log.last = log.last.max(Some(event.time));
            self.take(&event)?;
        }
        Ok(log)
    }

    fn take(&mut self, event: &CloudEvent) -> anyhow::Result<()> {
        if let Some((principal, told)) = login(event) {
            let newest = self.groups.entry(principal).or_insert_with(|| (event.time, Vec::new()));
            if event.time >= newest.0 {
                *newest = (event.time, told);
            }
        }
        let Some(key) = key(event) else { return Ok(()) };
        if self.all.len() >= MAX_KEPT && !self.all.contains_key(&key) {
            anyhow::bail!(
                "the audit log tells of more than {MAX_KEPT} different accesses: look at fewer days"
            );
        }
        let times = event.data.traffic.as_ref().map_or(1, |traffic| traffic.requests);
        let (sum, last) = self.all.entry(key).or_insert((0, event.time));
        *sum += times;
        *last = (*last).max(event.time);
        Ok(())
    }
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
    fn the_logs_of_several_nodes_are_one() {
        const FILE: &str = "audit-20261101T000000Z-000001.jsonl";
        let node = |records: &[(&str, u64)]| {
            let directory = tempfile::tempdir().unwrap();
            let lines = records.iter().map(|(day, requests)| {
                let time = format!("2026-11-{day}T08:00:00Z");
                let login = *requests == 0;
                let kind = if login { "authentication" } else { "traffic" };
                let data = if login {
                    serde_json::json!({
                        "serviceName": "schloss", "methodName": "kafka.SaslAuthenticate",
                        "authenticationInfo": {
                            "principal": "User:alice", "metadata": { "groups": [format!("Group:at-{day}")] },
                        },
                        "result": { "status": "SUCCESS" },
                    })
                } else {
                    serde_json::json!({
                        "serviceName": "schloss", "methodName": "kafka.Produce", "resourceName": "topic=orders",
                        "authenticationInfo": { "principal": "User:alice", "metadata": {} },
                        "authorizationInfo": { "granted": true, "operation": "Write" },
                        "traffic": { "requests": requests, "bytes": 1, "records": 1, "from": time, "to": time },
                        "result": { "status": "SUCCESS" },
                    })
                };
                let event = serde_json::json!({
                    "specversion": "1.0", "id": "1", "source": "/test",
                    "type": format!("io.schloss.audit/{kind}"), "time": time,
                    "datacontenttype": "application/json", "data": data,
                });
                format!("{event}\n")
            });
            std::fs::write(directory.path().join(FILE), lines.collect::<String>()).unwrap();
            directory
        };
        let (one, two) = (node(&[("24", 0), ("25", 3)]), node(&[("20", 0), ("21", 4), ("22", 5)]));
        let places = |audit_dirs: Vec<&Path>| Places {
            data_dirs: vec!["nowhere".into()],
            audit_dirs: audit_dirs.into_iter().map(Path::to_owned).collect(),
        };
        let since = OffsetDateTime::UNIX_EPOCH;
        let directories = places(vec![one.path(), two.path(), one.path()]).directories().unwrap();
        let told = used(&directories, since, None).unwrap();
        assert_eq!(told.logs.iter().map(|log| log.records).collect::<Vec<_>>(), [2, 3], "no log twice");
        let [used_once] = &told.used[..] else { panic!("{told:?}") };
        assert_eq!((used_once.times, used_once.last.day()), (12, 25));
        // The newest log-in counts, whichever log is read first.
        assert_eq!(used_once.groups, [Principal::group("at-24")]);
        let other = used(&[two.path().into(), one.path().into()], since, None).unwrap();
        assert_eq!(other.used, told.used);
        assert!(
            told.logs[1]
                .to_string()
                .ends_with("3 record(s) from 2026-11-20T08:00:00Z to 2026-11-22T08:00:00Z")
        );
        let error = places(vec![]).directories().unwrap_err().to_string();
        assert!(error.contains("nowhere/audit"), "{error}");
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
