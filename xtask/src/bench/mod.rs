//! `cargo xtask bench`: Schloss beside Apache Kafka, in one run, with the same clients.

mod account;
mod administration;
mod certificates;
mod clients;
mod duel;
mod java;
mod kafka_server;
mod machine;
mod page;
mod prober;
mod process;
mod progress;
mod results;
mod schloss_server;
mod server;
mod statistics;
mod table;
mod turn;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::certificates::Certificates;
use self::clients::RECORD_BYTES;
use self::duel::Duel;
use self::java::Java;
use self::kafka_server::Flush;
use self::machine::Machine;
use self::prober::Prober;
use self::progress::Progress;
use self::results::{Named, Report, Versions};
use self::schloss_server::Durability;
use self::turn::Load;
use crate::command::run;
use crate::{root, tools};

/// What `cargo xtask bench` takes.
#[derive(Args)]
pub(crate) struct Options {
    /// Records of 1 KiB that a turn writes, or fewer where the slower server needs over 20 s
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    records: u64,
    /// Turns of each server
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Records a second of the runs at a fixed rate, which measure latency
    #[arg(long, value_name = "RECORDS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// Which pairs: answered when on disk, or when the operating system has it
    #[arg(long, value_enum, default_value_t = Pairs::Both)]
    durability: Pairs,
    /// A smoke run of about two minutes: small, one round, no page
    #[arg(long)]
    quick: bool,
    /// Apache Kafka against itself: tries the harness, and shows its noise
    #[arg(long)]
    peer_only: bool,
    /// Take this binary instead of building one
    #[arg(long, value_name = "FILE")]
    schloss: Option<PathBuf>,
    /// Take this Java instead of the newest in /usr/lib/jvm
    #[arg(long, value_name = "FILE")]
    java: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Pairs {
    Disk,
    Os,
    Both,
}

/// Records of a turn of `--quick`.
const QUICK_RECORDS: u64 = 50_000;
/// Seconds that a run at a fixed rate is counted for.
const PACED_SECONDS: u64 = 10;
const QUICK_PACED_SECONDS: u64 = 3;
/// Over this, others are using the machine.
const QUIET_LOAD: f64 = 0.3;

/// Runs the benchmark and writes `target/bench/<time>.json` and `.md`; a full run also writes `docs/benchmarks.md`.
///
/// # Errors
/// A server or a client fails. Their files are then kept for a look.
pub(crate) fn bench(options: &Options) -> anyhow::Result<bool> {
    tools::debian(&[("mvn", "maven"), ("java", "default-jdk-headless")])?;
    let java = Rc::new(Java::find(options.java.as_deref(), &tools::kafka_libs()?)?);
    let prober = Prober::start(&tools::python()?)?;
    let schloss = if options.peer_only { None } else { Some(binary(options)?) };

    let results = fs::canonicalize(root())?.join("target/bench");
    fs::create_dir_all(&results)?;
    let scratch = tempfile::Builder::new().prefix("run-").tempdir_in(&results)?;
    check_space(scratch.path(), options)?;
    let progress = Progress::start();
    let machine = Machine::of(scratch.path());
    if machine.load_before > QUIET_LOAD {
        println!("warning: load average {}: others use this machine, so expect noise", machine.load_before);
    }

    let report =
        match measure(options, schloss.as_deref(), &java, &prober, scratch.path(), machine, &progress) {
            Ok(report) => report,
            Err(error) => return Err(error.context(format!("see the logs in {}", scratch.keep().display()))),
        };
    println!("\n{}", page::results(&report));
    write(&report, options, &results)?;
    Ok(true)
}

fn measure(
    options: &Options,
    schloss: Option<&Path>,
    java: &Rc<Java>,
    prober: &Prober,
    scratch: &Path,
    machine: Machine,
    progress: &Progress,
) -> anyhow::Result<Report> {
    let rounds = if options.quick { 1 } else { options.rounds };
    let load = Load {
        records: if options.quick { options.records.min(QUICK_RECORDS) } else { options.records },
        paced_per_second: options.rate,
        paced_seconds: if options.quick { QUICK_PACED_SECONDS } else { PACED_SECONDS },
    };
    let (mut starts, mut pairs) = (Vec::new(), Vec::new());
    for durability in options.durability.wanted() {
        let directory = scratch.join(durability.word());
        let duel = prepare(durability, schloss, java, prober, &directory, progress)?;
        if starts.is_empty() {
            starts = duel.starts(rounds)?;
        }
        pairs.push(duel.fight(rounds, load)?);
        // Only after both servers have ended; the next pair needs the space.
        fs::remove_dir_all(&directory)?;
    }
    Ok(Report {
        date: OffsetDateTime::now_utc().replace_nanosecond(0)?.format(&Rfc3339)?,
        command: typed(),
        smoke: options.quick || options.peer_only,
        versions: Versions {
            schloss: schloss.map(version).transpose()?,
            commit: commit(),
            kafka: java.kafka_version.clone(),
            java: java.version.clone(),
        },
        machine,
        rounds,
        starts,
        pairs,
        seconds: progress.elapsed().as_secs(),
    })
}

impl Pairs {
    fn wanted(self) -> Vec<Durability> {
        match self {
            Self::Disk => vec![Durability::Fsync],
            Self::Os => vec![Durability::Os],
            Self::Both => vec![Durability::Fsync, Durability::Os],
        }
    }
}

/// Makes the data of two servers that promise the same.
fn prepare<'a>(
    durability: Durability,
    schloss: Option<&Path>,
    java: &'a Rc<Java>,
    prober: &'a Prober,
    directory: &'a Path,
    progress: &'a Progress,
) -> anyhow::Result<Duel<'a>> {
    let (title, flush) = match durability {
        Durability::Fsync => ("On disk before it is acknowledged", Flush::EveryAppend),
        Durability::Os => ("Acknowledged from the page cache", Flush::Default),
    };
    let kafka = |name: &str, certificates: &Certificates| {
        let server = kafka_server::prepare(name, &directory.join(name), flush, certificates, java)?;
        anyhow::Ok((server, Named { name: name.to_owned(), setting: flush.words().to_owned() }))
    };
    let (ours, theirs, certificates) = if let Some(binary) = schloss {
        let name = "schloss";
        let (server, certificates) =
            schloss_server::prepare(name, &directory.join(name), durability, binary)?;
        let setting = format!("log.durability = \"{}\"", durability.word());
        ((server, Named { name: name.to_owned(), setting }), kafka("kafka", &certificates)?, certificates)
    } else {
        let certificates = Certificates::make(&directory.join("pki"))?;
        (kafka("kafka-a", &certificates)?, kafka("kafka-b", &certificates)?, certificates)
    };
    let word = durability.word();
    progress.step(&format!("{word}: data directories made"));
    Ok(Duel { title, word, ours, theirs, certificates, java, prober, directory, progress })
}

/// The release build, unless another binary was chosen.
fn binary(options: &Options) -> anyhow::Result<PathBuf> {
    let file = match &options.schloss {
        Some(file) => file.clone(),
        None => {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            run(Command::new(cargo)
                .args(["build", "--release", "--package", "schloss"])
                .current_dir(root()))?;
            root().join("target/release/schloss")
        }
    };
    fs::canonicalize(&file).with_context(|| format!("can't find {}", file.display()))
}

/// Both servers' data of one pair must fit, with room to spare.
fn check_space(directory: &Path, options: &Options) -> anyhow::Result<()> {
    let turns = if options.quick { 2 } else { u64::from(options.rounds) + 1 };
    let records = if options.quick { options.records.min(QUICK_RECORDS) } else { options.records };
    let needed = 2 * turns * records * RECORD_BYTES * 5 / 4 + (1 << 30);
    let space = rustix::fs::statvfs(directory)?;
    let free = space.f_bavail * space.f_frsize;
    if free < needed {
        bail!(
            "{} has {} MiB free and {} are needed: try fewer --records",
            directory.display(),
            free >> 20,
            needed >> 20
        );
    }
    Ok(())
}

fn write(report: &Report, options: &Options, results: &Path) -> anyhow::Result<()> {
    let name: String = report.date.chars().filter(char::is_ascii_alphanumeric).collect();
    let (json, page) = (results.join(format!("{name}.json")), page::page(report));
    fs::write(&json, serde_json::to_string_pretty(report)? + "\n")?;
    fs::write(json.with_extension("md"), &page)?;
    println!("wrote {} and .md", json.display());
    // A page for everyone needs both pairs and enough rounds.
    if !report.smoke && options.durability == Pairs::Both && report.rounds >= 3 {
        let file = root().join("docs/benchmarks.md");
        fs::create_dir_all(root().join("docs"))?;
        fs::write(&file, page)?;
        println!("wrote docs/benchmarks.md");
    }
    Ok(())
}

fn version(binary: &Path) -> anyhow::Result<String> {
    let output = Command::new(binary).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().trim_start_matches("schloss ").to_owned())
}

/// The commit of the working tree, marked if it has changes.
fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(root()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// The command line as one would type it.
fn typed() -> String {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(OsString::into_string).map(|word| word.unwrap_or_default()).collect();
    format!("cargo xtask {}", arguments.join(" "))
}
