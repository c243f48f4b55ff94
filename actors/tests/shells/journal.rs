//! Group commit: what gathers while one transaction is under way goes into the next.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actors::journal::{AppendError, Journal};
use actors::ports::{Append, Entry, Store, StreamId};
use rules::hall::Recorded;

use crate::support::{Trouble, TroubledStore, config, id, paused, until};

async fn append_for(store: &TroubledStore, hall: &str) -> Append {
    let head = store.acquire(&stream(hall)).await.unwrap();
    let event = rules::Hall::register(config()).unwrap();
    let at = rules::testing::clock("08:00");
    let first = Recorded {
        seq: 1,
        at,
        by: "test".to_owned(),
        event,
    };
    Append {
        events: Entry::all(&[first]).unwrap(),
        ..Append::nothing(stream(hall), head.epoch, None)
    }
}

fn stream(hall: &str) -> StreamId {
    StreamId::from(&id(hall))
}

#[test]
fn a_hundred_appends_at_once_cost_a_few_commits() {
    paused(|| async {
        let store = TroubledStore::new();
        let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>);
        let mut written = Vec::new();
        for hall in 0..100 {
            let append = append_for(&store, &format!("H{hall}")).await;
            written.push(actix::spawn(journal.clone().append(append)));
        }
        for one in written {
            assert_eq!(one.await.unwrap(), Ok(()));
        }
        let commits = store.commits.load(Ordering::Relaxed);
        assert!(commits <= 3, "{commits} commits");
        let figures = journal.figures();
        assert_eq!((figures.appends, figures.waiting), (100, 0));
        assert_eq!(figures.commits, commits);
        assert!(figures.last_batch > 1 && figures.failed == 0, "{figures:?}");
        assert_eq!(store.streams().await.unwrap().len(), 100);
    });
}

#[test]
fn one_refused_append_does_not_spoil_the_others_of_its_transaction() {
    paused(|| async {
        let store = TroubledStore::new();
        let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>);
        let good = append_for(&store, "H1").await;
        let mut stale = append_for(&store, "H2").await;
        stale.epoch -= 1;
        let other = append_for(&store, "H3").await;
        let (good, stale, other) = tokio::join!(
            journal.clone().append(good),
            journal.clone().append(stale),
            journal.clone().append(other)
        );
        assert_eq!((good, other), (Ok(()), Ok(())));
        assert_eq!(
            stale,
            Err(AppendError::Rejected(actors::ports::Rejected::Fenced))
        );
        assert_eq!(store.commits.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn every_append_of_a_failed_transaction_learns_of_it() {
    paused(|| async {
        let store = TroubledStore::new();
        let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>);
        let one = append_for(&store, "H1").await;
        let two = append_for(&store, "H2").await;
        store.suffer(Trouble::Unavailable);
        let answers = tokio::join!(journal.clone().append(one), journal.clone().append(two));
        for answer in [answers.0, answers.1] {
            assert!(matches!(answer, Err(AppendError::Port(_))), "{answer:?}");
        }
    });
}

#[test]
fn a_journal_with_too_much_to_write_says_so_at_once() {
    paused(|| async {
        let store = TroubledStore::new();
        let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>);
        let stuck = store.gate.acquire().await.unwrap();
        let append = append_for(&store, "H1").await;
        let overloaded = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let mut written = Vec::new();
        for _ in 0..5000 {
            let (journal, append) = (journal.clone(), append.clone());
            let overloaded = Arc::clone(&overloaded);
            written.push(actix::spawn(async move {
                if journal.append(append).await == Err(AppendError::Overloaded) {
                    overloaded.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        until("some are turned away", || async {
            overloaded.load(Ordering::Relaxed) > 0
        })
        .await;
        drop(stuck);
        for one in written {
            one.await.unwrap();
        }
        let turned_away = overloaded.load(Ordering::Relaxed);
        assert!((1..1000).contains(&turned_away), "{turned_away} of 5000");
    });
}
