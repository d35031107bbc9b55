//! `schloss user`.

use std::io::{IsTerminal, Read};

use anyhow::bail;
use clap::{Args, Subcommand};
use schloss_client::Cluster;
use schloss_identity::{DEFAULT_ITERATIONS, Mechanism, Password};
use schloss_metadata::Account;
use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::ClientFile;
use super::account;
use super::confirm::confirm;
use super::exit::UsageError;
use super::network::with_cluster;
use super::output::{self, Format};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add a user, or give one a new password
    #[command(after_help = ADD_EXAMPLES)]
    Add {
        /// The user's name
        user: String,
        /// Read the password from standard input instead of making one
        #[arg(long)]
        password_stdin: bool,
        /// Mechanisms to make credentials for; may be given several times [default: all]
        #[arg(long = "mechanism", value_name = "MECHANISM", value_parser = parse_mechanism)]
        mechanisms: Vec<Mechanism>,
        /// PBKDF2 rounds
        #[arg(long, value_name = "N", default_value_t = DEFAULT_ITERATIONS)]
        iterations: u32,
        #[command(flatten)]
        client: ClientFile,
    },
    /// List users and their mechanisms; passwords can't be shown
    #[command(after_help = "Example:
  schloss user list --client admin.properties")]
    List {
        #[command(flatten)]
        client: ClientFile,
    },
    /// Remove a user's credentials; its ACLs stay
    #[command(after_help = "Example:
  schloss user remove alice --yes --client admin.properties")]
    Remove {
        /// The user's name
        user: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        client: ClientFile,
    },
    /// List what is known of users, whatever they log in with
    #[command(after_help = "Example:
  schloss user accounts --client admin.properties")]
    Accounts {
        #[command(flatten)]
        client: ClientFile,
    },
    /// Say what is known of a user, whatever it logs in with
    #[command(after_help = ACCOUNT_EXAMPLES)]
    Account {
        /// The user's name
        user: String,
        #[command(flatten)]
        facts: account::Facts,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Make an API key: a name and a secret of its own that log in as a user, by SCRAM or PLAIN
    #[command(after_help = KEY_EXAMPLES)]
    AddKey {
        /// The user's name
        user: String,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Remove an API key and close its connections
    #[command(after_help = KEY_EXAMPLES)]
    RemoveKey {
        /// The key's name, such as billing:key:4xq2m7ab
        key: String,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Close a user's connections and let it in no more, until it is enabled again
    #[command(after_help = "Example:
  schloss user disable alice --client admin.properties")]
    Disable {
        /// The user's name
        user: String,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Let a disabled user in again
    #[command(after_help = "Example:
  schloss user enable alice --client admin.properties")]
    Enable {
        /// The user's name
        user: String,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Take everything from a user who leaves: connections, credentials, tokens, ACLs, roles, memberships and quotas
    #[command(after_help = OFFBOARD_EXAMPLES)]
    Offboard {
        /// The user's name
        user: String,
        /// Only show what would go
        #[arg(long)]
        dry_run: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        client: ClientFile,
    },
}

const ACCOUNT_EXAMPLES: &str = "Examples:
  schloss user account billing --kind service --owner alice --client admin.properties
  schloss user account contractor --until 90d --client admin.properties

What is not named stays as it is.";

const KEY_EXAMPLES: &str = "Examples:
  schloss user add-key billing --client admin.properties
  schloss user remove-key billing:key:4xq2m7ab --client admin.properties

To rotate: add a key, give it to the service, and remove the one before.";

const OFFBOARD_EXAMPLES: &str = "Examples:
  schloss user offboard alice --dry-run --client admin.properties
  schloss user offboard alice --yes --client admin.properties

All of it is one change. Connections are closed within a second on every node. The account stays, disabled, so that neither
a certificate nor a token of that name lets anybody in.";

const ADD_EXAMPLES: &str = "Examples:
  schloss user add alice --client admin.properties
  pass show alice | schloss user add alice --password-stdin --client admin.properties

A password is never an argument: other users of the machine could read it.";

fn parse_mechanism(text: &str) -> Result<Mechanism, String> {
    Mechanism::from_name(text)
        .ok_or_else(|| format!("known mechanisms: {}", Mechanism::ALL.map(Mechanism::name).join(", ")))
}

pub(super) fn run(arguments: Arguments, format: Format) -> anyhow::Result<()> {
    match arguments.command {
        Command::Add { user, password_stdin, mechanisms, iterations, client } => {
            let given = password_stdin.then(read_password).transpose()?;
            let mechanisms = if mechanisms.is_empty() { Mechanism::ALL.to_vec() } else { mechanisms };
            let password = given.clone().unwrap_or_else(Password::generate);
            with_cluster(&client, async |mut cluster| {
                for &mechanism in &mechanisms {
                    cluster.upsert_scram_user(&user, mechanism, iterations, password.clone()).await?;
                }
                print_added(format, &user, given.is_none().then_some(&password))
            })
        }
        Command::List { client } => with_cluster(&client, async |cluster| list(cluster, format).await),
        Command::Remove { user, yes, client } => {
            confirm(yes, &format!("User {user} will not be able to log in any more."))?;
            with_cluster(&client, async |cluster| remove(cluster, &user, format).await)
        }
        Command::Accounts { client } => {
            with_cluster(&client, async |cluster| account::list(cluster, format).await)
        }
        Command::Account { user, facts, client } => {
            let change = |account: &mut Account| facts.apply(account);
            with_cluster(&client, async |cluster| account::change(cluster, &user, change, format).await)
        }
        Command::AddKey { user, client } => {
            with_cluster(&client, async |cluster| account::add_key(cluster, &user, format).await)
        }
        Command::RemoveKey { key, client } => {
            with_cluster(&client, async |cluster| account::remove_key(cluster, &key, format).await)
        }
        Command::Disable { user, client } => with_cluster(&client, async |cluster| {
            account::change(cluster, &user, |account| account.disabled = true, format).await
        }),
        Command::Enable { user, client } => with_cluster(&client, async |cluster| {
            account::change(cluster, &user, |account| account.disabled = false, format).await
        }),
        Command::Offboard { user, dry_run, yes, client } => {
            let words = format!(
                "User {user} loses its connections, credentials, tokens, ACLs, roles, memberships and quotas."
            );
            confirm(yes || dry_run, &words)?;
            with_cluster(&client, async |cluster| account::offboard(cluster, user, dry_run, format).await)
        }
    }
}

/// The one line of a password, from a pipe or, hidden, from a terminal.
pub(super) fn read_password() -> anyhow::Result<Password> {
    /// Longer input is no password but a mistake.
    const MAX_BYTES: u64 = 4096;
    let stdin = std::io::stdin();
    let text = if stdin.is_terminal() {
        Zeroizing::new(rpassword::prompt_password("Password: ")?)
    } else {
        let mut text = Zeroizing::new(String::new());
        stdin.lock().take(MAX_BYTES).read_to_string(&mut text)?;
        text
    };
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(UsageError("the password on standard input is empty".to_owned()).into());
    }
    Ok(Password::new(password.to_owned()))
}

/// A password that we made is shown once, here: it can't be read back.
fn print_added(format: Format, user: &str, made: Option<&Password>) -> anyhow::Result<()> {
    match made {
        Some(password) => output::value(
            format,
            &json!({ "user": user, "password": password.expose() }),
            &format!("added user {user} with the password {}\nIt is not shown again.", password.expose()),
        ),
        None => output::value(format, &json!({ "user": user }), &format!("added user {user}")),
    }
}

#[derive(Serialize)]
struct Row {
    user: String,
    credentials: Vec<Credential>,
}

#[derive(Serialize)]
struct Credential {
    mechanism: &'static str,
    iterations: u32,
}

async fn list(mut cluster: Cluster, format: Format) -> anyhow::Result<()> {
    let mut rows: Vec<Row> = cluster
        .describe_scram_users(None)
        .await?
        .into_iter()
        .map(|user| Row {
            user: user.user,
            credentials: user
                .credentials
                .into_iter()
                .map(|(mechanism, iterations)| Credential { mechanism: mechanism.name(), iterations })
                .collect(),
        })
        .collect();
    rows.sort_by(|one, other| one.user.cmp(&other.user));
    output::rows(format, &["user", "mechanisms"], &rows, |row| {
        let credentials: Vec<String> = row
            .credentials
            .iter()
            .map(|credential| format!("{} ({} rounds)", credential.mechanism, credential.iterations))
            .collect();
        vec![row.user.clone(), credentials.join(", ")]
    })
}

async fn remove(mut cluster: Cluster, user: &str, format: Format) -> anyhow::Result<()> {
    let known = cluster.describe_scram_users(Some(&[user.to_owned()])).await?;
    let mechanisms: Vec<Mechanism> =
        known.into_iter().flat_map(|user| user.credentials).map(|(mechanism, _)| mechanism).collect();
    if mechanisms.is_empty() {
        bail!("there is no user {user}: 'schloss user list' shows who there is");
    }
    for mechanism in mechanisms {
        cluster.delete_scram_user(user, mechanism).await?;
    }
    output::value(format, &json!({ "removed": user }), &format!("removed user {user}"))
}
