//! Asks whether a server answers.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};

/// A program that waits to make one authenticated request at a time.
///
/// With librdkafka, which is no part of either server. It runs before a server is started, so that only the
/// request takes time and not the start of its client, which with Java would be longer than that of a server.
pub(super) struct Prober {
    child: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

/// Takes paths of files with settings, and answers each with `yes` or `no`.
const SCRIPT: &str = "
import sys
from confluent_kafka.admin import AdminClient
print('here', flush=True)
for path in sys.stdin:
    with open(path.strip()) as file:
        settings = dict(line.strip().split('=', 1) for line in file)
    try:
        AdminClient(settings).list_topics(timeout=1)
        print('yes', flush=True)
    except Exception:
        print('no', flush=True)
";

impl Prober {
    /// Starts `python`, which must have confluent-kafka.
    ///
    /// # Errors
    /// It has not.
    pub(super) fn start(python: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(python)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What librdkafka says while a server is not there yet.
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("can't start {}", python.display()))?;
        let stdin = child.stdin.take().context("no standard input")?;
        let stdout = BufReader::new(child.stdout.take().context("no standard output")?);
        let prober = Self { child, pipes: RefCell::new((stdin, stdout)) };
        if prober.line()? != "here" {
            bail!("can't use confluent-kafka with {}", python.display());
        }
        Ok(prober)
    }

    /// Whether a metadata request with the settings in `file` succeeds, over TLS and after authentication.
    ///
    /// # Errors
    /// The program has ended.
    pub(super) fn ask(&self, file: &Path) -> anyhow::Result<bool> {
        writeln!(self.pipes.borrow_mut().0, "{}", file.display())?;
        match self.line()?.as_str() {
            "yes" => Ok(true),
            "no" => Ok(false),
            other => bail!("the program that asks for metadata ended: {other}"),
        }
    }

    fn line(&self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.pipes.borrow_mut().1.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
