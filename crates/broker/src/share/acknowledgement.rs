//! What members say of records that they were given.

use schloss_wire::ErrorCode;

/// What becomes of records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Nothing is at these offsets.
    Gap,
    Accept,
    /// They are to be delivered once more.
    Release,
    /// They are never to be delivered again.
    Reject,
    /// The member goes on working on them (KIP-1222).
    Renew,
}

/// The largest number of a kind in requests that know no renewal.
const REJECT: i8 = 3;
/// The largest number of a kind.
const RENEW: i8 = 4;

impl Kind {
    const fn of(number: i8) -> Option<Self> {
        match number {
            0 => Some(Self::Gap),
            1 => Some(Self::Accept),
            2 => Some(Self::Release),
            REJECT => Some(Self::Reject),
            RENEW => Some(Self::Renew),
            _ => None,
        }
    }
}

/// What becomes of the records from offset `first` to `last`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Acknowledgement {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) kind: Kind,
}

impl Acknowledgement {
    /// Reads batches as requests have them: first offset, last offset, and one kind for all or one for each
    /// offset.
    ///
    /// # Errors
    /// INVALID_REQUEST unless they are in order and each has as many kinds as it should, of those up to
    /// Reject, or up to Renew if `may_renew`.
    pub(crate) fn read_all<'a>(
        batches: impl Iterator<Item = (i64, i64, &'a [i8])>,
        may_renew: bool,
    ) -> Result<Vec<Self>, ErrorCode> {
        let max_kind = if may_renew { RENEW } else { REJECT };
        let (mut all, mut next) = (Vec::new(), 0);
        for (first, last, kinds) in batches {
            let length = last.checked_sub(first).and_then(|gap| usize::try_from(gap).ok());
            let fits = length.is_some_and(|gap| kinds.len() == 1 || Some(kinds.len()) == gap.checked_add(1));
            if first < next || last == i64::MAX || !fits {
                return Err(ErrorCode::InvalidRequest);
            }
            next = last + 1;
            let one_for_all = kinds.len() == 1;
            for (offset, number) in (first..).zip(kinds) {
                let kind =
                    Kind::of(*number).filter(|_| *number <= max_kind).ok_or(ErrorCode::InvalidRequest)?;
                let until = if one_for_all { last } else { offset };
                push(&mut all, Self { first: offset, last: until, kind });
            }
        }
        Ok(all)
    }
}

/// Puts one behind the others; what follows another of its kind becomes one with it.
fn push(all: &mut Vec<Acknowledgement>, one: Acknowledgement) {
    match all.last_mut() {
        Some(before) if before.kind == one.kind && before.last + 1 == one.first => before.last = one.last,
        _ => all.push(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(batches: &[(i64, i64, &[i8])], may_renew: bool) -> Result<Vec<(i64, i64, Kind)>, ErrorCode> {
        let all = Acknowledgement::read_all(batches.iter().copied(), may_renew)?;
        Ok(all.iter().map(|one| (one.first, one.last, one.kind)).collect())
    }

    #[test]
    fn a_kind_is_for_all_or_for_each() {
        let all = read(&[(0, 9, &[1]), (10, 13, &[2, 2, 0, 3])], false).unwrap();
        assert_eq!(
            all,
            [(0, 9, Kind::Accept), (10, 11, Kind::Release), (12, 12, Kind::Gap), (13, 13, Kind::Reject)]
        );
        assert_eq!(read(&[(3, 4, &[1]), (5, 5, &[1])], false).unwrap(), [(3, 5, Kind::Accept)]);
        assert_eq!(read(&[], false), Ok(Vec::new()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let wrong: [&[(i64, i64, &[i8])]; 9] = [
            &[(1, 0, &[1])],
            &[(-1, 0, &[1])],
            &[(0, 1, &[])],
            &[(0, 2, &[1, 1])],
            &[(0, 0, &[4])],
            &[(0, 0, &[-1])],
            &[(0, 3, &[1]), (3, 4, &[1])],
            &[(0, i64::MAX, &[1])],
            &[(i64::MIN, i64::MAX - 1, &[1])],
        ];
        for batches in wrong {
            assert_eq!(read(batches, false), Err(ErrorCode::InvalidRequest), "{batches:?}");
        }
        assert_eq!(read(&[(0, 0, &[4])], true), Ok(vec![(0, 0, Kind::Renew)]));
        assert_eq!(read(&[(0, 0, &[5])], true), Err(ErrorCode::InvalidRequest));
    }
}
