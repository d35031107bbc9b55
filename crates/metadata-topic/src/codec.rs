//! One record as it lies in the topic: sealed where it is secret, and authenticated always.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use schloss_keys::{KeyError, Sealer, SealingKey, TAG_BYTES, Tagger};
use schloss_metadata::{MetadataError, Record};
use schloss_wire::{StrBytes, records};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::place::{Place, is_deletion};

/// The header that every record of ours has, tombstones too.
const MARK_HEADER: &str = "schloss";
/// The version of mark and value.
const VERSION: u8 = 1;
/// Longest mark that is looked at, in bytes; ours have some 120.
const MAX_MARK_BYTES: usize = 512;

/// A digest over all that is said and not taken back.
pub(crate) type Digest = [u8; TAG_BYTES];

/// Writes and reads records, bound to one topic of one cluster.
pub(crate) struct Codec {
    key_id: String,
    cluster_id: String,
    topic: String,
    sealer: Sealer,
    marks: Tagger,
    items: Tagger,
}

/// Shows that a record is ours: which key made it, of which change it is part, and a tag over all of it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Mark<'a> {
    v: u8,
    key: &'a str,
    change: u64,
    tag: &'a str,
}

/// The value of a record: what is said for all who may read the topic, or the same sealed, in base64.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Value<T> {
    v: u8,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    record: Option<T>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

/// What one record of ours says.
#[derive(Debug, PartialEq)]
pub(crate) struct Word {
    pub(crate) key: Box<[u8]>,
    /// The number of its change, from 1 on.
    pub(crate) change: u64,
    pub(crate) what: What,
}

#[derive(Debug, PartialEq)]
pub(crate) enum What {
    /// This holds now.
    Said(Record),
    /// It is gone; `None` if nothing of ours can be there under such a key.
    Gone(Option<Record>),
    /// What the state amounts to after the change.
    Head(Digest),
}

/// Why a record is not taken.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub(crate) enum Fault {
    /// No gateway wrote it, or not like this and not here.
    #[error("{0}")]
    Forged(&'static str),
    /// It says that it was made with a key of this id, which is not ours.
    #[error("it is made with the key of id {0}")]
    OtherKey(String),
    /// It is ours, and made by a version that knows more.
    #[error("it is made by a newer version: {0}")]
    Unreadable(String),
}

impl Fault {
    /// A record of ours that somebody wrote once more.
    pub(crate) const COPY: Self = Self::Forged("it is a copy of an earlier record");
}

impl Codec {
    pub(crate) fn new(key: &SealingKey, cluster_id: &str, topic: &str) -> Self {
        Self {
            key_id: key.id(),
            cluster_id: cluster_id.to_owned(),
            topic: topic.to_owned(),
            sealer: key.sealer("metadata topic: values"),
            marks: key.tagger("metadata topic: marks"),
            items: key.tagger("metadata topic: items"),
        }
    }

    pub(crate) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// What a live key adds to the digest. XOR of these is the digest of a set: nobody sees them or the digest,
    /// so nobody can find another set with the same one.
    pub(crate) fn item(&self, key: &[u8], change: u64) -> Digest {
        self.items.tag(&[key, &change.to_be_bytes()])
    }

    /// The record that says the last word of a change about its thing, with its key.
    ///
    /// # Errors
    /// [`MetadataError::Unsupported`] for records that only a broker has.
    pub(crate) fn write(&self, record: &Record, change: u64) -> Result<records::Record, MetadataError> {
        let place =
            Place::of(record).ok_or(MetadataError::Unsupported("topics, settings and producer ids"))?;
        let key = place.key().map_err(unwritable)?;
        if is_deletion(record) {
            return self.tombstone(&key, change);
        }
        let value = if place.is_secret() {
            self.sealed(&key, record)?
        } else {
            serde_json::to_vec(&Value { v: VERSION, record: Some(record), sealed: None })
                .map_err(unwritable)?
        };
        self.marked(&key, change, Some(value))
    }

    /// The record that says what a change leads to.
    pub(crate) fn write_head(&self, digest: &Digest, change: u64) -> Result<records::Record, MetadataError> {
        let key = Place::Head.key().map_err(unwritable)?;
        let value = self.sealed(&key, &STANDARD_NO_PAD.encode(digest))?;
        self.marked(&key, change, Some(value))
    }

    /// The record that says that nothing is there.
    pub(crate) fn tombstone(&self, key: &[u8], change: u64) -> Result<records::Record, MetadataError> {
        self.marked(key, change, None)
    }

    fn sealed(&self, key: &[u8], record: &impl Serialize) -> Result<Vec<u8>, MetadataError> {
        let mut plain = Zeroizing::new(Vec::with_capacity(4096));
        serde_json::to_writer(&mut *plain, record).map_err(unwritable)?;
        let sealed = self
            .sealer
            .seal(&self.aad(key), &plain)
            .map_err(|error: KeyError| MetadataError::Unavailable(error.to_string()))?;
        let sealed = Some(STANDARD_NO_PAD.encode(sealed));
        serde_json::to_vec(&Value::<()> { v: VERSION, record: None, sealed }).map_err(unwritable)
    }

    fn marked(
        &self,
        key: &[u8],
        change: u64,
        value: Option<Vec<u8>>,
    ) -> Result<records::Record, MetadataError> {
        let tag =
            STANDARD_NO_PAD.encode(self.marks.tag(&self.parts(key, &change.to_be_bytes(), value.as_deref())));
        let mark = Mark { v: VERSION, key: &self.key_id, change, tag: &tag };
        Ok(records::Record {
            attributes: 0,
            timestamp_delta: 0,
            offset_delta: 0,
            key: Some(Bytes::copy_from_slice(key)),
            value: value.map(Bytes::from),
            headers: vec![records::RecordHeader {
                key: StrBytes::from(MARK_HEADER),
                value: Some(serde_json::to_vec(&mark).map_err(unwritable)?.into()),
            }],
        })
    }

    /// A record with any value and a right tag, which only a gateway of another version would write.
    #[cfg(test)]
    pub(crate) fn remarked(&self, key: &[u8], change: u64, value: &[u8]) -> records::Record {
        self.marked(key, change, Some(value.to_vec())).unwrap()
    }

    /// Reads a record.
    ///
    /// # Errors
    /// Why it is not taken. Nothing of the value is looked at before the tag is found right.
    pub(crate) fn read(&self, record: &records::Record) -> Result<Word, Fault> {
        let key = record.key.as_deref().ok_or(Fault::Forged("it has no key"))?;
        let [header] = record.headers.as_slice() else {
            return Err(Fault::Forged("it lacks our mark"));
        };
        let mark = header
            .value
            .as_deref()
            .filter(|mark| header.key.as_str() == MARK_HEADER && mark.len() <= MAX_MARK_BYTES)
            .and_then(|mark| serde_json::from_slice::<Mark<'_>>(mark).ok())
            .ok_or(Fault::Forged("it lacks our mark"))?;
        if mark.key != self.key_id {
            return Err(Fault::OtherKey(
                mark.key.chars().filter(char::is_ascii_alphanumeric).take(32).collect(),
            ));
        }
        let value = record.value.as_deref();
        let tag = STANDARD_NO_PAD.decode(mark.tag).unwrap_or_default();
        if !self.marks.verify(&self.parts(key, &mark.change.to_be_bytes(), value), &tag) {
            return Err(Fault::Forged("its tag is wrong: it was changed, or written by somebody else"));
        }
        let what = match value {
            None => What::Gone(Place::parse(key).and_then(Place::gone)),
            Some(value) => self.open(key, value)?,
        };
        Ok(Word { key: key.into(), change: mark.change, what })
    }

    fn open(&self, key: &[u8], value: &[u8]) -> Result<What, Fault> {
        // The tag was right, so a gateway wrote this; what we don't understand must be newer than we.
        let newer = |detail: String| Fault::Unreadable(detail);
        let place = Place::parse(key).ok_or_else(|| newer("it is about something unknown".to_owned()))?;
        let value: Value<Record> = serde_json::from_slice(value).map_err(|error| newer(error.to_string()))?;
        if value.v != VERSION {
            return Err(newer(format!("its version is {}", value.v)));
        }
        let record = match (value.record, value.sealed) {
            (Some(record), None) => record,
            (None, Some(text)) => {
                let sealed = STANDARD_NO_PAD.decode(text).map_err(|error| newer(error.to_string()))?;
                let plain = self
                    .sealer
                    .open(&self.aad(key), &sealed)
                    .map_err(|_| Fault::Forged("its sealed value belongs elsewhere"))?;
                if place == Place::Head {
                    return digest(&plain).map(What::Head).ok_or_else(|| newer("the digest".to_owned()));
                }
                // The error could quote a secret.
                serde_json::from_slice(&plain).map_err(|_| newer("its sealed value".to_owned()))?
            }
            _ => return Err(newer("it says nothing, or two things".to_owned())),
        };
        if Place::of(&record).as_ref() != Some(&place) || is_deletion(&record) {
            return Err(newer("it is about something else than its key says".to_owned()));
        }
        Ok(What::Said(record))
    }

    fn parts<'a>(&'a self, key: &'a [u8], change: &'a [u8; 8], value: Option<&'a [u8]>) -> [&'a [u8]; 6] {
        let kind: &[u8] = if value.is_some() { b"said" } else { b"gone" };
        [self.cluster_id.as_bytes(), self.topic.as_bytes(), key, change, kind, value.unwrap_or_default()]
    }

    /// Where sealed bytes belong.
    fn aad(&self, key: &[u8]) -> Vec<u8> {
        let mut aad = Vec::new();
        for part in [self.cluster_id.as_bytes(), self.topic.as_bytes(), key] {
            aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
            aad.extend_from_slice(part);
        }
        aad
    }
}

fn digest(plain: &[u8]) -> Option<Digest> {
    let text: &str = serde_json::from_slice(plain).ok()?;
    STANDARD_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn unwritable(error: serde_json::Error) -> MetadataError {
    MetadataError::Record(error.to_string())
}
