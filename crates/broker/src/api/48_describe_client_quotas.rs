//! DescribeClientQuotas: none can be set, so none is the answer.
//!
//! `kafka-configs --describe --entity-type users` asks for quotas before it shows SCRAM credentials.

use futures_util::future::BoxFuture;
use schloss_gate::Outcome;
use schloss_wire::build;
use schloss_wire::messages::DescribeClientQuotasResponse;

use crate::reply::ready;

pub(crate) fn call() -> BoxFuture<'static, Outcome> {
    ready(build!(DescribeClientQuotasResponse { error_message: None, entries: Some(Vec::new()) }))
}
