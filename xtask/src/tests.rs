//! `cargo xtask test`.

use std::process::Command;

use crate::command::{run, run_and_read};
use crate::count::Count;
use crate::root;
use crate::tools::{self, Tools};

/// What stands behind the gate when the interop suite asks for a broker; tests/interop/conftest.py knows them.
const ENGINES: [&str; 2] = ["serve", "gateway"];

/// Runs everything and says how many passed, failed and were skipped; `true` if none failed.
///
/// # Errors
/// Something could not be installed or built, so that there is nothing to count.
pub(crate) fn run_all(only: Option<&str>) -> anyhow::Result<bool> {
    let mut count = Count::default();
    let mut good = true;
    if only.is_none() {
        let (succeeded, output) = run_and_read(
            Command::new(cargo()).args(["test", "--workspace", "--no-fail-fast"]).current_dir(root()),
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

/// The interop suite, once for each of [`ENGINES`].
fn interop(only: Option<&str>) -> anyhow::Result<(bool, Count)> {
    let tools = tools::ensure()?;
    run(Command::new(cargo()).args(["build", "--release", "--package", "schloss"]).current_dir(root()))?;
    archive_classes(&tools)?;
    let mut good = true;
    let mut sum = Count::default();
    for engine in ENGINES {
        let (succeeded, output) = pytest(&tools, engine, only)?;
        let count = Count::of_pytest(&output);
        println!("interop suite with SCHLOSS_ENGINE={engine}: {count}");
        good &= succeeded;
        sum += count;
    }
    Ok((good, sum))
}

/// Most of what a tool of Apache Kafka takes is loading classes, and hundreds of them are started.
fn archive_classes(tools: &Tools) -> anyhow::Result<()> {
    if tools.kafka_libs.join("classes.jsa").exists() {
        return Ok(());
    }
    println!("archiving the classes of Apache Kafka's tools");
    run(suite_python(tools).arg("tests/interop/java_archive.py"))
}

fn pytest(tools: &Tools, engine: &str, only: Option<&str>) -> anyhow::Result<(bool, String)> {
    run_and_read(&mut command(tools, engine, only))
}

/// The interop suite with `engine`, or of it the tests whose name holds `only`.
pub(crate) fn command(tools: &Tools, engine: &str, only: Option<&str>) -> Command {
    let mut pytest = suite_python(tools);
    pytest
        .args(["-m", "pytest", "-p", "no:cacheprovider", "-q", "-ra", "--no-header", "--durations=5"])
        .arg("tests/interop")
        .env("SCHLOSS_ENGINE", engine);
    if let Some(name) = only {
        pytest.args(["-k", name]);
    }
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
