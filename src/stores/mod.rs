//! The stores: each implements `documents::Store`, and one contract suite proves all of them.
//!
//! Must never: settle a lost answer on its own (`documents::write_surely` does, once for all); say "absent" for anything
//! but the server's own word that there is nothing.

pub mod file;
pub mod kubernetes;
pub mod vault;

use anyhow::{Result, anyhow};
use ring::rand::{SecureRandom, SystemRandom};

/// For stores whose medium would take two writes of the same content for one.
fn nonce() -> Result<String> {
    let mut bytes = [0u8; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("the system gave no random bytes"))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
