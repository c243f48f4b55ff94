//! What a queue shows of itself.

use std::time::Duration;

use tokio::time::sleep;

use crate::support::{Tree, paused};

/// Fifty tickets in a second: ten views or so, and the last one tells of all.
#[test]
fn a_busy_queue_keeps_its_pace_and_shows_the_last_figures() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let mut screen = tree.screen("queue.H1.social", None).await;
        let first = screen.next().await.pop().unwrap();
        for _ in 0..50 {
            tree.takes("H1").await;
            sleep(Duration::from_millis(20)).await;
        }
        let last = loop {
            let frame = screen.next().await.pop().unwrap();
            if frame.data["waiting"] == 50 {
                break frame;
            }
        };
        let views = last.seq - first.seq;
        assert!((8..=12).contains(&views), "{views}");
    });
}

#[test]
fn after_a_pause_a_queue_shows_a_change_at_once() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let mut screen = tree.screen("queue.H1.social", None).await;
        screen.next().await;
        sleep(Duration::from_secs(1)).await;
        let begun = tokio::time::Instant::now();
        tree.takes("H1").await;
        let frame = screen.next().await.pop().unwrap();
        assert_eq!(frame.data["waiting"], 1);
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(20), "{took:?}");
    });
}
