//! One server of either kind: how it is started, awaited and stopped.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::account::Account;
use super::prober::Prober;
use super::process::{Process, tail};

/// How long a server may take until it answers.
const READY_LIMIT: Duration = Duration::from_secs(90);
/// How often the port is tried.
const KNOCK: Duration = Duration::from_millis(2);

/// A server that can be started again and again on the same data.
pub(super) struct Server {
    /// Such as `schloss (fsync)`.
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) admin: Account,
    pub(super) log: PathBuf,
    pub(super) command: Box<dyn Fn() -> Command>,
}

/// A running server that has answered.
pub(super) struct Running {
    pub(super) process: Process,
    /// From before the program was started to the end of its first authenticated answer.
    pub(super) ready_after: Duration,
}

impl Server {
    /// Starts the program and waits until an authenticated request over TLS succeeds.
    ///
    /// # Errors
    /// It ends, or does not answer in time.
    pub(super) fn start(&self, prober: &Prober) -> anyhow::Result<Running> {
        let started = Instant::now();
        let mut process = Process::start(&self.name, &mut (self.command)(), &self.log)?;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err()
            || !prober.ask(&self.admin.conf)?
        {
            process.check_alive()?;
            if started.elapsed() > READY_LIMIT {
                bail!("{} was not ready within {READY_LIMIT:?}:\n{}", self.name, tail(&self.log));
            }
            sleep(KNOCK);
        }
        Ok(Running { process, ready_after: started.elapsed() })
    }

    pub(super) fn bootstrap(&self) -> String {
        bootstrap(self.port)
    }

    /// How long the question of [`Server::start`] takes at a server that is long ready: the error of that measurement.
    ///
    /// # Errors
    /// The server does not answer.
    pub(super) fn time_to_ask(&self, prober: &Prober) -> anyhow::Result<Duration> {
        let started = Instant::now();
        if !prober.ask(&self.admin.conf)? {
            bail!("{} does not answer:\n{}", self.name, tail(&self.log));
        }
        Ok(started.elapsed())
    }
}

pub(super) fn bootstrap(port: u16) -> String {
    format!("localhost:{port}")
}

/// A port of the loopback interface that nobody uses now.
///
/// # Errors
/// The system's.
pub(super) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// What an account file of librdkafka says about `key`.
pub(super) fn setting(conf: &Path, key: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(conf).with_context(|| format!("can't read {}", conf.display()))?;
    text.lines()
        .find_map(|line| line.split_once('=').filter(|(name, _)| name.trim() == key))
        .map(|(_, value)| value.trim().to_owned())
        .with_context(|| format!("no {key} in {}", conf.display()))
}
