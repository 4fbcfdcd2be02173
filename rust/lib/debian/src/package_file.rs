//! The file of a package, opened: what is wrong with it is told with the package's name.

use std::fs::File;
use std::path::Path;

use deb::Deb;

use crate::error::Error;

/// Opens the file of a package.
pub(crate) fn open(package: &str, file: &Path) -> Result<Deb<File>, Error> {
    let opened = File::open(file).map_err(Error::io(format!("open {}", file.display())))?;
    Deb::open(opened).map_err(damaged(package, file))
}

/// The error that it cannot be read.
pub(crate) fn damaged<'a>(
    package: &'a str,
    file: &'a Path,
) -> impl FnOnce(deb::Error) -> Error + 'a {
    move |source| Error::Deb {
        package: package.to_owned(),
        file: file.to_path_buf(),
        source: Box::new(source),
    }
}
