//! One command at a time; journalled before it is shown; rebuilt when only the journal knows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actors::hall::{KeepSnapshot, SubmitError, load};
use rules::testing::{begin, call_next, finish, issue, recall};
use rules::{Command, Refusal};

use crate::support::{Tree, Trouble, id, paused, until};

#[test]
fn one_ticket_and_two_windows_at_once_a_thousand_times_over() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        for round in 0..1000 {
            tree.does("H1", issue("social")).await;
            // Either window asks first in half of the rounds.
            let (first, second) = if round % 2 == 0 {
                ("1", "2")
            } else {
                ("2", "1")
            };
            let (a, b) = tokio::join!(
                tree.ask("H1", call_next(first)),
                tree.ask("H1", call_next(second))
            );
            let (won, lost, window) = match (a, b) {
                (Ok(done), Err(error)) => (done, error, first),
                (Err(error), Ok(done)) => (done, error, second),
                both => panic!("round {round}: {both:?}"),
            };
            assert!(matches!(
                lost,
                SubmitError::Refused(Refusal::NobodyWaiting { .. })
            ));
            assert_eq!(won.ticket.as_ref().unwrap().state, "called");
            tree.does("H1", begin(window)).await;
            tree.does("H1", finish(window)).await;
        }
        let hall = tree.state("H1").await;
        assert_eq!(
            (hall.figures().completed, hall.figures().issued),
            (1000, 1000)
        );
        assert_eq!(
            rules::hall::invariants::violations(&hall),
            Vec::<String>::new()
        );
    });
}

#[test]
fn a_snapshot_under_way_does_not_hold_up_the_commands_behind_it() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        for _ in 0..20 {
            tree.hall("H1").actor.do_send(KeepSnapshot);
            // The snapshot has the store's turn when the command comes.
            tokio::task::yield_now().await;
            let issued = tree.ask("H1", issue("social"));
            let answer = tokio::time::timeout(Duration::from_secs(60), issued).await;
            assert!(answer.expect("an answer in time").is_ok());
        }
    });
}

#[test]
fn nothing_is_applied_or_shown_while_the_store_is_away_and_the_hall_lives_on() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let (mut screen, _) = tree.board().await;
        let before = tree.state("H1").await;
        let actor = tree.hall("H1").actor;

        tree.store.suffer(Trouble::Unavailable);
        let answer = tree.ask_with_key(issue("social"), "k1", "a").await;
        assert!(
            matches!(answer, Err(SubmitError::Unavailable(_))),
            "{answer:?}"
        );
        assert_eq!(tree.state("H1").await, before);

        tree.store.suffer(Trouble::None);
        let done = tree.ask_with_key(issue("social"), "k1", "a").await.unwrap();
        assert!(!done.replayed);
        assert_eq!(done.seq, before.seq() + 1);
        let frames = screen.next().await;
        assert_eq!(frames.iter().map(|f| f.seq).collect::<Vec<_>>(), [done.seq]);
        assert!(actor.connected(), "the same actor");
        assert_eq!(tree.takes("H1").await, "B002");
    });
}

#[test]
fn when_the_outcome_is_unknown_the_hall_is_rebuilt_as_the_journal_has_it() {
    for (trouble, written) in [
        (Trouble::UnknownNotWritten, 0),
        (Trouble::UnknownWritten, 1),
    ] {
        paused(|| async move {
            let tree = Tree::with_open_hall().await;
            let before = tree.state("H1").await;
            tree.store.suffer(trouble);
            let answer = tree.ask_with_key(issue("social"), "k1", "a").await;
            assert!(
                matches!(answer, Err(SubmitError::Unavailable(_))),
                "{answer:?}"
            );
            tree.store.suffer(Trouble::None);

            let after = tree.state("H1").await;
            assert_eq!(after.seq(), before.seq() + written);
            let journal = tree.store.journal(&id("H1")).await;
            assert_eq!(journal.len() as u64, after.seq());

            // The kiosk asks again with the same key and gets one number, not two.
            let done = tree.ask_with_key(issue("social"), "k1", "a").await.unwrap();
            assert_eq!(done.replayed, written == 1);
            assert_eq!(done.ticket.as_ref().unwrap().number, "B001");
            assert_eq!(tree.state("H1").await.figures().issued, 1);
        });
    }
}

#[test]
fn a_step_written_but_not_shown_reaches_the_screens_when_the_hall_is_rebuilt() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let (mut screen, seen) = tree.board().await;
        tree.store.suffer(Trouble::UnknownWritten);
        assert!(tree.ask("H1", issue("social")).await.is_err());
        tree.store.suffer(Trouble::None);
        let frames = screen.up_to(seen + 1).await;
        let last = frames.last().unwrap();
        assert_eq!((last.kind.as_str(), last.seq), ("snapshot", seen + 1));
        assert_eq!(last.data["figures"]["waiting"], 1);
    });
}

#[test]
fn a_repeated_key_gives_the_first_answer_and_another_body_is_told_so() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let first = tree.ask_with_key(issue("social"), "k1", "a").await.unwrap();
        tree.takes("H1").await;
        let again = tree.ask_with_key(issue("social"), "k1", "a").await.unwrap();
        assert!(again.replayed && !first.replayed);
        assert_eq!((again.seq, &again.ticket), (first.seq, &first.ticket));
        assert_eq!(again.recorded, first.recorded);
        let other = tree.ask_with_key(issue("social"), "k1", "b").await;
        assert_eq!(other.unwrap_err(), SubmitError::KeyReused);
        assert_eq!(tree.state("H1").await.figures().issued, 2);
    });
}

#[test]
fn a_repeated_key_gives_the_first_answer_also_after_the_hall_was_built_again() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let first = tree.ask_with_key(issue("social"), "k1", "a").await.unwrap();
        tree.break_down("H1").await;
        tree.state("H1").await;
        let again = tree.ask_with_key(issue("social"), "k1", "a").await.unwrap();
        assert!(again.replayed);
        assert_eq!(again.recorded, first.recorded);
        assert_eq!(again.ticket.as_ref().unwrap().number, "B001");
        let other = tree.ask_with_key(issue("social"), "k1", "b").await;
        assert_eq!(other.unwrap_err(), SubmitError::KeyReused);
        assert_eq!(tree.state("H1").await.figures().issued, 1);
    });
}

#[test]
fn a_refusal_is_not_kept_under_its_key() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let refused = tree.ask_with_key(call_next("1"), "k1", "a").await;
        assert!(matches!(refused, Err(SubmitError::Refused(_))));
        tree.takes("H1").await;
        assert!(tree.ask_with_key(call_next("1"), "k1", "a").await.is_ok());
    });
}

#[test]
fn commands_are_carried_out_in_the_order_they_came() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let taken = (0..50).map(|_| {
            let hall = tree.hall("H1");
            actix::spawn(async move {
                let submit = actors::hall::Submit::new(issue("social"), "kiosk");
                hall.submit(submit)
                    .await
                    .unwrap()
                    .ticket
                    .clone()
                    .unwrap()
                    .number
            })
        });
        let taken: Vec<_> = taken.collect();
        for (place, number) in (1..).zip(taken) {
            assert_eq!(number.await.unwrap(), format!("B{place:03}"));
        }
    });
}

#[test]
fn a_kept_snapshot_is_what_the_hall_is_built_from() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        tree.takes("H1").await;
        tree.takes("H1").await;
        tree.does("H1", call_next("1")).await;
        tree.does("H1", recall("1")).await;
        tree.does("H1", call_next("2")).await;
        tree.does("H1", begin("2")).await;
        let kept = tree.state("H1").await;
        tree.hall("H1").actor.send(KeepSnapshot).await.unwrap();
        tree.does("H1", finish("2")).await;
        let live = tree.state("H1").await;
        tree.store.read_from.store(u64::MAX, Ordering::Relaxed);
        let store = Arc::clone(&tree.store);
        let loaded = load(store, id("H1")).await.unwrap().unwrap();
        assert_eq!(loaded.hall, live);
        assert_eq!(tree.store.read_from.load(Ordering::Relaxed), kept.seq());
    });
}

#[test]
fn a_process_that_took_the_hall_over_fences_this_one_off() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        // Another process takes the hall and writes: this one's next write must not be taken.
        let other = Tree::over(&tree.store);
        let started = other
            .supervisor
            .send(actors::supervisor::StartAll)
            .await
            .unwrap();
        assert_eq!(started, Ok(1));
        other.takes("H1").await;
        let answer = tree.ask("H1", issue("social")).await;
        assert!(
            matches!(answer, Err(SubmitError::Unavailable(_))),
            "{answer:?}"
        );
        let journal = tree.store.journal(&id("H1")).await;
        let seqs: Vec<u64> = journal.iter().map(|one| one.seq).collect();
        assert_eq!(seqs, (1..=journal.len() as u64).collect::<Vec<_>>());
    });
}

#[test]
fn the_city_sums_its_halls() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        tree.register("H2", crate::support::config()).await;
        tree.open("H2").await;
        for hall in ["H1", "H2", "H2"] {
            tree.takes(hall).await;
        }
        tree.does("H2", call_next("1")).await;
        until("the city knows", || async {
            let city = tree.city.send(actors::city::Observe).await.unwrap();
            let city: serde_json::Value = serde_json::from_str(&city).unwrap();
            let totals = &city["totals"];
            totals["issued"] == 3 && totals["waiting"] == 2 && totals["called"] == 1
        })
        .await;
    });
}

#[test]
fn a_hall_closed_by_command_shows_each_of_its_steps() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let (mut screen, seen) = tree.board().await;
        let done = tree.does("H1", Command::CloseHall).await;
        let frames = screen.up_to(done.seq).await;
        let seqs: Vec<u64> = frames.iter().map(|frame| frame.seq).collect();
        assert_eq!(seqs, [seen + 1, seen + 2, seen + 3]);
        assert_eq!(frames[2].data["state"], "closed");
    });
}
