//! The last events of the server, and the bell that wakes those who watch.
//!
//! It must never grow without end: what is forgotten is answered with `Expired`.

use super::Key;
use serde_json::Value;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::watch;

/// As many as a real server's watch cache can hold of one resource.
const KEPT: usize = 10_000;

/// A change of one object; either side is missing if it was not there.
#[derive(Clone)]
pub(super) struct Event {
    pub(super) version: u64,
    pub(super) key: Key,
    pub(super) before: Option<Arc<Value>>,
    pub(super) after: Option<Arc<Value>>,
}

/// The events since some version, in order.
#[derive(Clone, Default)]
pub(super) struct History {
    events: VecDeque<Event>,
    /// All events up to this version are forgotten.
    forgotten: u64,
    bell: Bell,
}

/// A clone is a bell of its own: a world that was cloned wakes nobody who watches the other.
#[derive(Default)]
struct Bell(watch::Sender<()>);

impl Clone for Bell {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl History {
    pub(super) fn add(
        &mut self,
        version: u64,
        key: Key,
        before: Option<Arc<Value>>,
        after: Option<Arc<Value>>,
    ) {
        self.events.push_back(Event { version, key, before, after });
        if self.events.len() > KEPT {
            self.forgotten = self.events.pop_front().map_or(self.forgotten, |event| event.version);
        }
        self.ring();
    }

    /// Forgets everything up to this version.
    pub(super) fn forget(&mut self, version: u64) {
        self.events.retain(|event| event.version > version);
        self.forgotten = version;
        self.ring();
    }

    /// The events after this version; none if some of them are forgotten.
    pub(super) fn since(&self, version: u64) -> Option<impl Iterator<Item = &Event>> {
        let first = self.events.partition_point(|event| event.version <= version);
        (version >= self.forgotten).then(|| self.events.range(first..))
    }

    /// The oldest version from which on all is known.
    pub(super) fn oldest(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn ring(&self) {
        self.bell.0.send_replace(());
    }

    /// Is woken by every event from now on.
    pub(super) fn listen(&self) -> watch::Receiver<()> {
        self.bell.0.subscribe()
    }
}
