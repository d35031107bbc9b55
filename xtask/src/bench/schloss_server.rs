//! Schloss as its quickstarts make it: the broker, and the gateway before another.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::account::Account;
use super::certificates::Certificates;
use super::process::Process;
use super::server::{Server, bootstrap, setting};

/// What a quickstart may take.
const QUICKSTART_LIMIT: Duration = Duration::from_secs(60);

/// When Schloss answers `acks=all`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Durability {
    /// When the data is on disk, the default.
    Fsync,
    /// When the operating system has the data.
    Os,
}

impl Durability {
    /// As in the configuration.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Fsync => "fsync",
            Self::Os => "os",
        }
    }
}

/// Makes a broker's data directory below `directory` with `schloss quickstart`.
///
/// # Errors
/// The quickstart fails, or writes other files than expected.
pub(super) fn prepare_broker(
    name: &str,
    directory: &Path,
    durability: Durability,
    binary: &Path,
) -> anyhow::Result<(Server, Certificates)> {
    let prepared = prepare(name, directory, &["quickstart".as_ref()], "serve", "schloss.toml", binary)?;
    set_durability(&directory.join(DATA).join("schloss.toml"), durability)?;
    Ok(prepared)
}

/// Makes a gateway's data directory below `directory` with `schloss gateway quickstart`; `upstream` must run.
///
/// # Errors
/// As of [`prepare_broker`].
pub(super) fn prepare_gateway(
    name: &str,
    directory: &Path,
    upstream: &Server,
    binary: &Path,
) -> anyhow::Result<(Server, Certificates)> {
    let address = upstream.bootstrap();
    let quickstart: [&OsStr; 6] = [
        "gateway".as_ref(),
        "quickstart".as_ref(),
        "--upstream".as_ref(),
        address.as_ref(),
        "--upstream-config".as_ref(),
        upstream.admin.conf.as_ref(),
    ];
    prepare(name, directory, &quickstart, "gateway", "gateway.toml", binary)
}

/// Runs a quickstart once; the server is then `schloss <command> --config <file>`.
fn prepare(
    name: &str,
    directory: &Path,
    quickstart: &[&OsStr],
    command: &'static str,
    file: &str,
    binary: &Path,
) -> anyhow::Result<(Server, Certificates)> {
    fs::create_dir_all(directory)?;
    let (log, data_dir) = (directory.join("server.log"), directory.join(DATA));
    let mut program = Command::new(binary);
    program.args(quickstart).arg("--data-dir").arg(&data_dir).args(["--port", "0", "--once"]);
    Process::start("the quickstart", &mut program, &log)?.wait(QUICKSTART_LIMIT)?;

    let certificates = Certificates::of_schloss(&data_dir);
    let conf = data_dir.join("clients/admin.conf");
    let (port, password) = (port(&setting(&conf, "bootstrap.servers")?)?, setting(&conf, "sasl.password")?);
    let admin = Account::write(directory, "admin", password, &bootstrap(port), &certificates.ca)?;

    let (binary, configuration) = (binary.to_owned(), data_dir.join(file));
    let command = Box::new(move || {
        let mut program = Command::new(&binary);
        program.arg(command).arg("--config").arg(&configuration);
        program
    });
    Ok((Server { name: name.to_owned(), port, admin, log, command }, certificates))
}

/// The port that a quickstart chose.
fn port(bootstrap: &str) -> anyhow::Result<u16> {
    let port = bootstrap.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    port.with_context(|| format!("no port in the address '{bootstrap}'"))
}

/// Where a quickstart puts everything, below a server's directory.
const DATA: &str = "data";

/// Changes the one line in place, which keeps the file's mode.
fn set_durability(configuration: &Path, durability: Durability) -> anyhow::Result<()> {
    let text = fs::read_to_string(configuration)
        .with_context(|| format!("can't read {}", configuration.display()))?;
    let line = format!("durability = \"{}\"", Durability::Fsync.word());
    if !text.contains(&line) {
        bail!("{} has no line '{line}'", configuration.display());
    }
    let wanted = format!("durability = \"{}\"", durability.word());
    Ok(fs::write(configuration, text.replace(&line, &wanted))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_that_which_clients_are_told() {
        assert_eq!(port("localhost:12001").unwrap(), 12_001);
        assert!(port("localhost").is_err());
    }

    #[test]
    fn durability_is_changed_where_it_stands_and_nowhere_else() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("schloss.toml");
        fs::write(&file, "a = 1\n[log]\ndurability = \"fsync\"\n").unwrap();
        set_durability(&file, Durability::Os).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "a = 1\n[log]\ndurability = \"os\"\n");
        assert!(set_durability(&file, Durability::Os).is_err());
    }
}
