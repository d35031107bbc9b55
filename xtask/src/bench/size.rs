//! How large a run is, and with what: options that comparisons share.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use clap::Args;

use super::shape::Shape;
use super::turn::Load;
use crate::command::run;
use crate::root;

/// Options of comparisons with the usual turns.
#[derive(Args)]
pub(super) struct Size {
    /// Records of 1 KiB that a turn writes, or fewer where the slower server needs over 20 s
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    records: u64,
    #[command(flatten)]
    pub(super) course: Course,
}

/// Options of every comparison.
#[derive(Args)]
pub(super) struct Course {
    /// Turns of each server
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// A smoke run of about two minutes: small, one round, no page
    #[arg(long)]
    pub(super) quick: bool,
    /// Take this binary instead of building one
    #[arg(long, value_name = "FILE")]
    schloss: Option<PathBuf>,
    /// Take this Java instead of the newest in /usr/lib/jvm
    #[arg(long, value_name = "FILE")]
    pub(super) java: Option<PathBuf>,
}

/// Records of a turn of `--quick`.
const QUICK_RECORDS: u64 = 50_000;
/// Seconds that a run at a fixed rate is counted for.
const PACED_SECONDS: u64 = 10;
const QUICK_PACED_SECONDS: u64 = 3;
/// Fewer are not enough for a page.
const PAGE_ROUNDS: u32 = 3;

impl Course {
    pub(super) fn rounds(&self) -> u32 {
        if self.quick { 1 } else { self.rounds }
    }

    /// Whether a run is large enough for a page that is for everyone.
    pub(super) fn is_enough(&self) -> bool {
        !self.quick && self.rounds >= PAGE_ROUNDS
    }

    /// The release build of Schloss, unless another binary was chosen.
    ///
    /// # Errors
    /// It can't be built or found.
    pub(super) fn binary(&self) -> anyhow::Result<PathBuf> {
        let file = match &self.schloss {
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
}

impl Size {
    /// One turn's load with so many records a second of the runs at a fixed rate.
    pub(super) fn load(&self, paced_per_second: u64) -> Load {
        let (records, paced_seconds) = if self.course.quick {
            (self.records.min(QUICK_RECORDS), QUICK_PACED_SECONDS)
        } else {
            (self.records, PACED_SECONDS)
        };
        Load { shape: Shape::USUAL, records, paced_per_second, paced_seconds }
    }

    /// What both sides together write with this load, the warm-up included, bytes.
    pub(super) fn bytes(&self, load: Load) -> u64 {
        2 * (u64::from(self.course.rounds()) + 1) * load.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(quick: bool, rounds: u32) -> Size {
        Size { records: 1_000_000, course: Course { rounds, quick, schloss: None, java: None } }
    }

    #[test]
    fn a_quick_run_is_small_and_for_no_page() {
        let quick = size(true, 5);
        assert_eq!((quick.course.rounds(), quick.load(7).records), (1, QUICK_RECORDS));
        assert!(!quick.course.is_enough());
    }

    #[test]
    fn a_page_needs_three_rounds() {
        assert!(!size(false, 2).course.is_enough());
        assert!(size(false, 3).course.is_enough());
        assert_eq!(size(false, 3).load(7).records, 1_000_000);
    }

    #[test]
    fn space_is_needed_for_every_turn_of_both_and_the_warm_up() {
        let size = size(false, 3);
        let load = size.load(0);
        assert_eq!(size.bytes(load), 8 * 1_000_000 * 1024);
    }
}
