//! The self-check: what must be so, each shown with the audit record that it left.

mod accounts;
mod cluster;
mod strangers;

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use schloss_audit::{Audit, CloudEvent, DecisionFilter, Query, query};
use schloss_client::{ClientConfig, Cluster};
use schloss_wire::ErrorCode;
use time::OffsetDateTime;

use super::{Place, screen};
use crate::audit_line;

pub(super) use accounts::prove as of_accounts;
pub(super) use cluster::prove as of_cluster;
pub(super) use strangers::prove as of_strangers;

/// Longest wait for an audit record; summed ones are written when their session ends.
const RECORD_WAIT: Duration = Duration::from_secs(5);
const RECORD_POLL: Duration = Duration::from_millis(5);

/// Where proofs are made.
pub(super) struct Bench<'a> {
    place: &'a Place,
    /// Where names lead, whatever the machine thinks.
    route: IpAddr,
    audit_directory: &'a Path,
    audit: &'a Audit,
}

/// What a proof found, and which audit record must be there now.
struct Proof<T> {
    found: String,
    record: Query,
    value: T,
}

/// The line before the proofs.
///
/// # Errors
/// Standard output is gone.
pub(super) fn announce() -> anyhow::Result<()> {
    screen::line(format_args!("Self-check over TLS and SCRAM-SHA-512"))
}

impl<'a> Bench<'a> {
    pub(super) fn new(place: &'a Place, route: IpAddr, audit_directory: &'a Path, audit: &'a Audit) -> Self {
        Self { place, route, audit_directory, audit }
    }

    async fn show<T>(
        &self,
        claim: &str,
        proof: impl Future<Output = anyhow::Result<Proof<T>>>,
    ) -> anyhow::Result<T> {
        let since = OffsetDateTime::now_utc();
        let outcome = async {
            let proof = proof.await?;
            let record = self.audit_record(Query { since: Some(since), ..proof.record }).await?;
            anyhow::Ok((proof.found, record, proof.value))
        };
        match outcome.await {
            Ok((found, record, value)) => {
                screen::line(format_args!("  proved  {claim}: {found}"))?;
                screen::line(format_args!("          audit: {}", audit_line::describe(&record)))?;
                Ok(value)
            }
            Err(error) => {
                screen::line(format_args!("  FAILED  {claim}: {error:#}"))?;
                Err(error.context(format!("the self-check failed: {claim}")))
            }
        }
    }

    async fn audit_record(&self, wanted: Query) -> anyhow::Result<CloudEvent> {
        let end = Instant::now() + RECORD_WAIT;
        loop {
            self.audit.flush().await;
            if let Some(record) = query(self.audit_directory, &wanted)?.last() {
                return Ok(record?.event);
            }
            ensure!(Instant::now() < end, "it left no audit record");
            tokio::time::sleep(RECORD_POLL).await;
        }
    }

    fn client(&self, account: &str) -> anyhow::Result<ClientConfig> {
        self.place.client(account, self.route)
    }

    async fn cluster(&self, account: &str) -> anyhow::Result<Cluster> {
        Ok(Cluster::connect(self.client(account)?).await?)
    }
}

fn expect(code: i16, expected: ErrorCode) -> anyhow::Result<()> {
    ensure!(
        code == expected.code(),
        "the broker answered {} where {expected} was due",
        ErrorCode::describe(code)
    );
    Ok(())
}

fn record(account: &str, operation: &str, resource: &str, decision: DecisionFilter) -> Query {
    Query {
        principal: Some(format!("User:{account}")),
        operation: Some(operation.to_owned()),
        resource: Some(resource.to_owned()),
        decision: Some(decision),
        ..Query::default()
    }
}
