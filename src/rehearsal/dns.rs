//! The DNS records that there are in the world: what players publish, and what a harness puts there as somebody else's.
//!
//! One record for each name and type. It must never decide whose a record is: that is its player's business.

use super::players::Record;

/// The records of all names, as their authoritative servers know them.
#[derive(Debug, Clone, Default)]
pub struct Zone {
    /// By name and type.
    records: Vec<Record>,
}

impl Zone {
    /// All of them, by name and type.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The record of this name and type; names are the same however they are written.
    pub fn get(&self, name: &str, kind: &str) -> Option<&Record> {
        let name = name.trim_end_matches('.');
        self.records.iter().find(|known| known.name.eq_ignore_ascii_case(name) && known.kind == kind)
    }

    /// In place of what was under this name and type. Whether that changed anything.
    pub fn publish(&mut self, record: Record) -> bool {
        match self.place(&record) {
            Ok(at) if self.records[at] == record => return false,
            Ok(at) => self.records[at] = record,
            Err(at) => self.records.insert(at, record),
        }
        true
    }

    /// Takes the record of this name and type away. Whether it was there.
    pub fn withdraw(&mut self, record: &Record) -> bool {
        let place = self.place(record);
        place.map(|at| self.records.remove(at)).is_ok()
    }

    fn place(&self, record: &Record) -> Result<usize, usize> {
        let key = (&record.name, &record.kind);
        self.records.binary_search_by(|known| (&known.name, &known.kind).cmp(&key))
    }
}
