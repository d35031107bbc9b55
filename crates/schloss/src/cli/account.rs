//! What is known of users, for `schloss user`.

use anyhow::bail;
use clap::Args;
use schloss_client::Cluster;
use schloss_identity::{DEFAULT_ITERATIONS, Mechanism, Password, ScramCredential};
use schloss_metadata::security::{SecurityAnswer, SecurityChange, SecurityQuestion};
use schloss_metadata::{Account, AccountKind, Accounts, KEY_MARK, key_owner};
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::output::{self, Format};
use super::security::{self, ask, print_steps, unexpected};
use super::time_words::parse_end;

/// What can be said of a user.
#[derive(Args)]
pub(super) struct Facts {
    /// Who stands behind it
    #[arg(long, value_parser = parse_kind, value_name = "user|service")]
    kind: Option<AccountKind>,
    /// Whom to ask about it
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// When it ends: a time (2026-12-31T00:00:00Z), or how long it lasts (8h, 30d)
    #[arg(long, value_name = "TIME", value_parser = parse_end, conflicts_with = "for_ever")]
    until: Option<OffsetDateTime>,
    /// It does not end
    #[arg(long)]
    for_ever: bool,
}

impl Facts {
    pub(super) fn apply(&self, account: &mut Account) {
        account.kind = self.kind.unwrap_or(account.kind);
        account.owner = self.owner.clone().or_else(|| account.owner.take());
        account.expires = if self.for_ever { None } else { self.until.or(account.expires) };
    }
}

fn parse_kind(text: &str) -> Result<AccountKind, String> {
    match text {
        "user" => Ok(AccountKind::User),
        "service" => Ok(AccountKind::Service),
        _ => Err("expected user or service".to_owned()),
    }
}

async fn accounts(cluster: &mut Cluster) -> anyhow::Result<Accounts> {
    match ask(cluster, &SecurityQuestion::Accounts).await? {
        SecurityAnswer::Accounts(accounts) => Ok(accounts),
        other => Err(unexpected(&other)),
    }
}

#[derive(Serialize)]
struct Row {
    user: String,
    #[serde(flatten)]
    account: Account,
}

pub(super) async fn list(mut cluster: Cluster, format: Format) -> anyhow::Result<()> {
    let rows: Vec<Row> =
        accounts(&mut cluster).await?.into_iter().map(|(user, account)| Row { user, account }).collect();
    output::rows(format, &["user", "kind", "owner", "until", "state"], &rows, |row| {
        let Account { kind, owner, expires, .. } = &row.account;
        let kind = match kind {
            AccountKind::User => "user",
            AccountKind::Service => "service",
        };
        let until = expires.and_then(|end| end.format(&Rfc3339).ok()).unwrap_or_default();
        let state = row.account.objection(OffsetDateTime::now_utc()).unwrap_or("good");
        let owner = owner.clone().unwrap_or_default();
        vec![row.user.clone(), kind.to_owned(), owner, until, state.to_owned()]
    })
}

pub(super) async fn change(
    mut cluster: Cluster,
    user: &str,
    change: impl FnOnce(&mut Account),
    format: Format,
) -> anyhow::Result<()> {
    let mut account = accounts(&mut cluster).await?.remove(user).unwrap_or_default();
    change(&mut account);
    let wish = SecurityChange::SetAccount { name: user.to_owned(), account: Some(account) };
    let steps = security::change(&mut cluster, &wish).await?;
    print_steps(&steps, "all is as wanted already", format)
}

pub(super) async fn offboard(
    mut cluster: Cluster,
    user: String,
    dry_run: bool,
    format: Format,
) -> anyhow::Result<()> {
    let steps = security::change(&mut cluster, &SecurityChange::Offboard { user, dry_run }).await?;
    print_steps(&steps, "there is nothing left of that user", format)
}

/// Letters of a key's id: enough that no two are alike.
const KEY_ID_LETTERS: usize = 10;

pub(super) async fn add_key(mut cluster: Cluster, user: &str, format: Format) -> anyhow::Result<()> {
    let id = Password::generate();
    let key = format!("{user}{KEY_MARK}{}", &id.expose()[..KEY_ID_LETTERS]);
    let secret = Password::generate();
    let credentials = Mechanism::ALL
        .into_iter()
        .map(|mechanism| ScramCredential::derive(mechanism, &secret, DEFAULT_ITERATIONS))
        .collect::<Result<_, _>>()?;
    let wish = SecurityChange::AddKey { user: user.to_owned(), key: key.clone(), credentials };
    security::change(&mut cluster, &wish).await?;
    output::value(
        format,
        &json!({ "user": user, "key": key, "secret": secret.expose() }),
        &format!("added the key {key} of {user} with the secret {}\nIt is not shown again.", secret.expose()),
    )
}

pub(super) async fn remove_key(mut cluster: Cluster, key: &str, format: Format) -> anyhow::Result<()> {
    let known = accounts(&mut cluster).await?;
    if key_owner(&known, key).is_none() {
        bail!("{key} is no API key: 'schloss user accounts --output json' shows them");
    }
    security::change(&mut cluster, &SecurityChange::RemoveKey { key: key.to_owned() }).await?;
    output::value(format, &json!({ "removed": key }), &format!("removed the key {key}"))
}
