//! JUnit that a job hands in: a file, all of a directory, or what a pattern names.
//!
//! It comes from where the code under review ran. Must never: follow a link; read without a bound; take tests that left
//! nothing behind for tests that passed.

use crate::{
    domain::{junit, results::Results},
    errors::UserError,
    settings::Pattern,
};
use anyhow::{Context as _, Result};
use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

/// More is no directory of reports.
const MOST: usize = 10_000;

/// What they say together.
pub(crate) fn results(directory: &Path, asked: &str, name: &str) -> Result<Results> {
    let mut files = Vec::new();
    let is_pattern = asked.contains(['*', '?']);
    let (root, pattern) = match is_pattern {
        true => {
            let begin: PathBuf = Path::new(asked)
                .components()
                .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?']))
                .collect();
            (
                directory.join(begin),
                Some(
                    asked
                        .parse::<Pattern>()
                        .map_err(|why| UserError::usage(format!("input `junit`: {why}")))?,
                ),
            )
        }
        false => (directory.join(asked), None),
    };
    collect(&root, &mut files)
        .with_context(|| UserError::usage(format!("input `junit`: {asked} cannot be read")))?;
    let is_asked = |file: &PathBuf| {
        let told = file.strip_prefix(directory).unwrap_or(file).to_string_lossy();
        pattern
            .as_ref()
            .map_or_else(|| *file == root || told.ends_with(".xml"), |pattern| pattern.matches(&told))
    };
    let mut reports = Vec::new();
    for file in files.iter().filter(|file| is_asked(file)) {
        let wrong = || UserError::usage(format!("input `junit`: {} cannot be read", file.display()));
        let left = (junit::BYTES + 1).saturating_sub(reports.len()) as u64;
        File::open(file).with_context(wrong)?.take(left).read_to_end(&mut reports).with_context(wrong)?;
        reports.push(b'\n');
    }
    if reports.is_empty() {
        return Ok(Results::broken(name, &format!("its tests left no JUnit in {asked}")));
    }
    Ok(junit::read(&reports, name)
        .unwrap_or_else(|unreadable| Results::broken(name, &unreadable.to_string())))
}

/// All files at or below a path, in the order of their names. What is not there has none.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if found.is_file() {
        files.push(path.to_owned());
    } else if found.is_dir() {
        let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>();
        let mut entries = entries?;
        entries.sort();
        for entry in entries {
            anyhow::ensure!(files.len() < MOST, "there are more than {MOST} files");
            collect(&entry, files)?;
        }
    }
    Ok(())
}
