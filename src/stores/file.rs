//! Documents in a directory: one lock for writers, atomic rename, mode 0600. The default of the command line.
//!
//! A version is a nonce, so that every write makes a new one and a document that was removed and made again is never
//! taken for the earlier. Must never: leave a half-written document; let anybody else read one.

use super::nonce;
use crate::{
    documents::{Document, Entry, Key, NotWritten, Read, Store, Version},
    domain::names::EnvironmentName,
    errors::{Exit, UserError},
};
use anyhow::{Context, Result};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// What a write that creates must expect.
const ABSENT: &str = "absent";

/// In the directory, held by whoever writes.
const LOCK: &str = ".lock";

/// For the lock and the work: others hold it for milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory of documents.
#[derive(Debug, Clone)]
pub struct FileStore {
    directory: Arc<Path>,
}

#[derive(Serialize, Deserialize)]
struct OnDisk {
    version: String,
    document: Document,
}

impl FileStore {
    /// In this directory, which is made at the first write.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory: directory.into() }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.directory.join(key.path()).with_extension("json")
    }

    fn load(&self, key: &Key) -> Result<Read> {
        let path = self.path(key);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Ok(Read::Absent { create: Version::opaque(ABSENT) });
            }
            Err(e) => return Err(e).with_context(|| unknown("read", &path)),
        };
        let on_disk: OnDisk = serde_json::from_slice(&bytes).with_context(|| unknown("read", &path))?;
        Ok(Read::Present { document: on_disk.document, version: Version::opaque(on_disk.version) })
    }

    /// Under the lock: compares, then renames into place, or removes. `None`: the version was not the expected one.
    fn swap(&self, key: &Key, document: Option<&Document>, expected: &Version) -> Result<Option<Version>> {
        let path = self.path(key);
        let parent = path.parent().unwrap_or(&self.directory);
        let doing = || unknown("write", &path);
        let _lock = self.lock(fs::File::lock).with_context(doing)?;
        if self.load(key)?.version() != expected {
            return Ok(None);
        }
        let Some(document) = document else {
            if let Err(e) = fs::remove_file(&path)
                && e.kind() != ErrorKind::NotFound
            {
                return Err(e).with_context(doing);
            }
            keep(parent).with_context(doing)?;
            return Ok(Some(Version::opaque(ABSENT)));
        };
        let next = OnDisk { version: nonce()?, document: document.clone() };
        make(parent).with_context(doing)?;
        // tempfile makes it 0600, and takes it away again if we do not come to the rename.
        let mut file = tempfile::NamedTempFile::new_in(parent).with_context(doing)?;
        file.write_all(&serde_json::to_vec(&next)?).with_context(doing)?;
        // Before the rename, or a power cut could leave the name with nothing behind it.
        file.as_file().sync_all().with_context(doing)?;
        file.persist(&path).with_context(doing)?;
        keep(parent).with_context(doing)?;
        Ok(Some(Version::opaque(next.version)))
    }

    fn folders(&self) -> Result<BTreeSet<EnvironmentName>> {
        let doing = || unknown("list", &self.directory);
        match fs::exists(&self.directory) {
            Ok(true) => {}
            Ok(false) => return Ok(BTreeSet::new()),
            Err(e) => return Err(e).with_context(doing),
        }
        // A directory that is written while it is read may be read incompletely.
        let _lock = self.lock(fs::File::lock_shared).with_context(doing)?;
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&self.directory).with_context(doing)? {
            let entry = entry.with_context(doing)?;
            // A name that is no environment's is not one of our folders.
            names.extend(entry.file_name().to_str().and_then(|name| name.parse().ok()));
        }
        Ok(names)
    }

    fn list(&self) -> Result<Vec<Entry>> {
        let entries = self.folders()?.into_iter().map(|name| {
            let read = self.load(&Key::Claim(name.clone()));
            Entry { name, read }
        });
        Ok(entries.filter(|entry| !matches!(entry.read, Ok(Read::Absent { .. }))).collect())
    }

    fn lock(&self, how: impl Fn(&fs::File) -> std::io::Result<()>) -> Result<fs::File> {
        make(&self.directory)?;
        let path = self.directory.join(LOCK);
        let file = fs::File::options().create(true).truncate(false).write(true).open(&path)?;
        how(&file)?;
        Ok(file)
    }

    /// The lock may be held by another process for a while: off the threads that serve everybody.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        let working = tokio::task::spawn_blocking(move || work(&store));
        let worked = tokio::time::timeout(PATIENCE, working).await.with_context(|| {
            let lock = self.directory.join(LOCK).display().to_string();
            UserError::new(Exit::Unknown, format!("could not get at {} in time", self.directory.display()))
                .hint(format!("who holds {lock}? `fuser {lock}` tells; what waits for it may be done yet"))
        })?;
        worked.context("the file store's thread ended early")?
    }
}

/// The names in it, too, outlast a power cut.
fn keep(directory: &Path) -> std::io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

fn make(directory: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn unknown(verb: &str, path: &Path) -> UserError {
    UserError::new(Exit::Unknown, format!("could not {verb} {}", path.display()))
        .hint("look at the file and at its owner and mode; the same command finds out what is there")
}

#[async_trait]
impl Store for FileStore {
    async fn read(&self, key: &Key) -> Result<Read> {
        let key = key.clone();
        self.off_thread(move |store| store.load(&key)).await
    }

    async fn write(&self, key: &Key, document: &Document, expected: &Version) -> Result<Version, NotWritten> {
        let (key, document, expected) = (key.clone(), document.clone(), expected.clone());
        let swapped = self.off_thread(move |store| store.swap(&key, Some(&document), &expected)).await;
        swapped.map_err(NotWritten::Unknown)?.ok_or(NotWritten::Conflict)
    }

    async fn remove(&self, key: &Key, expected: &Version) -> Result<(), NotWritten> {
        let (key, expected) = (key.clone(), expected.clone());
        let swapped = self.off_thread(move |store| store.swap(&key, None, &expected)).await;
        swapped.map_err(NotWritten::Unknown)?.map(drop).ok_or(NotWritten::Conflict)
    }

    async fn claims(&self) -> Result<Vec<Entry>> {
        self.off_thread(Self::list).await
    }

    async fn names(&self) -> Result<BTreeSet<EnvironmentName>> {
        self.off_thread(Self::folders).await
    }

    fn place(&self, key: &Key) -> String {
        self.path(key).display().to_string()
    }
}
