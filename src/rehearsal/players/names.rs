//! What real controllers take from chance or from hardware, here a function of who it is for: the same look gives the same
//! name, so that a stale one creates nothing twice.

/// Five characters, as the API server appends them.
pub(super) fn suffix(of: &[&str]) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut rest = hash(of);
    let letters = (0..5).map(|_| {
        let letter = LETTERS[usize::try_from(rest % 27).unwrap_or_default()];
        rest /= 27;
        char::from(letter)
    });
    letters.collect()
}

/// A version 4 UUID.
pub(super) fn uuid(of: &[&str]) -> String {
    let (high, low) = (hash(of), hash(&[&["low"], of].concat()));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0xfff,
        low & 0xffff_ffff_ffff
    )
}

/// 32 hexadecimal digits.
pub(super) fn token(of: &[&str]) -> String {
    format!("{:016x}{:016x}", hash(of), hash(&[&["token"], of].concat()))
}

/// FNV-1a with a last mixing, over the parts with their bounds.
fn hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    for _ in 0..2 {
        hash = (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    hash ^ hash >> 29
}
