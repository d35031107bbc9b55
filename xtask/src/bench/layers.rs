//! `cargo xtask bench layers`: what Schloss takes for ACLs, beside the machine's rate of encryption.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::administration::Administrator;
use super::aes;
use super::clients::Clients;
use super::java::Java;
use super::page;
use super::process::Process;
use super::results::{Findings, Ladder, Named, Rung};
use super::rig::{Purpose, Rig};
use super::schloss_server::{self, Durability};
use super::server::Server;
use super::shape::Shape;
use super::size::Course;
use super::turn::{Contender, Load};
use crate::root;

/// What `cargo xtask bench layers` takes.
#[derive(Args)]
pub(super) struct Options {
    /// Records of 1 KiB that a turn writes
    #[arg(long, value_name = "COUNT", default_value_t = 300_000, value_parser = clap::value_parser!(u64).range(1000..))]
    records: u64,
    #[command(flatten)]
    course: Course,
}

/// One step of the ladder: all that those before have, and one thing more.
struct Layer {
    name: &'static str,
    setting: &'static str,
    acls: u32,
    /// Clients are the super user of the quickstart, whom no ACL binds.
    is_super: bool,
}

const LAYERS: [Layer; 3] = [
    Layer {
        name: "super-user",
        setting: "TLS, SCRAM, audit, sealing; clients are a super user",
        acls: 0,
        is_super: true,
    },
    Layer { name: "acls", setting: "and clients have an account with ACLs each", acls: 0, is_super: false },
    Layer {
        name: "many-acls",
        setting: "and there are 10,000 more ACLs, a fifth of them of these accounts",
        acls: 10_000,
        is_super: false,
    },
];

/// Records of `--quick`, and of the turn that is not counted.
const FEW_RECORDS: u64 = 50_000;
const GIB: u64 = 1 << 30;

/// Measures them.
///
/// # Errors
/// A server's or a client's.
pub(super) fn bench(options: &Options) -> anyhow::Result<()> {
    let course = &options.course;
    let schloss = course.binary()?;
    let rig = Rig::set_up(course.java.as_deref())?;
    let purpose = Purpose {
        chapter: &page::LAYERS,
        rounds: course.rounds(),
        schloss: Some(&schloss),
        smoke: course.quick,
        publish: course.is_enough(),
    };
    rig.run(&purpose, |rig| measure(options, &schloss, rig))
}

fn measure(options: &Options, schloss: &Path, rig: &Rig) -> anyhow::Result<Findings> {
    let rounds = options.course.rounds();
    let records = if options.course.quick { options.records.min(FEW_RECORDS) } else { options.records };
    let load = Load { shape: Shape::USUAL, records, paced_per_second: 0, paced_seconds: 0 };
    rig.check_space(LAYERS.len() as u64 * u64::from(rounds + 1) * load.bytes().min(GIB))?;
    let prepared: Vec<Prepared> =
        LAYERS.iter().map(|layer| Prepared::new(layer, schloss, rig)).collect::<Result<_, _>>()?;
    let running = prepared.iter().map(|each| each.start(rounds, rig)).collect::<anyhow::Result<Vec<_>>>()?;
    let contenders: Vec<Contender<'_>> = running
        .iter()
        .zip(&LAYERS)
        .map(|((process, clients), layer)| Contender {
            named: Named { name: layer.name.to_owned(), setting: layer.setting.to_owned() },
            clients: clients.clone(),
            server: process,
            other: process,
        })
        .collect();
    let mut rungs: Vec<Rung> =
        contenders.iter().map(|each| Rung { named: each.named.clone(), turns: Vec::new() }).collect();
    for round in 0..=rounds {
        let load = if round == 0 { Load { records: FEW_RECORDS.min(records), ..load } } else { load };
        // Each round begins with another one.
        for place in 0..contenders.len() {
            let place = (place + round as usize) % contenders.len();
            let contender = &contenders[place];
            let turn = contender.take_turn(round, load, &mut |words| {
                rig.progress.step(&format!("round {round}/{rounds}, {}: {words}", contender.named.name));
            })?;
            if round > 0 {
                rungs[place].turns.push(turn);
            }
        }
    }
    let aes_seconds_per_gib = aes::seconds_per_gib()?;
    drop(contenders);
    running.into_iter().try_for_each(|(process, _)| process.stop())?;
    Ok(Findings { ladder: Some(Ladder { load, rungs, aes_seconds_per_gib }), ..Findings::default() })
}

/// A layer's server that can be started.
struct Prepared {
    layer: &'static Layer,
    server: Server,
    ca: PathBuf,
    directory: PathBuf,
}

impl Prepared {
    fn new(layer: &'static Layer, schloss: &Path, rig: &Rig) -> anyhow::Result<Self> {
        let directory = rig.scratch.path().join(layer.name);
        let (server, certificates) =
            schloss_server::prepare_broker(layer.name, &directory, Durability::Os, schloss)?;
        Ok(Self { layer, server, ca: certificates.ca, directory: directory.join("clients") })
    }

    fn start(&self, rounds: u32, rig: &Rig) -> anyhow::Result<(Process, Clients)> {
        let process = self.server.start(&rig.prober)?.process;
        let administrator = Administrator {
            java: &rig.java,
            server: &self.server,
            directory: self.directory.clone(),
            ca: &self.ca,
        };
        let mut clients = administrator.make_clients()?;
        if self.layer.is_super {
            (clients.producer, clients.consumer) = (self.server.admin.clone(), self.server.admin.clone());
        }
        administrator.make_topics(self.layer.name, Shape::USUAL, rounds, &[])?;
        if self.layer.acls > 0 {
            make_acls(&rig.java, &self.server, self.layer.acls, &self.directory)?;
        }
        rig.progress.step(&format!("{}: accounts, ACLs and topics made", self.layer.name));
        Ok((process, clients))
    }
}

fn make_acls(java: &Java, server: &Server, count: u32, directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    let program = root().join("xtask/src/bench/ManyAcls.java");
    let file = program.to_str().context("the path of the checkout is not UTF-8")?;
    let admin = server.admin.properties.display().to_string();
    java.tool(file, &[&admin, &server.bootstrap(), &count.to_string()], &directory.join("acls.log"))
}
