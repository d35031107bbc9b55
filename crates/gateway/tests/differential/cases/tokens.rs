//! Delegation tokens: the gateway makes its own, Apache Kafka those of its own, and both have the same rules.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use schloss_wire::messages as m;
use schloss_wire::messages::create_delegation_token_request::CreatableRenewers;
use schloss_wire::messages::describe_delegation_token_request::DescribeDelegationTokenOwner;
use schloss_wire::{Api, StrBytes, build};

use crate::case::{Case, Scenario, scripts};
use crate::names::Twin;
use crate::side::{At, Side};

const BROKER: At = At::Broker(1);
const USER: &str = "User";
/// The first version that names an owner.
const NAMES_OWNER: i16 = 3;
const FOR_EVER: i64 = i64::MAX / 4;

fn create(owner: Option<(&str, StrBytes)>, renewers: &[(&str, StrBytes)]) -> m::CreateDelegationTokenRequest {
    let renewer = |(kind, name): &(&str, StrBytes)| {
        build!(CreatableRenewers { principal_type: (*kind).into(), principal_name: name.clone() })
    };
    // Versions that name no owner have a blank one.
    let (kind, name) = owner.unwrap_or_default();
    build!(m::CreateDelegationTokenRequest {
        owner_principal_type: Some(kind.into()),
        owner_principal_name: Some(name),
        renewers: renewers.iter().map(renewer).collect(),
        max_lifetime_ms: -1,
    })
}

fn renew(hmac: &Bytes, renew_period_ms: i64) -> m::RenewDelegationTokenRequest {
    build!(m::RenewDelegationTokenRequest { hmac: hmac.clone(), renew_period_ms })
}

fn expire(hmac: &Bytes, expiry_time_period_ms: i64) -> m::ExpireDelegationTokenRequest {
    build!(m::ExpireDelegationTokenRequest { hmac: hmac.clone(), expiry_time_period_ms })
}

fn describe(owners: Option<&[StrBytes]>) -> m::DescribeDelegationTokenRequest {
    let owner = |name: &StrBytes| {
        build!(DescribeDelegationTokenOwner { principal_type: USER.into(), principal_name: name.clone() })
    };
    build!(m::DescribeDelegationTokenRequest {
        owners: owners.map(|owners| owners.iter().map(owner).collect())
    })
}

/// Brokers and controllers of Apache Kafka act by what they have learned so far, each by itself: waits until all know
/// that a token ends then, or is gone.
async fn known(side: &Side<'_>, id: &StrBytes, end_ms: Option<i64>) {
    if side.names.twin != Twin::Kafka {
        return;
    }
    for broker in 1..=3 {
        loop {
            let told = side.service(At::Broker(broker), &describe(None)).await;
            let token = told.tokens.iter().find(|token| token.token_id == *id);
            if token.map(|token| token.expiry_timestamp) == end_ms {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    // What a controller knows is not to be seen from outside.
    tokio::time::sleep(Duration::from_millis(300)).await;
}

async fn renews(side: &mut Side<'_>, step: &str, made: &m::CreateDelegationTokenResponse, period_ms: i64) {
    let told = side.ask(step, BROKER, &renew(&made.hmac, period_ms)).await;
    if let Some(told) = told.filter(|told| told.error_code == 0) {
        known(side, &made.token_id, Some(told.expiry_timestamp_ms)).await;
    }
}

async fn expires(side: &mut Side<'_>, step: &str, made: &m::CreateDelegationTokenResponse, period_ms: i64) {
    let told = side.ask(step, BROKER, &expire(&made.hmac, period_ms)).await;
    if let Some(told) = told.filter(|told| told.error_code == 0) {
        let end_ms = (period_ms >= 0).then_some(told.expiry_timestamp_ms);
        known(side, &made.token_id, end_ms).await;
    }
}

async fn creates(
    side: &mut Side<'_>,
    step: &str,
    request: &m::CreateDelegationTokenRequest,
) -> Option<m::CreateDelegationTokenResponse> {
    let made = side.ask(step, BROKER, request).await.filter(|made| made.error_code == 0)?;
    known(side, &made.token_id, Some(made.expiry_timestamp_ms)).await;
    Some(made)
}

fn life_of_ones_own<'a>(side: &'a mut Side<'_>) -> LocalBoxFuture<'a, ()> {
    async move {
        let (myself, other) = (StrBytes::from(side.user()), side.text("renewer"));
        let request = create(None, &[(USER, other.clone())]);
        let Some(made) = creates(side, "for oneself", &request).await else { return };
        for (step, owners) in [
            ("of everybody", None),
            ("of oneself", Some(vec![myself])),
            ("of a renewer", Some(vec![other])),
            ("of somebody", Some(vec![side.text("somebody")])),
            ("of nobody", Some(Vec::new())),
        ] {
            side.ask(step, BROKER, &describe(owners.as_deref())).await;
        }
        for (step, period) in [("as it is usual", -1), ("for a minute", 60_000), ("for ever", FOR_EVER)] {
            renews(side, step, &made, period).await;
        }
        expires(side, "in a minute", &made, 60_000).await;
        expires(side, "now", &made, 0).await;
        renews(side, "what is over", &made, -1).await;
        expires(side, "what is over", &made, 60_000).await;
        expires(side, "for good", &made, -1).await;
        renews(side, "what is gone", &made, -1).await;
        expires(side, "what is gone", &made, -1).await;
        side.ask("what never was", BROKER, &renew(&Bytes::from_static(b"none"), -1)).await;
        side.ask("what is nothing", BROKER, &expire(&Bytes::new(), -1)).await;
    }
    .boxed_local()
}

fn mistakes<'a>(side: &'a mut Side<'_>) -> LocalBoxFuture<'a, ()> {
    async move {
        let name = side.text("somebody");
        side.ask("for a renewer of another kind", BROKER, &create(None, &[("Group", name.clone())])).await;
        if side.version_of(Api::CreateDelegationToken) >= NAMES_OWNER {
            side.ask("for an owner of another kind", BROKER, &create(Some(("Group", name.clone())), &[]))
                .await;
        }
        let mut short = create(None, &[]);
        short.max_lifetime_ms = 60_000;
        if let Some(made) = creates(side, "for a minute", &short).await {
            renews(side, "for ever", &made, FOR_EVER).await;
            expires(side, "for good", &made, -1).await;
        }
    }
    .boxed_local()
}

/// The token of somebody else, for which one needs rights, and which one can't change afterwards.
fn for_others<'a>(side: &'a mut Side<'_>) -> LocalBoxFuture<'a, ()> {
    async move {
        let owner = side.text("b");
        let request = create(Some((USER, owner.clone())), &[]);
        let Some(made) = creates(side, "for somebody else", &request).await else { return };
        side.ask("of somebody else", BROKER, &describe(Some(&[owner]))).await;
        renews(side, "of somebody else", &made, -1).await;
        expires(side, "of somebody else", &made, -1).await;
    }
    .boxed_local()
}

fn rights() -> Vec<Scenario> {
    let scenarios: [(&str, &[&str]); 6] = [
        ("no ACL", &[]),
        ("allowed", &["allow create-tokens user b"]),
        ("allowed by wildcard", &["allow create-tokens user *"]),
        ("DENY on top", &["allow all user *", "deny create-tokens user b"]),
        ("another user", &["allow create-tokens user c"]),
        ("only to see", &["allow describe-tokens user b"]),
    ];
    scenarios
        .map(|(name, grants)| (name.to_owned(), grants.iter().map(|grant| (*grant).to_owned()).collect()))
        .into()
}

pub(crate) fn cases() -> Vec<Case> {
    let nothing = || vec![("no ACL".to_owned(), Vec::new())];
    let mut cases = Vec::new();
    // Each API in all of its versions, the others on the way in their newest ones.
    for api in [
        Api::CreateDelegationToken,
        Api::RenewDelegationToken,
        Api::ExpireDelegationToken,
        Api::DescribeDelegationToken,
    ] {
        cases.extend(scripts(api, "the life of one's own", nothing(), life_of_ones_own));
    }
    cases.extend(scripts(Api::CreateDelegationToken, "mistakes", nothing(), mistakes));
    let others = scripts(Api::CreateDelegationToken, "others", rights(), for_others);
    cases.extend(others.into_iter().map(|case| case.versions(NAMES_OWNER..=i16::MAX)));
    // A user's tokens are seen by whoever comes as that user.
    cases.into_iter().map(Case::alone).collect()
}
