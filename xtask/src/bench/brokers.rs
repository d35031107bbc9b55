//! `cargo xtask bench`: Schloss beside Apache Kafka.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;

use super::administration::PACED_TOPIC;
use super::couple::{Couple, Pairs};
use super::duel::{Duel, PRODUCE_SECONDS, order};
use super::page;
use super::results::{Findings, Pair, Side, Start};
use super::rig::{Purpose, Rig};
use super::rush::{CONNECTIONS, Opener};
use super::schloss_server::Durability;
use super::shape::Shape;
use super::size::Size;
use super::turn::Load;

/// What `cargo xtask bench` takes.
#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    size: Size,
    /// Records a second of the runs at a fixed rate, which measure latency
    #[arg(long, value_name = "RECORDS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: u64,
    /// Which pairs: answered when on disk, or when the operating system has it
    #[arg(long, value_enum, default_value_t = Pairs::Both)]
    durability: Pairs,
    /// Apache Kafka against itself: tries the harness, and shows its noise
    #[arg(long)]
    peer_only: bool,
}

/// How long after its start a server is idle.
const IDLE_AFTER: Duration = Duration::from_secs(3);

/// Compares the brokers.
///
/// # Errors
/// A server's or a client's.
pub(super) fn bench(options: &Options) -> anyhow::Result<()> {
    let course = &options.size.course;
    let schloss = if options.peer_only { None } else { Some(course.binary()?) };
    let rig = Rig::set_up(course.java.as_deref())?;
    let smoke = course.quick || options.peer_only;
    let purpose = Purpose {
        chapter: &page::BROKERS,
        rounds: course.rounds(),
        schloss: schloss.as_deref(),
        smoke,
        // A page for everyone needs both pairs.
        publish: !smoke && course.is_enough() && options.durability == Pairs::Both,
    };
    rig.run(&purpose, |rig| measure(options, schloss.as_deref(), rig))
}

fn measure(options: &Options, schloss: Option<&Path>, rig: &Rig) -> anyhow::Result<Findings> {
    let (rounds, load) = (options.size.course.rounds(), options.size.load(options.rate));
    rig.check_space(options.size.bytes(load))?;
    let mut findings = Findings::default();
    for durability in options.durability.wanted() {
        let couple = Couple::prepare(durability, schloss, rig)?;
        if findings.starts.is_empty() {
            findings.starts = starts(&couple, rounds, rig)?;
        }
        findings.pairs.push(fight(&couple, rounds, load, rig)?);
        // The next pair needs the space.
        couple.remove()?;
    }
    Ok(findings)
}

/// Starts each server `rounds` times on its empty data, and has many clients come at once.
fn starts(couple: &Couple<'_>, rounds: u32, rig: &Rig) -> anyhow::Result<Vec<Start>> {
    let (prober, opener) = (&rig.prober, Opener::build()?);
    let mut starts = Vec::new();
    for round in 1..=rounds {
        for side in order(round) {
            let prepared = couple.of(side);
            let running = prepared.server.start(prober)?;
            sleep(IDLE_AFTER);
            let idle_memory_mib = running.process.memory()?.resident_kib as f64 / 1024.0;
            let asking = prepared.server.time_to_ask(prober)?;
            opener.rush(&prepared.server, &running.process)?;
            let start = Start {
                server: prepared.named.name.clone(),
                side,
                ready_seconds: running.ready_after.as_secs_f64(),
                asking_seconds: asking.as_secs_f64(),
                idle_memory_mib,
                rush: opener.rush(&prepared.server, &running.process)?,
            };
            running.process.stop()?;
            rig.progress.step(&format!(
                "start {round}/{rounds}, {}: ready after {:.3} s, {:.1} MiB; {CONNECTIONS} connections in {:.3} s",
                start.server, start.ready_seconds, start.idle_memory_mib, start.rush.seconds
            ));
            starts.push(start);
        }
    }
    Ok(starts)
}

/// Runs both servers, warms them up, and lets them take turns.
fn fight(couple: &Couple<'_>, rounds: u32, wanted: Load, rig: &Rig) -> anyhow::Result<Pair> {
    let running = couple.start()?;
    for side in [Side::Ours, Side::Theirs] {
        let name = &couple.of(side).named.name;
        couple.administrator(side).make_topics(name, Shape::USUAL, rounds, &[PACED_TOPIC])?;
    }
    let duel = Duel {
        title: match couple.durability {
            Durability::Fsync => "On disk before it is acknowledged",
            Durability::Os => "Acknowledged from the page cache",
        },
        word: couple.durability.word(),
        ours: running.contender(Side::Ours, None),
        theirs: running.contender(Side::Theirs, None),
        produce_seconds: PRODUCE_SECONDS,
        progress: &rig.progress,
    };
    let load = duel.warm_up(wanted)?;
    let pair = duel.fight(rounds, load)?;
    running.stop()?;
    Ok(pair)
}
