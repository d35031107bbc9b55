//! `cargo xtask fuzz`: every fuzz target for a while.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::command::{exists, run};
use crate::root;
use crate::tools;

/// One input, in bytes, may be as long as this: longer ones only say the same again.
const MAX_INPUT_BYTES: u32 = 64 * 1024;
/// One input that takes longer, in seconds, is a fault: everything that is parsed has a bound.
const INPUT_LIMIT_SECONDS: u32 = 10;

#[derive(Args)]
pub(crate) struct Options {
    /// How long each target runs
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
    /// Run only these targets; all of them if none is named
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

/// Builds the targets and runs as many at once as there are cores; stops when one has found something.
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
    let at_once = std::thread::available_parallelism().map_or(1, Into::into);
    for together in chosen.chunks(at_once) {
        println!("fuzzing {} for {} s", together.join(", "), options.seconds);
        let run_one = |target: &String| fuzz_one(target, options.seconds);
        std::thread::scope(|scope| {
            let running: Vec<_> =
                together.iter().map(|target| scope.spawn(move || run_one(target))).collect();
            let ended =
                running.into_iter().map(|one| one.join().unwrap_or_else(|_| bail!("a fuzzer was lost")));
            ended.collect::<anyhow::Result<Vec<()>>>()
        })?;
    }
    println!("{} fuzz targets found nothing", chosen.len());
    Ok(true)
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
