//! Waking, slowing down and stopping work in the background.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::round::Stopped;

/// Most bytes read and written in a second: enough to keep up, and little enough to leave the disk to others.
const BYTES_PER_SECOND: u64 = 64 * 1024 * 1024;

/// What others tell the thread that keeps logs small.
#[derive(Default)]
pub(super) struct Control {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_stopping: bool,
    is_woken: bool,
}

impl Control {
    /// Has the next turn begin at once.
    pub(super) fn wake(&self) {
        self.state.lock().is_woken = true;
        self.changed.notify_all();
    }

    /// Has all work end soon.
    pub(super) fn stop(&self) {
        self.state.lock().is_stopping = true;
        self.changed.notify_all();
    }

    /// Takes a stop back.
    #[cfg(test)]
    pub(super) fn go_on(&self) {
        self.state.lock().is_stopping = false;
    }

    pub(super) fn check(&self) -> Result<(), Stopped> {
        if self.state.lock().is_stopping { Err(Stopped) } else { Ok(()) }
    }

    /// Waits for the next turn, for `most` at most.
    pub(super) fn next_turn(&self, most: Duration) -> Result<(), Stopped> {
        let until = Instant::now() + most;
        let mut state = self.state.lock();
        self.changed.wait_while_until(&mut state, |state| !(state.is_stopping || state.is_woken), until);
        state.is_woken = false;
        if state.is_stopping { Err(Stopped) } else { Ok(()) }
    }

    /// Waits until `due`.
    fn pause(&self, due: Instant) -> Result<(), Stopped> {
        let mut state = self.state.lock();
        self.changed.wait_while_until(&mut state, |state| !state.is_stopping, due);
        if state.is_stopping { Err(Stopped) } else { Ok(()) }
    }
}

/// Keeps work at a steady pace.
pub(super) struct Pace<'a> {
    control: &'a Control,
    next: Mutex<Instant>,
}

impl<'a> Pace<'a> {
    pub(super) fn new(control: &'a Control) -> Self {
        Self { control, next: Mutex::new(Instant::now()) }
    }

    /// Waits until `bytes` more may be read or written.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), Stopped> {
        let due = {
            let mut next = self.next.lock();
            let due = (*next).max(Instant::now());
            *next = due + Duration::from_nanos(bytes as u64 * 1_000_000_000 / BYTES_PER_SECOND);
            due
        };
        self.control.pause(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_its_time_and_ends_at_once_when_told_to() {
        let control = Control::default();
        let pace = Pace::new(&control);
        let begun = Instant::now();
        for _ in 0..3 {
            pace.spend(usize::try_from(BYTES_PER_SECOND / 50).unwrap()).unwrap();
        }
        assert!(begun.elapsed() >= Duration::from_millis(40));
        std::thread::scope(|scope| {
            pace.spend(usize::MAX >> 32).unwrap();
            let waiting = scope.spawn(|| pace.spend(1));
            control.stop();
            assert_eq!(waiting.join().unwrap(), Err(Stopped));
        });
        assert_eq!((control.check(), control.next_turn(Duration::MAX / 4)), (Err(Stopped), Err(Stopped)));
    }

    #[test]
    fn who_is_woken_does_not_wait_and_waits_the_next_time() {
        let control = Control::default();
        control.wake();
        assert_eq!(control.next_turn(Duration::from_secs(600)), Ok(()));
        assert_eq!(control.next_turn(Duration::from_millis(1)), Ok(()));
    }
}
