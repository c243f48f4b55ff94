//! A hall's voice: who speaks, what nobody could say, and a voice that dies.

use std::time::Duration;

use actix::prelude::Addr;
use actors::voice::{Attend, Observe, Turn, VoiceActor};
use dashboards::voice::VoiceView;
use rules::announce::{AGE_SECS_MAX, End, LEASE_SECS, Reason, Speaker};
use rules::testing::{begin, call_next};
use tokio::time::sleep;

use crate::support::{Tree, paused, until};

fn voice(tree: &Tree) -> Addr<VoiceActor> {
    tree.hall("H1").children.voice().expect("a voice")
}

fn screen(name: &str) -> Speaker {
    Speaker {
        device: name.to_owned(),
        page: format!("page of {name}"),
    }
}

async fn attends(tree: &Tree, name: &str, turn: Turn) -> VoiceView {
    let attend = Attend {
        zone: "-".to_owned(),
        speaker: screen(name),
        turn,
    };
    voice(tree).send(attend).await.unwrap().expect("a zone")
}

async fn state(tree: &Tree) -> VoiceView {
    let zone = "-".to_owned();
    let seen = voice(tree).send(Observe { zone }).await;
    seen.unwrap().expect("a zone")
}

async fn calls(tree: &Tree, window: &str) {
    tree.takes("H1").await;
    tree.does("H1", call_next(window)).await;
}

fn saying(view: &VoiceView) -> (&str, u8) {
    let saying = view.saying.as_ref().expect("something is said");
    (&saying.call.number, saying.round)
}

#[test]
fn one_screen_speaks_and_another_takes_over_when_it_is_silent() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        attends(&tree, "left", Turn::Ready).await;
        calls(&tree, "1").await;
        let view = attends(&tree, "right", Turn::Ready).await;
        assert_eq!(view.speaker, Some(screen("left")));
        assert_eq!(saying(&view), ("B001", 1));

        sleep(Duration::from_secs(LEASE_SECS + 1)).await;
        let view = attends(&tree, "right", Turn::Ready).await;
        assert_eq!(view.speaker, Some(screen("right")));
        assert_eq!(saying(&view), ("B001", 1), "begun again by the other");

        let view = attends(&tree, "right", Turn::Leave).await;
        assert_eq!(view.speaker, None);
    });
}

#[test]
fn a_call_that_is_said_is_shown_on_the_zones_topic_until_it_is_over() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let mut board = tree.screen("voice.H1.-", None).await;
        board.next().await;
        attends(&tree, "left", Turn::Ready).await;
        calls(&tree, "1").await;
        let frames = board.next().await;
        assert_eq!(frames.last().unwrap().data["saying"]["number"], "B001");
        for round in 1..=2 {
            let view = state(&tree).await;
            assert_eq!(saying(&view), ("B001", round));
            let id = view.saying.unwrap().id;
            attends(&tree, "left", Turn::Ended(id, End::Done)).await;
        }
        let frames = board.now().await;
        assert!(frames.last().unwrap().data["saying"].is_null());
        let view = state(&tree).await;
        assert_eq!((view.tally.called, view.tally.spoken), (1, 1));
    });
}

#[test]
fn a_call_that_nobody_could_say_is_dropped_in_time_and_the_board_is_told() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let mut board = tree.screen("voice.H1.-", None).await;
        board.next().await;
        calls(&tree, "1").await;
        sleep(Duration::from_secs(AGE_SECS_MAX + 2)).await;
        // Nobody asked: the actor's own look at the clock did it.
        let frames = board.next().await;
        let told = &frames.last().unwrap().data;
        assert_eq!(told["waiting"], serde_json::json!([]));
        assert_eq!(told["dropped"][0]["reason"], "too_old");
        let view = state(&tree).await;
        assert_eq!(view.tally.dropped.get(&Reason::TooOld), Some(&1));
    });
}

#[test]
fn a_zone_that_is_not_there_has_no_voice() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let zone = "nowhere".to_owned();
        assert!(voice(&tree).send(Observe { zone }).await.unwrap().is_none());
    });
}

#[test]
fn a_dead_voice_is_replaced_at_the_next_call_and_knows_what_is_called() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        calls(&tree, "1").await;
        let dead = voice(&tree);
        tree.clock.break_once();
        let zone = "-".to_owned();
        assert!(dead.send(Observe { zone }).await.is_err());
        until("the voice is dead", || async { !dead.connected() }).await;
        tree.state("H1").await;

        calls(&tree, "2").await;
        let view = attends(&tree, "left", Turn::Ready).await;
        assert_eq!(saying(&view).0, "B001");
        let waiting: Vec<_> = view.waiting.iter().map(|call| &call.number).collect();
        assert_eq!(waiting, ["B002"]);
    });
}

#[test]
fn the_voice_of_a_rebuilt_hall_knows_whom_it_calls_and_nobody_else() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        calls(&tree, "1").await;
        calls(&tree, "2").await;
        tree.does("H1", begin("1")).await;
        tree.break_down("H1").await;
        tree.state("H1").await;
        let view = state(&tree).await;
        let waiting: Vec<_> = view.waiting.iter().map(|call| &call.number).collect();
        assert_eq!(waiting, ["B002"]);
    });
}
