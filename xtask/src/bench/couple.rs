//! Schloss and Apache Kafka, side by side, with the same promise about durability.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use rustix::fs::Advice;

use super::administration::Administrator;
use super::certificates::Certificates;
use super::clients::Clients;
use super::kafka_server::{self, Flush};
use super::process::Process;
use super::results::{Named, Side};
use super::rig::Rig;
use super::schloss_server::{self, Durability};
use super::server::Server;
use super::turn::Contender;

/// Which promises are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Pairs {
    Disk,
    Os,
    Both,
}

impl Pairs {
    pub(super) fn wanted(self) -> Vec<Durability> {
        match self {
            Self::Disk => vec![Durability::Fsync],
            Self::Os => vec![Durability::Os],
            Self::Both => vec![Durability::Fsync, Durability::Os],
        }
    }
}

/// Two prepared servers that promise the same.
pub(super) struct Couple<'a> {
    pub(super) durability: Durability,
    pub(super) ours: Prepared,
    pub(super) theirs: Prepared,
    certificates: Certificates,
    /// For all their files and those of clients.
    directory: PathBuf,
    rig: &'a Rig,
}

/// A server that can be started.
pub(super) struct Prepared {
    pub(super) server: Server,
    pub(super) named: Named,
}

/// Both running, with the accounts of their clients.
pub(super) struct RunningCouple<'a> {
    pub(super) couple: &'a Couple<'a>,
    ours: (Process, Clients),
    theirs: (Process, Clients),
}

impl<'a> Couple<'a> {
    /// Makes the data of both; Kafka against itself without a Schloss.
    ///
    /// # Errors
    /// A quickstart's or a tool's.
    pub(super) fn prepare(
        durability: Durability,
        schloss: Option<&Path>,
        rig: &'a Rig,
    ) -> anyhow::Result<Self> {
        let directory = rig.scratch.path().join(durability.word());
        let flush = match durability {
            Durability::Fsync => Flush::EveryAppend,
            Durability::Os => Flush::Default,
        };
        let kafka = |name: &str, certificates: &Certificates| {
            let server = kafka_server::prepare(name, &directory.join(name), flush, certificates, &rig.java)?;
            let named = Named { name: name.to_owned(), setting: flush.words().to_owned() };
            anyhow::Ok(Prepared { server, named })
        };
        let (ours, theirs, certificates) = if let Some(binary) = schloss {
            let name = "schloss";
            let (server, certificates) =
                schloss_server::prepare_broker(name, &directory.join(name), durability, binary)?;
            let setting = format!("log.durability = \"{}\"", durability.word());
            let ours = Prepared { server, named: Named { name: name.to_owned(), setting } };
            (ours, kafka("kafka", &certificates)?, certificates)
        } else {
            let certificates = Certificates::make(&directory.join("pki"))?;
            (kafka("kafka-a", &certificates)?, kafka("kafka-b", &certificates)?, certificates)
        };
        rig.progress.step(&format!("{}: data directories made", durability.word()));
        Ok(Self { durability, ours, theirs, certificates, directory, rig })
    }

    pub(super) fn of(&self, side: Side) -> &Prepared {
        match side {
            Side::Ours => &self.ours,
            Side::Theirs => &self.theirs,
        }
    }

    /// Starts both and makes the accounts of their clients.
    ///
    /// # Errors
    /// A server's or a tool's.
    pub(super) fn start(&'a self) -> anyhow::Result<RunningCouple<'a>> {
        let start = |side: Side| -> anyhow::Result<(Process, Clients)> {
            let process = self.of(side).server.start(&self.rig.prober)?.process;
            let clients = self.administrator(side).make_clients()?;
            let (promise, name) = (self.durability.word(), &self.of(side).named.name);
            self.rig.progress.step(&format!("{promise}, {name}: accounts and ACLs made"));
            Ok((process, clients))
        };
        Ok(RunningCouple { couple: self, ours: start(Side::Ours)?, theirs: start(Side::Theirs)? })
    }

    /// Who makes accounts and topics at one of them.
    pub(super) fn administrator(&self, side: Side) -> Administrator<'_> {
        let Prepared { server, named } = self.of(side);
        Administrator {
            java: &self.rig.java,
            server,
            directory: self.directory.join(format!("{}-clients", named.name)),
            ca: &self.certificates.ca,
        }
    }

    /// Has the system forget what it keeps of both servers' files in memory.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn forget_pages(&self) -> anyhow::Result<()> {
        rustix::fs::sync();
        forget_pages_below(&self.directory)
    }

    /// Removes all data, once both have ended.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn remove(self) -> anyhow::Result<()> {
        Ok(fs::remove_dir_all(&self.directory)?)
    }
}

fn forget_pages_below(directory: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            forget_pages_below(&entry.path())?;
        } else if kind.is_file() {
            rustix::fs::fadvise(File::open(entry.path())?, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

impl RunningCouple<'_> {
    /// One of them as who takes turns, with payloads from a file if there is one.
    pub(super) fn contender(&self, side: Side, payloads: Option<&Path>) -> Contender<'_> {
        let ((server, clients), (other, _)) = match side {
            Side::Ours => (&self.ours, &self.theirs),
            Side::Theirs => (&self.theirs, &self.ours),
        };
        let clients = Clients { payloads: payloads.map(Path::to_owned), ..clients.clone() };
        Contender { named: self.couple.of(side).named.clone(), clients, server, other }
    }

    /// Ends both.
    ///
    /// # Errors
    /// One of them did not end well.
    pub(super) fn stop(self) -> anyhow::Result<()> {
        self.ours.0.stop()?;
        self.theirs.0.stop()
    }
}
