//! An NBD server: an image seen through its plan is a disk for QEMU, `nbdcopy` or the kernel, and nothing is written first.
//!
//! An [`Overlay`] is the image and the changes made to it, which go to a file of their own: the plan's inputs are never written to.
//! A [`Recorder`] writes down what is done to it, in order, for who wants to know what a power cut would have left.
//! A [`Server`] offers it on a unix socket, to any number of clients at a time (`NBD_FLAG_CAN_MULTI_CONN`: all see the same).
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (plan, paths): (plan::Plan, Vec<String>) = unreachable!();
//! let image = plan::Reader::open(plan, &paths)?;
//! let server = nbd::Server::start(nbd::Overlay::throw_away(image)?, false, "disk.sock".as_ref())?;
//! // qemu-img info nbd+unix:///?socket=disk.sock
//! # drop(server);
//! # Ok(())
//! # }
//! ```
//!
//! # Protocol
//!
//! That of the nbd project (`doc/proto.md`): fixed newstyle handshake, all integers big-endian. There is one export, whose name is empty.
//!
//! Greeting: server `NBDMAGIC` (8), `IHAVEOPT` (8), flags (2: FIXED_NEWSTYLE 1, NO_ZEROES 2); client flags (4). Then options, until one
//! starts the transmission:
//!
//! | an option         | size | its answers          | size |
//! |-------------------|-----:|----------------------|-----:|
//! | `IHAVEOPT`        |    8 | `0x0003e889045565a9` |    8 |
//! | option            |    4 | option               |    4 |
//! | length of data, n |    4 | kind                 |    4 |
//! | data              |    n | length of data, n    |    4 |
//! |                   |      | data                 |    n |
//!
//! | option                   | number | here                                                                       |
//! |--------------------------|-------:|----------------------------------------------------------------------------|
//! | EXPORT_NAME              |      1 | transmission starts                                                        |
//! | ABORT                    |      2 | the connection ends                                                        |
//! | LIST                     |      3 | the one export                                                             |
//! | INFO, GO                 |   6, 7 | size and flags; name and block sizes (1, 4096, 32 MiB) when asked for      |
//! | STRUCTURED_REPLY         |      8 | reads are answered in chunks                                               |
//! | LIST/SET_META_CONTEXT    |  9, 10 | `base:allocation`                                                          |
//! | all others, STARTTLS too |        | UNSUPPORTED                                                                |
//!
//! Transmission: every request is answered before the next one is read.
//!
//! | a request   | size | a simple reply | size | a chunk of a structured reply | size |
//! |-------------|-----:|----------------|-----:|-------------------------------|-----:|
//! | `0x25609513`|    4 | `0x67446698`   |    4 | `0x668e33ef`                  |    4 |
//! | flags       |    2 | error          |    4 | flags (DONE 1)                |    2 |
//! | command     |    2 | cookie         |    8 | kind                          |    2 |
//! | cookie      |    8 | data of a READ |      | cookie                        |    8 |
//! | offset      |    8 |                |      | length of payload             |    4 |
//! | length      |    4 |                |      | payload                       |      |
//! | data of a WRITE |  |                |      |                               |      |
//!
//! | command             | number | here                                                                                    |
//! |---------------------|-------:|-----------------------------------------------------------------------------------------|
//! | READ, WRITE         |   0, 1 | at most 32 MiB; zero extents of the plan are hole chunks                                |
//! | DISC                |      2 | the connection ends                                                                     |
//! | FLUSH, flag FUA     |      3 | kept changes are on the disk before the answer                                          |
//! | TRIM, WRITE_ZEROES  |   4, 6 | zeros, as a hole in the file of changes                                                 |
//! | CACHE               |      5 | nothing                                                                                 |
//! | BLOCK_STATUS        |      7 | `base:allocation`: whole sectors of zero extents that nobody wrote to are 3 (hole, zero), all else is 0 |
//!
//! What a client says is not trusted: nothing is allocated by a length it claims (a connection takes 1 MiB), ranges are checked, and
//! one that hangs or breaks the protocol loses its own connection only.

mod error;
mod handshake;
mod keep;
mod overlay;
mod present;
mod proto;
mod record;
mod server;
mod transmission;

pub use error::Error;
pub use keep::identity;
pub use overlay::{Overlay, Stretch};
pub use record::{Entry, Event, Log, Recorder};
pub use server::{talk, Server};

#[cfg(test)]
mod tests;
