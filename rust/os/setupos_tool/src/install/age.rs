//! Whether this medium is too old, and whether the clock can be right.
//!
//! | known from                                            | and then                                                     |
//! |-------------------------------------------------------|--------------------------------------------------------------|
//! | the time of this system's own files (`version.txt`)    | a clock before it is wrong                                   |
//! | property `expires` of `deployment.json`, if it is there | a clock behind it makes the medium too old to install from   |

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base::date::Civil;

/// The property.
pub(crate) const EXPIRES: &str = "expires";

/// Seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "whether a medium expired depends on what time it is"
)]
pub(crate) fn now() -> Result<i64, String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.map_err(|_| "the clock is before 1970".to_owned())?;
    i64::try_from(seconds.as_secs()).map_err(|_| "the clock is beyond all years".to_owned())
}

/// What is wrong with the clock, which says `now`; `own` is a file of this system.
pub(crate) fn clock(own: &Path, now: i64) -> Result<String, String> {
    let made = std::fs::metadata(own).map_err(|error| format!("{}: {error}", own.display()))?;
    let made = made.mtime();
    match now >= made {
        true => Ok(format!("the clock says {}Z", Civil::of(now))),
        false => Err(format!(
            "the clock says {}Z, and this medium was made after {}Z: set the clock in the firmware's settings (UTC)",
            Civil::of(now),
            Civil::of(made)
        )),
    }
}

/// What is wrong with the age of the medium whose description says `expires`.
pub(crate) fn age(expires: Option<&String>, now: i64) -> Result<String, String> {
    let Some(expires) = expires else {
        return Ok("this medium does not expire".to_owned());
    };
    let last: update::Expiry = expires
        .parse()
        .map_err(|error| format!("deployment.json: {EXPIRES}: {error}"))?;
    match now < last.seconds() {
        true => Ok(format!("this medium expires at {last}")),
        false => Err(format!(
            "this medium expired at {last}, and the clock says {}Z: write a newer one",
            Civil::of(now)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_and_ages() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let made = file.as_file().metadata().unwrap().mtime();
        clock(file.path(), made).unwrap();
        let error = clock(file.path(), made - 1).unwrap_err();
        assert!(
            error.contains("set the clock in the firmware's settings"),
            "{error}"
        );
        assert!(clock(Path::new("/nowhere/x"), 0).is_err());
        assert!(now().unwrap() >= made);
        let day = "2027-01-31".to_owned();
        let seconds = 1_801_353_600;
        assert_eq!(age(None, seconds).unwrap(), "this medium does not expire");
        assert_eq!(
            age(Some(&day), seconds - 1).unwrap(),
            "this medium expires at 2027-01-31T00:00:00Z"
        );
        assert_eq!(
            age(Some(&day), seconds).unwrap_err(),
            "this medium expired at 2027-01-31T00:00:00Z, and the clock says 2027-01-31T00:00:00Z: write a newer one"
        );
        let error = age(Some(&"soon".to_owned()), 0).unwrap_err();
        assert!(
            error.starts_with("deployment.json: expires: expiry \"soon\""),
            "{error}"
        );
    }
}
