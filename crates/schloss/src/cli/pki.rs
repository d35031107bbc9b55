//! `schloss pki`: certificates for clients, from the CA that quickstart has made or one like it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use schloss_pki::{ClientNames, PeerCertificate};
use serde_json::json;
use time::Duration;
use zeroize::Zeroizing;

use super::exit::UsageError;
use super::output::{self, Format};
use crate::datadir::{write_private, write_public};
use crate::quickstart::shared_authority;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Issue a certificate for a client
    #[command(after_help = ISSUE_EXAMPLES)]
    Issue {
        /// The common name; Kafka makes the principal User:CN=NAME of it
        name: String,
        #[command(flatten)]
        ca: Ca,
        /// Where to write NAME.pem, NAME.key and NAME-keystore.pem
        #[arg(long, value_name = "DIRECTORY", default_value = ".")]
        out: PathBuf,
        /// How long it is valid
        #[arg(long, value_name = "N", default_value_t = 90)]
        days: u32,
        /// A host name or address to stand in it; may be given several times
        #[arg(long = "dns", value_name = "HOST")]
        dns_names: Vec<String>,
        /// A URI to stand in it, such as a SPIFFE id; may be given several times
        #[arg(long = "uri", value_name = "URI")]
        uris: Vec<String>,
        /// An e-mail address to stand in it; may be given several times
        #[arg(long = "email", value_name = "ADDRESS")]
        emails: Vec<String>,
    },
    /// Put certificates on a list of revoked ones, or renew the list
    #[command(after_help = REVOKE_EXAMPLES)]
    Revoke {
        /// The certificates
        #[arg(value_name = "FILE")]
        certificates: Vec<PathBuf>,
        #[command(flatten)]
        ca: Ca,
        /// The list; made if it is not there
        #[arg(long, value_name = "FILE")]
        list: PathBuf,
        /// How long the list is in force: renew it before it is over, or nobody is let in
        #[arg(long, value_name = "N", default_value_t = 30)]
        days: u32,
    },
}

#[derive(Args)]
struct Ca {
    /// The CA: a data directory, or one with ca.pem and ca.key
    #[arg(long, value_name = "DIRECTORY", env = "SCHLOSS_DATA_DIR", default_value = "schloss-data")]
    ca: PathBuf,
}

const ISSUE_EXAMPLES: &str = "Examples:
  schloss pki issue alice --out ~/kafka
  schloss pki issue billing --uri spiffe://example.org/billing --days 30

NAME.pem and NAME.key are for librdkafka (ssl.certificate.location, ssl.key.location), NAME-keystore.pem is for
Java (ssl.keystore.type=PEM, ssl.keystore.location).";

const REVOKE_EXAMPLES: &str = "Examples:
  schloss pki revoke alice.pem --list schloss-data/pki/clients.crl
  schloss pki revoke --list schloss-data/pki/clients.crl      renews the list

A listener that names the file in client_crl_files takes it up within seconds and closes open connections.";

pub(super) fn run(arguments: Arguments, format: Format) -> anyhow::Result<()> {
    match arguments.command {
        Command::Issue { name, ca, out, days, dns_names, uris, emails } => {
            let names = ClientNames { common_name: name, dns_names, uris, emails };
            issue(&ca.ca, &out, &names, days, format)
        }
        Command::Revoke { certificates, ca, list, days } => {
            revoke(&ca.ca, &list, &certificates, days, format)
        }
    }
}

fn issue(ca: &Path, out: &Path, names: &ClientNames, days: u32, format: Format) -> anyhow::Result<()> {
    let name = names.common_name.as_str();
    if name.contains(['/', '\0']) || name.starts_with('.') {
        return Err(UsageError(format!("'{name}' can't be the name of files")).into());
    }
    let path = |ending: &str| out.join(format!("{name}{ending}"));
    let (certificate, key, keystore) = (path(".pem"), path(".key"), path("-keystore.pem"));
    if let Some(there) = [&certificate, &key, &keystore].into_iter().find(|path| path.exists()) {
        bail!("{} is there already: move it away, or name another directory with --out", there.display());
    }
    let authority = shared_authority(ca)?;
    let issued = authority.issue_client_as(names, Duration::days(days.into()))?;
    fs::create_dir_all(out).with_context(|| format!("can't make {}", out.display()))?;
    write_public(&certificate, issued.cert_pem.as_bytes())?;
    write_private(&key, issued.key_pem.as_bytes())?;
    let both = Zeroizing::new(format!("{}{}", *issued.key_pem, issued.cert_pem));
    write_private(&keystore, both.as_bytes())?;
    let subject = PeerCertificate::of_pem(issued.cert_pem.as_bytes())?.distinguished_name;
    let words = format!(
        "issued {subject}, valid for {days} days: {}, {}, {}",
        certificate.display(),
        key.display(),
        keystore.display()
    );
    let value = json!({ "subject": subject, "certificate": certificate, "key": key, "keystore": keystore });
    output::value(format, &value, &words)
}

fn revoke(ca: &Path, list: &Path, certificates: &[PathBuf], days: u32, format: Format) -> anyhow::Result<()> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("can't read {}", path.display()));
    let before = if list.exists() { Some(read(list)?) } else { None };
    let texts = certificates.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let authority = shared_authority(ca)?;
    let signed = authority.revoke(before.as_deref(), &texts, Duration::days(days.into()))?;
    write_public(list, signed.as_bytes())?;
    let words =
        format!("{} has {} more, and is in force for {days} days", list.display(), certificates.len());
    output::value(format, &json!({ "list": list, "revoked": certificates }), &words)
}
