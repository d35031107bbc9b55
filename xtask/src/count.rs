//! How many tests passed, failed and were skipped.

use std::fmt;
use std::ops::AddAssign;

/// Sums over all runners.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Count {
    /// Adds up the `test result:` lines of `cargo test`.
    pub(crate) fn of_cargo(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines().filter(|line| line.starts_with("test result:")) {
            sum += Self {
                passed: number_before(line, " passed"),
                failed: number_before(line, " failed"),
                skipped: number_before(line, " ignored"),
            };
        }
        sum
    }

    /// Reads the closing line of pytest, such as `3 passed, 1 skipped in 2.00s`.
    pub(crate) fn of_pytest(output: &str) -> Self {
        let closing = output.lines().rev().find(|line| {
            let line = line.trim_start_matches(['=', ' ']);
            line.starts_with(|c: char| c.is_ascii_digit()) && line.contains(" in ")
        });
        closing.map_or_else(Self::default, |line| Self {
            passed: number_before(line, " passed"),
            failed: number_before(line, " failed") + number_before(line, " error"),
            skipped: number_before(line, " skipped") + number_before(line, " xfailed"),
        })
    }
}

fn number_before(line: &str, word: &str) -> u64 {
    let before = line.split_once(word).map_or("", |(before, _)| before);
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_both_runners_are_read() {
        let cargo = "test result: ok. 13 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                     test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(Count::of_cargo(cargo), Count { passed: 15, failed: 4, skipped: 1 });
        let pytest =
            "tests/a.py ..\n===== 1 failed, 20 passed, 3 skipped, 2 errors in 61.03s (0:01:01) =====\n";
        assert_eq!(Count::of_pytest(pytest), Count { passed: 20, failed: 3, skipped: 3 });
        let quiet = "5.07s call     tests/a.py::test\n81 passed in 84.38s (0:01:24)\n";
        assert_eq!(Count::of_pytest(quiet), Count { passed: 81, failed: 0, skipped: 0 });
        assert_eq!(Count::of_pytest(""), Count::default());
    }
}
