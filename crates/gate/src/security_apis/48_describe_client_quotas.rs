//! `48 DescribeClientQuotas`: none can be set yet, so none is the answer.
//!
//! `kafka-configs --describe --entity-type users` asks for quotas before it shows SCRAM credentials.

use schloss_wire::build;
use schloss_wire::messages::DescribeClientQuotasResponse;

pub(super) fn serve() -> DescribeClientQuotasResponse {
    build!(DescribeClientQuotasResponse { entries: Some(Vec::new()) })
}
