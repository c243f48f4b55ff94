//! The shell of a machine beside the halls, tried with the smallest machine there is.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix::Arbiter;
use actors::desk::{Desk, DeskFigures, SubmitError};
use actors::journal::Journal;
use actors::ports::{Clock, IdempotencyKey, Store};
use rules::machine::{Item, ItemKind, JournalEvent, Machine, Recorded, RefusalKind, Refuse};
use rules::name::Lang;
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::support::{SteeredClock, Trouble, TroubledStore, paused, until};

/// Counts up to ten, and back to nothing an hour after the first count.
#[derive(Default, Serialize, Deserialize, Debug)]
struct Counter {
    seq: u64,
    count: u64,
    reset_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Counted {
    By(u64),
    Reset,
}

impl JournalEvent for Counted {
    fn kind(&self) -> &'static str {
        "counted"
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many")
    }
}

impl std::error::Error for TooMany {}

impl Refuse for TooMany {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }

    fn code(&self) -> &'static str {
        "too_many"
    }

    fn sentence(&self, _: Lang) -> String {
        self.to_string()
    }
}

impl Machine for Counter {
    type Command = u64;
    type Event = Counted;
    type Refusal = TooMany;
    const NAME: &'static str = "counter";

    fn seq(&self) -> u64 {
        self.seq
    }

    fn decide(&self, by: &u64, _: &str, _: Timestamp) -> Result<Vec<Counted>, TooMany> {
        if self.count + by > 10 {
            return Err(TooMany);
        }
        Ok(vec![Counted::By(*by)])
    }

    fn apply(&mut self, recorded: &Recorded<Counted>) {
        self.seq = recorded.seq;
        match recorded.event {
            Counted::By(by) => {
                self.count += by;
                self.reset_at.get_or_insert(recorded.at.plus_secs(3600));
            }
            Counted::Reset => (self.count, self.reset_at) = (0, None),
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.reset_at
    }

    fn elapse(&self, now: Timestamp) -> Vec<Counted> {
        let due = self.reset_at.is_some_and(|at| at <= now);
        due.then_some(Counted::Reset).into_iter().collect()
    }

    fn items(&self, recorded: &[Recorded<Counted>]) -> Vec<Item> {
        let last = recorded.last().map_or(self.seq, |last| last.seq);
        vec![Item {
            kind: ItemKind::Problem,
            id: "P-1".to_owned(),
            state: last.to_string(),
            hall: None,
            department: None,
            person: None,
            about: None,
            topic: None,
            subject: None,
            rank: 0,
            opened_at: Timestamp::default(),
            due_at: None,
            ended_at: None,
            body: "{}".to_owned(),
        }]
    }
}

struct Given {
    store: Arc<TroubledStore>,
    desk: Desk<Counter>,
}

impl Given {
    async fn counter() -> Self {
        Self::over(TroubledStore::new()).await
    }

    async fn over(store: Arc<TroubledStore>) -> Self {
        let clock = SteeredClock::at(rules::testing::clock("09:00"));
        let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>);
        let here = Arbiter::current();
        let desk = Desk::start(journal, clock as Arc<dyn Clock>, here).await;
        let desk = desk.unwrap();
        Self { store, desk }
    }

    async fn count(&self) -> u64 {
        loop {
            if let Some(count) = self.desk.read(|counter, _| counter.count).await {
                return count;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn key(key: &str, fingerprint: &str) -> Option<IdempotencyKey> {
    Some(IdempotencyKey {
        key: key.to_owned(),
        fingerprint: fingerprint.to_owned(),
    })
}

#[test]
fn what_is_answered_is_journalled_with_its_rows_and_what_is_refused_changes_nothing() {
    paused(|| async {
        let given = Given::counter().await;
        let mut changed = given.desk.changed();
        let done = given.desk.submit(7, "test", None).await.unwrap();
        assert_eq!((done.seq, done.replayed), (1, false));
        assert_eq!(*changed.borrow_and_update(), 1);
        let row = given.store.item(ItemKind::Problem, "P-1");
        assert_eq!(row.unwrap().state, "1");
        let refused = given.desk.submit(4, "test", None).await;
        assert_eq!(refused.unwrap_err(), SubmitError::Refused(TooMany));
        assert!(!changed.has_changed().unwrap());
        // Another process finds the same.
        assert_eq!(Given::over(given.store).await.count().await, 7);
    });
}

#[test]
fn a_repeated_key_counts_once_also_after_a_restart() {
    paused(|| async {
        let given = Given::counter().await;
        given.desk.submit(6, "test", key("k", "6")).await.unwrap();
        let other = given.desk.submit(1, "test", key("k", "1")).await;
        assert_eq!(other.unwrap_err(), SubmitError::KeyReused);
        let again = given.desk.submit(6, "test", key("k", "6")).await.unwrap();
        assert_eq!((again.seq, again.replayed), (1, true));
        // The new process knows the key only from the journal, and six more would be refused.
        let after = Given::over(given.store).await;
        let again = after.desk.submit(6, "test", key("k", "6")).await.unwrap();
        assert_eq!((again.seq, again.replayed), (1, true));
        assert_eq!(again.recorded[0].event, Counted::By(6));
        assert_eq!(after.count().await, 6);
    });
}

#[test]
fn trouble_with_the_store_changes_nothing_and_an_unknown_outcome_is_looked_up() {
    paused(|| async {
        let given = Given::counter().await;
        for (trouble, count) in [
            (Trouble::Unavailable, 0),
            (Trouble::UnknownNotWritten, 0),
            (Trouble::UnknownWritten, 3),
        ] {
            given.store.suffer(trouble);
            let failed = given.desk.submit(3, "test", None).await;
            assert!(matches!(failed, Err(SubmitError::Unavailable(_))));
            given.store.suffer(Trouble::None);
            sleep(Duration::from_secs(1)).await;
            assert_eq!(given.count().await, count, "{trouble:?}");
        }
        given.desk.submit(3, "test", None).await.unwrap();
        assert_eq!(given.count().await, 6);
    });
}

#[test]
fn commands_in_hand_are_counted_until_they_are_answered_and_so_is_each_rebuilding() {
    paused(|| async {
        let given = Given::counter().await;
        assert_eq!(given.desk.figures(), DeskFigures::default());
        let mut waiting = Box::pin(given.desk.submit(3, "test", None));
        let asked = poll_fn(|task| Poll::Ready(waiting.as_mut().poll(task))).await;
        assert!(asked.is_pending());
        assert_eq!(given.desk.figures().in_hand, 1);
        waiting.await.unwrap();
        assert_eq!(given.desk.figures().in_hand, 0);
        given.store.suffer(Trouble::UnknownNotWritten);
        assert!(given.desk.submit(1, "test", None).await.is_err());
        given.store.suffer(Trouble::None);
        given.count().await;
        let figures = given.desk.figures();
        assert_eq!((figures.in_hand, figures.rebuilt), (0, 1));
    });
}

#[test]
fn time_alone_is_journalled_when_it_comes() {
    paused(|| async {
        let given = Given::counter().await;
        given.desk.submit(5, "test", None).await.unwrap();
        sleep(Duration::from_secs(3599)).await;
        assert_eq!(given.count().await, 5);
        sleep(Duration::from_secs(2)).await;
        let desk = given.desk.clone();
        until("the count is reset", || {
            let desk = desk.clone();
            async move { desk.read(|counter, _| counter.count).await == Some(0) }
        })
        .await;
        assert_eq!(given.desk.read(|counter, _| counter.seq).await, Some(2));
    });
}

/// What a context has spawned is polled once more before it waits for a message's answer: a timer that
/// is ready just then and the command must not both decide on the same state.
#[test]
fn a_command_and_a_deadline_at_one_instant_take_turns() {
    paused(|| async {
        let given = Given::counter().await;
        let wake = Duration::from_secs(3600) + Duration::from_millis(5);
        // Who is woken first at one instant is nobody's promise: both orders are tried.
        let before = command_after(&given, wake);
        given.desk.submit(5, "test", None).await.unwrap();
        let after = command_after(&given, wake);
        let answers = [before.await.unwrap(), after.await.unwrap()];
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(given.count().await, 6);
        assert_eq!(given.desk.read(|counter, _| counter.seq).await, Some(4));
        assert_eq!(given.store.acquired(), 1, "the desk was rebuilt");
    });
}

/// Counts 3 after so long.
fn command_after(
    given: &Given,
    wait: Duration,
) -> tokio::task::JoinHandle<actors::desk::Submitted<Counter>> {
    let desk = given.desk.clone();
    let wait = sleep(wait);
    actix::spawn(async move {
        wait.await;
        desk.submit(3, "test", None).await
    })
}
