//! Schloss: a secure-by-default Kafka in one binary.

mod audit_line;
mod cli;
mod config;
mod datadir;
mod logging;
mod node;
mod quickstart;

fn main() -> std::process::ExitCode {
    cli::run()
}
