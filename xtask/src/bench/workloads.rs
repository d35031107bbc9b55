//! `cargo xtask bench workloads`: Schloss beside Apache Kafka with records of all kinds, and a read of old ones.

use std::path::Path;

use clap::Args;

use super::couple::{Couple, Pairs, RunningCouple};
use super::duel::{Duel, order};
use super::page;
use super::results::{Findings, Pair, Side};
use super::rig::{Purpose, Rig};
use super::schloss_server::Durability;
use super::shape::{Compression, Shape};
use super::size::Course;
use super::turn::Load;

/// What `cargo xtask bench workloads` takes.
#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    course: Course,
    /// MiB of values that a turn writes, or fewer where the slower server needs over 6 s
    #[arg(long, value_name = "MIB", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    mib: u32,
    /// MiB of old records that are read
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    catch_up_mib: u32,
    /// Which pairs: answered when on disk, or when the operating system has it
    #[arg(long, value_enum, default_value_t = Pairs::Both)]
    durability: Pairs,
}

/// What is written, in this order.
fn shapes() -> impl Iterator<Item = Shape> {
    [1024, 100].into_iter().flat_map(|record_bytes| {
        [1, 16].into_iter().flat_map(move |partitions| {
            [Compression::None, Compression::Lz4].map(|compression| Shape {
                record_bytes,
                partitions,
                compression,
            })
        })
    })
}

/// There are many shapes, so each has less time than the usual load.
const PRODUCE_SECONDS: f64 = 6.0;
/// Of `--quick`.
const QUICK_MIB: u32 = 10;
/// The topic of old records.
const OLD_TOPIC: &str = "old";

/// Compares them.
///
/// # Errors
/// A server's or a client's.
pub(super) fn bench(options: &Options) -> anyhow::Result<()> {
    let course = &options.course;
    let schloss = course.binary()?;
    let rig = Rig::set_up(course.java.as_deref())?;
    let purpose = Purpose {
        chapter: &page::WORKLOADS,
        rounds: course.rounds(),
        schloss: Some(&schloss),
        smoke: course.quick,
        publish: course.is_enough() && options.durability == Pairs::Both,
    };
    rig.run(&purpose, |rig| measure(options, &schloss, rig))
}

fn measure(options: &Options, schloss: &Path, rig: &Rig) -> anyhow::Result<Findings> {
    let (rounds, quick) = (options.course.rounds(), options.course.quick);
    let mib = |wanted: u32| f64::from(if quick { wanted.min(QUICK_MIB) } else { wanted });
    let (fresh, old) = (mib(options.mib), mib(options.catch_up_mib));
    let written = 2.0 * (fresh * f64::from(rounds + 1) * shapes().count() as f64 + old);
    rig.check_space((written * 1024.0 * 1024.0) as u64)?;
    let mut findings = Findings::default();
    for durability in options.durability.wanted() {
        let couple = Couple::prepare(durability, Some(schloss), rig)?;
        let running = couple.start()?;
        for shape in shapes() {
            findings.pairs.push(write_and_read(&running, shape, fresh, rounds, rig)?);
        }
        if durability == Durability::Os {
            findings.pairs.push(catch_up(&running, old, rounds, rig)?);
        }
        running.stop()?;
        // The next couple needs the space.
        couple.remove()?;
    }
    Ok(findings)
}

fn write_and_read(
    running: &RunningCouple<'_>,
    shape: Shape,
    mib: f64,
    rounds: u32,
    rig: &Rig,
) -> anyhow::Result<Pair> {
    make_topics(running, shape, rounds, &[])?;
    let payloads = shape.write_payloads(rig.scratch.path())?;
    let durability = running.couple.durability;
    let title = match durability {
        Durability::Fsync => format!("{}, on disk", shape.title()),
        Durability::Os => format!("{}, page cache", shape.title()),
    };
    let duel = Duel {
        title: &title,
        word: &title,
        ours: running.contender(Side::Ours, Some(&payloads)),
        theirs: running.contender(Side::Theirs, Some(&payloads)),
        produce_seconds: PRODUCE_SECONDS,
        progress: &rig.progress,
    };
    let load = duel.warm_up(load(shape, mib))?;
    duel.fight(rounds, load)
}

/// Reads what was written before and is no longer in memory.
fn catch_up(running: &RunningCouple<'_>, mib: f64, rounds: u32, rig: &Rig) -> anyhow::Result<Pair> {
    let load = load(Shape::USUAL, mib);
    make_topics(running, load.shape, 0, &[OLD_TOPIC])?;
    let [ours, theirs] = [Side::Ours, Side::Theirs].map(|side| running.contender(side, None));
    for contender in [&ours, &theirs] {
        contender.write(OLD_TOPIC, load)?;
        rig.progress.step(&format!("{}: {mib} MiB of old records written", contender.named.name));
    }
    let mut turns = Vec::new();
    for round in 1..=rounds {
        for side in order(round) {
            let contender = if side == Side::Ours { &ours } else { &theirs };
            running.couple.forget_pages()?;
            turns.push(contender.take_reading_turn(OLD_TOPIC, round, load, &mut |words| {
                let name = &contender.named.name;
                rig.progress.step(&format!("old records, round {round}/{rounds}, {name}: {words}"));
            })?);
        }
    }
    let title = format!("{} MiB of old records, {}", mib, load.shape.title());
    Ok(Pair { title, ours: ours.named, theirs: theirs.named, load, turns })
}

fn make_topics(running: &RunningCouple<'_>, shape: Shape, rounds: u32, more: &[&str]) -> anyhow::Result<()> {
    [Side::Ours, Side::Theirs].into_iter().try_for_each(|side| {
        let name = &running.couple.of(side).named.name;
        running.couple.administrator(side).make_topics(name, shape, rounds, more)
    })
}

/// A load without a run at a fixed rate.
fn load(shape: Shape, mib: f64) -> Load {
    Load { shape, records: shape.records_of(mib).max(1), paced_per_second: 0, paced_seconds: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_meets_every_number_of_partitions_and_every_codec() {
        let mut words: Vec<String> = shapes().map(|shape| shape.word()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 8);
    }
}
