//! A window's heartbeat, and the day of its clerk.

use std::time::Duration;

use actix::prelude::Addr;
use actors::hall::Submit;
use actors::window::{Ask, Beat, HEARTBEAT_LOST, Observe, WindowActor};
use rules::testing::{begin, call_next, finish, window};
use tokio::time::sleep;

use crate::support::{Tree, paused, until};

fn window_1(tree: &Tree) -> Addr<WindowActor> {
    tree.hall("H1").window(&window("1")).unwrap()
}

async fn state(tree: &Tree) -> &'static str {
    tree.state("H1")
        .await
        .window(&window("1"))
        .unwrap()
        .state
        .name()
}

async fn beat(tree: &Tree) {
    let beat = Beat {
        by: "li".to_owned(),
    };
    window_1(tree).send(beat).await.unwrap().unwrap();
}

#[test]
fn a_window_whose_heartbeat_is_lost_is_offline_and_comes_back_to_where_it_was() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        tree.takes("H1").await;
        tree.does("H1", call_next("1")).await;
        tree.does("H1", begin("1")).await;
        beat(&tree).await;
        sleep(HEARTBEAT_LOST - Duration::from_secs(1)).await;
        assert_eq!(state(&tree).await, "serving");
        until("the window is lost", || async {
            state(&tree).await == "offline"
        })
        .await;

        beat(&tree).await;
        assert_eq!(state(&tree).await, "serving");
        let hall = tree.state("H1").await;
        let ticket = hall.window(&window("1")).unwrap().state.ticket().unwrap();
        assert_eq!(hall.ticket(ticket).unwrap().number, "B001");
    });
}

#[test]
fn a_console_that_beats_is_never_lost() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        for _ in 0..20 {
            beat(&tree).await;
            sleep(Duration::from_secs(10)).await;
            assert_eq!(state(&tree).await, "idle");
        }
    });
}

#[test]
fn a_window_that_never_beat_is_not_watched() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        sleep(Duration::from_secs(600)).await;
        assert_eq!(state(&tree).await, "idle");
    });
}

#[test]
fn the_clerks_next_command_brings_a_lost_window_back_first() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        tree.takes("H1").await;
        beat(&tree).await;
        until("the window is lost", || async {
            state(&tree).await == "offline"
        })
        .await;
        let ask = Ask(Submit::new(call_next("1"), "li"));
        let done = window_1(&tree).send(ask).await.unwrap().unwrap();
        assert_eq!(done.ticket.as_ref().unwrap().number, "B001");
        assert_eq!(state(&tree).await, "calling");
    });
}

#[test]
fn the_clerks_day_counts_what_was_served_and_survives_a_rebuild() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        for _ in 0..2 {
            tree.takes("H1").await;
            tree.does("H1", call_next("1")).await;
            tree.does("H1", begin("1")).await;
            sleep(Duration::from_secs(120)).await;
            tree.does("H1", finish("1")).await;
        }
        let day = window_1(&tree).send(Observe).await.unwrap();
        assert_eq!((day.served, day.mean_service_secs), (2, 120));
        tree.break_down("H1").await;
        tree.state("H1").await;
        let day = window_1(&tree).send(Observe).await.unwrap();
        assert_eq!((day.served, day.mean_service_secs), (2, 120));
    });
}

#[test]
fn a_windows_screen_shows_its_call_and_no_other() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let mut led = tree.screen("window.H1.2", None).await;
        let mut other = tree.screen("window.H1.1", None).await;
        led.next().await;
        other.next().await;
        tree.takes("H1").await;
        tree.does("H1", call_next("2")).await;
        let frames = led.next().await;
        assert!(
            frames.last().unwrap().data.to_string().contains("B001"),
            "{frames:?}"
        );
        assert_eq!(other.now().await, []);
    });
}
