//! `cargo xtask test`.

use std::process::Command;

use anyhow::bail;

use crate::command::{run, run_and_read, run_and_read_as};
use crate::count::Count;
use crate::root;
use crate::tools::{self, Tools};

/// A part of the interop suite.
struct Part {
    name: &'static str,
    /// What stands behind the gate when a test asks for a broker; tests/interop/conftest.py knows them.
    engine: &'static str,
    /// Its tests, as an expression over their names and those of their files.
    tests: &'static str,
}

/// Each has a broker, or a cluster, of its own.
const PARTS: [Part; 3] = [
    Part { name: "serve", engine: "serve", tests: "test" },
    Part { name: "clients", engine: "gateway", tests: "not (test_gateway_ or test_rust)" },
    Part { name: "gateway", engine: "gateway", tests: "test_gateway_ or test_rust" },
];

/// Runs everything and says how many passed, failed and were skipped; `true` if none failed.
///
/// # Errors
/// Something could not be installed or built, so that there is nothing to count.
pub(crate) fn run_all(only: Option<&str>) -> anyhow::Result<bool> {
    let mut count = Count::default();
    let mut good = true;
    if only.is_none() {
        tools::for_builds()?;
        let (succeeded, output) = run_and_read(
            Command::new(cargo())
                .args(["test", "--workspace", "--no-fail-fast", "--features", "schloss/kerberos"])
                .current_dir(root()),
        )?;
        good &= succeeded;
        count += Count::of_cargo(&output);
    }
    let (succeeded, interop) = interop(only)?;
    good &= succeeded;
    count += interop;
    if interop == Count::default() {
        println!("the interop suite ran no test");
        good = false;
    }
    println!("\n{count}");
    Ok(good && count.failed == 0)
}

/// The interop suite, all of its parts at the same time: none keeps two cores busy, because much of each is waiting.
fn interop(only: Option<&str>) -> anyhow::Result<(bool, Count)> {
    let tools = tools::ensure()?;
    build()?;
    archive_classes(&tools)?;
    let outcomes = std::thread::scope(|scope| {
        let running = PARTS.each_ref().map(|part| scope.spawn(|| part.run(&tools, only)));
        running.map(|one| one.join().unwrap_or_else(|_| bail!("a part of the suite was lost")))
    });
    let mut good = true;
    let mut sum = Count::default();
    for (part, outcome) in PARTS.iter().zip(outcomes) {
        let (succeeded, output) = outcome?;
        let count = Count::of_pytest(&output);
        println!("interop suite, {}: {count}", part.name);
        // Where only some are asked for, a part may have none of them, which pytest takes for a failure.
        good &= succeeded || (only.is_some() && count == Count::default());
        sum += count;
    }
    Ok((good, sum))
}

/// Builds what the interop suite runs, with all that it can have.
///
/// # Errors
/// It does not build.
pub(crate) fn build() -> anyhow::Result<()> {
    let arguments = ["build", "--release", "--package", "schloss", "--features", "kerberos"];
    run(Command::new(cargo()).args(arguments).current_dir(root()))
}

impl Part {
    fn run(&self, tools: &Tools, only: Option<&str>) -> anyhow::Result<(bool, String)> {
        let tests = only.map_or(self.tests.to_owned(), |only| format!("({}) and {only}", self.tests));
        run_and_read_as(&format!("{:<7} | ", self.name), &mut command(tools, self.engine, &tests))
    }
}

/// Most of what a tool of Apache Kafka takes is loading classes, and hundreds of them are started.
fn archive_classes(tools: &Tools) -> anyhow::Result<()> {
    if tools.kafka_libs.join("classes.jsa").exists() {
        return Ok(());
    }
    println!("archiving the classes of Apache Kafka's tools");
    run(suite_python(tools).arg("tests/interop/java_archive.py"))
}

/// Those tests of the interop suite with `engine` that this expression of pytest means.
pub(crate) fn command(tools: &Tools, engine: &str, tests: &str) -> Command {
    let mut pytest = suite_python(tools);
    pytest
        .args(["-m", "pytest", "-p", "no:cacheprovider", "-q", "-ra", "--no-header", "--durations=5"])
        .args(["-k", tests, "tests/interop"])
        .env("SCHLOSS_ENGINE", engine);
    pytest
}

/// Python with what the suite is told by its environment.
fn suite_python(tools: &Tools) -> Command {
    let mut python = Command::new(&tools.python);
    python
        .env("SCHLOSS_BINARY", root().join("target/release/schloss"))
        .env("KAFKA_LIBS", &tools.kafka_libs)
        .env("NODE_PATH", &tools.node_modules)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(root());
    python
}

pub(crate) fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
