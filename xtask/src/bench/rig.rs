//! What every comparison runs with, and what becomes of what it finds.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context, bail};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::java::Java;
use super::machine::Machine;
use super::page::{Chapter, FILE, page, with_chapter};
use super::prober::Prober;
use super::progress::Progress;
use super::results::{Findings, Report, Versions};
use crate::{root, tools};

/// Over this, others are using the machine.
const QUIET_LOAD: f64 = 0.3;
/// What must be free after a run.
const SPARE_BYTES: u64 = 1 << 30;

/// Tools and a place for a run.
pub(super) struct Rig {
    pub(super) java: Rc<Java>,
    pub(super) prober: Prober,
    /// For all data of the servers and the clients.
    pub(super) scratch: TempDir,
    pub(super) progress: Progress,
    results: PathBuf,
    machine: Machine,
}

/// What one run is for.
pub(super) struct Purpose<'a> {
    pub(super) chapter: &'a Chapter,
    pub(super) rounds: u32,
    /// The binary that was measured.
    pub(super) schloss: Option<&'a Path>,
    /// Too small a run, or one without Schloss.
    pub(super) smoke: bool,
    /// The page in `docs` is written.
    pub(super) publish: bool,
}

impl Rig {
    /// Installs what is missing and starts the clock. `java` is the Java to take instead of the newest.
    ///
    /// # Errors
    /// A tool is missing and can't be installed.
    pub(super) fn set_up(java: Option<&Path>) -> anyhow::Result<Self> {
        tools::debian(&[("mvn", "maven"), ("java", "default-jdk-headless")])?;
        let java = Rc::new(Java::find(java, &tools::kafka_libs()?)?);
        let prober = Prober::start(&tools::python()?)?;
        let results = fs::canonicalize(root())?.join("target/bench");
        fs::create_dir_all(&results)?;
        let scratch = tempfile::Builder::new().prefix("run-").tempdir_in(&results)?;
        let machine = Machine::of(scratch.path());
        if machine.load_before > QUIET_LOAD {
            println!(
                "warning: load average {}: others use this machine, so expect noise",
                machine.load_before
            );
        }
        Ok(Self { java, prober, scratch, progress: Progress::start(), results, machine })
    }

    /// Whether so many bytes of records fit, with room to spare.
    ///
    /// # Errors
    /// They don't.
    pub(super) fn check_space(&self, bytes: u64) -> anyhow::Result<()> {
        let needed = bytes * 5 / 4 + SPARE_BYTES;
        let space = rustix::fs::statvfs(self.scratch.path())?;
        let free = space.f_bavail * space.f_frsize;
        if free < needed {
            bail!(
                "{} has {} MiB free and {} are needed: try fewer --records",
                self.scratch.path().display(),
                free >> 20,
                needed >> 20
            );
        }
        Ok(())
    }

    /// Measures, shows what was found, and writes it.
    ///
    /// # Errors
    /// Those of `measure`; the files of servers and clients are then kept.
    pub(super) fn run(
        self,
        purpose: &Purpose<'_>,
        measure: impl FnOnce(&Self) -> anyhow::Result<Findings>,
    ) -> anyhow::Result<()> {
        let findings = match measure(&self) {
            Ok(findings) => findings,
            Err(error) => {
                return Err(error.context(format!("see the logs in {}", self.scratch.keep().display())));
            }
        };
        let report = Report {
            date: OffsetDateTime::now_utc().replace_nanosecond(0)?.format(&Rfc3339)?,
            command: typed(),
            smoke: purpose.smoke,
            versions: Versions {
                schloss: purpose.schloss.map(version).transpose()?,
                commit: commit(),
                kafka: self.java.kafka_version.clone(),
                java: self.java.version.clone(),
            },
            machine: self.machine,
            rounds: purpose.rounds,
            findings,
            seconds: self.progress.elapsed().as_secs(),
        };
        println!("\n{}", (purpose.chapter.tables)(&report));
        write(&report, purpose, &self.results)
    }
}

fn write(report: &Report, purpose: &Purpose<'_>, results: &Path) -> anyhow::Result<()> {
    let name: String = report.date.chars().filter(char::is_ascii_alphanumeric).collect();
    let json = results.join(format!("{name}.json"));
    fs::write(&json, serde_json::to_string_pretty(report)? + "\n")?;
    fs::write(json.with_extension("md"), page(purpose.chapter, report))?;
    println!("wrote {} and .md", json.display());
    if purpose.publish {
        let file = root().join(FILE);
        let before = fs::read_to_string(&file).with_context(|| format!("can't read {FILE}"))?;
        fs::write(&file, with_chapter(&before, purpose.chapter, report)?)?;
        println!("wrote {FILE}");
    }
    Ok(())
}

fn version(binary: &Path) -> anyhow::Result<String> {
    let output = Command::new(binary).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().trim_start_matches("schloss ").to_owned())
}

/// The commit of the working tree, marked if it has changes.
pub(super) fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(root()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// The command line as one would type it.
fn typed() -> String {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(OsString::into_string).map(|word| word.unwrap_or_default()).collect();
    format!("cargo xtask {}", arguments.join(" "))
}
