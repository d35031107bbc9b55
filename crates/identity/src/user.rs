//! User names that may authenticate.

use thiserror::Error;

/// The longest user name, in bytes of UTF-8. Kafka has no limit; ours keeps audit records small.
pub const MAX_USER_NAME_BYTES: usize = 256;

/// Longest part of a name from outside that is told to the audit log, in characters.
const SHOWN_MAX: usize = 300;

/// A user name that can't be one.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum UserNameError {
    /// No character at all.
    #[error("the user name is empty")]
    Empty,
    /// Longer than [`MAX_USER_NAME_BYTES`].
    #[error("the user name is longer than {MAX_USER_NAME_BYTES} bytes")]
    TooLong,
    /// A character that could forge lines of a log (SASLprep prohibits these, RFC 4013, section 2.3).
    #[error("the user name holds a control character")]
    ControlCharacter,
}

/// Checks a user name before it is stored or looked up.
///
/// # Errors
/// When it is empty, longer than [`MAX_USER_NAME_BYTES`], or holds a control character.
pub fn check_user_name(name: &str) -> Result<(), UserNameError> {
    if name.is_empty() {
        Err(UserNameError::Empty)
    } else if name.len() > MAX_USER_NAME_BYTES {
        Err(UserNameError::TooLong)
    } else if name.chars().any(char::is_control) {
        Err(UserNameError::ControlCharacter)
    } else {
        Ok(())
    }
}

/// A name from outside, such as that of a certificate, as the audit log may show it.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_any_letters_are_accepted_up_to_the_bound() {
        for name in ["a", "CN=a,O=b", "jürgen", "*", &"x".repeat(MAX_USER_NAME_BYTES)] {
            assert_eq!(check_user_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn empty_long_and_control_character_names_are_refused() {
        assert_eq!(check_user_name(""), Err(UserNameError::Empty));
        assert_eq!(check_user_name(&"x".repeat(MAX_USER_NAME_BYTES + 1)), Err(UserNameError::TooLong));
        for name in ["a\0", "a\nb", "\u{7f}", "\u{85}"] {
            assert_eq!(check_user_name(name), Err(UserNameError::ControlCharacter), "{name:?}");
        }
    }

    #[test]
    fn names_are_shown_in_one_line_of_bounded_length() {
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown(&"x".repeat(10_000)).len(), SHOWN_MAX);
    }
}
