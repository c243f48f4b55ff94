//! One thing at a time in an actor, deciding included.
//!
//! An [`AtomicResponse`] keeps the mailbox closed from its first poll on. What the context has
//! spawned, such as a timer, is still polled once between a message's handler and that first poll, so
//! a handler that decides at once may decide on what a timer's handler is about to change. Here the
//! deciding waits until the turn has come.

use std::pin::Pin;

use actix::fut::{ready, wrap_future};
use actix::prelude::*;

/// Work that needs the actor's state.
pub(crate) type Step<A, T> = Pin<Box<dyn ActorFuture<A, Output = T>>>;

/// A response whose work is begun, and so decided, in its own turn.
pub(crate) fn in_turn<A, T>(
    work: impl FnOnce(&mut A, &mut Context<A>) -> Step<A, T> + 'static,
) -> AtomicResponse<A, T>
where
    A: Actor<Context = Context<A>>,
    T: 'static,
{
    let turn = wrap_future::<_, A>(std::future::ready(()));
    AtomicResponse::new(Box::pin(turn.then(|(), actor, ctx| work(actor, ctx))))
}

/// An answer that is there already.
pub(crate) fn answered<A: Actor, T: 'static>(answer: T) -> Step<A, T> {
    Box::pin(ready(answer))
}
