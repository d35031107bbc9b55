//! What simulations of groups share.

/// A small generator (xorshift64*), so that a failure names its seed and can be run again.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Rolls the highest number always.
    pub(crate) fn deaf_to_chance() -> Self {
        Self(0)
    }

    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        if self.0 == 0 {
            return sides - 1;
        }
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let roll = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(roll).unwrap() % sides
    }
}
