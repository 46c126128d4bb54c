//! Jobs that wait for the writer: bounded, gathered for a while, closed once.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A bounded queue whose reader takes what gathered during a window.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Something came, or the queue was closed.
    came: Condvar,
    /// Room was made, or the queue was closed.
    room: Condvar,
    len_max: usize,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(len_max: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                closed: false,
            }),
            came: Condvar::new(),
            room: Condvar::new(),
            len_max,
        }
    }

    /// Puts one in and waits for room if there is none; gives it back if the queue is closed.
    pub(super) fn put(&self, one: T) -> Result<(), T> {
        let mut state = self.lock();
        while state.waiting.len() >= self.len_max && !state.closed {
            state = self
                .room
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(one);
        }
        state.waiting.push_back(one);
        drop(state);
        self.came.notify_one();
        Ok(())
    }

    /// Puts one in, or gives it back if there is no room or the queue is closed.
    pub(super) fn put_at_once(&self, one: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed || state.waiting.len() >= self.len_max {
            return Err(one);
        }
        state.waiting.push_back(one);
        drop(state);
        self.came.notify_one();
        Ok(())
    }

    /// Waits for one, then for more until the window is over or `count_max` are there. Nothing
    /// once the queue is closed and empty.
    pub(super) fn gather(&self, window: Duration, count_max: usize) -> Vec<T> {
        let mut state = self.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return Vec::new();
            }
            state = self
                .came
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let end = Instant::now() + window;
        while state.waiting.len() < count_max && !state.closed {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let (next, _) = self
                .came
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
            state = next;
        }
        let count = state.waiting.len().min(count_max);
        let gathered = state.waiting.drain(..count).collect();
        drop(state);
        self.room.notify_all();
        gathered
    }

    /// From now on nothing is taken in.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.came.notify_all();
        self.room.notify_all();
    }

    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_gathered_in_order_and_no_more_than_asked() {
        let queue = Queue::new(10);
        (0..5).for_each(|n| queue.put(n).unwrap());
        assert_eq!(queue.gather(Duration::ZERO, 3), [0, 1, 2]);
        assert_eq!(queue.gather(Duration::ZERO, 3), [3, 4]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_full_queue_makes_the_giver_wait_for_room() {
        let queue = Queue::new(1);
        queue.put(1).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| queue.put(2).unwrap());
            let mut seen = Vec::new();
            while seen.len() < 2 {
                seen.extend(queue.gather(Duration::ZERO, 1));
            }
            assert_eq!(seen, [1, 2]);
        });
    }

    #[test]
    fn a_closed_queue_is_emptied_and_takes_nothing() {
        let queue = Queue::new(2);
        queue.put(1).unwrap();
        queue.close();
        assert_eq!(queue.put(2), Err(2));
        assert_eq!(queue.gather(Duration::from_secs(60), 9), [1]);
        assert!(queue.gather(Duration::from_secs(60), 9).is_empty());
    }
}
