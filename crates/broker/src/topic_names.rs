//! What a topic may be called (`org.apache.kafka.common.internals.Topic`).

/// Longest topic name; with `-<partition>` it still fits a file name of 255 bytes.
pub(crate) const MAX_TOPIC_NAME_BYTES: usize = 249;

/// Checks a topic name by Kafka's rules.
///
/// # Errors
/// What is wrong with it, in words for the user. The name itself is not repeated: it is untrusted and may
/// be long.
pub(crate) fn check_topic_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("topic name is illegal, it can't be empty".to_owned());
    }
    if name == "." || name == ".." {
        return Err("topic name is illegal, it can't be '.' or '..'".to_owned());
    }
    if name.len() > MAX_TOPIC_NAME_BYTES {
        return Err(format!(
            "topic name is illegal, it can't be longer than {MAX_TOPIC_NAME_BYTES} characters: this one has {}",
            name.len()
        ));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
        return Err("topic name is illegal, it contains a character other than ASCII alphanumerics, '.', \
                    '_' and '-'"
            .to_owned());
    }
    Ok(())
}

/// Whether two different names would be one in Kafka's metrics, where '.' and '_' are the same; Kafka
/// refuses to create the second, and so do we.
pub(crate) fn collide(one: &str, other: &str) -> bool {
    let unified = |byte: u8| if byte == b'.' { b'_' } else { byte };
    one != other && one.len() == other.len() && one.bytes().map(unified).eq(other.bytes().map(unified))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_the_directory_are_refused() {
        for name in ["", ".", "..", "../x", "a/b", "a\\b", "a\0b", "a b", "ä", "a:b", "a\nb"] {
            assert!(check_topic_name(name).is_err(), "{name:?}");
        }
        assert!(check_topic_name(&"a".repeat(250)).is_err());
    }

    #[test]
    fn kafkas_names_are_accepted() {
        for name in ["orders", "a.b_c-d", "...", "__consumer_offsets", "0"] {
            assert_eq!(check_topic_name(name), Ok(()), "{name}");
        }
        assert_eq!(check_topic_name(&"a".repeat(249)), Ok(()));
    }

    #[test]
    fn a_dot_and_an_underscore_collide() {
        assert!(collide("a.b", "a_b") && collide("a_b.c", "a.b_c"));
        assert!(!collide("a.b", "a.b") && !collide("a.b", "a-b") && !collide("a.b", "a.bc"));
    }
}
