//! The day ends by itself at the hall's midnight.

use std::time::Duration;

use actors::hall::Submit;
use rules::Event;
use rules::testing::{clock, issue};
use tokio::time::sleep;

use crate::support::{Tree, Trouble, id, paused, until};

async fn day(tree: &Tree) -> String {
    tree.state("H1").await.day().unwrap().to_string()
}

#[test]
fn the_day_ends_at_midnight_though_nobody_asks_anything() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        tree.takes("H1").await;
        let to_midnight = clock("3T00:00").millis_since(clock("09:00"));
        sleep(Duration::from_millis(to_midnight - 60_000)).await;
        assert_eq!(day(&tree).await, "2026-11-02");
        sleep(Duration::from_secs(120)).await;
        let journal = tree.store.journal(&id("H1")).await;
        let ended = journal
            .iter()
            .find(|one| matches!(one.event, Event::DayEnded { .. }))
            .unwrap();
        let late = ended.at.millis_since(clock("3T00:00"));
        assert!(
            ended.at >= clock("3T00:00") && late < 1000,
            "{late} ms after midnight"
        );
        assert_eq!(day(&tree).await, "2026-11-03");
        assert_eq!(tree.takes("H1").await, "B001");
    });
}

#[test]
fn a_command_right_after_midnight_belongs_to_the_new_day() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        assert_eq!(tree.takes("H1").await, "B001");
        // The machine slept: the clock jumps and no wake-up came.
        tree.clock.put(clock("3T08:00"));
        let done = tree.does("H1", issue("social")).await;
        assert_eq!(done.ticket.as_ref().unwrap().number, "B001");
        let hall = tree.state("H1").await;
        assert_eq!(hall.figures().issued, 1);
        assert_eq!(day(&tree).await, "2026-11-03");
    });
}

#[test]
fn a_midnight_without_a_store_is_made_up_for() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        tree.clock.put(clock("23:59:30"));
        // An hour may pass before a clock set by hand is noticed; a command arms the wake-up anew.
        tree.takes("H1").await;
        tree.store.suffer(Trouble::Unavailable);
        sleep(Duration::from_secs(60)).await;
        assert_eq!(day(&tree).await, "2026-11-02");
        tree.store.suffer(Trouble::None);
        until("the day has ended", || async {
            day(&tree).await == "2026-11-03"
        })
        .await;
    });
}

#[test]
fn a_clock_set_back_over_midnight_neither_ends_the_day_twice_nor_stops_the_hall() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        tree.clock.put(clock("3T00:10"));
        assert_eq!(tree.takes("H1").await, "B001");
        tree.clock.put(clock("23:50"));
        assert_eq!(tree.takes("H1").await, "B002");
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(tree.takes("H1").await, "B003");
        let journal = tree.store.journal(&id("H1")).await;
        let ends = journal
            .iter()
            .filter(|one| matches!(one.event, Event::DayEnded { .. }));
        assert_eq!(ends.count(), 1);
    });
}

/// See `desk::a_command_and_a_deadline_at_one_instant_take_turns`.
#[test]
fn a_command_at_the_instant_of_the_days_end_takes_its_turn() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        tree.clock.put(clock("23:30"));
        let wake = Duration::from_secs(1800) + Duration::from_millis(5);
        let taken = tree.store.acquired();
        let command_after = |wait| {
            let (hall, wait) = (tree.hall("H1"), sleep(wait));
            actix::spawn(async move {
                wait.await;
                hall.submit(Submit::new(issue("social"), "test")).await
            })
        };
        let before = command_after(wake);
        tree.takes("H1").await;
        let after = command_after(wake);
        for command in [before, after] {
            assert!(command.await.unwrap().is_ok());
        }
        assert_eq!(day(&tree).await, "2026-11-03");
        assert_eq!(tree.state("H1").await.figures().issued, 2);
        assert_eq!(tree.store.acquired(), taken, "the hall was rebuilt");
    });
}
