//! Apache Kafka's own authorizer and ours, asked the same by raw protocol, their answers compared field by field.
//!
//! Two users of each scenario have the same ACLs: one asks the brokers themselves, whose authorizer decides; the other
//! one asks them through the gateway, whose gate decides, because upstream allows the gateway everything. Ignored
//! unless asked for:
//!
//! `SCHLOSS_TEST_UPSTREAM=gateway.properties cargo test -p schloss-gateway --test differential -- --ignored`
//!
//! `SCHLOSS_DIFFERENTIAL=Metadata,Fetch` asks only these APIs. Each scenario is asked in some versions, the first and
//! the last among them, and each version in some scenarios; `SCHLOSS_DIFFERENTIAL_VERSIONS=all` asks all in all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod case;
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod grant;
mod known;
mod names;
mod normal;
mod records;
mod report;
mod side;
#[path = "../../../gate/tests/common/tree.rs"]
mod tree;
mod world;

use std::collections::HashMap;
use std::time::Instant;

use case::Case;
use futures_util::{StreamExt, stream};
use names::{Names, Twin};
use report::Report;
use schloss_client::Connection;
use side::{Exchange, Side};
use world::World;

/// How many cases are played at the same time.
const AT_ONCE: usize = 6;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn the_gateway_answers_as_apache_kafka_does() {
    let only = std::env::var("SCHLOSS_DIFFERENTIAL").ok();
    let chosen =
        |case: &Case| only.as_ref().is_none_or(|only| only.split(',').any(|api| api == case.api.name()));
    let cases: Vec<Case> = cases::all().into_iter().filter(chosen).collect();
    let mut world = World::new(&cases).await;
    let mut report = Report::default();
    let mut rest = cases.as_slice();
    let mut has_topics = false;
    while let Some(first) = rest.first() {
        if !has_topics && !first.topics.is_empty() {
            world.make_topics(rest).await;
            has_topics = true;
        }
        let waits = |case: &&Case| case.alone || (!has_topics && !case.topics.is_empty());
        let others = rest.iter().take_while(|case| !waits(case)).count();
        let (now, later) = rest.split_at(if first.alone { 1 } else { others });
        rest = later;
        let mut played = stream::iter(now).map(|case| play(&world, case)).buffer_unordered(AT_ONCE);
        while let Some(played) = played.next().await {
            report.add(&played);
        }
    }
    let offered = world.offered();
    world.clear().await;
    report.conclude(only.is_none().then_some(&offered));
}

/// What both sides were told in a case.
struct Played<'a> {
    case: &'a Case,
    /// By version: what Apache Kafka told, what the gateway told.
    told: Vec<(i16, Vec<Exchange>, Vec<Exchange>)>,
    seconds: f64,
}

async fn play<'a>(world: &World, case: &'a Case) -> Played<'a> {
    let begun = Instant::now();
    let mut connections = (HashMap::new(), HashMap::new());
    let mut told = Vec::new();
    for version in world.versions(case) {
        let (kafka, gateway) = tokio::join!(
            tell(world, case, Twin::Kafka, version, &mut connections.0),
            tell(world, case, Twin::Gateway, version, &mut connections.1),
        );
        told.push((version, kafka, gateway));
    }
    Played { case, told, seconds: begun.elapsed().as_secs_f64() }
}

async fn tell(
    world: &World,
    case: &Case,
    twin: Twin,
    version: i16,
    connections: &mut HashMap<i32, Connection>,
) -> Vec<Exchange> {
    let names = Names::new(twin, &world.run, case.number, version);
    let mut side = Side::new(world, names, world.user(case), case.api, connections);
    (case.script)(&mut side).await;
    side.into_told()
}
