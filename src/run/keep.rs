//! One thread puts finished units on disk, several at a time: what came in while the disk was busy is written together and waited
//! for once. So a slow sync costs the workers nothing, and a unit counts as finished only when it is on disk.

use super::pool::{Done, Message};
use super::store::Store;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};

/// Most units written together: enough that a sync is shared, few enough that little is lost when the power goes.
const MOST_TOGETHER: usize = 64;

/// Where finished units are handed in.
#[derive(Clone)]
pub struct Keeper {
    to: SyncSender<Box<Done>>,
    pending: Arc<AtomicUsize>,
}

impl Keeper {
    /// Starts the thread; it tells `to` of each unit that is kept, and ends when nobody hands in any more.
    pub fn start(store: Store, to: Sender<Message>) -> Self {
        let (hand_in, from) = sync_channel(4 * MOST_TOGETHER);
        let pending = Arc::new(AtomicUsize::new(0));
        let open = Arc::clone(&pending);
        std::thread::spawn(move || keep(&store, &from, &to, &open));
        Self { to: hand_in, pending }
    }

    /// Hands in a finished unit; waits when very many are waiting already. False when the run has ended.
    pub fn hand_in(&self, done: Done) -> bool {
        self.pending.fetch_add(1, Ordering::SeqCst);
        self.to.send(Box::new(done)).is_ok()
    }

    /// A view of how many units are handed in and not yet on disk.
    pub fn pending(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.pending)
    }
}

fn keep(store: &Store, from: &Receiver<Box<Done>>, to: &Sender<Message>, open: &AtomicUsize) {
    while let Ok(first) = from.recv() {
        let mut several = vec![first];
        while several.len() < MOST_TOGETHER
            && let Ok(next) = from.try_recv()
        {
            several.push(next);
        }
        let results = store.save_all(several.iter().map(|done| &done.stored));
        let n = several.len();
        for (done, result) in several.into_iter().zip(results) {
            let message = match result {
                Ok(()) => Message::Kept(done),
                Err(error) => Message::Lost(error),
            };
            if to.send(message).is_err() {
                return;
            }
        }
        open.fetch_sub(n, Ordering::SeqCst);
    }
}
