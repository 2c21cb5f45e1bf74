//! One run with nobody beside it, by the very code of the search: for what comes before it and after it.

use super::{
    port::Port,
    runs::{STEP, Spec, Stage},
    world::World,
};
use futures::task::noop_waker;
use std::task::{Context, Poll};

/// To its end.
pub(super) fn alone(world: &mut World, spec: &Spec) -> Result<String, String> {
    let mut stage = spec.first();
    for _ in 0..50 {
        let port = Port::default();
        let (mut future, clock) = spec.start(stage, port.clone());
        for _ in 0..world.time {
            clock.advance(STEP);
        }
        let waker = noop_waker();
        stage = loop {
            if let Poll::Ready(next) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                break next;
            }
            for (id, request) in port.pending() {
                port.answer(id, world.serve(&request)?);
            }
        };
        match stage {
            Stage::Ended(how) => return Ok(how),
            Stage::Later { .. } => return Ok("later".to_owned()),
            _ => {}
        }
    }
    Err(format!("{} does not come to an end", spec.process))
}
