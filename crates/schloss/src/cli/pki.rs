//! `schloss pki`: certificates for clients, from the CA that quickstart has made or one like it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use rustix::fs::{FlockOperation, flock};
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
    renew_list(ca, list, certificates, days)?;
    let words =
        format!("{} has {} more, and is in force for {days} days", list.display(), certificates.len());
    output::value(format, &json!({ "list": list, "revoked": certificates }), &words)
}

/// Signs a list with what was on it and these certificates. Two at once would each read the list before, and the later
/// one would bring back into force what the earlier one revoked: so one waits for the other.
fn renew_list(ca: &Path, list: &Path, certificates: &[PathBuf], days: u32) -> anyhow::Result<()> {
    let _turn = turn_at(list)?;
    let read = |path: &Path| fs::read(path).with_context(|| format!("can't read {}", path.display()));
    let before = if list.exists() { Some(read(list)?) } else { None };
    let texts = certificates.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let authority = shared_authority(ca)?;
    let signed = authority.revoke(before.as_deref(), &texts, Duration::days(days.into()))?;
    write_public(list, signed.as_bytes())
}

/// Waits for the turn to change a file that is replaced as a whole; it ends when the value is dropped. The lock is on
/// the directory: one on the file would be on what another process has just replaced.
fn turn_at(file: &Path) -> anyhow::Result<File> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let turn = File::open(directory).with_context(|| format!("can't open {}", directory.display()))?;
    flock(&turn, FlockOperation::LockExclusive)
        .with_context(|| format!("can't lock {}", directory.display()))?;
    Ok(turn)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use schloss_pki::Authority;
    use x509_parser::pem::parse_x509_pem;
    use x509_parser::prelude::{CertificateRevocationList, FromDer};

    use super::*;

    #[test]
    fn those_who_revoke_at_once_lose_nothing_of_each_other() {
        const AT_ONCE: usize = 8;
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let authority = Authority::generate("test", Duration::days(30)).unwrap();
        write_public(&path("ca.pem"), authority.cert_pem().as_bytes()).unwrap();
        write_private(&path("ca.key"), authority.key_pem().as_bytes()).unwrap();
        for number in 0..AT_ONCE {
            let issued = authority.issue_client(&number.to_string(), Duration::days(1)).unwrap();
            write_public(&path(&format!("{number}.pem")), issued.cert_pem.as_bytes()).unwrap();
        }
        let (list, start) = (path("clients.crl"), Barrier::new(AT_ONCE));
        thread::scope(|scope| {
            for number in 0..AT_ONCE {
                let (list, start, path) = (&list, &start, &path);
                scope.spawn(move || {
                    start.wait();
                    renew_list(&path(""), list, &[path(&format!("{number}.pem"))], 1).unwrap();
                });
            }
        });
        let text = fs::read(&list).unwrap();
        let (_, pem) = parse_x509_pem(&text).unwrap();
        let (_, signed) = CertificateRevocationList::from_der(&pem.contents).unwrap();
        assert_eq!(signed.iter_revoked_certificates().count(), AT_ONCE);
    }
}
