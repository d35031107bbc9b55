//! Apache Kafka's own authorizer and ours, asked the same by raw protocol, their answers compared field by field.
//!
//! Two users of each scenario have the same ACLs: one asks the brokers themselves, whose authorizer decides; the other
//! one asks them through the gateway, whose gate decides, because upstream allows the gateway everything. Ignored
//! unless asked for:
//!
//! `SCHLOSS_TEST_UPSTREAM=gateway.properties cargo test -p schloss-gateway --test differential -- --ignored`
//!
//! `SCHLOSS_DIFFERENTIAL=Metadata,Fetch` asks only these APIs.

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
mod tree;
mod world;

use std::collections::HashMap;
use std::time::Instant;

use case::Case;
use names::{Names, Twin};
use report::Report;
use side::{Exchange, Side};
use world::World;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn the_gateway_answers_as_apache_kafka_does() {
    let only = std::env::var("SCHLOSS_DIFFERENTIAL").ok();
    let chosen =
        |case: &Case| only.as_ref().is_none_or(|only| only.split(',').any(|api| api == case.api.name()));
    let cases: Vec<Case> = cases::all().into_iter().filter(chosen).collect();
    let world = World::new(&cases).await;
    let mut report = Report::default();
    for case in &cases {
        let begun = Instant::now();
        let mut connections = (HashMap::new(), HashMap::new());
        for version in world.versions(case) {
            let kafka = play(&world, case, Twin::Kafka, version, &mut connections.0).await;
            let gateway = play(&world, case, Twin::Gateway, version, &mut connections.1).await;
            report.add(case, version, &kafka, &gateway);
        }
        report.took(case, begun.elapsed().as_secs_f64());
    }
    let offered = world.offered();
    world.clear().await;
    report.conclude(only.is_none().then_some(&offered));
}

async fn play(
    world: &World,
    case: &Case,
    twin: Twin,
    version: i16,
    connections: &mut HashMap<i32, schloss_client::Connection>,
) -> Vec<Exchange> {
    let names = Names::new(twin, &world.run, case.number, version);
    let mut side = Side::new(world, names, world.user(case), case.api, connections);
    (case.script)(&mut side).await;
    side.into_told()
}
