//! How many files are open, and which.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use rustix::io::Errno;
use rustix::process::{getrlimit, Resource};

use crate::input::Slot;

/// More files open at once help nobody.
const MOST: usize = 4096;
/// What is open at least: a thread that reads two files in turn should not open one each time.
const LEAST: usize = 8;

/// The files that are open, the one to close next first ("clock": one that was used since its last turn gets another).
pub(crate) struct Pool {
    most: usize,
    open: Mutex<VecDeque<Weak<Slot>>>,
}

impl Pool {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            open: Mutex::new(VecDeque::new()),
        }
    }

    /// The pool of all readers in this process: descriptors are the process's, too. It takes half of what the process may
    /// have, and leaves the limit as it is; less, where the rest of the program needs more than the other half.
    pub(crate) fn of_process() -> &'static Self {
        static POOL: LazyLock<Pool> = LazyLock::new(|| {
            let limit = getrlimit(Resource::Nofile).current;
            // Without a limit, and where it does not fit into a number, there are enough.
            let half = limit.and_then(|limit| usize::try_from(limit / 2).ok());
            Pool::new(half.unwrap_or(MOST).clamp(LEAST, MOST))
        });
        &POOL
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Weak<Slot>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what takes a descriptor; closes files as long as there is none.
    pub(crate) fn with_room(&self, open: impl Fn() -> io::Result<File>) -> io::Result<File> {
        attempt(&mut self.queue(), open)
    }

    /// Keeps a file that was just opened, unless others would have to go for it.
    pub(crate) fn offer(&self, slot: &Arc<Slot>, file: File) {
        let mut queue = self.queue();
        // Those whose readers are gone have closed themselves.
        while queue.len() >= self.most && queue.front().is_some_and(|slot| slot.strong_count() == 0)
        {
            queue.pop_front();
        }
        if queue.len() < self.most {
            slot.hold(Some(Arc::new(file)));
            queue.push_back(Arc::downgrade(slot));
        }
    }

    /// Opens a file that was closed, and closes another for it if need be.
    ///
    /// All this under one lock: it is taken only when there are more files than may be open, and opening one takes
    /// microseconds.
    pub(crate) fn reopen(&self, slot: &Arc<Slot>) -> io::Result<Arc<File>> {
        let mut queue = self.queue();
        // Another thread may have been faster.
        if let Some(file) = slot.held() {
            return Ok(file);
        }
        while queue.len() >= self.most && close_one(&mut queue) {}
        let file = Arc::new(attempt(&mut queue, || slot.open_again())?);
        slot.hold(Some(Arc::clone(&file)));
        queue.push_back(Arc::downgrade(slot));
        Ok(file)
    }
}

fn attempt(
    queue: &mut VecDeque<Weak<Slot>>,
    open: impl Fn() -> io::Result<File>,
) -> io::Result<File> {
    loop {
        match open() {
            Err(error) if is_exhausted(&error) && close_one(queue) => {}
            done => return done,
        }
    }
}

fn is_exhausted(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

/// Closes the file whose turn it is; whether there was one.
fn close_one(queue: &mut VecDeque<Weak<Slot>>) -> bool {
    // After a round all had their second chance; threads that go on reading must not keep us here.
    let mut chances = 0..queue.len();
    while let Some(weak) = queue.pop_front() {
        let Some(slot) = weak.upgrade() else {
            return true;
        };
        if chances.next().is_some() && slot.used.swap(false, Ordering::Relaxed) {
            queue.push_back(weak);
            continue;
        }
        slot.hold(None);
        return true;
    }
    false
}
