//! What services that watch over another program share.
//!
//! | to …                                                        | use                        |
//! |-------------------------------------------------------------|----------------------------|
//! | wait longer before each further start                       | [`Backoff`]                |
//! | say how a run ended                                         | [`Exit`]                   |
//! | tell systemd that the service is ready, alive, or stopping  | [`Notifier`]               |
//! | count requests to stop: the first is clean, the second fast | [`stop::signals`]          |
//! | say that it is ready and lives, until it ends               | [`attend`]                 |
//! | answer a scraper                                            | [`Page`], [`resident_memory`] |

mod attend;
mod backoff;
mod exit;
mod metrics;
mod notify;
pub mod stop;

pub use attend::attend;
pub use backoff::Backoff;
pub use exit::Exit;
pub use metrics::{resident_memory, Page};
pub use notify::Notifier;
