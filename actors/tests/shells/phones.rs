//! A ticket watched on a phone.

use actors::hall::Watch;
use actors::hub::Find;
use rules::ids::Token;
use rules::testing::{begin, call_next, clock, finish, wish};
use rules::{Command, testing};

use crate::support::{Tree, paused, until};

async fn takes_watched(tree: &Tree, token: &str) {
    let mut wish = wish("social");
    wish.token = Token(token.to_owned());
    tree.does("H1", Command::IssueTicket(wish)).await;
    let watched = tree
        .hall("H1")
        .actor
        .send(Watch(Token(token.to_owned())))
        .await;
    assert!(watched.unwrap());
}

#[test]
fn a_phone_sees_its_place_come_nearer_and_then_the_window() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        tree.takes("H1").await;
        takes_watched(&tree, "abc").await;
        let mut phone = tree.screen("ticket.abc", None).await;
        let ahead = |frames: &[crate::support::Frame]| frames.last().unwrap().data["ahead"].clone();
        assert_eq!(ahead(&phone.next().await), 1);
        tree.does("H1", call_next("1")).await;
        assert_eq!(ahead(&phone.next().await), 0);
        tree.does("H1", call_next("2")).await;
        let frames = phone.next().await;
        assert_eq!(frames.last().unwrap().data["state"], "called");
        assert_eq!(frames.last().unwrap().data["window"], "2");
    });
}

#[test]
fn nobody_watches_a_ticket_that_is_not() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let watched = tree
            .hall("H1")
            .actor
            .send(Watch(Token("guess".to_owned())))
            .await;
        assert!(!watched.unwrap());
        assert!(
            tree.hub
                .send(Find("ticket.guess".to_owned()))
                .await
                .unwrap()
                .is_none()
        );
    });
}

#[test]
fn the_topics_of_a_days_tickets_end_with_the_day() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        takes_watched(&tree, "served").await;
        takes_watched(&tree, "waiting").await;
        for command in [call_next("1"), begin("1"), finish("1")] {
            tree.does("H1", command).await;
        }
        let topics = || async { tree.hub.send(actors::hub::Observe).await.unwrap().topics };
        let with_phones = topics().await;
        tree.clock.put(clock("3T08:00"));
        tree.does("H1", testing::issue("social")).await;
        until("both topics are closed", || async {
            topics().await == with_phones - 2
        })
        .await;
    });
}
