//! Ports that no other run of the bench takes.
//!
//! A port that was free a moment ago may be taken the next. So each process claims a block of a hundred, below the range that
//! the system hands out of itself, by listening on the first of them: the kernel gives it back when the process ends.

use std::{
    net::{TcpListener, UdpSocket},
    sync::{Mutex, OnceLock},
};

const FIRST: u16 = 20_000;
const BLOCK: u16 = 100;
const BLOCKS: u16 = 120;

struct Block {
    next: Mutex<u16>,
    end: u16,
    _claim: TcpListener,
}

static BLOCK_OF_THIS_RUN: OnceLock<Block> = OnceLock::new();

fn claim() -> Block {
    let free = (0..BLOCKS).map(|number| FIRST + number * BLOCK).find_map(|first| {
        let claim = TcpListener::bind(("127.0.0.1", first)).ok()?;
        Some(Block { next: Mutex::new(first + 1), end: first + BLOCK, _claim: claim })
    });
    free.expect("there are as many runs at once as there are blocks of ports")
}

/// A port of loopback, for TCP and UDP.
pub(crate) fn free() -> u16 {
    run_of(1)
}

/// The first of two neighbours.
pub(crate) fn pair() -> u16 {
    run_of(2)
}

fn run_of(count: u16) -> u16 {
    let block = BLOCK_OF_THIS_RUN.get_or_init(claim);
    let mut next = block.next.lock().unwrap();
    loop {
        let ports = *next..*next + count;
        assert!(ports.end <= block.end, "this run has taken all of its {BLOCK} ports");
        // Something else on the machine may listen there.
        let taken = ports.clone().rev().find(|port| {
            let address = ("127.0.0.1", *port);
            TcpListener::bind(address).is_err() || UdpSocket::bind(address).is_err()
        });
        *next = taken.map_or(ports.end, |taken| taken + 1);
        if taken.is_none() {
            return ports.start;
        }
    }
}
