//! Ports that no other run of the bench takes.
//!
//! A port that was free a moment ago may be taken the next. So each process claims a block of a hundred, by a lock that the
//! kernel gives back when it ends, below the range that the system hands out of itself.

use std::{
    fs::{self, File},
    net::{TcpListener, UdpSocket},
    sync::{
        OnceLock,
        atomic::{AtomicU16, Ordering},
    },
};

const FIRST: u16 = 20_000;
const BLOCK: u16 = 100;
const BLOCKS: u16 = 120;

struct Block {
    first: u16,
    given: AtomicU16,
    _lock: File,
}

static BLOCK_OF_THIS_RUN: OnceLock<Block> = OnceLock::new();

fn claim() -> Block {
    let locks = std::env::temp_dir().join("berth-bench-ports");
    fs::create_dir_all(&locks).unwrap();
    let free = (0..BLOCKS).find_map(|number| {
        let lock = File::options().create(true).append(true).open(locks.join(number.to_string())).unwrap();
        lock.try_lock().is_ok().then(|| Block {
            first: FIRST + number * BLOCK,
            given: AtomicU16::default(),
            _lock: lock,
        })
    });
    free.expect("there are as many runs at once as there are blocks of ports")
}

/// A port of loopback, for TCP and UDP.
pub(crate) fn free() -> u16 {
    let block = BLOCK_OF_THIS_RUN.get_or_init(claim);
    loop {
        let next = block.given.fetch_add(1, Ordering::Relaxed);
        assert!(next < BLOCK, "this run has taken all of its {BLOCK} ports");
        // Something else on the machine may listen there.
        let address = ("127.0.0.1", block.first + next);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return block.first + next;
        }
    }
}
