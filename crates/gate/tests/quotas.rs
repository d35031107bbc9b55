//! Quotas: set by stock requests, in force at the next one, told and waited for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::client::{api_versions, frame};
use common::{Client, House, TestEngine};
use schloss_audit::{CloudEvent, EventKind};
use schloss_metadata::{NewTopic, QuotaChange, QuotaEntity, QuotaKey, QuotaName};
use schloss_policy::{Operation, ResourceType};
use schloss_wire::messages as m;
use schloss_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use schloss_wire::{Api, Request, Response, build};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

const RATE: f64 = 1000.0;
/// What a window lets through at that rate.
const FREE_BYTES: usize = 11_000;
/// How much earlier than expected something may be: the clock has run since the quota was spent.
const SLACK: Duration = Duration::from_millis(250);
/// After this, a connection that is not closed is held.
const MOMENT: Duration = Duration::from_millis(50);

fn user(name: &str) -> QuotaEntity {
    QuotaEntity::User(QuotaName::Named(name.to_owned()))
}

async fn set(house: &House, entity: QuotaEntity, key: QuotaKey, rate: Option<f64>) {
    let change = QuotaChange { entity, changes: [(key, rate)].into() };
    house.metadata.alter_client_quotas(vec![change], false).await.unwrap().pop().unwrap().unwrap();
}

/// A produce request of version 9 with a frame of about so many bytes.
fn produce(acks: i16, bytes: usize) -> Request {
    let mut batch = common::client::batch(1);
    batch.resize(bytes - 60, 0);
    let length = i32::try_from(batch.len() - 12).unwrap();
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let partition = build!(PartitionProduceData { index: 0, records: Some(batch.into()) });
    let topic = build!(TopicProduceData { name: "t".into(), partition_data: vec![partition] });
    build!(m::ProduceRequest { acks, timeout_ms: 1000, topic_data: vec![topic] }).into()
}

fn fetch(topic: &str) -> m::FetchRequest {
    let partition = build!(m::fetch_request::FetchPartition { partition: 0, partition_max_bytes: 1 << 20 });
    let topic = build!(m::fetch_request::FetchTopic { topic: topic.into(), partitions: vec![partition] });
    build!(m::FetchRequest { max_bytes: 1 << 20, topics: vec![topic] })
}

/// How long the answer tells to wait.
fn told(response: &Response) -> Duration {
    Duration::from_millis(u64::try_from(response.throttle_time_ms()).unwrap())
}

fn near(actual: Duration, expected: Duration) {
    assert!(actual <= expected && actual + SLACK >= expected, "{actual:?} is not about {expected:?}");
}

/// That the next request is answered only when the delay of one that was sent after `begun` is over.
async fn is_paused(client: &mut Client, begun: Instant, delay: Duration) {
    client.ping().await;
    let waited = begun.elapsed() + Duration::from_millis(1);
    assert!(waited >= delay, "it was read after {waited:?} already, not after {delay:?}");
}

fn creation(name: &str, partitions: i32) -> m::create_topics_request::CreatableTopic {
    build!(m::create_topics_request::CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1
    })
}

fn create(topics: &[(&str, i32)], validate_only: bool) -> m::CreateTopicsRequest {
    let topics = topics.iter().map(|(name, partitions)| creation(name, *partitions)).collect();
    build!(m::CreateTopicsRequest { topics, timeout_ms: 1000, validate_only })
}

async fn created(
    client: &mut Client,
    version: i16,
    request: m::CreateTopicsRequest,
) -> (Vec<(String, i16)>, Duration) {
    let response = client.call(version, request).await;
    let told = told(&response);
    let Response::CreateTopics(body) = response else { panic!("{response:?}") };
    let mut errors: Vec<_> =
        body.topics.iter().map(|topic| (topic.name.to_string(), topic.error_code)).collect();
    errors.sort_unstable();
    (errors, told)
}

fn throttled(events: &[CloudEvent]) -> Vec<&str> {
    let throttled = events.iter().filter(|event| event.data.method_name == "kafka.Throttle");
    throttled.map(common::message).collect()
}

#[tokio::test]
async fn a_producer_over_its_quota_is_answered_at_once_and_then_not_read_from() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    set(&house, user("admin"), QuotaKey::ProducerByteRate, Some(RATE)).await;
    let mut second = house.login("admin").await;
    let request = produce(1, FREE_BYTES + 2000);
    // A frame counts without its length.
    let bytes = frame(0, 9, &request).len() - 4;
    let expected = Duration::from_millis((bytes - FREE_BYTES) as u64);
    let begun = Instant::now();
    let response = client.call(9, request).await;
    assert!(begun.elapsed() < expected, "the answer was held back");
    near(told(&response), expected);
    assert_eq!(house.engine.calls(), [Api::Produce], "it was served");
    // Its other connections share the quota, and are read from until they use it.
    second.ping().await;
    let response = second.call(9, produce(1, 20_000)).await;
    assert!(told(&response) > Duration::from_secs(10), "{:?}", told(&response));
    // Others have nothing to do with it.
    house.allow("alice", Operation::Write, ResourceType::Topic, "t").await;
    let mut other = house.login("alice").await;
    assert_eq!(told(&other.call(9, produce(1, 2 * FREE_BYTES)).await), Duration::ZERO);
    is_paused(&mut client, begun, expected).await;
}

#[tokio::test]
async fn a_producer_that_wants_no_answer_is_not_read_from_either() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    set(&house, user("admin"), QuotaKey::ProducerByteRate, Some(RATE)).await;
    let begun = Instant::now();
    client.send(9, produce(0, FREE_BYTES + 500)).await;
    is_paused(&mut client, begun, Duration::from_millis(450)).await;
}

#[tokio::test]
async fn requests_that_came_along_wait_as_well() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    set(&house, user("admin"), QuotaKey::ProducerByteRate, Some(RATE)).await;
    let mut bytes = frame(1, 9, &produce(1, FREE_BYTES + 500));
    bytes.extend_from_slice(&frame(2, 9, &produce(1, 200)));
    let begun = Instant::now();
    client.send_bytes(&bytes).await;
    let (id, first) = client.answer(Api::Produce, 9).await.unwrap();
    assert_eq!(id, 1);
    assert_eq!(house.engine.calls(), [Api::Produce]);
    client.answer(Api::Produce, 9).await.unwrap();
    assert!(begun.elapsed() + Duration::from_millis(1) >= told(&first));
}

#[tokio::test]
async fn a_changed_quota_is_in_force_at_the_next_request() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    assert_eq!(told(&client.call(9, produce(1, 2 * FREE_BYTES)).await), Duration::ZERO);
    set(&house, user("admin"), QuotaKey::ProducerByteRate, Some(RATE)).await;
    assert!(!told(&client.call(9, produce(1, FREE_BYTES + 300)).await).is_zero());
    set(&house, user("admin"), QuotaKey::ProducerByteRate, Some(1000.0 * RATE)).await;
    assert_eq!(told(&client.call(9, produce(1, 2 * FREE_BYTES)).await), Duration::ZERO);
    set(&house, user("admin"), QuotaKey::ProducerByteRate, None).await;
    assert_eq!(told(&client.call(9, produce(1, 2 * FREE_BYTES)).await), Duration::ZERO);
}

#[tokio::test]
async fn a_client_id_has_its_quota_whoever_uses_it() {
    let house = House::open().await;
    house.allow("alice", Operation::Write, ResourceType::Topic, "t").await;
    // The clients of these tests call themselves so.
    let entity = QuotaEntity::ClientId(QuotaName::Named("test".to_owned()));
    set(&house, entity, QuotaKey::ProducerByteRate, Some(RATE)).await;
    let (mut admin, mut alice) = (house.login("admin").await, house.login("alice").await);
    assert_eq!(told(&admin.call(9, produce(1, FREE_BYTES - 2000)).await), Duration::ZERO);
    assert!(!told(&alice.call(9, produce(1, FREE_BYTES - 2000)).await).is_zero());
}

#[tokio::test]
async fn what_a_consumer_gets_counts_however_the_engine_gives_it() {
    for topic in ["large", "passing, large"] {
        let house = House::open().await;
        let mut client = house.login("admin").await;
        set(&house, user("admin"), QuotaKey::ConsumerByteRate, Some(92_000.0)).await;
        let begun = Instant::now();
        let response = client.call(11, fetch(topic)).await;
        let Response::Fetch(body) = &response else { panic!("{response:?}") };
        assert_eq!(body.responses[0].partitions[0].records.as_ref().unwrap().len(), 1 << 20);
        let expected = Duration::from_millis(((1 << 20) * 1000 / 92_000) - 11_000);
        assert!(
            told(&response) + SLACK >= expected && told(&response) < 2 * expected,
            "{:?}",
            told(&response)
        );
        is_paused(&mut client, begun, told(&response)).await;
    }
}

#[tokio::test]
async fn work_is_timed_and_its_quota_makes_a_client_wait_for_a_second_at_most() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    // A millisecond of work costs a thousand seconds.
    set(&house, user("admin"), QuotaKey::RequestPercentage, Some(0.0001)).await;
    client.ping().await;
    let begun = Instant::now();
    let response = client.call(3, api_versions()).await;
    assert!((1..=1000).contains(&response.throttle_time_ms()), "{}", response.throttle_time_ms());
    is_paused(&mut client, begun, told(&response)).await;
}

#[tokio::test]
async fn waiting_is_no_work() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    // A second of work is free.
    set(&house, user("admin"), QuotaKey::RequestPercentage, Some(10.0)).await;
    client.ping().await;
    let release = house.engine.hold_produce();
    client.send(9, produce(1, 200)).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    release.send(()).unwrap();
    let (_, response) = client.answer(Api::Produce, 9).await.unwrap();
    assert_eq!(told(&response), Duration::ZERO);
}

#[tokio::test]
async fn topics_over_the_quota_are_refused_one_by_one_to_clients_that_know_how() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    let mut second = house.login("admin").await;
    set(&house, user("admin"), QuotaKey::ControllerMutationRate, Some(2.0)).await;
    let only = created(&mut client, 7, create(&[("v", 1000)], true)).await;
    assert_eq!(only, (vec![("v".to_owned(), 0)], Duration::ZERO), "nothing is made");
    let some = create(&[("a", 22), ("b", 1), ("c", 1), ("d", 5)], false);
    let begun = Instant::now();
    let (errors, delay) = created(&mut client, 7, some).await;
    let wanted = [("a", 0), ("b", 0), ("c", 89), ("d", 89)];
    assert_eq!(errors, wanted.map(|(name, error)| (name.to_owned(), error)));
    near(delay, Duration::from_millis(500));
    is_paused(&mut client, begun, delay).await;
    assert_eq!(house.engine.calls().len(), 2);
    let (errors, _) = created(&mut client, 7, create(&[("c", 20), ("d", 5)], false)).await;
    assert_eq!(errors, [("c".to_owned(), 0), ("d".to_owned(), 89)]);
    assert_eq!(house.engine.calls().len(), 3);
    // Nothing is left of this one, so it never gets to the engine.
    let (errors, _) = created(&mut second, 7, create(&[("d", 5)], false)).await;
    assert_eq!(errors, [("d".to_owned(), 89)]);
    assert_eq!(house.engine.calls().len(), 3);
    let events = house.events().await;
    let made: Vec<_> = events
        .iter()
        .filter(|event| event.kind() == Some(EventKind::Administration))
        .map(|event| event.data.resource_name.clone().unwrap())
        .collect();
    assert_eq!(made, ["topic=v", "topic=a", "topic=b", "topic=c"], "what was refused is no change");
}

#[tokio::test]
async fn older_clients_are_served_and_wait() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    set(&house, user("admin"), QuotaKey::ControllerMutationRate, Some(10.0)).await;
    let begun = Instant::now();
    let (errors, delay) = created(&mut client, 5, create(&[("a", 110), ("b", 2), ("c", 2)], false)).await;
    assert!(errors.iter().all(|(_, error)| *error == 0), "{errors:?}");
    near(delay, Duration::from_millis(400));
    is_paused(&mut client, begun, delay).await;
}

#[tokio::test]
async fn deleted_and_added_partitions_count_by_what_is_there() {
    let house = House::open().await;
    let topic =
        |name: &str, partitions| NewTopic { name: name.to_owned(), partitions, configs: Default::default() };
    house.metadata.create_topics(vec![topic("a", 22), topic("b", 5)], false).await.unwrap();
    let (mut client, mut second) = (house.login("admin").await, house.login("admin").await);
    set(&house, user("admin"), QuotaKey::ControllerMutationRate, Some(2.0)).await;
    let grow = |count| {
        let topic = build!(m::create_partitions_request::CreatePartitionsTopic {
            name: "a".into(),
            count,
            assignments: None
        });
        build!(m::CreatePartitionsRequest { topics: vec![topic], timeout_ms: 1000 })
    };
    let state = |name: &str| build!(m::delete_topics_request::DeleteTopicState { name: Some(name.into()) });
    let unknown: Vec<_> = (0..100).map(|n| state(&format!("unknown {n}"))).collect();
    let mut delete = build!(m::DeleteTopicsRequest { topics: unknown, timeout_ms: 1000 });
    assert_eq!(told(&client.call(6, delete.clone()).await), Duration::ZERO, "nothing is deleted by that");
    assert_eq!(told(&client.call(3, grow(42)).await), Duration::ZERO);
    delete.topics = vec![state("a"), state("b")];
    let response = client.call(6, delete).await;
    let Response::DeleteTopics(body) = &response else { panic!("{response:?}") };
    let errors: Vec<_> = body.responses.iter().map(|topic| topic.error_code).collect();
    assert_eq!(errors, [0, 89]);
    // Twenty more than a window.
    assert!(told(&response) > Duration::from_secs(7), "{:?}", told(&response));
    let Response::CreatePartitions(body) = second.call(3, grow(23)).await else { panic!() };
    assert_eq!(body.results[0].error_code, 89);
}

#[tokio::test]
async fn connections_that_come_too_fast_wait_for_their_turn_and_too_many_are_refused() {
    let house = House::open().await;
    let entity = QuotaEntity::Ip(QuotaName::Named("127.0.0.1".to_owned()));
    set(&house, entity, QuotaKey::ConnectionCreationRate, Some(2.0)).await;
    let mut held = Vec::new();
    for _ in 0..22 {
        held.push(TcpStream::connect(house.address).await.unwrap());
    }
    let begun = Instant::now();
    let mut waiting = house.connect().await;
    waiting.ping().await;
    let waited = begun.elapsed();
    assert!(waited + SLACK >= Duration::from_millis(500), "{waited:?}");
    // Another address of this machine is not disturbed.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(house.address).await.unwrap();
    assert!(timeout(MOMENT, other.read(&mut [0])).await.is_err(), "refused");
    // No more than a window is waited for.
    let closed = async {
        loop {
            let mut one = TcpStream::connect(house.address).await.unwrap();
            if let Ok(Ok(0) | Err(_)) = timeout(MOMENT, one.read(&mut [0])).await {
                return;
            }
            held.push(one);
        }
    };
    timeout(common::PATIENCE, closed).await.expect("connections wait without end");
    assert!(held.len() >= 40, "{}", held.len());
    house.complaint("faster than its connection_creation_rate").await;
}

#[tokio::test]
async fn throttled_requests_are_summed_in_the_audit_trail() {
    let house = House::open_with(|config| config.audit_summary_interval = Duration::from_secs(2)).await;
    let mut client = house.login("admin").await;
    set(&house, user("admin"), QuotaKey::ProducerByteRate, Some(RATE)).await;
    client.call(9, produce(1, FREE_BYTES)).await;
    let mut expected = 0;
    while expected < 4 {
        expected += u64::from(!told(&client.call(9, produce(1, 200)).await).is_zero());
    }
    house.event("throttling", |event| event.data.method_name == "kafka.Throttle").await;
    drop(client);
    let counted = |events: &[CloudEvent]| -> u64 {
        throttled(events).iter().map(|words| words.split(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    let all = async {
        while counted(&house.events().await) < expected {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(common::PATIENCE, all).await.expect("some are not on record");
    let events = house.events().await;
    assert_eq!(counted(&events), expected);
    assert!(throttled(&events).len() < 4, "one record for each request");
    assert!(throttled(&events)[0].contains("producer_byte_rate"));
    let event = events.iter().find(|event| event.data.method_name == "kafka.Throttle").unwrap();
    assert_eq!(
        (event.principal(), event.data.result.status.as_str()),
        (Some("User:admin"), "THROTTLING_QUOTA_EXCEEDED")
    );
}

#[tokio::test]
async fn a_pause_holds_up_no_shutdown_and_a_half_frame_is_not_late_for_it() {
    let house = House::open_with(|config| config.frame_timeout = Duration::from_secs(2)).await;
    let mut client = house.login("admin").await;
    // A fetch is paid for with its answer: the half of a frame behind it is looked at before the pause.
    set(&house, user("admin"), QuotaKey::ConsumerByteRate, Some(78_000.0)).await;
    let mut bytes = frame(1, 11, &fetch("large").into());
    let ping = frame(2, 3, &api_versions().into());
    bytes.extend_from_slice(&ping[..10]);
    client.send_bytes(&bytes).await;
    let (_, response) = client.answer(Api::Fetch, 11).await.unwrap();
    // The clocks are looked at between the end of the pause and the rest of the frame.
    tokio::time::sleep(told(&response) + Duration::from_millis(300)).await;
    client.send_bytes(&ping[10..]).await;
    assert_eq!(client.answer(Api::ApiVersions, 3).await.unwrap().0, 2);
    set(&house, user("admin"), QuotaKey::ProducerByteRate, Some(RATE)).await;
    client.call(9, produce(1, 10 * FREE_BYTES)).await;
    let begun = Instant::now();
    house.gate.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    client.is_closed().await;
}

#[tokio::test]
async fn what_is_taken_at_once_is_owed_whole() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    set(&house, user("admin"), QuotaKey::ProducerByteRate, Some(RATE)).await;
    let response = client.call(9, produce(1, 10 * FREE_BYTES)).await;
    near(told(&response), Duration::from_millis(9 * FREE_BYTES as u64));
    // Nor does a second connection find less owed.
    let response = house.login("admin").await.call(9, produce(1, FREE_BYTES)).await;
    assert!(told(&response) > Duration::from_secs(105), "{:?}", told(&response));
}

/// A gate for one connection, which looks at its clocks often.
async fn attentive() -> House {
    House::open_with(|config| {
        config.audit_summary_interval = Duration::from_millis(100);
        config.max_connections = 1;
    })
    .await
}

#[tokio::test]
async fn a_pause_ends_with_its_peer_and_what_was_sent_before_is_served() {
    let house = attentive().await;
    let mut client = house.login("admin").await;
    set(&house, user("admin"), QuotaKey::ProducerByteRate, Some(RATE)).await;
    // A minute and a half, and three requests behind it that owe even more.
    let mut bytes = frame(1, 9, &produce(0, 10 * FREE_BYTES));
    (2..5).for_each(|id| bytes.extend_from_slice(&frame(id, 9, &produce(0, FREE_BYTES))));
    client.send_bytes(&bytes).await;
    drop(client);
    let gone = async {
        while Client::try_connect(house.address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(common::PATIENCE, gone).await.expect("a paused connection does not see that its peer is gone");
    assert_eq!(house.engine.calls(), [Api::Produce; 4]);
}

#[tokio::test]
async fn a_pause_ends_when_the_quota_is_raised_and_not_when_another_is() {
    let house = attentive().await;
    let mut client = house.login("admin").await;
    set(&house, user("admin"), QuotaKey::ProducerByteRate, Some(RATE)).await;
    client.call(9, produce(1, 10 * FREE_BYTES)).await;
    client.send(3, api_versions()).await;
    set(&house, user("alice"), QuotaKey::ProducerByteRate, Some(RATE)).await;
    let answer = timeout(Duration::from_millis(300), client.stream.read_u8()).await;
    assert!(answer.is_err(), "it was read in spite of what is owed");
    set(&house, user("admin"), QuotaKey::ProducerByteRate, Some(10.0 * RATE)).await;
    assert!(client.answer(Api::ApiVersions, 3).await.is_some());
}

fn component(
    kind: &str,
    match_type: i8,
    name: Option<&str>,
) -> m::describe_client_quotas_request::ComponentData {
    build!(m::describe_client_quotas_request::ComponentData {
        entity_type: kind.into(),
        match_type,
        match_: name.map(Into::into)
    })
}

async fn described(
    client: &mut Client,
    strict: bool,
    components: Vec<m::describe_client_quotas_request::ComponentData>,
) -> Result<Vec<String>, i16> {
    let request = build!(m::DescribeClientQuotasRequest { components, strict });
    let Response::DescribeClientQuotas(body) = client.call(1, request).await else { panic!() };
    let Some(entries) = body.entries else { return Err(body.error_code) };
    let entry = |entry: &m::describe_client_quotas_response::EntryData| {
        let parts: Vec<_> = entry
            .entity
            .iter()
            .map(|part| {
                format!("{}={}", part.entity_type.as_str(), part.entity_name.as_deref().unwrap_or("*"))
            })
            .collect();
        let values: Vec<_> =
            entry.values.iter().map(|value| format!("{}={}", value.key.as_str(), value.value)).collect();
        format!("{} {}", parts.join(","), values.join(","))
    };
    Ok(entries.iter().map(entry).collect())
}

type Wish<'a> = (&'a [(&'a str, Option<&'a str>)], &'a [(&'a str, Option<f64>)]);

fn alteration(wishes: &[Wish<'_>], validate_only: bool) -> m::AlterClientQuotasRequest {
    use m::alter_client_quotas_request::{EntityData, EntryData, OpData};
    let entry = |(entity, ops): &Wish<'_>| {
        let part = |(kind, name): &(&str, Option<&str>)| {
            build!(EntityData { entity_type: (*kind).into(), entity_name: name.map(Into::into) })
        };
        let op = |(key, value): &(&str, Option<f64>)| {
            build!(OpData { key: (*key).into(), value: value.unwrap_or_default(), remove: value.is_none() })
        };
        build!(EntryData { entity: entity.iter().map(part).collect(), ops: ops.iter().map(op).collect() })
    };
    build!(m::AlterClientQuotasRequest { entries: wishes.iter().map(entry).collect(), validate_only })
}

async fn altered(client: &mut Client, wishes: &[Wish<'_>]) -> Vec<i16> {
    let Response::AlterClientQuotas(body) = client.call(1, alteration(wishes, false)).await else { panic!() };
    body.entries.iter().map(|entry| entry.error_code).collect()
}

#[tokio::test]
async fn quotas_are_set_and_shown_by_whom_they_are_for() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    let rate: &[(&str, Option<f64>)] = &[("producer_byte_rate", Some(1e9))];
    let wishes: &[Wish<'_>] = &[
        (
            &[("user", Some("alice"))],
            &[("producer_byte_rate", Some(1e9)), ("request_percentage", Some(12.5))],
        ),
        (&[("user", None)], rate),
        (&[("client-id", Some("c")), ("user", Some("alice"))], rate),
        (&[("client-id", None)], rate),
        (&[("ip", Some("0::1"))], &[("connection_creation_rate", Some(7.0))]),
    ];
    client.call(1, alteration(wishes, true)).await;
    assert_eq!(described(&mut client, false, vec![]).await, Ok(vec![]), "only validated");
    assert_eq!(altered(&mut client, wishes).await, [0; 5]);
    let alice = "user=alice producer_byte_rate=1000000000,request_percentage=12.5";
    let everybody = "user=* producer_byte_rate=1000000000";
    let both = "user=alice,client-id=c producer_byte_rate=1000000000";
    let clients = "client-id=* producer_byte_rate=1000000000";
    let address = "ip=::1 connection_creation_rate=7";
    for (strict, components, mut wanted) in [
        (false, vec![], vec![alice, everybody, both, clients, address]),
        (true, vec![], vec![]),
        (false, vec![component("user", 0, Some("alice"))], vec![alice, both]),
        (true, vec![component("user", 0, Some("alice"))], vec![alice]),
        (false, vec![component("user", 1, None)], vec![everybody]),
        (false, vec![component("user", 2, None)], vec![alice, everybody, both]),
        (true, vec![component("user", 2, None)], vec![alice, everybody]),
        (true, vec![component("user", 2, None), component("client-id", 0, Some("c"))], vec![both]),
        (false, vec![component("client-id", 2, None)], vec![both, clients]),
        (true, vec![component("ip", 0, Some("::1"))], vec![address]),
        (true, vec![component("ip", 1, None)], vec![]),
    ] {
        let mut found = described(&mut client, strict, components.clone()).await.unwrap();
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "strict {strict}, {components:?}");
    }
    for (components, error) in [
        (vec![component("", 2, None)], 42),
        (vec![component("topic", 2, None)], 35),
        (vec![component("user", 0, None)], 42),
        (vec![component("user", 1, Some("x"))], 42),
        (vec![component("user", 2, Some("x"))], 42),
        (vec![component("user", 3, None)], 42),
        (vec![component("user", 2, None), component("user", 1, None)], 42),
        (vec![component("user", 2, None), component("ip", 2, None)], 42),
    ] {
        assert_eq!(described(&mut client, false, components.clone()).await, Err(error), "{components:?}");
    }
    let away: &[Wish<'_>] =
        &[(&[("user", Some("alice"))], &[("producer_byte_rate", None), ("request_percentage", None)])];
    assert_eq!(altered(&mut client, away).await, [0]);
    assert_eq!(described(&mut client, true, vec![component("user", 2, None)]).await.unwrap(), [everybody]);
    let events = house.events().await;
    let changed: Vec<_> = events
        .iter()
        .filter(|event| event.data.method_name == "kafka.AlterClientQuotas")
        .map(|event| event.data.resource_name.clone().unwrap())
        .collect();
    assert_eq!(changed.len(), 5 + 5 + 1, "{changed:?}");
    assert!(changed.iter().any(|name| name.contains("client-id=c,user=alice")), "{changed:?}");
}

#[tokio::test]
async fn a_wish_that_makes_no_sense_hinders_no_other() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    let rate: &[(&str, Option<f64>)] = &[("producer_byte_rate", Some(1e9))];
    let wishes: &[Wish<'_>] = &[
        (&[], rate),
        (&[("topic", Some("t"))], rate),
        (&[("user", Some("a")), ("user", Some("b"))], rate),
        (&[("user", Some("a")), ("ip", Some("::1"))], rate),
        (&[("user", Some(""))], rate),
        (&[("user", Some("c"))], &[("no_such_rate", Some(1.0))]),
        (&[("user", Some("d"))], &[("producer_byte_rate", Some(0.0))]),
        (&[("user", Some("e"))], &[("producer_byte_rate", Some(1.0)), ("producer_byte_rate", None)]),
        (&[("user", Some("f"))], rate),
        (&[("user", Some("f"))], rate),
        (&[("user", Some("g"))], &[("connection_creation_rate", Some(1.0))]),
        (&[("ip", Some("localhost"))], &[("connection_creation_rate", Some(1.0))]),
        (&[("user", Some("good"))], rate),
    ];
    let errors = altered(&mut client, wishes).await;
    assert_eq!(errors, [42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 42, 0]);
    assert_eq!(described(&mut client, false, vec![]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_engine_with_quotas_of_its_own_is_left_alone() {
    let house = House::open_before(TestEngine::with_quotas(), |_| {}).await;
    let mut client = house.login("admin").await;
    altered(&mut client, &[(&[("user", None)], &[("producer_byte_rate", Some(1.0))])]).await;
    client.call(1, m::DescribeClientQuotasRequest::default()).await;
    assert_eq!(house.engine.calls(), [Api::AlterClientQuotas, Api::DescribeClientQuotas]);
    assert!(house.metadata.snapshot().client_quotas().is_empty());
    set(&house, user("admin"), QuotaKey::ProducerByteRate, Some(1.0)).await;
    assert_eq!(told(&client.call(9, produce(1, FREE_BYTES)).await), Duration::ZERO);
}
