//! The host's side: a thread for each connection, within limits.
//!
//! Whoever reaches the port may connect as often as they like, say nothing, send a byte at a time, ask without end or never read:
//!
//! - A frame, or a greeting, must be there within [`Limits::frame`] after the one before was answered; a connection lasts [`Limits::lifetime`] at most.
//! - At most [`Limits::connections`] of a kind are open. One more ends the oldest of its kind: what has been open longest is what has nothing to
//!   say. Kinds are root of a known guest, its other programs, and everybody else, so that none of them keeps out another.
//! - At most [`Limits::per_second`] requests of a kind are looked at; one more is refused unread and ends its connection.
//! - A peer that is not on the list is told so, whatever it asks: what it sends is not looked at.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::frame::{self, Greeting, MOST_REPLY, MOST_REQUEST};
use crate::message::{Kind, Refusal, Reply, Request};
use crate::policy::Policy;
use crate::socket::{Ender, Listener, Peer, Stream, Transport};

/// Wait when the machine has no room for a connection.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a frame that is too long which are read, so that the refusal is.
const MOST_PASSED_OVER: u64 = 1 << 20;
/// Bytes of a thread's stack: what is read is at most 128 levels deep.
const STACK: usize = 512 * 1024;
/// Threads for each connection that may be open: those of connections that were ended may still be at their last request.
const THREADS: usize = 4;

/// How much strangers may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most connections of a kind.
    pub connections: usize,
    /// Longest time for a frame, and for silence before it.
    pub frame: Duration,
    /// Longest time of a connection.
    pub lifetime: Duration,
    /// Requests of a kind in a second.
    pub per_second: NonZeroU32,
    /// Requests of a kind that may come at once before that counts.
    pub burst: u32,
}

/// Who does what is asked.
pub trait Answer: Send + Sync {
    /// Answers a request that is right and allowed.
    fn answer(&self, request: Request) -> Result<Reply, Refusal>;

    /// Hears of what was refused or broke off, which strangers may let happen as often as they like.
    fn refused(&self, peer: &Peer, why: &str);
}

/// Whose limits count for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Root,
    User,
    Stranger,
}

/// What is asked over one connection, whatever carries it.
pub struct Conversation<'a> {
    /// Who asks.
    pub peer: &'a Peer,
    /// What is allowed.
    pub policy: &'a Policy,
    /// How long it may take.
    pub limits: &'a Limits,
    /// Who answers.
    pub answers: &'a dyn Answer,
    /// Whether one more request may be looked at now.
    pub admit: &'a dyn Fn() -> bool,
}

impl Conversation<'_> {
    /// Answers until the other side or a limit ends it.
    pub fn hold(&self, stream: &mut impl Transport) -> Result<(), Error> {
        let end = Instant::now().checked_add(self.limits.lifetime);
        let next = || {
            let next = Instant::now().checked_add(self.limits.frame);
            next.into_iter().chain(end).min()
        };
        stream.until(next());
        let greeting = Greeting::read(stream)?;
        let ours = Greeting::answer(&greeting);
        stream.write_all(&ours.to_bytes())?;
        if ours.chosen == 0 {
            return Err(greeting.no_version());
        }
        loop {
            stream.until(next());
            let bytes = match frame::read(stream, MOST_REQUEST) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(()),
                Err(error) => return self.broken(stream, error),
            };
            let (reply, more) = self.reply(&bytes);
            stream.until(next());
            frame::write(stream, &reply, MOST_REPLY)?;
            if !more {
                return Ok(());
            }
        }
    }

    /// The reply to a frame, and whether another one may follow.
    fn reply(&self, bytes: &[u8]) -> (Vec<u8>, bool) {
        if !self.policy.knows(self.peer) {
            let message = format!("{} is not on the list of who may ask", self.peer);
            return (self.refuse(Refusal::of(Kind::NotAllowed, message)), false);
        }
        if !(self.admit)() {
            let most = self.limits.per_second;
            let message = format!("more than {most} requests in a second: wait for one");
            return (self.refuse(Refusal::of(Kind::TooMany, message)), false);
        }
        let asked = Request::parse(bytes)
            .map_err(|error| Refusal::of(Kind::BadRequest, in_full(&error)))
            .and_then(|request| {
                self.policy.allows(&request, self.peer)?;
                self.answers.answer(request)
            })
            .and_then(|reply| as_frame(&reply));
        (asked.unwrap_or_else(|refusal| self.refuse(refusal)), true)
    }

    /// A refusal's bytes.
    fn refuse(&self, refusal: Refusal) -> Vec<u8> {
        let why = format!("{}: {}", refusal.kind, refusal.message);
        self.answers.refused(self.peer, &why);
        // Text of a bounded length: it always fits, and if it did not, an empty body is no frame.
        Reply::Refused(refusal).to_bytes().unwrap_or_default()
    }

    /// Where no frame can be read, none can follow; why is said if that can be.
    fn broken(&self, stream: &mut impl Transport, error: Error) -> Result<(), Error> {
        if let Error::FrameLength { got, .. } = error {
            if got <= MOST_PASSED_OVER {
                io::copy(&mut Read::by_ref(stream).take(got), &mut io::sink())?;
            }
            let refusal = Refusal::of(Kind::BadRequest, error.to_string());
            frame::write(stream, &self.refuse(refusal), MOST_REPLY)?;
            return Ok(());
        }
        Err(error)
    }
}

/// A reply's bytes, if they may be as many as they are.
fn as_frame(reply: &Reply) -> Result<Vec<u8>, Refusal> {
    let failed = |error: Error| {
        let message = format!("the reply: {}", in_full(&error));
        Refusal::of(Kind::Failed, message)
    };
    let bytes = reply.to_bytes().map_err(failed)?;
    frame::frame(&bytes, MOST_REPLY).map_err(failed)?;
    Ok(bytes)
}

/// An error with its cause, for who gets it as a text.
fn in_full(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) if !error.to_string().ends_with(&source.to_string()) => {
            format!("{error}: {source}")
        }
        _ => error.to_string(),
    }
}

/// Serves for ever.
pub fn serve(listener: &Listener, policy: Policy, limits: Limits, answers: Arc<dyn Answer>) -> ! {
    let server = Arc::new(Server {
        policy,
        limits,
        answers,
        pool: Mutex::default(),
    });
    loop {
        match listener.accept() {
            Ok((stream, peer)) => server.begin(stream, peer),
            // One that is gone again, or no descriptor left: the next one may be better.
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

struct Server {
    policy: Policy,
    limits: Limits,
    answers: Arc<dyn Answer>,
    pool: Mutex<Pool>,
}

/// The open connections, by age.
#[derive(Default)]
struct Pool {
    next: u64,
    open: BTreeMap<u64, (Class, Ender)>,
    threads: BTreeMap<Class, usize>,
    buckets: BTreeMap<Class, Bucket>,
}

impl Server {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn class(&self, peer: &Peer) -> Class {
        match (self.policy.knows(peer), peer.is_root()) {
            (false, _) => Class::Stranger,
            (true, true) => Class::Root,
            (true, false) => Class::User,
        }
    }

    /// Starts a connection, for which another one may have to end.
    fn begin(self: &Arc<Self>, mut stream: Stream, peer: Peer) {
        let class = self.class(&peer);
        let place = match self.place(class, stream.ender()) {
            Some(place) => place,
            None => return self.answers.refused(&peer, "no room for a connection"),
        };
        let thread = thread::Builder::new().stack_size(STACK);
        let spawned = thread.spawn(move || {
            let server = &place.server;
            let conversation = Conversation {
                peer: &peer,
                policy: &server.policy,
                limits: &server.limits,
                answers: &*server.answers,
                admit: &|| server.admit(class),
            };
            if let Err(error) = conversation.hold(&mut stream) {
                server.answers.refused(&peer, &in_full(&error));
            }
        });
        // Its place went with the closure that did not start.
        if let Err(error) = spawned {
            let why = format!("no thread for a connection: {error}");
            self.answers.refused(&peer, &why);
        }
    }

    /// A place for a connection; none while too many that were ended are still there.
    fn place(self: &Arc<Self>, class: Class, ender: Ender) -> Option<Place> {
        let mut pool = self.pool();
        let threads = pool.threads.get(&class).copied().unwrap_or(0);
        let most = self.limits.connections.checked_mul(THREADS)?;
        let more = threads.checked_add(1).filter(|more| *more <= most)?;
        let mine = pool.open.iter().filter(|(_, (of, _))| *of == class);
        let mine: Vec<u64> = mine.map(|(number, _)| *number).collect();
        let oldest = mine
            .first()
            .filter(|_| mine.len() >= self.limits.connections);
        if let Some((_, oldest)) = oldest.and_then(|number| pool.open.remove(number)) {
            oldest.end();
        }
        let number = pool.next;
        // A connection each nanosecond would take 584 years.
        pool.next = number.wrapping_add(1);
        pool.open.insert(number, (class, ender));
        pool.threads.insert(class, more);
        Some(Place {
            server: Arc::clone(self),
            class,
            number,
        })
    }

    fn admit(&self, class: Class) -> bool {
        let mut pool = self.pool();
        let bucket = pool.buckets.entry(class).or_default();
        bucket.admit(Instant::now(), self.limits.per_second, self.limits.burst)
    }
}

/// Gives a connection's place back, whatever ends it.
struct Place {
    server: Arc<Server>,
    class: Class,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut pool = self.server.pool();
        pool.open.remove(&self.number);
        if let Some(threads) = pool.threads.get_mut(&self.class) {
            // It was counted when the place was given.
            *threads = threads.saturating_sub(1);
        }
    }
}

/// Counts what comes against what may come in a second.
#[derive(Debug, Default)]
pub struct Bucket {
    /// When all that came would have come, had it come evenly.
    until: Option<Instant>,
}

impl Bucket {
    /// Whether one more may come at `now`, of `per_second` evenly, or `burst` at once beyond that.
    pub fn admit(&mut self, now: Instant, per_second: NonZeroU32, burst: u32) -> bool {
        let each = Duration::from_secs(1)
            .checked_div(per_second.get())
            .unwrap_or_default();
        let until = self.until.map_or(now, |until| until.max(now));
        let ahead = until.duration_since(now);
        let Some(next) = until.checked_add(each) else {
            return false;
        };
        let most = each.checked_mul(burst).unwrap_or(Duration::MAX);
        if ahead > most {
            return false;
        }
        self.until = Some(next);
        true
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_evenly() {
        let mut bucket = Bucket::default();
        let per_second = NonZeroU32::new(10).unwrap();
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let admitted = |bucket: &mut Bucket, ms| {
            let tries = std::iter::repeat_with(|| bucket.admit(at(ms), per_second, 3));
            tries.take_while(|admitted| *admitted).count()
        };
        assert_eq!(admitted(&mut bucket, 0), 4);
        assert_eq!(admitted(&mut bucket, 50), 0);
        assert_eq!(admitted(&mut bucket, 100), 1);
        assert_eq!(admitted(&mut bucket, 300), 2);
        // Silence is saved up no further than the burst.
        assert_eq!(admitted(&mut bucket, 60_000), 4);
        // A time before the last one, as another thread may have it.
        assert_eq!(admitted(&mut bucket, 59_999), 0);
    }
}
