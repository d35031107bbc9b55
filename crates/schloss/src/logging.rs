//! The server's own log: on standard error, or in a file while the screen belongs to something else.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use parking_lot::Mutex;
use tracing_subscriber::EnvFilter;

use crate::datadir::write_private;

/// The variable that sets what is shown, such as `debug` or `schloss_gate=debug`.
const VARIABLE: &str = "SCHLOSS_LOG";

/// Where lines go instead of standard error.
static ASIDE: Mutex<Option<File>> = Mutex::new(None);

/// Starts logging at `level`, unless [`VARIABLE`] says otherwise.
pub(crate) fn start(level: &str) {
    subscribe(level, io::stderr().is_terminal());
}

/// As [`start`], but for warnings alone, and without colours: a part of it may go to a file.
pub(crate) fn start_beside_screen() {
    subscribe("warn", false);
}

fn subscribe(level: &str, ansi: bool) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    // A second start in one process is a test's; the first stays.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Line).with_ansi(ansi).try_init();
}

/// The log goes to a file as long as this lives.
pub(crate) struct Aside(());

/// Sends the log to the file at `path`, made anew and private.
///
/// # Errors
/// The file can't be made.
pub(crate) fn aside(path: &Path) -> anyhow::Result<Aside> {
    write_private(path, &[])?;
    *ASIDE.lock() = Some(File::options().append(true).open(path)?);
    Ok(Aside(()))
}

impl Drop for Aside {
    fn drop(&mut self) {
        *ASIDE.lock() = None;
    }
}

/// Writes a line to where the log goes now.
struct Line;

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *ASIDE.lock() {
            Some(file) => file.write(bytes),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
