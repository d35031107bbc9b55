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
    let (kind, name) = owner.map_or((None, None), |(kind, name)| (Some(kind.into()), Some(name)));
    build!(m::CreateDelegationTokenRequest {
        owner_principal_type: kind,
        owner_principal_name: name,
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

/// Brokers of Apache Kafka learn of a token from their controller.
async fn known(side: &Side<'_>, made: &m::CreateDelegationTokenResponse) {
    while side.names.twin == Twin::Kafka {
        let told = side.service(BROKER, &describe(None)).await;
        if told.tokens.iter().any(|token| token.token_id == made.token_id) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn life_of_ones_own<'a>(side: &'a mut Side<'_>) -> LocalBoxFuture<'a, ()> {
    async move {
        let (myself, other) = (StrBytes::from(side.user()), side.text("renewer"));
        let request = create(None, &[(USER, other.clone())]);
        let Some(made) = side.ask("for oneself", BROKER, &request).await else { return };
        known(side, &made).await;
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
            side.ask(step, BROKER, &renew(&made.hmac, period)).await;
        }
        side.ask("in a minute", BROKER, &expire(&made.hmac, 60_000)).await;
        side.ask("now", BROKER, &expire(&made.hmac, 0)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        side.ask("what is over", BROKER, &renew(&made.hmac, -1)).await;
        side.ask("what is over", BROKER, &expire(&made.hmac, 60_000)).await;
        side.ask("for good", BROKER, &expire(&made.hmac, -1)).await;
        side.ask("what is gone", BROKER, &renew(&made.hmac, -1)).await;
        side.ask("what is gone", BROKER, &expire(&made.hmac, -1)).await;
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
        if let Some(made) = side.ask("for a minute", BROKER, &short).await {
            side.ask("for ever", BROKER, &renew(&made.hmac, FOR_EVER)).await;
            side.ask("again", BROKER, &expire(&made.hmac, -1)).await;
        }
    }
    .boxed_local()
}

/// The token of somebody else, for which one needs rights, and which one can't change afterwards.
fn for_others<'a>(side: &'a mut Side<'_>) -> LocalBoxFuture<'a, ()> {
    async move {
        let owner = side.text("b");
        let request = create(Some((USER, owner.clone())), &[]);
        let Some(made) = side.ask("for somebody else", BROKER, &request).await else { return };
        if made.error_code != 0 {
            return;
        }
        known(side, &made).await;
        side.ask("of somebody else", BROKER, &describe(Some(&[owner]))).await;
        side.ask("of somebody else", BROKER, &renew(&made.hmac, -1)).await;
        side.ask("of somebody else", BROKER, &expire(&made.hmac, -1)).await;
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
