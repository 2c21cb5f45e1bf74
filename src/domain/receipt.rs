//! What was removed, and how it was seen to be gone. Pure.
//!
//! Must never: say of anything that it is gone but by a look that found it absent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One thing that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// What.
    pub what: String,
    /// When it was seen absent.
    pub at: Timestamp,
    /// By which answer.
    pub proof: String,
}
