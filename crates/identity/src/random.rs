//! Random bytes of the operating system.

use aws_lc_rs::rand;

/// Fresh random bytes.
///
/// # Panics
/// When the operating system has no randomness to give. A predictable nonce, salt or password would be
/// worse than a stopped process, and nothing a peer sends can bring this about.
#[allow(clippy::expect_used)]
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
