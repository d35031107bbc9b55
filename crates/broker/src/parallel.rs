//! The same work on many things at once, where most of it is waiting for the disk.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Threads at most. File systems commit what several threads flush at once together, so more than there are
/// cores pay off.
const MAX_THREADS: usize = 16;

/// Does `work` on each of `items`, several at a time; the results are in the same order. Blocks.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(position) else { return };
            let result = work(item);
            results.lock().push((position, result));
        }
    };
    match items.len() {
        0 => {}
        // No thread is started for the usual case of one.
        1 => run(),
        count => std::thread::scope(|scope| {
            for _ in 0..count.min(MAX_THREADS) {
                scope.spawn(run);
            }
        }),
    }
    let mut results = results.into_inner();
    results.sort_unstable_by_key(|(position, _)| *position);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items() {
        for count in [0, 1, 2, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(in_parallel(&items, |item| item * 2), doubled);
        }
    }
}
