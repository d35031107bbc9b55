//! `cargo xtask bench`: Schloss beside Apache Kafka.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::administration::Administrator;
use super::certificates::Certificates;
use super::clients::Clients;
use super::duel::{Duel, order};
use super::kafka_server::{self, Flush};
use super::page;
use super::results::{Findings, Named, Pair, Side, Start};
use super::rig::{Purpose, Rig};
use super::schloss_server::{self, Durability};
use super::server::Server;
use super::size::Size;
use super::turn::{Contender, Load};

/// What `cargo xtask bench` takes.
#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    size: Size,
    /// Records a second of the runs at a fixed rate, which measure latency
    #[arg(long, value_name = "RECORDS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: u64,
    /// Which pairs: answered when on disk, or when the operating system has it
    #[arg(long, value_enum, default_value_t = Pairs::Both)]
    durability: Pairs,
    /// Apache Kafka against itself: tries the harness, and shows its noise
    #[arg(long)]
    peer_only: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Pairs {
    Disk,
    Os,
    Both,
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

/// How long after its start a server is idle.
const IDLE_AFTER: Duration = Duration::from_secs(3);

/// Compares the brokers.
///
/// # Errors
/// A server's or a client's.
pub(super) fn bench(options: &Options) -> anyhow::Result<()> {
    let size = &options.size;
    let schloss = if options.peer_only { None } else { Some(size.binary()?) };
    let rig = Rig::set_up(size.java.as_deref())?;
    let smoke = size.quick || options.peer_only;
    let purpose = Purpose {
        chapter: &page::BROKERS,
        rounds: size.rounds(),
        schloss: schloss.as_deref(),
        smoke,
        // A page for everyone needs both pairs.
        publish: !smoke && size.is_enough() && options.durability == Pairs::Both,
    };
    rig.run(&purpose, |rig| measure(options, schloss.as_deref(), rig))
}

fn measure(options: &Options, schloss: Option<&Path>, rig: &Rig) -> anyhow::Result<Findings> {
    let (rounds, load) = (options.size.rounds(), options.size.load(options.rate));
    rig.check_space(options.size.bytes(load))?;
    let mut findings = Findings::default();
    for durability in options.durability.wanted() {
        let directory = rig.scratch.path().join(durability.word());
        let couple = prepare(durability, schloss, rig, directory)?;
        if findings.starts.is_empty() {
            findings.starts = couple.starts(rounds)?;
        }
        findings.pairs.push(couple.fight(rounds, load)?);
        // Only after both servers have ended; the next pair needs the space.
        fs::remove_dir_all(&couple.directory)?;
    }
    Ok(findings)
}

/// Two prepared servers that promise the same.
struct Couple<'a> {
    durability: Durability,
    ours: (Server, Named),
    theirs: (Server, Named),
    certificates: Certificates,
    /// For all their files and those of clients.
    directory: PathBuf,
    rig: &'a Rig,
}

/// Makes the data of both.
fn prepare<'a>(
    durability: Durability,
    schloss: Option<&Path>,
    rig: &'a Rig,
    directory: PathBuf,
) -> anyhow::Result<Couple<'a>> {
    let flush = match durability {
        Durability::Fsync => Flush::EveryAppend,
        Durability::Os => Flush::Default,
    };
    let kafka = |name: &str, certificates: &Certificates| {
        let server = kafka_server::prepare(name, &directory.join(name), flush, certificates, &rig.java)?;
        anyhow::Ok((server, Named { name: name.to_owned(), setting: flush.words().to_owned() }))
    };
    let (ours, theirs, certificates) = if let Some(binary) = schloss {
        let name = "schloss";
        let (server, certificates) =
            schloss_server::prepare_broker(name, &directory.join(name), durability, binary)?;
        let setting = format!("log.durability = \"{}\"", durability.word());
        ((server, Named { name: name.to_owned(), setting }), kafka("kafka", &certificates)?, certificates)
    } else {
        let certificates = Certificates::make(&directory.join("pki"))?;
        (kafka("kafka-a", &certificates)?, kafka("kafka-b", &certificates)?, certificates)
    };
    rig.progress.step(&format!("{}: data directories made", durability.word()));
    Ok(Couple { durability, ours, theirs, certificates, directory, rig })
}

impl Couple<'_> {
    /// Starts each server `rounds` times on its empty data.
    fn starts(&self, rounds: u32) -> anyhow::Result<Vec<Start>> {
        let prober = &self.rig.prober;
        let mut starts = Vec::new();
        for round in 1..=rounds {
            for side in order(round) {
                let (server, named) = match side {
                    Side::Ours => &self.ours,
                    Side::Theirs => &self.theirs,
                };
                let running = server.start(prober)?;
                sleep(IDLE_AFTER);
                let start = Start {
                    server: named.name.clone(),
                    side,
                    ready_seconds: running.ready_after.as_secs_f64(),
                    asking_seconds: server.time_to_ask(prober)?.as_secs_f64(),
                    idle_memory_mib: running.process.memory()?.resident_kib as f64 / 1024.0,
                };
                running.process.stop()?;
                self.rig.progress.step(&format!(
                    "start {round}/{rounds}, {}: ready after {:.3} s, {:.1} MiB",
                    named.name, start.ready_seconds, start.idle_memory_mib
                ));
                starts.push(start);
            }
        }
        Ok(starts)
    }

    /// Runs both servers, warms them up, and lets them take turns.
    fn fight(&self, rounds: u32, wanted: Load) -> anyhow::Result<Pair> {
        let ours = self.ours.0.start(&self.rig.prober)?.process;
        let theirs = self.theirs.0.start(&self.rig.prober)?.process;
        let duel = Duel {
            title: match self.durability {
                Durability::Fsync => "On disk before it is acknowledged",
                Durability::Os => "Acknowledged from the page cache",
            },
            word: self.durability.word(),
            ours: Contender {
                named: self.ours.1.clone(),
                clients: self.set_up(&self.ours, rounds)?,
                server: &ours,
                other: &theirs,
            },
            theirs: Contender {
                named: self.theirs.1.clone(),
                clients: self.set_up(&self.theirs, rounds)?,
                server: &theirs,
                other: &ours,
            },
            progress: &self.rig.progress,
        };
        let load = duel.warm_up(wanted)?;
        let pair = duel.fight(rounds, load)?;
        ours.stop()?;
        theirs.stop()?;
        Ok(pair)
    }

    fn set_up(&self, (server, named): &(Server, Named), rounds: u32) -> anyhow::Result<Clients> {
        let administrator = Administrator {
            java: &self.rig.java,
            server,
            directory: &self.directory.join(format!("{}-clients", named.name)),
            ca: &self.certificates.ca,
        };
        let clients = administrator.make_clients()?;
        administrator.make_topics(&named.name, rounds, &[])?;
        self.rig.progress.step(&format!(
            "{}, {}: accounts, ACLs and topics made",
            self.durability.word(),
            named.name
        ));
        Ok(clients)
    }
}
