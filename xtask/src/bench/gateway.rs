//! `cargo xtask bench gateway`: one Apache Kafka, with and without the gateway before it.

use std::path::{Path, PathBuf};

use clap::Args;

use super::administration::{Administrator, PACED_TOPIC, topic};
use super::certificates::Certificates;
use super::clients::Clients;
use super::duel::{Duel, PRODUCE_SECONDS};
use super::kafka_server::{self, Flush};
use super::page;
use super::results::{Findings, Named, Pair};
use super::rig::{Purpose, Rig};
use super::schloss_server;
use super::server::Server;
use super::shape::Shape;
use super::size::Size;
use super::turn::{Contender, Load};

/// What `cargo xtask bench gateway` takes.
#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    size: Size,
    /// Records a second of the runs that measure latency, instead of half of what Kafka takes without the gateway
    #[arg(long, value_name = "RECORDS", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: Option<u64>,
}

/// The two ways of the clients.
const GATEWAY: &str = "gateway";
const DIRECT: &str = "direct";
/// Records a second at a fixed rate of the warm-up, before it is known what is half of all.
const WARM_UP_RATE: u64 = 5000;
/// The topic on which the full rate is found out.
const FULL_RATE_TOPIC: &str = "full-rate";

/// Compares the two ways.
///
/// # Errors
/// A server's or a client's.
pub(super) fn bench(options: &Options) -> anyhow::Result<()> {
    let size = &options.size;
    let course = &size.course;
    let schloss = course.binary()?;
    let rig = Rig::set_up(course.java.as_deref())?;
    let purpose = Purpose {
        chapter: &page::GATEWAY,
        rounds: course.rounds(),
        schloss: Some(&schloss),
        smoke: course.quick,
        // A page for everyone needs the rate that is half of all.
        publish: course.is_enough() && options.rate.is_none(),
    };
    rig.run(&purpose, |rig| {
        rig.check_space(size.bytes(size.load(WARM_UP_RATE)))?;
        let pair = measure(options, &schloss, rig)?;
        Ok(Findings { pairs: vec![pair], ..Findings::default() })
    })
}

fn measure(options: &Options, schloss: &Path, rig: &Rig) -> anyhow::Result<Pair> {
    let (size, rounds) = (&options.size, options.size.course.rounds());
    let directory = |name: &str| -> PathBuf { rig.scratch.path().join(name) };
    let certificates = Certificates::make(&directory("pki"))?;
    let kafka =
        kafka_server::prepare("kafka", &directory("kafka"), Flush::Default, &certificates, &rig.java)?;
    let broker = kafka.start(&rig.prober)?.process;
    let (gateway, own_certificates) =
        schloss_server::prepare_gateway(GATEWAY, &directory(GATEWAY), &kafka, schloss)?;
    let door = gateway.start(&rig.prober)?.process;
    rig.progress.step("Apache Kafka and a gateway before it started");

    let set_up = |server: &Server, ca: &Path, name: &str, more: &[&str]| -> anyhow::Result<Clients> {
        let administrator =
            Administrator { java: &rig.java, server, directory: directory(&format!("{name}-clients")), ca };
        let clients = administrator.make_clients()?;
        administrator.make_topics(name, Shape::USUAL, rounds, more)?;
        rig.progress.step(&format!("{name}: accounts, ACLs and topics made"));
        Ok(clients)
    };
    let named = |name: &str, setting: &str| Named { name: name.to_owned(), setting: setting.to_owned() };
    // Both store records at the same broker, so its cost is compared, and the gateway is the other process of both.
    let duel = Duel {
        title: "With and without the gateway",
        word: "page cache",
        ours: Contender {
            named: named(GATEWAY, "clients go through the gateway"),
            clients: set_up(&gateway, &own_certificates.ca, GATEWAY, &[PACED_TOPIC])?,
            server: &broker,
            other: &door,
        },
        theirs: Contender {
            named: named(DIRECT, "clients go to the broker"),
            clients: set_up(&kafka, &certificates.ca, DIRECT, &[PACED_TOPIC, FULL_RATE_TOPIC])?,
            server: &broker,
            other: &door,
        },
        produce_seconds: PRODUCE_SECONDS,
        progress: &rig.progress,
    };
    let mut load = duel.warm_up(size.load(WARM_UP_RATE))?;
    load.paced_per_second = match options.rate {
        Some(rate) => rate,
        None => half_of_full_rate(&duel.theirs, load, rig)?,
    };
    rig.check_space(size.bytes(load))?;
    let pair = duel.fight(rounds, load)?;
    door.stop()?;
    broker.stop()?;
    Ok(pair)
}

/// Half of what the broker takes without the gateway, records a second.
fn half_of_full_rate(direct: &Contender<'_>, load: Load, rig: &Rig) -> anyhow::Result<u64> {
    let full = direct
        .clients
        .produce(&topic(DIRECT, load.shape, FULL_RATE_TOPIC), load.records, load.shape)?
        .mib_per_second;
    let half = half(full);
    rig.progress.step(&format!("{DIRECT}: {full:.1} MiB/s; half of it are {half} records/s"));
    Ok(half)
}

/// Records of 1 KiB a second that are half of so many MiB/s; at least one.
fn half(mib_per_second: f64) -> u64 {
    (mib_per_second * 1024.0 / 2.0).max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_rate_is_in_records_of_one_kib() {
        assert_eq!(half(60.0), 30_720);
        assert_eq!(half(0.0), 1);
    }
}
