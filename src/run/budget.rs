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
    workers: usize,
}

struct State {
    queue: VecDeque<Errand>,
    free: u64,
    /// Units that were tried with less and wait for all of the memory: while one waits nothing new is dealt.
    alone: usize,
}

/// Short units are dealt several at a time, so that a worker need not wait for the next: at most so many,
const MOST_TOGETHER: usize = 32;
/// of at most so many estimated seconds together,
const SECONDS_TOGETHER: f64 = 0.05;
/// and at most one part in so many of a worker's share of what is left, so that all end together.
const PARTS: usize = 4;

/// Units for one worker, and the memory reserved for them, one after the other.
pub struct Dealt {
    /// The units, one or more.
    pub errands: Vec<Errand>,
    /// What each may use, bytes.
    pub memory_bytes: u64,
}

impl Budget {
    /// A budget of `total` bytes for `workers` workers; units are dealt in the order of `queue` as far as memory allows.
    pub fn new(queue: VecDeque<Errand>, total: u64, workers: usize) -> Self {
        let workers = workers.max(1);
        let share = total / workers as u64;
        Self { state: Mutex::new(State { queue, free: total, alone: 0 }), freed: Condvar::new(), total, share, workers }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a unit of this estimate is allowed: at least an even share, at most everything.
    fn allowance(&self, estimate: u64) -> u64 {
        estimate.clamp(self.share, self.total)
    }

    /// The next unit whose memory is free, and more of them when they are short; `None` when no unit is left. `before_waiting` is
    /// called once if it comes to a wait for memory, so that whoever waits gives up its own.
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
                let errands = self.with_more(errand, at, &mut state.queue, memory_bytes);
                return Some(Dealt { errands, memory_bytes });
            }
            if !waited {
                waited = true;
                before_waiting();
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The unit and those that follow it at `at`, as long as they are short and fit into the same memory.
    fn with_more(&self, errand: Errand, at: usize, queue: &mut VecDeque<Errand>, memory_bytes: u64) -> Vec<Errand> {
        let most = (queue.len() / (PARTS * self.workers)).min(MOST_TOGETHER - 1);
        let mut seconds = errand.unit.cost_s;
        let mut errands = vec![errand];
        while errands.len() <= most
            && let Some(next) = queue.get(at)
            && seconds + next.unit.cost_s <= SECONDS_TOGETHER
            && next.unit.memory_bytes <= memory_bytes
            && let Some(next) = queue.remove(at)
        {
            seconds += next.unit.cost_s;
            errands.push(next);
        }
        errands
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
        let next = || budget.take(|| ()).map(|dealt| (dealt.errands[0].at, dealt.memory_bytes)).unwrap();
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
                            if dealt.errands[0].at % 10 == 0 {
                                used.lock().unwrap().0 -= held;
                                held = budget.reserve_all(held);
                                used.lock().unwrap().0 += held;
                                assert_eq!(used.lock().unwrap().0, 100);
                            }
                            used.lock().unwrap().0 -= held;
                            budget.release(held);
                            seen.extend(dealt.errands.iter().map(|errand| errand.at));
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
    fn short_units_are_dealt_together_and_long_ones_alone() {
        let mut errands: VecDeque<Errand> = (0..1000).map(|at| errand(at, 1)).collect();
        errands.iter_mut().for_each(|errand| errand.unit.cost_s = if errand.at < 2 { 0.06 } else { 0.001 });
        let budget = Budget::new(errands, 100, 2);
        let mut sizes = Vec::new();
        while let Some(dealt) = budget.take(|| ()) {
            budget.release(dealt.memory_bytes);
            sizes.push(dealt.errands.len());
        }
        assert_eq!((sizes[0], sizes[1], sizes[2], sizes[sizes.len() - 1]), (1, 1, MOST_TOGETHER, 1));
        assert_eq!(sizes.iter().sum::<usize>(), 1000);
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
