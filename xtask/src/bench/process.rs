//! Programs that the benchmark starts: what they use, and how they are stopped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How long a server may take to stop by itself before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How often a waiting loop looks.
const LOOK: Duration = Duration::from_millis(20);
/// How much of a log an error shows.
const TAIL_LINES: usize = 15;

/// A running program, stopped when it is dropped.
pub(super) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

/// Memory as the kernel counts it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Memory {
    /// Most that was ever resident, KiB (`VmHWM`).
    pub(super) peak_kib: u64,
    /// Resident now, KiB (`VmRSS`).
    pub(super) resident_kib: u64,
}

impl Process {
    /// Starts `command` with both outputs in the file `log`.
    ///
    /// # Errors
    /// The log can't be made or the program can't be started.
    pub(super) fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("can't start {}", command.get_program().display()))?;
        Ok(Self { child, name: name.to_owned(), log: log.to_owned() })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// CPU time of all threads so far, in user mode and in the kernel. Steps of 10 ms.
    ///
    /// # Errors
    /// The process has ended.
    pub(super) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        own_ticks(&stat)
            .map(from_ticks)
            .with_context(|| format!("can't understand the CPU time of {}", self.name))
    }

    /// # Errors
    /// The process has ended.
    pub(super) fn memory(&self) -> anyhow::Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        memory(&status).with_context(|| format!("can't understand the memory of {}", self.name))
    }

    /// # Errors
    /// The process has ended: says how, with the end of its log.
    pub(super) fn check_alive(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}:\n{}", self.name, tail(&self.log)),
        }
    }

    /// Waits until the program ends by itself.
    ///
    /// # Errors
    /// It ends with another code than 0, or is killed because it took longer than `limit`.
    pub(super) fn wait(mut self, limit: Duration) -> anyhow::Result<()> {
        match self.ended_within(limit)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("{} ended with {status}:\n{}", self.name, tail(&self.log)),
            None => bail!("{} took longer than {limit:?} and was stopped:\n{}", self.name, tail(&self.log)),
        }
    }

    /// Asks the program to stop and waits until it has.
    ///
    /// # Errors
    /// It had to be killed.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        self.check_alive()?;
        self.terminate();
        if self.ended_within(STOP_LIMIT)?.is_none() {
            bail!("{} did not stop within {STOP_LIMIT:?}", self.name);
        }
        Ok(())
    }

    fn ended_within(&mut self, limit: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if started.elapsed() > limit {
                return Ok(None);
            }
            sleep(LOOK);
        }
    }

    /// Sends SIGTERM. The id can't belong to another program: a child that was not waited for keeps it.
    fn terminate(&self) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.terminate();
            if !matches!(self.ended_within(STOP_LIMIT), Ok(Some(_))) {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}

/// CPU time of all programs that ended and were waited for: of the clients, while the servers run on.
///
/// # Errors
/// The kernel's text is not understood.
pub(super) fn cpu_of_ended() -> anyhow::Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    waited_for_ticks(&stat).map(from_ticks).context("can't understand /proc/self/stat")
}

/// The last lines of a log, for an error.
pub(super) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    last_lines(&String::from_utf8_lossy(&text))
}

/// The end of a text that may be long.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n")
}

fn from_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1))
}

/// `utime` + `stime` of proc_pid_stat(5).
fn own_ticks(stat: &str) -> Option<u64> {
    Some(field(stat, 14)? + field(stat, 15)?)
}

/// `cutime` + `cstime` of proc_pid_stat(5).
fn waited_for_ticks(stat: &str) -> Option<u64> {
    Some(field(stat, 16)? + field(stat, 17)?)
}

/// A field by its number in proc_pid_stat(5), from 3 on: the name before may hold spaces and parentheses.
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn memory(status: &str) -> Option<Memory> {
    let kib = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    };
    Some(Memory { peak_kib: kib("VmHWM:")?, resident_kib: kib("VmRSS:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_ticks_are_found_behind_a_name_with_spaces_and_parentheses() {
        let stat = "38 (a b) c) S 1 38 38 0 -1 4194304 101 7 0 0 250 75 12 8 20 0 31 0 187770 3133440 357";
        assert_eq!(own_ticks(stat), Some(325));
        assert_eq!(waited_for_ticks(stat), Some(20));
        assert_eq!(own_ticks("38 (a) S 1 2"), None);
        assert_eq!(own_ticks(""), None);
    }

    #[test]
    fn memory_is_read_in_kib() {
        let status = "Name:\tjava\nVmPeak:\t 9000 kB\nVmHWM:\t  524288 kB\nVmRSS:\t  1024 kB\nThreads:\t2\n";
        assert_eq!(memory(status), Some(Memory { peak_kib: 524_288, resident_kib: 1024 }));
        assert_eq!(memory("Name:\tx\n"), None);
    }

    #[test]
    fn a_program_uses_memory_while_it_runs_and_stops_when_asked() {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("sleep");
        command.arg("600");
        let mut process = Process::start("sleep", &mut command, &directory.path().join("log")).unwrap();
        assert!(process.memory().unwrap().resident_kib > 0);
        assert!(process.cpu().unwrap() < Duration::from_secs(1));
        process.check_alive().unwrap();
        process.stop().unwrap();
    }

    #[test]
    fn a_failure_shows_the_end_of_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo out of luck >&2; exit 3"]);
        let process = Process::start("sh", &mut command, &directory.path().join("log")).unwrap();
        let error = process.wait(Duration::from_secs(20)).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("out of luck"), "{error}");
    }
}
