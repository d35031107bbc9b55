//! Errors on the way out: words for people, JSON for programs, and an exit code that scripts can trust.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use schloss_client::{ClientError, ErrorClass};

use super::output::Format;
use crate::config::ConfigError;

/// The wrong word on the command line, found after clap.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// The answer to a question was no; it is printed already.
#[derive(Debug, thiserror::Error)]
#[error("denied")]
pub(super) struct NotAllowed;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const NO_CONNECTION: u8 = 3;
const AUTHENTICATION: u8 = 4;
const DENIED: u8 = 5;
const NOT_ALLOWED: u8 = 6;

/// Prints `error` on standard error and gives its exit code.
pub(super) fn report(error: &anyhow::Error, output: Format) -> ExitCode {
    // A reader that went away, such as `head`, is not a failure of ours.
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    if error.is::<NotAllowed>() {
        return ExitCode::from(NOT_ALLOWED);
    }
    let code = code_of(error);
    let text = format!("{error:#}");
    let line = match output {
        Format::Table => format!("error: {text}"),
        Format::Json => serde_json::json!({ "error": text, "exit_code": code }).to_string(),
    };
    // Nothing is left to do if standard error is gone too.
    let _ = writeln!(std::io::stderr(), "{line}");
    ExitCode::from(code)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == ErrorKind::BrokenPipe)
    })
}

fn code_of(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| cause.is::<ConfigError>() || cause.is::<UsageError>()) {
        return USAGE;
    }
    match error.chain().find_map(|cause| cause.downcast_ref::<ClientError>()).map(ClientError::class) {
        Some(ErrorClass::Usage) => USAGE,
        Some(ErrorClass::Connect) => NO_CONNECTION,
        Some(ErrorClass::Auth) => AUTHENTICATION,
        Some(ErrorClass::Denied) => DENIED,
        _ => FAILED,
    }
}
