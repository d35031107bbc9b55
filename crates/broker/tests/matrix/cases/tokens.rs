//! Delegation tokens: made for others by right, changed by who may, seen by right.

use bytes::Bytes;
use schloss_wire::messages as m;
use schloss_wire::{Api, build};

use crate::case::{Case, Names, Shown};

/// For `User:o`, who need not exist.
fn create(names: &Names) -> m::CreateDelegationTokenRequest {
    build!(m::CreateDelegationTokenRequest {
        owner_principal_type: Some("User".into()),
        owner_principal_name: Some(names.text("o")),
        max_lifetime_ms: -1,
    })
}

fn describe() -> m::DescribeDelegationTokenRequest {
    build!(m::DescribeDelegationTokenRequest { owners: None })
}

/// The token of somebody else, by a right on the token or on its owner.
fn seen_by(need: &'static str) -> Case {
    Case::new(Api::DescribeDelegationToken, "of somebody else", |_| describe())
        .prepares(|names| vec![create(names).into()])
        .needs_silently(need, "")
        .shows(Shown::Name("o"))
}

pub(crate) fn cases() -> Vec<Case> {
    let hmac = || Bytes::from_static(b"of no token");
    vec![
        Case::new(Api::CreateDelegationToken, "for somebody else", create)
            .needs("create-tokens user o", "65"),
        // Whose HMAC it is decides, not an ACL.
        Case::new(Api::RenewDelegationToken, "of nobody", move |_| {
            build!(m::RenewDelegationTokenRequest { hmac: hmac(), renew_period_ms: -1 })
        })
        .allowed("62"),
        Case::new(Api::ExpireDelegationToken, "of nobody", move |_| {
            build!(m::ExpireDelegationTokenRequest { hmac: hmac(), expiry_time_period_ms: -1 })
        })
        .allowed("62"),
        seen_by("describe delegation-token *"),
        seen_by("describe-tokens user o"),
    ]
}
