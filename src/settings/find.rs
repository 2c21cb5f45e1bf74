//! Which files are read, and their text.
//!
//! A file that was named must be there; one that is only looked for may be absent.
//! Must never: take a file that cannot be read for one that is absent.

use crate::errors::UserError;
use anyhow::{Context as _, Result};
use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    path::Path,
};

/// Where the app file is looked for, in this order.
pub const APP_FILES: [&str; 2] = ["berth.yaml", ".github/berth.yaml"];

/// Far above any configuration: what is larger is another file.
const LARGEST: u64 = 1 << 20;

/// The text of a file that somebody named; a relative name is relative to `directory`.
pub(super) fn named(directory: &Path, file: &Path) -> Result<String> {
    let path = directory.join(file);
    let opened = File::open(&path).with_context(|| cannot(file))?;
    text(opened, file)
}

/// The app file's name and text, if there is one.
pub(super) fn app_file(directory: &Path) -> Result<Option<(&'static Path, String)>> {
    for place in APP_FILES.map(Path::new) {
        match File::open(directory.join(place)) {
            Ok(opened) => return Ok(Some((place, text(opened, place)?))),
            Err(error) if is_absent(&error, &directory.join(place)) => {}
            Err(error) => return Err(error).with_context(|| cannot(place)),
        }
    }
    Ok(None)
}

/// A link that leads nowhere is somebody's file that is missing, not the lack of one.
fn is_absent(error: &std::io::Error, path: &Path) -> bool {
    error.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err()
}

fn text(opened: File, name: &Path) -> Result<String> {
    let mut text = String::new();
    opened.take(LARGEST + 1).read_to_string(&mut text).with_context(|| cannot(name))?;
    if text.len() as u64 > LARGEST {
        return Err(UserError::usage(format!("{} is larger than 1 MiB", name.display())).into());
    }
    Ok(text)
}

fn cannot(file: &Path) -> UserError {
    UserError::usage(format!("cannot read {}", file.display()))
}
