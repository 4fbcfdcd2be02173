//! Looking again and again, with the digests computed beside.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use steps::{Record, Report, Silent, Watcher};

use crate::bar::Bar;
use crate::facts::{Image, State};
use crate::inspect::{self, Context, DIGESTS};

/// What the thread that computes digests tells.
pub(crate) enum Message {
    /// So many bytes of all images are done, of so many that are to be read.
    Progress(u64, u64),
    /// It has ended; the images as it left them.
    Done(Vec<Image>, Option<Record>),
}

/// Looks at everything over and over; what takes long happens in a thread of its own.
pub(crate) struct Watch {
    context: Context,
    digests: bool,
    sender: Sender<Message>,
    receiver: Receiver<Message>,
    verification: Option<Verification>,
}

/// A verification that goes on or is over.
struct Verification {
    /// What is verified: images that change meanwhile make it worthless.
    of: Vec<Identity>,
    bar: Bar,
    result: Option<(Vec<Image>, Option<Record>)>,
}

/// An image's description, and what the file system says of its file.
#[derive(PartialEq)]
struct Identity {
    file: String,
    fsverity: String,
    size: u64,
    /// Device, inode, length and time of the last change.
    meta: Option<(u64, u64, u64, i64, i64)>,
}

impl Watch {
    pub(crate) fn new(context: Context, digests: bool) -> Self {
        let (sender, receiver) = std::sync::mpsc::channel();
        Self {
            context,
            digests,
            sender,
            receiver,
            verification: None,
        }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// How far the verification is that goes on.
    pub(crate) fn going_on(&self) -> Option<Bar> {
        let goes_on = self.verification.as_ref().filter(|v| v.result.is_none());
        goes_on.map(|v| v.bar).filter(|bar| bar.of > 0)
    }

    /// Looks at everything, and says what is known of the images by now.
    pub(crate) fn look(&mut self) -> Report {
        let mut report = inspect::inspect(&mut self.context, false, false, &mut Silent);
        if self.digests {
            self.start();
            self.put_known(&mut report);
        }
        report
    }

    /// Waits for `interval`, less if there is news of a verification.
    pub(crate) fn wait(&mut self, interval: Duration) {
        match self.receiver.recv_timeout(interval) {
            Ok(message) => self.take(message),
            Err(RecvTimeoutError::Timeout) => {}
            // We hold a sender.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(interval),
        }
        while let Ok(message) = self.receiver.try_recv() {
            self.take(message);
        }
    }

    fn take(&mut self, message: Message) {
        let Some(verification) = &mut self.verification else {
            return;
        };
        match message {
            Message::Progress(done, of) => {
                verification.bar.done = done;
                verification.bar.of = of;
            }
            Message::Done(images, record) => verification.result = Some((images, record)),
        }
    }

    /// Starts a verification if the images are not those of the last one, and none is going on.
    fn start(&mut self) {
        let images = &self.context.facts.images;
        let of: Vec<Identity> = images.iter().map(|i| self.identity(i)).collect();
        let todo = images.iter().any(|image| image.state == State::Unverified);
        let known = match &self.verification {
            Some(verification) => verification.result.is_none() || verification.of == of,
            None => false,
        };
        if known || !todo {
            return;
        }
        let (mut context, sender) = (self.context.clone(), self.sender.clone());
        let spawned = std::thread::Builder::new().spawn(move || {
            let mut teller = Teller {
                sender: sender.clone(),
                last: None,
            };
            let report = inspect::verify(&mut context, &mut teller);
            let record = report.step(DIGESTS).cloned();
            // Nobody listens any more: the program ends.
            let _ = sender.send(Message::Done(context.facts.images, record));
        });
        // Without a thread now there may be one the next time.
        if spawned.is_ok() {
            self.verification = Some(Verification {
                of,
                bar: Bar::new(),
                result: None,
            });
        }
    }

    fn identity(&self, image: &Image) -> Identity {
        let path = self.context.places.data.join(&image.file);
        let meta = std::fs::symlink_metadata(self.context.system.path(path));
        let of = |m: Metadata| (m.dev(), m.ino(), m.len(), m.mtime(), m.mtime_nsec());
        Identity {
            file: image.file.clone(),
            fsverity: image.fsverity.clone(),
            size: image.size,
            meta: meta.ok().map(of),
        }
    }

    /// Puts what the verification knows into facts and report.
    fn put_known(&mut self, report: &mut Report) {
        let images = &self.context.facts.images;
        let now: Vec<Identity> = images.iter().map(|i| self.identity(i)).collect();
        let Some(verification) = self.verification.as_mut().filter(|v| v.of == now) else {
            return;
        };
        let images = &mut self.context.facts.images;
        match &verification.result {
            Some((known, record)) => {
                for (image, known) in images.iter_mut().zip(known) {
                    image.state = match image.state {
                        State::Bad => State::Bad,
                        _ => known.state,
                    };
                }
                if let Some(record) = record {
                    report.put(record.clone());
                }
            }
            None => put_progress(images, &verification.bar),
        }
    }
}

/// The images are verified in one go: each is as far as all of them are.
fn put_progress(images: &mut [Image], bar: &Bar) {
    let waits = |image: &&mut Image| image.state == State::Unverified;
    let percent = match bar.of {
        // Nothing was told yet.
        0 => 0,
        of => steps::parts_done(bar.done, of, 100),
    };
    for image in images.iter_mut().filter(waits) {
        image.state = State::Verifying { percent };
    }
}

/// Tells of the beginning and of each fortieth.
struct Teller {
    sender: Sender<Message>,
    last: Option<u64>,
}

impl Watcher for Teller {
    fn progress(&mut self, _: &'static str, done: u64, of: u64) {
        let part = steps::parts_done(done, of, 40);
        if Some(part) > self.last {
            self.last = Some(part);
            let _ = self.sender.send(Message::Progress(done, of));
        }
    }
}
