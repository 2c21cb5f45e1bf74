//! When to ask again what cannot be watched.

use berth::{
    clock::{Clock, Rhythm},
    rehearsal::BEGINNING,
};
use futures::FutureExt;
use jiff::SignedDuration;
use std::{pin::pin, time::Duration};

const STEP: SignedDuration = SignedDuration::from_millis(10);

/// So many questions; before each the time that was waited in all, and since the one before.
fn questions(rhythm: &Rhythm, count: usize) -> Vec<(SignedDuration, SignedDuration)> {
    let clock = Clock::stepped(BEGINNING);
    let mut questions = Vec::new();
    for _ in 0..count {
        let before = clock.now();
        let mut next = pin!(rhythm.next(&clock));
        while next.as_mut().now_or_never().is_none() {
            clock.advance(STEP);
        }
        questions.push((clock.now().duration_since(BEGINNING), clock.now().duration_since(before)));
    }
    questions
}

#[test]
fn what_cannot_be_watched_is_asked_soon_and_ever_more_seldom() {
    let questions = questions(&Rhythm::new(Duration::from_secs(2)), 200);
    assert_eq!(questions[0].1, SignedDuration::from_millis(250));
    for (waited, pause) in &questions {
        let part = *waited / 25;
        assert!(*pause <= part.max(SignedDuration::from_millis(250)) + STEP, "{pause} after {waited}");
        assert!(*pause <= SignedDuration::from_secs(2), "{pause} after {waited}");
    }
    let (waited, pause) = questions[199];
    assert_eq!(pause, SignedDuration::from_secs(2));
    assert!(waited > SignedDuration::from_secs(200), "200 questions in {waited} are too many");
}

#[test]
fn nothing_is_asked_more_seldom_than_was_said() {
    let questions = questions(&Rhythm::new(Duration::from_millis(100)), 50);
    assert!(questions.iter().all(|(_, pause)| *pause == SignedDuration::from_millis(100)), "{questions:?}");
}
