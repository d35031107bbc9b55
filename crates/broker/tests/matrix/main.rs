//! Every row of the policy's table, over TLS through the gate to a real broker: with no identity, with a wrong one,
//! without ACLs, with all ACLs but one, with a DENY on top, and with exactly what is needed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod case;
mod cases;
#[path = "../../../gate/tests/common/mod.rs"]
mod common;
mod coverage;
mod engine;
mod records;
mod told;
mod trail;
#[path = "../../../gate/tests/common/tree.rs"]
mod tree;

use std::collections::HashMap;

use case::{Case, Names, Step};
use common::House;
use engine::Everything;
use futures_util::{StreamExt, stream};
use schloss_audit::EventKind;
use schloss_gate::LockoutConfig;
use schloss_identity::Mechanism;
use schloss_policy::{AclFilter, table};
use schloss_wire::messages as m;
use schloss_wire::{Api, Request, Response, Uuid, build};
use told::Answer;
use trail::{Asked, Trail};

/// How many cases are played at the same time.
const AT_ONCE: usize = 8;

/// What the gate serves itself.
const GATES_OWN: [Api; 13] = [
    Api::CreateDelegationToken,
    Api::RenewDelegationToken,
    Api::ExpireDelegationToken,
    Api::DescribeDelegationToken,
    Api::DescribeAcls,
    Api::CreateAcls,
    Api::DeleteAcls,
    Api::DescribeClientQuotas,
    Api::AlterClientQuotas,
    Api::DescribeUserScramCredentials,
    Api::AlterUserScramCredentials,
    Api::DescribeSecurity,
    Api::AlterSecurity,
];

async fn open() -> House<Everything> {
    House::open_around(Everything::open, |config| {
        config.lockout =
            LockoutConfig { principal_failures: 0, address_failures: 0, ..LockoutConfig::default() };
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_api_takes_exactly_the_acls_that_it_needs() {
    let house = open().await;
    let cases = cases::all();
    let ids = make_topics(&house, &cases).await;
    let mut trail = Trail::default();
    let plays = stream::iter(cases.iter().enumerate()).map(|(number, case)| play(&house, number, case, &ids));
    let mut plays = plays.buffer_unordered(AT_ONCE);
    let mut faults = Vec::new();
    while let Some((asked, found)) = plays.next().await {
        trail.expect(asked);
        faults.extend(found);
    }
    drop(plays);
    faults.extend(trail.compare(&house).await);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Makes the topics of all cases; returns the id of each.
async fn make_topics(house: &House<Everything>, cases: &[Case]) -> HashMap<String, Uuid> {
    use m::create_topics_request::CreatableTopic;
    let topic = |(number, label)| {
        build!(CreatableTopic {
            name: format!("{label}-{number}").as_str().into(),
            num_partitions: 1,
            replication_factor: 1
        })
    };
    let all =
        cases.iter().enumerate().flat_map(|(number, case)| case.topics.iter().map(move |t| (number, *t)));
    let request = build!(m::CreateTopicsRequest { topics: all.map(topic).collect(), timeout_ms: 10_000 });
    let mut admin = house.login("admin").await;
    let Response::CreateTopics(made) = admin.call(7, request).await else { panic!("another API") };
    let id = |topic: m::create_topics_response::CreatableTopicResult| {
        assert_eq!(topic.error_code, 0, "{topic:?}");
        (topic.name.to_string(), topic.topic_id)
    };
    made.topics.into_iter().map(id).collect()
}

/// Sends the request of a case once for each of its steps. Returns what was asked, and what was not as it should be.
async fn play(
    house: &House<Everything>,
    number: usize,
    case: &Case,
    all: &HashMap<String, Uuid>,
) -> (Vec<Asked>, Vec<String>) {
    let own = case.topics.iter().map(|label| format!("{label}-{number}"));
    let ids = own.map(|name| (name.clone(), all[&name])).collect();
    let names = prepare(house, case, Names { number, ids, producer: (-1, -1) }).await;
    let user = names.user();
    house.add_user(&user).await;
    let mut client = house.login(&user).await;
    let (mut asked, mut faults) = (Vec::new(), Vec::new());
    for step in case.steps(&names) {
        let filter = AclFilter { principal: Some(format!("User:{user}")), ..AclFilter::default() };
        house.metadata.delete_acls(vec![filter]).await.unwrap();
        for added in house.metadata.add_acls(step.acls.clone()).await.unwrap() {
            added.unwrap();
        }
        if let Some(opens) = &case.opens {
            let request = opens(&names);
            client.call(request.api().range().max, request).await;
            house.engine.take_calls(&user);
        }
        let head = format!("{} v{}, {}, {}", case.api.name(), case.version, case.what, step.what);
        let response = client.call(case.version, (case.asks)(&names)).await;
        let calls = house.engine.take_calls(&user);
        if let Some(fault) = fault(&response, &calls, case, &step, &names) {
            faults.push(format!("{head}: {fault}"));
        }
        asked.push(Asked::new(head, client.correlation_id, &names, case, &step));
    }
    (asked, faults)
}

/// What is not as the step says.
fn fault(response: &Response, calls: &[Api], case: &Case, step: &Step, names: &Names) -> Option<String> {
    let answer = Answer::read(response);
    let told = answer.told(names);
    if told != step.told {
        return Some(format!("told '{told}' instead of '{}'", step.told));
    }
    if case.shows.is_some_and(|shown| answer.shows(shown, names) != step.is_allowed) {
        return Some(format!("shows too much or too little: {response:?}"));
    }
    let reaches_engine = match (step.is_allowed, GATES_OWN.contains(&case.api)) {
        (true, false) => calls == [case.api],
        (true, true) => calls.is_empty(),
        (false, _) => step.is_done || calls.is_empty(),
    };
    (!reaches_engine).then(|| format!("has reached the engine: {calls:?}"))
}

/// Makes what a case finds.
async fn prepare(house: &House<Everything>, case: &Case, mut names: Names) -> Names {
    let mut admin = house.login("admin").await;
    if case.has_producer {
        let request = build!(m::InitProducerIdRequest {
            transactional_id: Some(names.text("x")),
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
        });
        let Response::InitProducerId(made) = admin.call(5, request).await else { panic!("another API") };
        assert_eq!(made.error_code, 0, "{made:?}");
        names.producer = (made.producer_id, made.producer_epoch);
    }
    for request in (case.prepares)(&names) {
        let version = match request.api() {
            Api::AddPartitionsToTxn => cases::ADD_PARTITIONS_OF_CLIENTS,
            api => api.range().max,
        };
        let response = admin.call(version, request).await;
        assert_eq!(Answer::read(&response).told(&names), "", "{}: {response:?}", case.what);
    }
    names
}

/// The first request of each API, of nobody's things.
fn one_of_each() -> Vec<(i16, Request)> {
    let mut requests: Vec<(i16, Request)> = Vec::new();
    for (number, case) in cases::all().iter().enumerate() {
        let ids = case.topics.iter().map(|label| (format!("{label}-{number}"), Uuid::from_bytes([7; 16])));
        let names = Names { number, ids: ids.collect(), producer: (1, 0) };
        if !requests.iter().any(|(_, request)| request.api() == case.api) {
            requests.push((case.version, (case.asks)(&names)));
        }
    }
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_answered_before_authentication() {
    let house = open().await;
    for (version, request) in one_of_each() {
        let mut client = house.connect().await;
        client.send(version, request.clone()).await;
        client.is_closed().await;
        drop(client);
        let method = trail::method(request.api());
        let event = house.event(&method, |event| event.data.method_name == method).await;
        assert_eq!((event.kind(), event.principal()), (Some(EventKind::Connection), None), "{method}");
        assert_ne!(event.data.result.status, "SUCCESS", "{method}");
    }
    assert!(house.engine.callers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_answered_after_a_wrong_password() {
    let house = open().await;
    for (version, request) in one_of_each() {
        let (method, user) = (trail::method(request.api()), format!("{}-user", request.api().name()));
        house.add_user(&user).await;
        let mut client = house.connect().await;
        let refused = client.login(Mechanism::ScramSha256, &user, "wrong").await;
        assert_eq!(refused.map_err(|(code, _)| code), Err(58), "{method}");
        client.send(version, request).await;
        client.is_closed().await;
        drop(client);
        let claimed = format!("User:{user}");
        let event = house.event(&claimed, |event| event.principal() == Some(&*claimed)).await;
        assert_eq!(event.kind(), Some(EventKind::Authentication), "{method}");
        assert_eq!(event.data.result.status, "SASL_AUTHENTICATION_FAILED", "{method}");
        assert_eq!(event.data.method_name, "kafka.SaslAuthenticate");
    }
    assert!(house.engine.callers().is_empty());
}

#[tokio::test]
async fn handshakes_are_for_strangers() {
    let house = open().await;
    let mut stranger = house.connect().await;
    stranger.ping().await;
    assert_eq!(stranger.handshake(1, "SCRAM-SHA-256").await.unwrap().error_code, 0);
    let mut hasty = house.connect().await;
    assert!(hasty.token(Vec::new()).await.is_none_or(|answer| answer.error_code != 0));
    let mut known = house.login("alice").await;
    known.ping().await;
    let row = |api: Api| table::row(api.key()).and_then(|row| row.after_authentication).unwrap();
    let again = known.handshake(1, "SCRAM-SHA-256").await.unwrap();
    assert_eq!(again.error_code, row(Api::SaslHandshake).code());
    let again = known.token(Vec::new()).await.unwrap();
    assert_eq!(again.error_code, row(Api::SaslAuthenticate).code());
    assert!(house.engine.callers().is_empty());
}
