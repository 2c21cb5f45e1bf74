//! What a run of the real engine talks to in the model: every request stops it until the search gives an answer.
//! The future is a function of the answers that it got and the times at which it got them, so those *are* its state.

use berth::{
    clock::Clock,
    documents::{Document, Entry, Key, NotWritten, Read, Store, Version},
    domain::{intent::Wanted, names::EnvironmentName, pool::Block},
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
};

#[derive(Debug, Clone)]
pub(super) enum Request {
    Read(Key),
    Write {
        key: Key,
        document: Document,
        expected: Version,
    },
    Remove {
        key: Key,
        expected: Version,
    },
    /// All claims: their names, and each is then read on its own, as from most stores; or all at once, as from one that can.
    List,
    Wanted(EnvironmentName),
    /// Its run is to begin once more.
    Call(EnvironmentName),
    /// Come back then: served when it is time, as the sweep.
    Later(Timestamp),
    /// The environment's object, standing for its cluster.
    Observe(EnvironmentName),
    /// Born inert, if it is absent still.
    Create(EnvironmentName),
    /// Uses the addresses from now on, if it is the object that was seen, inert still.
    Activate {
        name: EnvironmentName,
        uid: u32,
        block: Block,
    },
    /// If it is as it was seen: by uid and version.
    Delete {
        name: EnvironmentName,
        seen: Object,
    },
}

impl Request {
    pub(super) fn mutates(&self) -> bool {
        matches!(
            self,
            Self::Write { .. }
                | Self::Remove { .. }
                | Self::Create(_)
                | Self::Activate { .. }
                | Self::Delete { .. }
                | Self::Call(_)
        )
    }
    /// Of the two kinds whose lost answers the engine itself settles.
    pub(super) fn is_a_documents(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Remove { .. })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Object {
    pub(super) uid: u32,
    pub(super) active: Option<Block>,
}

#[derive(Debug, Clone)]
pub(super) enum Answer {
    Read(Read),
    Written(Version),
    Done,
    Conflict,
    /// Nobody knows whether it landed.
    Lost,
    Names(Vec<EnvironmentName>),
    Listed(Vec<(EnvironmentName, Read)>),
    Wanted(Wanted),
    Observed(Option<Object>),
    Created(u32),
}

#[derive(Default)]
struct Inner {
    asked: usize,
    pending: BTreeMap<usize, Request>,
    answers: BTreeMap<usize, Answer>,
    lost: bool,
}

#[derive(Clone, Default)]
pub(super) struct Port {
    inner: Arc<Mutex<Inner>>,
    /// Whoever was called reads as called just now, by this clock: a mutant of the queue.
    for_ever: Option<Clock>,
}

impl Port {
    pub(super) fn calling_for_ever(self, clock: &Clock) -> Self {
        Self { for_ever: Some(clock.clone()), ..self }
    }
    fn calling(&self, mut read: Read) -> Read {
        let document = if let Read::Present { document, .. } = &mut read { Some(document) } else { None };
        let called = document.and_then(|document| document.get_mut("state")?.get_mut("called"));
        if let (Some(called), Some(clock)) = (called, &self.for_ever) {
            *called = clock.now().to_string().into();
        }
        read
    }
    pub(super) async fn ask(&self, request: Request) -> Answer {
        let id = {
            let mut inner = self.inner.lock().unwrap();
            inner.asked += 1;
            let id = inner.asked;
            inner.pending.insert(id, request);
            id
        };
        poll_fn(|_| match self.inner.lock().unwrap().answers.remove(&id) {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        })
        .await
    }
    pub(super) fn answer(&self, id: usize, answer: Answer) {
        let mut inner = self.inner.lock().unwrap();
        inner.pending.remove(&id).expect("only what was asked is answered");
        inner.lost |= matches!(answer, Answer::Lost);
        inner.answers.insert(id, answer);
    }
    pub(super) fn pending(&self) -> Vec<(usize, Request)> {
        self.inner.lock().unwrap().pending.clone().into_iter().collect()
    }
    /// Whether an answer was lost: then what was sent may stand somewhere, or come yet.
    pub(super) fn lost(&self) -> bool {
        self.inner.lock().unwrap().lost
    }
}

#[async_trait::async_trait]
impl Store for Port {
    async fn read(&self, key: &Key) -> anyhow::Result<Read> {
        match self.ask(Request::Read(key.clone())).await {
            Answer::Read(read) => Ok(self.calling(read)),
            other => unreachable!("{other:?} answers no read"),
        }
    }
    async fn write(&self, key: &Key, document: &Document, expected: &Version) -> Result<Version, NotWritten> {
        let (key, document, expected) = (key.clone(), document.clone(), expected.clone());
        match self.ask(Request::Write { key, document, expected }).await {
            Answer::Written(version) => Ok(version),
            Answer::Conflict => Err(NotWritten::Conflict),
            _ => Err(NotWritten::Unknown(anyhow::anyhow!("the answer was lost"))),
        }
    }
    async fn remove(&self, key: &Key, expected: &Version) -> Result<(), NotWritten> {
        match self.ask(Request::Remove { key: key.clone(), expected: expected.clone() }).await {
            Answer::Done => Ok(()),
            Answer::Conflict => Err(NotWritten::Conflict),
            _ => Err(NotWritten::Unknown(anyhow::anyhow!("the answer was lost"))),
        }
    }
    async fn claims(&self) -> anyhow::Result<Vec<Entry>> {
        Ok(match self.ask(Request::List).await {
            Answer::Names(names) => {
                let mut entries = Vec::new();
                for name in names {
                    let read = self.read(&Key::Claim(name.clone())).await;
                    entries.push(Entry { name, read });
                }
                entries
            }
            Answer::Listed(all) => {
                let entry = |(name, read)| Entry { name, read: Ok(self.calling(read)) };
                all.into_iter().map(entry).collect()
            }
            other => unreachable!("{other:?} answers no list"),
        })
    }
    async fn names(&self) -> anyhow::Result<BTreeSet<EnvironmentName>> {
        unreachable!("the engine's protocol asks for names alone nowhere")
    }
    fn place(&self, key: &Key) -> String {
        key.path()
    }
}
