//! AlterSecurity (Schloss's own): ALTER on the cluster, as for ACLs.

use schloss_wire::{AlterSecurityRequest, AlterSecurityResponse, ErrorCode};

use super::split::{allow, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: AlterSecurityRequest, judge: &mut Judge<'_>) -> Verdict {
    let [alter] = table::ALTER_SECURITY;
    match alter.refusal_on_cluster(judge) {
        Some(code) => Verdict::Refused(refuse(code, None).into()),
        None => allow(request),
    }
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> AlterSecurityResponse {
    AlterSecurityResponse { error_code: code.code(), error_message: text(message), ..Default::default() }
}
