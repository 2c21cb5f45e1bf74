//! "Did you mean": which of the known words a wrong one was probably meant to be.
//!
//! Must never: choose for the user.

/// The known word nearest to this one, if one is near enough to be what was meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One slip in a short word, one in three letters in a long one; a swapped pair is one slip.
    let slips = (word.chars().count() / 3).max(1);
    let distances = known.into_iter().map(|other| (strsim::osa_distance(word, other), other));
    distances.filter(|(distance, _)| *distance <= slips).min().map(|(_, other)| other)
}
