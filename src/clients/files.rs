//! Manifests as they lie in files.
//!
//! Must never: follow a link out of the directory that was named; read without a bound; skip a file in silence.

use crate::errors::{Exit, UserError};
use anyhow::{Context as _, Result, bail};
use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// More is no manifests' text.
const LARGEST: u64 = 16 << 20;
/// More is no directory of manifests.
const MOST: usize = 2_000;

/// A file's name, for messages, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// As it was named.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// A file, or all files of a directory that end in `.yaml`, `.yml`, `.json` or `.tpl`, in the order of their names;
/// directories in it are not entered, as `kubectl` does not.
pub fn manifests(path: &Path) -> Result<Vec<Text>> {
    let shown = path.display();
    let wrong = || UserError::new(Exit::Failed, format!("the manifests in {shown} cannot be read"));
    let is_directory = fs::metadata(path).with_context(wrong)?.is_dir();
    if !is_directory {
        return Ok(vec![text(path)?]);
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(path).with_context(wrong)? {
        let file = entry.with_context(wrong)?.path();
        let is_manifest =
            file.extension().is_some_and(|end| ["yaml", "yml", "json", "tpl"].iter().any(|one| end == *one));
        if is_manifest {
            files.push(file);
        }
        if files.len() > MOST {
            return Err(anyhow::anyhow!("it has more than {MOST} files").context(wrong()));
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(anyhow::anyhow!("no file in it ends in .yaml, .yml, .json or .tpl").context(wrong()));
    }
    let root = fs::canonicalize(path).with_context(wrong)?;
    files.iter().map(|file| within(&root, file).and_then(|()| text(file))).collect()
}

/// Its own text, and no longer than a text of manifests is.
pub fn text(path: &Path) -> Result<Text> {
    let name = path.display().to_string();
    let read = || -> Result<String> {
        // Before it is opened: a pipe would not even open.
        if !fs::metadata(path)?.is_file() {
            bail!("it is no file");
        }
        let mut text = String::new();
        // Not by its size: some files say that they have none, and never end.
        let size = File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
        if size as u64 > LARGEST {
            bail!("it has more than {LARGEST} bytes");
        }
        Ok(text)
    };
    let text = read().with_context(|| UserError::new(Exit::Failed, format!("{name} cannot be read")))?;
    Ok(Text { name, text })
}

/// A new directory that is its owner's alone, until it is dropped.
pub fn private_directory() -> Result<tempfile::TempDir> {
    let owners = fs::Permissions::from_mode(0o700);
    let made = tempfile::Builder::new().prefix("berth-").permissions(owners).tempdir();
    made.with_context(|| {
        UserError::new(Exit::Failed, "no temporary directory can be made")
            .hint("TMPDIR says where they are made")
    })
}

/// Whether this path, wherever links lead it, lies in the directory.
pub fn lies_in(directory: &Path, path: &Path) -> Result<()> {
    let root = fs::canonicalize(directory).with_context(|| {
        UserError::new(Exit::Failed, format!("the directory {} cannot be read", directory.display()))
    })?;
    within(&root, path)
}

/// Whether every link below this directory leads to somewhere in it: some programs follow them all.
pub fn keeps_to_itself(directory: &Path) -> Result<()> {
    let wrong = |path: &Path| UserError::new(Exit::Failed, format!("{} cannot be read", path.display()));
    let root = fs::canonicalize(directory).with_context(|| wrong(directory))?;
    let (mut ahead, mut met) = (vec![root.clone()], 0);
    while let Some(next) = ahead.pop() {
        for entry in fs::read_dir(&next).with_context(|| wrong(&next))? {
            let entry = entry.with_context(|| wrong(&next))?;
            let kind = entry.file_type().with_context(|| wrong(&entry.path()))?;
            met += 1;
            if met > MOST {
                return Err(anyhow::anyhow!("it has more than {MOST} files").context(wrong(directory)));
            }
            if kind.is_dir() {
                ahead.push(entry.path());
            } else if kind.is_symlink() {
                within(&root, &entry.path())?;
            } else if !kind.is_file() {
                return Err(anyhow::anyhow!("it is no file").context(wrong(&entry.path())));
            }
        }
    }
    Ok(())
}

fn within(root: &Path, file: &Path) -> Result<()> {
    let real = fs::canonicalize(file)
        .with_context(|| UserError::new(Exit::Failed, format!("{} leads nowhere", file.display())))?;
    if !real.starts_with(root) {
        let message = format!("{} leads out of {}", file.display(), root.display());
        return Err(UserError::new(Exit::Failed, message).hint("put the file itself there").into());
    }
    Ok(())
}
