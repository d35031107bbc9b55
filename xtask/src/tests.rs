//! `cargo xtask test`.

use std::process::Command;

use crate::command::{run, run_and_read};
use crate::count::Count;
use crate::{root, tools};

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
    let (succeeded, output) = interop(only)?;
    good &= succeeded;
    let interop = Count::of_pytest(&output);
    count += interop;
    if interop == Count::default() {
        println!("the interop suite ran no test");
        good = false;
    }
    println!("\n{count}");
    Ok(good && count.failed == 0)
}

fn interop(only: Option<&str>) -> anyhow::Result<(bool, String)> {
    let tools = tools::ensure()?;
    run(Command::new(cargo()).args(["build", "--release", "--package", "schloss"]).current_dir(root()))?;
    let mut pytest = Command::new(&tools.python);
    pytest
        .args(["-m", "pytest", "-p", "no:cacheprovider", "-q", "-ra", "--no-header", "--durations=5"])
        .arg("tests/interop")
        .env("SCHLOSS_BINARY", root().join("target/release/schloss"))
        .env("KAFKA_LIBS", &tools.kafka_libs)
        .env("NODE_PATH", &tools.node_modules)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(root());
    if let Some(name) = only {
        pytest.args(["-k", name]);
    }
    run_and_read(&mut pytest)
}

fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
