//! Opens many connections at once and says how long that took: `rush CLIENT-FILE CONNECTIONS`.
//!
//! Each is a TCP connection of its own with TLS, authentication and the agreement on versions. PBKDF2 runs once for
//! all of them before the clock starts, as RFC 5802 (section 5.1) lets a client do: what counts is the server. The
//! one line of output is `seconds p50_ms p99_ms`, of the whole and of one connection.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use schloss_client::{ClientConfig, Connection};
use tokio::task::JoinSet;

/// What one connection may take.
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [file, count] = arguments.as_slice() else {
        eprintln!("usage: rush CLIENT-FILE CONNECTIONS");
        return ExitCode::from(2);
    };
    match rush(file, count).await {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn rush(file: &str, count: &str) -> Result<String, Box<dyn Error>> {
    let count: usize = count.parse()?;
    let mut config = ClientConfig::from_file(file)?;
    config.connect_timeout = LIMIT;
    let address = config.bootstrap.first().ok_or("the file names no server")?.clone();
    // The first one computes the salted password for all.
    drop(Connection::connect(&config, &address).await?);

    let (config, address): (Arc<ClientConfig>, Arc<str>) = (Arc::new(config), address.into());
    let started = Instant::now();
    let mut opening = JoinSet::new();
    for _ in 0..count {
        let (config, address) = (Arc::clone(&config), Arc::clone(&address));
        opening.spawn(async move {
            let connection = Connection::connect(&config, &address).await?;
            Ok::<_, schloss_client::ClientError>((connection, started.elapsed()))
        });
    }
    // All stay open until the last one is.
    let mut open = Vec::with_capacity(count);
    while let Some(outcome) = opening.join_next().await {
        open.push(outcome??);
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut taken: Vec<f64> = open.iter().map(|(_, taken)| taken.as_secs_f64() * 1000.0).collect();
    taken.sort_by(f64::total_cmp);
    let at = |percent: usize| taken.get((count * percent / 100).min(count.saturating_sub(1))).copied();
    let (p50, p99) = (at(50).ok_or("no connection was asked for")?, at(99).unwrap_or_default());
    Ok(format!("{seconds:.3} {p50:.1} {p99:.1}"))
}
