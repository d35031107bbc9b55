//! A topic id as 32 hexadecimal digits, for `serde(with)`.

use schloss_wire::Uuid;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};
use std::borrow::Cow;

pub(crate) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{:032x}", u128::from_be_bytes(id.to_bytes())))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    let id = u128::from_str_radix(&text, 16).map_err(|_| D::Error::custom("topic id is not hexadecimal"))?;
    Ok(Uuid::from_bytes(id.to_be_bytes()))
}
