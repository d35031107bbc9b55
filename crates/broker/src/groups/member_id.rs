//! Ids for new members.

use std::sync::Arc;

use schloss_wire::ErrorCode;

use crate::random::random_id;

/// An id that nobody had before: the name it starts with (client id or instance id, as in Kafka), a dash and a
/// random UUID (RFC 9562, version 4).
///
/// # Errors
/// The system gives no randomness; the client may try again.
pub(crate) fn fresh_member_id(name: &str) -> Result<Arc<str>, ErrorCode> {
    let id = random_id().map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
    let hex = format!("{:032x}", u128::from_be_bytes(id.to_bytes()));
    let [a, b, c, d, e] = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    Ok(format!("{name}-{a}-{b}-{c}-{d}-{e}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_the_name_and_differ() {
        let (one, two) = (fresh_member_id("rdkafka").unwrap(), fresh_member_id("rdkafka").unwrap());
        assert_ne!(one, two);
        let uuid = one.strip_prefix("rdkafka-").unwrap();
        assert_eq!(uuid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(&uuid[14..15], "4");
    }
}
