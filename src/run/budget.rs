//! Units still to be dealt, and the memory that those under way have reserved: a unit is dealt when its estimate fits beside theirs,
//! so that the sum of what the workers may use never exceeds `run.memory_gib`.

use super::pool::Errand;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The queue of units and the memory that is free.
pub struct Budget {
    state: Mutex<State>,
    freed: Condvar,
    /// All memory, bytes.
    total: u64,
    /// What a unit gets in any case: an even share of a worker, bytes.
    share: u64,
}

struct State {
    queue: VecDeque<Errand>,
    free: u64,
    /// Units that were tried with less and wait for all of the memory: while one waits nothing new is dealt.
    alone: usize,
}

/// A unit and the memory reserved for it.
pub struct Dealt {
    /// The unit.
    pub errand: Errand,
    /// What it may use, bytes.
    pub memory_bytes: u64,
}

impl Budget {
    /// A budget of `total` bytes for `workers` workers; units are dealt in the order of `queue` as far as memory allows.
    pub fn new(queue: VecDeque<Errand>, total: u64, workers: usize) -> Self {
        let share = total / workers.max(1) as u64;
        Self { state: Mutex::new(State { queue, free: total, alone: 0 }), freed: Condvar::new(), total, share }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a unit of this estimate is allowed: at least an even share, at most everything.
    fn allowance(&self, estimate: u64) -> u64 {
        estimate.clamp(self.share, self.total)
    }

    /// The next unit whose memory is free now, or, once that is so, after a wait; `None` when no unit is left. `before_waiting` is
    /// called once if it comes to a wait, so that whoever waits gives up memory of its own.
    pub fn take(&self, mut before_waiting: impl FnMut()) -> Option<Dealt> {
        let mut state = self.state();
        let mut waited = false;
        loop {
            if state.queue.is_empty() {
                return None;
            }
            let fits = |errand: &Errand| self.allowance(errand.unit.memory_bytes) <= state.free;
            if state.alone == 0
                && let Some(at) = state.queue.iter().position(fits)
                && let Some(errand) = state.queue.remove(at)
            {
                let memory_bytes = self.allowance(errand.unit.memory_bytes);
                state.free -= memory_bytes;
                return Some(Dealt { errand, memory_bytes });
            }
            if !waited {
                waited = true;
                before_waiting();
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives memory back.
    pub fn release(&self, bytes: u64) {
        self.state().free += bytes;
        self.freed.notify_all();
    }

    /// Changes a reservation of `held` bytes into one of all the memory, after everybody else is through. Returns what is now held.
    pub fn reserve_all(&self, held: u64) -> u64 {
        let mut state = self.state();
        state.free += held;
        state.alone += 1;
        self.freed.notify_all();
        while state.free < self.total {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.free = 0;
        state.alone -= 1;
        self.total
    }

    /// Takes all units that nobody has begun.
    pub fn drain(&self) -> Vec<Errand> {
        let drained = self.state().queue.drain(..).collect();
        self.freed.notify_all();
        drained
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::errand;
    use std::sync::Arc;

    fn budget(estimates: &[u64], total: u64, workers: usize) -> Budget {
        Budget::new(estimates.iter().enumerate().map(|(at, &bytes)| errand(at, bytes)).collect(), total, workers)
    }

    #[test]
    fn small_units_get_an_even_share_and_large_ones_what_they_need() {
        let budget = budget(&[10, 60, 10, 500], 100, 4);
        let next = || budget.take(|| ()).map(|dealt| (dealt.errand.at, dealt.memory_bytes)).unwrap();
        assert_eq!(next(), (0, 25));
        assert_eq!(next(), (1, 60));
        budget.release(25);
        budget.release(60);
        assert_eq!(next(), (2, 25));
        budget.release(25);
        assert_eq!(next(), (3, 100), "more than there is: alone");
    }

    #[test]
    fn what_fits_goes_before_what_does_not_and_nothing_is_lost() {
        let estimates: Vec<u64> = (0..200).map(|at| [5, 90, 30, 55, 100][at % 5]).collect();
        let budget = Arc::new(budget(&estimates, 100, 4));
        let used = Arc::new(Mutex::new((0_u64, 0_u64)));
        let seen: Vec<usize> = std::thread::scope(|scope| {
            let tenders: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut seen = Vec::new();
                        while let Some(dealt) = budget.take(|| ()) {
                            {
                                let mut used = used.lock().unwrap();
                                used.0 += dealt.memory_bytes;
                                used.1 = used.1.max(used.0);
                            }
                            std::thread::yield_now();
                            let mut held = dealt.memory_bytes;
                            // Every tenth turns out to need more, and is tried again alone.
                            if dealt.errand.at % 10 == 0 {
                                used.lock().unwrap().0 -= held;
                                held = budget.reserve_all(held);
                                used.lock().unwrap().0 += held;
                                assert_eq!(used.lock().unwrap().0, 100);
                            }
                            used.lock().unwrap().0 -= held;
                            budget.release(held);
                            seen.push(dealt.errand.at);
                        }
                        seen
                    })
                })
                .collect();
            tenders.into_iter().flat_map(|tender| tender.join().unwrap()).collect()
        });
        assert!(used.lock().unwrap().1 <= 100, "{:?}", used.lock().unwrap());
        let mut seen = seen;
        seen.sort_unstable();
        assert_eq!(seen, (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn whoever_waits_is_told_once_and_a_drained_queue_ends_the_wait() {
        let budget = Arc::new(budget(&[100, 100], 100, 2));
        let first = budget.take(|| ()).unwrap();
        let waiting = {
            let budget = Arc::clone(&budget);
            std::thread::spawn(move || {
                let mut told = 0;
                let dealt = budget.take(|| told += 1);
                (told, dealt.is_none())
            })
        };
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(budget.drain().len(), 1);
        assert_eq!(waiting.join().unwrap(), (1, true));
        budget.release(first.memory_bytes);
    }
}
