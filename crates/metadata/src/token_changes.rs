//! Making, renewing and ending delegation tokens.

use std::sync::Arc;

use schloss_identity::{TokenHmac, TokenKey};
use schloss_wire::{ErrorCode, Principal};

use crate::error::{MetadataError, Refusal};
use crate::limits::{MAX_TOKEN_RENEWERS, MAX_TOKENS, MAX_TOKENS_PER_OWNER};
use crate::metadata::Metadata;
use crate::random::random_uuid;
use crate::record::{Record, TokenKeyRecord, uuid_text};
use crate::snapshot::Snapshot;
use crate::tokens::{Token, TokenDigest};
use crate::user_changes::ChangeError;

/// Most tokens that one change sweeps away.
const MAX_SWEPT: usize = 10_000;

/// An id that no token ever had: 22 characters, as Kafka makes them.
#[must_use]
pub fn new_token_id() -> String {
    uuid_text(random_uuid())
}

impl Metadata {
    /// The key of all tokens, made when it is first asked for.
    ///
    /// # Errors
    /// There is none, and it can't be kept.
    pub async fn token_key(self: &Arc<Self>) -> Result<Arc<TokenKey>, MetadataError> {
        if let Some(key) = self.snapshot().token_key() {
            return Ok(Arc::clone(key));
        }
        let fresh = TokenKeyRecord::generate();
        self.change(|snapshot| match snapshot.token_key() {
            Some(key) => Ok((Vec::new(), Arc::clone(key))),
            None => Ok((vec![Record::TokenKey(fresh.clone())], Arc::clone(&fresh.0))),
        })
        .await
    }

    /// Keeps a new token.
    ///
    /// # Errors
    /// [`ErrorCode::PolicyViolation`] if there are too many, of its owner or in all, or it has too many renewers.
    pub async fn add_token(self: &Arc<Self>, id: &str, token: Token) -> Result<(), ChangeError> {
        if token.renewers.len() > MAX_TOKEN_RENEWERS {
            let words = format!("A delegation token has at most {MAX_TOKEN_RENEWERS} renewers.");
            return Err(Refusal::new(ErrorCode::PolicyViolation, words).into());
        }
        self.change(|snapshot| {
            let mut records = Vec::new();
            if snapshot.tokens().len() >= MAX_TOKENS {
                records = over(snapshot, token.issued_ms);
            }
            if snapshot.tokens().len() - records.len() >= MAX_TOKENS {
                let words = format!("There can be no more than {MAX_TOKENS} delegation tokens.");
                return Err(Refusal::new(ErrorCode::PolicyViolation, words).into());
            }
            let is_counted = |known: &Token| known.owner == token.owner && !known.is_over(token.issued_ms);
            let of_owner = snapshot.tokens().filter(|(_, known)| is_counted(known)).count();
            if of_owner >= MAX_TOKENS_PER_OWNER {
                let words = format!("A user has no more than {MAX_TOKENS_PER_OWNER} delegation tokens.");
                return Err(Refusal::new(ErrorCode::PolicyViolation, words).into());
            }
            records.push(Record::Token { id: id.to_owned(), token: token.clone() });
            Ok((records, ()))
        })
        .await
    }

    /// Lets a token last for `period_ms` from now on, but no longer than it can; returns its new end.
    ///
    /// # Errors
    /// As Kafka: [`ErrorCode::DelegationTokenNotFound`], then [`ErrorCode::DelegationTokenExpired`], then
    /// [`ErrorCode::DelegationTokenOwnerMismatch`].
    pub async fn renew_token(
        self: &Arc<Self>,
        hmac: &TokenHmac,
        by: &Principal,
        period_ms: i64,
        now_ms: i64,
    ) -> Result<i64, ChangeError> {
        let digest = TokenDigest::from(hmac);
        self.change(|snapshot| {
            let (id, token) = find(snapshot, &digest)?;
            refuse_over(token, now_ms)?;
            refuse_others(token, by)?;
            Ok(moved(id, token, now_ms.saturating_add(period_ms)))
        })
        .await
    }

    /// Lets a token end in `period_ms`, or at once if that is negative; returns its end.
    ///
    /// # Errors
    /// As Kafka: [`ErrorCode::DelegationTokenNotFound`], then [`ErrorCode::DelegationTokenOwnerMismatch`], then
    /// [`ErrorCode::DelegationTokenExpired`].
    pub async fn expire_token(
        self: &Arc<Self>,
        hmac: &TokenHmac,
        by: &Principal,
        period_ms: i64,
        now_ms: i64,
    ) -> Result<i64, ChangeError> {
        let digest = TokenDigest::from(hmac);
        self.change(|snapshot| {
            let (id, token) = find(snapshot, &digest)?;
            refuse_others(token, by)?;
            if period_ms < 0 {
                return Ok((vec![Record::TokenDeleted { id: id.to_owned() }], now_ms));
            }
            refuse_over(token, now_ms)?;
            Ok(moved(id, token, now_ms.saturating_add(period_ms)))
        })
        .await
    }

    /// Takes away tokens that are over; how many there were. What is left after the most that one change takes, the
    /// next one will.
    ///
    /// # Errors
    /// The ledger can't be written. Nobody gets in by such a token all the same.
    pub async fn sweep_tokens(self: &Arc<Self>, now_ms: i64) -> Result<usize, MetadataError> {
        self.change(|snapshot| {
            let records = over(snapshot, now_ms);
            let count = records.len();
            Ok((records, count))
        })
        .await
    }
}

fn over(snapshot: &Snapshot, now_ms: i64) -> Vec<Record> {
    let over = snapshot.tokens().filter(|(_, token)| token.is_over(now_ms)).take(MAX_SWEPT);
    over.map(|(id, _)| Record::TokenDeleted { id: id.to_string() }).collect()
}

fn find<'a>(snapshot: &'a Snapshot, digest: &TokenDigest) -> Result<(&'a str, &'a Token), ChangeError> {
    let found = snapshot.token_by_digest(digest);
    let (id, token) = found.ok_or_else(|| refusal(ErrorCode::DelegationTokenNotFound))?;
    Ok((&**id, &**token))
}

fn refuse_over(token: &Token, now_ms: i64) -> Result<(), ChangeError> {
    if token.is_over(now_ms) { Err(refusal(ErrorCode::DelegationTokenExpired)) } else { Ok(()) }
}

fn refuse_others(token: &Token, by: &Principal) -> Result<(), ChangeError> {
    if token.may_be_changed_by(by) { Ok(()) } else { Err(refusal(ErrorCode::DelegationTokenOwnerMismatch)) }
}

/// The same token with another end.
fn moved(id: &str, token: &Token, end_ms: i64) -> (Vec<Record>, i64) {
    let expiry_ms = end_ms.min(token.max_ms);
    let token = Token { expiry_ms, ..token.clone() };
    (vec![Record::Token { id: id.to_owned(), token }], expiry_ms)
}

fn refusal(code: ErrorCode) -> ChangeError {
    Refusal::new(code, code.name()).into()
}
