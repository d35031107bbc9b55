//! `cargo xtask fuzz`: every fuzz target for a while.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail};
use clap::Args;

use crate::command::{exists, run};
use crate::root;
use crate::tools;

/// One input, in bytes, may be as long as this: longer ones only say the same again.
const MAX_INPUT_BYTES: u32 = 64 * 1024;
/// One input that takes longer, in seconds, is a fault: everything that is parsed has a bound.
const INPUT_LIMIT_SECONDS: u32 = 10;

/// How long a target runs, in seconds, if nobody says.
const SECONDS: u32 = 60;
/// Targets over small inputs, which have shown in a quarter of a minute what they show in a whole one.
const SHORT: [&str; 5] = ["certificate", "fetch_scan", "mapping_rules", "policy", "sasl"];
const SHORT_SECONDS: u32 = 15;

#[derive(Args)]
pub(crate) struct Options {
    /// How long each target runs; else a minute, and a quarter of one for those over small inputs
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u32>,
    /// Run only these targets; all of them if none is named
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

/// Builds the targets and runs them; stops when one has found something.
///
/// # Errors
/// `cargo-fuzz` can't be had, a target does not build or does not exist, or an input made one fail: it lies in
/// `fuzz/artifacts`.
pub(crate) fn fuzz(options: &Options) -> anyhow::Result<bool> {
    tools::debian(&[("c++", "g++")])?;
    if !exists("cargo-fuzz") {
        run(Command::new("cargo").args(["install", "--quiet", "--locked", "cargo-fuzz"]))?;
    }
    let all = targets()?;
    if let Some(unknown) = options.targets.iter().find(|wanted| !all.contains(wanted)) {
        bail!("there is no fuzz target {unknown}; there are {}", all.join(", "));
    }
    let chosen = if options.targets.is_empty() { &all } else { &options.targets };
    // Once for all: two that run at once would both want to build.
    run(&mut cargo_fuzz("build"))?;
    let seconds = |target: &str| {
        let usual = if SHORT.contains(&target) { SHORT_SECONDS } else { SECONDS };
        options.seconds.unwrap_or(usual)
    };
    let mut planned: Vec<(&str, u32)> =
        chosen.iter().map(|target| (target.as_str(), seconds(target))).collect();
    // The longest first, so that no core is left alone with one at the end.
    planned.sort_by_key(|(_, seconds)| std::cmp::Reverse(*seconds));
    run_in_turn(&planned)?;
    println!("{} fuzz targets found nothing", chosen.len());
    Ok(true)
}

/// Runs as many at once as there are cores; none begins after one has found something.
fn run_in_turn(planned: &[(&str, u32)]) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let take_turns = || -> anyhow::Result<()> {
        while let Some((target, seconds)) = planned.get(next.fetch_add(1, Ordering::Relaxed)) {
            println!("fuzzing {target} for {seconds} s");
            fuzz_one(target, *seconds).inspect_err(|_| next.store(planned.len(), Ordering::Relaxed))?;
        }
        Ok(())
    };
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..cores).map(|_| scope.spawn(take_turns)).collect();
        running.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| bail!("a fuzzer was lost")))
    })
}

/// Runs one target, and fails if it finds something.
fn fuzz_one(target: &str, seconds: u32) -> anyhow::Result<()> {
    let directory = root().join("fuzz");
    // What a run finds goes into the corpus, which is not kept in the repository; what a target can't do without is
    // in its seeds, which are.
    let corpus = directory.join("corpus").join(target);
    let seeds = directory.join("seeds").join(target);
    std::fs::create_dir_all(&corpus).with_context(|| format!("can't make {}", corpus.display()))?;
    let mut command = cargo_fuzz("run");
    command
        .arg(target)
        .args([&corpus].into_iter().chain(Some(&seeds).filter(|seeds| seeds.is_dir())))
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={MAX_INPUT_BYTES}"))
        .arg(format!("-timeout={INPUT_LIMIT_SECONDS}"))
        .args(["-print_final_stats=1", "-verbosity=0"]);
    run(&mut command).with_context(|| {
        format!("the fuzz target {target} failed; its input lies in fuzz/artifacts/{target}")
    })
}

fn targets() -> anyhow::Result<Vec<String>> {
    let directory = root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in
        std::fs::read_dir(&directory).with_context(|| format!("can't read {}", directory.display()))?
    {
        let path: PathBuf = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort_unstable();
    Ok(names)
}

/// Without a sanitizer it runs on a stable compiler, and there is no `unsafe` for one to look at.
fn cargo_fuzz(task: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["fuzz", task, "--sanitizer", "none"]).current_dir(root());
    command
}
