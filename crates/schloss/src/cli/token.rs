//! `schloss token`: delegation tokens, to let something act as somebody for a while (KIP-48).

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use schloss_client::{Cluster, TokenInfo};
use schloss_wire::Principal;
use serde::Serialize;
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::ClientFile;
use super::confirm::confirm;
use super::exit::UsageError;
use super::network::with_cluster;
use super::output::{self, Format};
use super::time_words::parse_span;
use crate::datadir::write_private;

/// Kafka's word for "as the broker says", and for "at once".
const NO_PERIOD: i64 = -1;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a token that lets whoever has it act as you, or as somebody else
    #[command(after_help = CREATE_EXAMPLES)]
    Create {
        /// As whom it lets act [default: you]
        #[arg(long, value_name = "PRINCIPAL")]
        owner: Option<Principal>,
        /// Who may renew and end it besides its owner; may be given several times
        #[arg(long = "renewer", value_name = "PRINCIPAL")]
        renewers: Vec<Principal>,
        /// How far it can be renewed: 30m, 2h, 7d [default: as the cluster says]
        #[arg(long, value_name = "TIME", value_parser = parse_span)]
        max_lifetime: Option<Duration>,
        /// Write a Java client file for whoever shall have it, readable by you alone, instead of showing its HMAC
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        client: ClientFile,
    },
    /// List the tokens that you may see
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// Only those that this principal owns or may renew
        #[arg(long, value_name = "PRINCIPAL")]
        owner: Option<Principal>,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Let a token last longer, as far as it can
    #[command(after_help = RENEW_EXAMPLES)]
    Renew {
        /// The token's id
        id: String,
        /// How long from now on: 30m, 2h, 7d [default: as the cluster says]
        #[arg(long = "for", value_name = "TIME", value_parser = parse_span)]
        period: Option<Duration>,
        #[command(flatten)]
        client: ClientFile,
    },
    /// End a token, at once or sooner than it would, and close its connections
    #[command(after_help = EXPIRE_EXAMPLES)]
    Expire {
        /// The token's id
        id: String,
        /// In how long: 30m, 2h, 7d [default: at once]
        #[arg(long = "in", value_name = "TIME", value_parser = parse_span)]
        period: Option<Duration>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        client: ClientFile,
    },
}

const CREATE_EXAMPLES: &str = "Examples:
  schloss token create --out job.properties --client alice.properties
  schloss token create --owner User:alice --renewer User:scheduler --max-lifetime 12h --client scheduler.properties

For others you need CREATE_TOKENS on them:
  schloss acl add --allow-principal User:scheduler --operation create-tokens --user-principal User:alice

The HMAC is the secret. It logs in by SCRAM with the token's id as user name (tokenauth=\"true\" of Java clients). A file keeps
what the client file says of the cluster, and none of its credentials.";

const LIST_EXAMPLES: &str = "Examples:
  schloss token list --client alice.properties
  schloss token list --owner User:alice --client admin.properties";

const RENEW_EXAMPLES: &str = "Example:
  schloss token renew vTq1g4RsTNuKvXnK0bUyZQ --for 12h --client alice.properties";

const EXPIRE_EXAMPLES: &str = "Examples:
  schloss token expire vTq1g4RsTNuKvXnK0bUyZQ --yes --client alice.properties
  schloss token expire vTq1g4RsTNuKvXnK0bUyZQ --in 1h --yes --client alice.properties";

pub(super) fn run(arguments: Arguments, format: Format) -> anyhow::Result<()> {
    match arguments.command {
        Command::Create { owner, renewers, max_lifetime, out, client } => {
            let file = out.as_deref().map(|out| TokenFile::prepare(out, &client.client)).transpose()?;
            let lifetime = max_lifetime.map_or(NO_PERIOD, millis);
            with_cluster(&client, async |mut cluster| {
                let token = cluster.create_token(owner.as_ref(), &renewers, lifetime).await?;
                print_created(format, &token, file)
            })
        }
        Command::List { owner, client } => {
            with_cluster(&client, async |cluster| list(cluster, owner, format).await)
        }
        Command::Renew { id, period, client } => with_cluster(&client, async |mut cluster| {
            let token = find(&mut cluster, &id).await?;
            let end = cluster.renew_token(&token.hmac, period.map_or(NO_PERIOD, millis)).await?;
            let words = format!("token {id} of {} lasts until {}", token.owner, shown(end));
            output::value(format, &json!({ "id": id, "owner": token.owner, "expires": shown(end) }), &words)
        }),
        Command::Expire { id, period, yes, client } => {
            confirm(yes, &format!("Nobody will be able to log in with token {id} any more."))?;
            with_cluster(&client, async |mut cluster| {
                let token = find(&mut cluster, &id).await?;
                let end = cluster.expire_token(&token.hmac, period.map_or(NO_PERIOD, millis)).await?;
                let words = match period {
                    None => format!("token {id} of {} is gone", token.owner),
                    Some(_) => format!("token {id} of {} ends at {}", token.owner, shown(end)),
                };
                output::value(
                    format,
                    &json!({ "id": id, "owner": token.owner, "expires": shown(end) }),
                    &words,
                )
            })
        }
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.whole_milliseconds()).unwrap_or(i64::MAX)
}

fn shown(time_ms: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time_ms) * 1_000_000).ok();
    let time = time.and_then(|time| time.replace_nanosecond(0).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

/// The token of this id, as far as whoever asks may see it: the brokers know tokens by their HMACs.
async fn find(cluster: &mut Cluster, id: &str) -> anyhow::Result<TokenInfo> {
    let tokens = cluster.describe_tokens(None).await?;
    tokens
        .into_iter()
        .find(|token| token.id == id)
        .with_context(|| format!("there is no token {id} that you may see: 'schloss token list' shows those"))
}

#[derive(Serialize)]
struct Row {
    id: String,
    owner: String,
    requester: String,
    renewers: Vec<String>,
    issued: String,
    expires: String,
    max: String,
}

impl From<&TokenInfo> for Row {
    fn from(token: &TokenInfo) -> Self {
        Self {
            id: token.id.clone(),
            owner: token.owner.clone(),
            requester: token.requester.clone(),
            renewers: token.renewers.clone(),
            issued: shown(token.issued_ms),
            expires: shown(token.expiry_ms),
            max: shown(token.max_ms),
        }
    }
}

async fn list(mut cluster: Cluster, owner: Option<Principal>, format: Format) -> anyhow::Result<()> {
    let owners = owner.map(|owner| vec![owner]);
    let rows: Vec<Row> = cluster.describe_tokens(owners.as_deref()).await?.iter().map(Row::from).collect();
    let headings = ["token", "owner", "made by", "renewers", "expires", "at most until"];
    output::rows(format, &headings, &rows, |row| {
        let Row { id, owner, requester, renewers, issued: _, expires, max } = row;
        [id, owner, requester, &renewers.join(", "), expires, max].map(Clone::clone).to_vec()
    })
}

/// The HMAC is shown once, or goes to a file that only its owner can read.
fn print_created(format: Format, token: &TokenInfo, file: Option<TokenFile>) -> anyhow::Result<()> {
    let hmac = Zeroizing::new(STANDARD.encode(token.hmac.as_slice()));
    let row = Row::from(token);
    let made = format!(
        "made token {} of {}, good until {} and renewable until {}",
        row.id, row.owner, row.expires, row.max
    );
    let mut value = json!(row);
    match file {
        Some(file) => {
            file.write(&token.id, &hmac)?;
            value["file"] = json!(file.path);
            output::value(format, &value, &format!("{made}: {}", file.path.display()))
        }
        None => {
            value["hmac"] = json!(*hmac);
            let words = format!("{made}\nIts HMAC is {}\nWho has it can act as {}.", *hmac, row.owner);
            output::value(format, &value, &words)
        }
    }
}

/// A Java client file for whoever shall have the token.
#[derive(Debug)]
struct TokenFile {
    path: PathBuf,
    /// What the client file says of the cluster.
    cluster: String,
}

/// Settings that are credentials, by their beginnings.
const CREDENTIALS: [&str; 4] = ["sasl.", "ssl.key", "ssl.certificate", "security.protocol"];

impl TokenFile {
    /// Before the token is made: whoever has no place for it should not have it.
    fn prepare(path: &Path, client: &Path) -> anyhow::Result<Self> {
        if path.exists() {
            bail!("{} is there already: move it away, or name another file with --out", path.display());
        }
        if client.extension().is_some_and(|ending| ending == "conf" || ending == "json") {
            let words =
                "--out takes over what a Java .properties file says of the cluster: name one with --client";
            return Err(UsageError(words.to_owned()).into());
        }
        let text = std::fs::read_to_string(client).map(Zeroizing::new);
        let text = text.with_context(|| format!("can't read {}", client.display()))?;
        Ok(Self { path: path.to_owned(), cluster: without_credentials(&text) })
    }

    fn write(&self, id: &str, hmac: &str) -> anyhow::Result<()> {
        let Self { path, cluster } = self;
        let text = Zeroizing::new(format!(
            "# A delegation token. Java clients and kafka-* tools: --command-config FILE\n\
             {cluster}security.protocol=SASL_SSL\n\
             sasl.mechanism=SCRAM-SHA-512\n\
             sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
             username=\"{id}\" password=\"{hmac}\" tokenauth=\"true\";\n"
        ));
        write_private(path, text.as_bytes())
    }
}

/// The settings of a `.properties` file that are none of a credential, one on each line.
fn without_credentials(text: &str) -> String {
    let (mut kept, mut takes, mut goes_on) = (String::new(), true, false);
    for line in text.lines() {
        let start = line.trim_start();
        if !goes_on {
            let is_word = !start.is_empty() && !start.starts_with(['#', '!']);
            takes = is_word && !CREDENTIALS.iter().any(|credential| start.starts_with(credential));
        }
        goes_on = line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
        if takes {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use schloss_client::ClientConfig;

    use super::*;

    const CLIENT: &str = "# mine\n\
        bootstrap.servers=localhost:9092\n\
        security.protocol=SASL_SSL\n\
        sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n\
        \x20   username=\"alice\" \\\n\
        \x20   password=\"s3cret\";\n\
        \tsasl.mechanism=SCRAM-SHA-256\n\
        ssl.keystore.location=alice.pem\n\
        ssl.truststore.\\\n\
        type=PEM\n";

    #[test]
    fn a_tokens_file_has_the_cluster_of_the_client_file_and_none_of_its_credentials() {
        let directory = tempfile::tempdir().unwrap();
        let (client, out) =
            (directory.path().join("alice.properties"), directory.path().join("job.properties"));
        std::fs::write(&client, CLIENT).unwrap();
        let file = TokenFile::prepare(&out, &client).unwrap();
        assert_eq!(file.cluster, "bootstrap.servers=localhost:9092\nssl.truststore.\\\ntype=PEM\n");
        file.write("id", "aG1hYw==").unwrap();
        assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&out).unwrap();
        assert!(!text.contains("s3cret") && !text.contains("alice"), "{text}");
        // The certificates of the test file are none, so that part is left out to read it again.
        std::fs::write(&out, text.replace("ssl.truststore.\\\ntype=PEM\n", "")).unwrap();
        let read = ClientConfig::from_file(&out);
        let login = read.map(|config| config.sasl.map(|sasl| (sasl.user, sasl.token)));
        assert_eq!(login.unwrap(), Some(("id".to_owned(), true)));
    }

    #[test]
    fn nothing_is_overwritten_and_other_files_are_not_understood() {
        let directory = tempfile::tempdir().unwrap();
        let there = directory.path().join("there.properties");
        std::fs::write(&there, CLIENT).unwrap();
        let refused = TokenFile::prepare(&there, &there).unwrap_err().to_string();
        assert!(refused.contains("is there already"), "{refused}");
        let refused = TokenFile::prepare(&directory.path().join("new"), Path::new("a.conf")).unwrap_err();
        assert!(refused.is::<UsageError>());
    }
}
