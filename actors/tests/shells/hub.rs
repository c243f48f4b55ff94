//! Frames: no gap but by a snapshot, gathered but never held back, one slow screen costs nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Wake, Waker};
use std::time::Duration;

use actix::prelude::{Actor, Addr, Context, Handler, Message};
use actors::hub::{
    Cursor, Found, OpenTopic, Publish, PublishSnapshot, ScreenHub, Shape, TakeSnapshot,
};
use rules::testing::{call_next, issue};
use tokio::time::{Instant, sleep};

use crate::support::{Frame, Screen, Tree, paused, until};

const MERGE: Duration = Duration::from_millis(100);

/// Makes snapshots of a topic `steps` at the number it was last told.
struct Owner {
    hub: Addr<ScreenHub>,
    seq: u64,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Reached(u64);

impl Actor for Owner {
    type Context = Context<Self>;
}

impl Handler<Reached> for Owner {
    type Result = ();
    fn handle(&mut self, Reached(seq): Reached, _: &mut Self::Context) {
        self.seq = seq;
    }
}

impl Handler<TakeSnapshot> for Owner {
    type Result = ();
    fn handle(&mut self, _: TakeSnapshot, _: &mut Self::Context) {
        let topic = "steps".to_owned();
        let frame = text("snapshot", self.seq);
        self.hub.do_send(PublishSnapshot {
            topic,
            seq: self.seq,
            frame,
        });
    }
}

fn text(kind: &str, seq: u64) -> String {
    serde_json::json!({ "kind": kind, "seq": seq, "data": null }).to_string()
}

/// A topic of steps under a hub of its own.
struct Desk {
    tree: Tree,
    owner: Addr<Owner>,
}

impl Desk {
    async fn with(merge: Duration) -> Self {
        let tree = Tree::with_open_hall().await;
        let owner = Owner {
            hub: tree.hub.clone(),
            seq: 0,
        }
        .start();
        let open = OpenTopic {
            name: "steps".to_owned(),
            shape: Shape::Steps { merge },
            owner: Some(owner.clone().recipient()),
        };
        tree.hub.send(open).await.unwrap();
        Self { tree, owner }
    }

    async fn publish(&self, seq: u64) {
        self.send(seq, false).await;
    }

    async fn send(&self, seq: u64, urgent: bool) {
        self.owner.send(Reached(seq)).await.unwrap();
        let frames = vec![(seq, text("delta", seq))];
        let publish = Publish {
            topic: "steps".to_owned(),
            frames,
            urgent,
        };
        self.tree.hub.send(publish).await.unwrap();
    }

    /// A step that a full hub has dropped.
    async fn lose(&self, seq: u64) {
        self.owner.send(Reached(seq)).await.unwrap();
    }

    async fn screen(&self, since: Option<u64>) -> Screen {
        self.tree.screen("steps", since).await
    }
}

fn told(frames: &[Frame]) -> Vec<(&str, u64)> {
    frames
        .iter()
        .map(|frame| (frame.kind.as_str(), frame.seq))
        .collect()
}

#[test]
fn a_screen_gets_a_snapshot_and_then_every_step_in_order() {
    paused(|| async {
        let desk = Desk::with(Duration::ZERO).await;
        desk.publish(1).await;
        desk.publish(2).await;
        let mut screen = desk.screen(None).await;
        assert_eq!(told(&screen.next().await), [("snapshot", 2)]);
        for seq in 3..=500 {
            desk.publish(seq).await;
            if seq % 7 == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        }
        let steps = screen.up_to(500).await;
        let expected: Vec<(&str, u64)> = (3..=500).map(|seq| ("delta", seq)).collect();
        assert_eq!(told(&steps), expected);
    });
}

#[test]
fn a_screen_that_comes_back_gets_what_it_missed() {
    paused(|| async {
        let desk = Desk::with(Duration::ZERO).await;
        for seq in 1..=103 {
            desk.publish(seq).await;
        }
        let mut screen = desk.screen(Some(100)).await;
        assert_eq!(
            told(&screen.next().await),
            [("delta", 101), ("delta", 102), ("delta", 103)]
        );
        let mut up_to_date = desk.screen(Some(103)).await;
        assert_eq!(up_to_date.now().await, []);
        desk.publish(104).await;
        assert_eq!(told(&up_to_date.next().await), [("delta", 104)]);
    });
}

#[test]
fn a_screen_that_comes_back_too_late_or_from_elsewhere_gets_a_snapshot() {
    paused(|| async {
        let desk = Desk::with(Duration::ZERO).await;
        for seq in 1..=2000 {
            desk.publish(seq).await;
        }
        for since in [Some(5), Some(0), Some(2001), Some(u64::MAX), None] {
            let mut screen = desk.screen(since).await;
            assert_eq!(
                told(&screen.next().await),
                [("snapshot", 2000)],
                "since {since:?}"
            );
        }
    });
}

#[test]
fn a_slow_screen_whose_place_has_fallen_out_of_the_log_gets_a_snapshot() {
    paused(|| async {
        let desk = Desk::with(Duration::ZERO).await;
        desk.publish(1).await;
        let mut slow = desk.screen(None).await;
        let mut quick = desk.screen(None).await;
        slow.next().await;
        quick.next().await;
        for seq in 2..=1500 {
            desk.publish(seq).await;
            assert_eq!(told(&quick.next().await), [("delta", seq)]);
        }
        assert_eq!(told(&slow.next().await), [("snapshot", 1500)]);
        desk.publish(1501).await;
        assert_eq!(told(&slow.next().await), [("delta", 1501)]);
    });
}

/// A topic with a merge window, of which the first step was shown a second ago.
async fn after_a_pause() -> (Desk, Screen) {
    let desk = Desk::with(MERGE).await;
    desk.publish(1).await;
    let mut screen = desk.screen(None).await;
    screen.next().await;
    sleep(Duration::from_secs(1)).await;
    (desk, screen)
}

#[test]
fn after_a_pause_the_first_step_is_shown_at_once_and_the_following_are_gathered() {
    paused(|| async {
        let (desk, mut screen) = after_a_pause().await;

        let begun = Instant::now();
        desk.publish(2).await;
        assert_eq!(told(&screen.now().await), [("delta", 2)]);
        for seq in 3..=6 {
            desk.publish(seq).await;
        }
        assert_eq!(screen.now().await, [], "they are gathered");
        let gathered = screen.next().await;
        assert_eq!(told(&gathered), [3, 4, 5, 6].map(|seq| ("delta", seq)));
        assert!(
            begun.elapsed() <= MERGE + Duration::from_millis(2),
            "{:?}",
            begun.elapsed()
        );
    });
}

/// Steps come for a second, one every `gap`; says how often the screen was written to.
async fn writes_in_a_second(gap: Duration) -> u32 {
    let (desk, mut screen) = after_a_pause().await;
    let mut writes = 0;
    let mut seen = 1;
    for seq in 2..=(1000 / gap.as_millis() as u64) + 1 {
        desk.publish(seq).await;
        sleep(gap).await;
        let frames = screen.now().await;
        writes += u32::from(!frames.is_empty());
        for frame in frames {
            assert_eq!(frame.seq, seen + 1);
            seen = frame.seq;
        }
    }
    writes
}

#[test]
fn steps_that_keep_coming_are_shown_ten_times_a_second() {
    paused(|| async {
        let writes = writes_in_a_second(Duration::from_millis(50)).await;
        assert!((9..=12).contains(&writes), "{writes} writes in a second");
    });
}

#[test]
fn steps_that_come_thick_are_gathered_longer() {
    paused(|| async {
        let writes = writes_in_a_second(Duration::from_millis(10)).await;
        assert!((6..=8).contains(&writes), "{writes} writes in a second");
    });
}

#[test]
fn what_follows_a_call_is_gathered_for_a_whole_window() {
    paused(|| async {
        let (desk, mut screen) = after_a_pause().await;
        desk.publish(2).await;
        screen.next().await;
        desk.publish(3).await;
        sleep(MERGE / 2).await;
        desk.send(4, true).await;
        assert_eq!(told(&screen.now().await), [("delta", 3), ("delta", 4)]);
        let called = Instant::now();
        desk.publish(5).await;
        sleep(MERGE * 3 / 4).await;
        assert_eq!(screen.now().await, [], "not when the third was to be shown");
        assert_eq!(told(&screen.next().await), [("delta", 5)]);
        assert!(called.elapsed() >= MERGE, "{:?}", called.elapsed());
    });
}

#[test]
fn a_call_takes_what_was_gathered_with_it_at_once() {
    paused(|| async {
        let (desk, mut screen) = after_a_pause().await;
        desk.publish(2).await;
        screen.next().await;
        desk.publish(3).await;
        assert_eq!(screen.now().await, []);
        desk.send(4, true).await;
        assert_eq!(told(&screen.now().await), [("delta", 3), ("delta", 4)]);
    });
}

#[test]
fn a_step_dropped_by_a_full_hub_is_healed_by_a_snapshot() {
    paused(|| async {
        let desk = Desk::with(Duration::ZERO).await;
        desk.publish(1).await;
        let mut screen = desk.screen(None).await;
        screen.next().await;
        desk.publish(2).await;
        assert_eq!(told(&screen.next().await), [("delta", 2)]);
        desk.lose(3).await;
        desk.publish(4).await;
        assert_eq!(told(&screen.next().await), [("snapshot", 4)]);
        desk.publish(5).await;
        assert_eq!(told(&screen.next().await), [("delta", 5)]);
    });
}

#[test]
fn many_who_want_a_snapshot_cause_one() {
    paused(|| async {
        let desk = Desk::with(Duration::ZERO).await;
        desk.publish(1).await;
        let topic = desk.tree.topic("steps").await;
        let mut wanted = 0;
        let mut cursors: Vec<_> = (0..50).map(|_| topic.follow(None)).collect();
        std::future::poll_fn(|task| {
            for cursor in &mut cursors {
                wanted += u32::from(cursor.poll(task, &mut Vec::new()) == Found::SnapshotWanted);
            }
            std::task::Poll::Ready(())
        })
        .await;
        assert_eq!(wanted, 1);
    });
}

#[test]
fn a_screen_that_leaves_before_it_asked_for_the_snapshot_leaves_the_asking_to_another() {
    paused(|| async {
        let desk = Desk::with(Duration::ZERO).await;
        desk.publish(1).await;
        let topic = desk.tree.topic("steps").await;
        let mut hasty = topic.follow(None);
        std::future::poll_fn(|task| {
            assert_eq!(hasty.poll(task, &mut Vec::new()), Found::SnapshotWanted);
            std::task::Poll::Ready(())
        })
        .await;
        let mut patient = desk.screen(None).await;
        assert_eq!(patient.now().await, []);
        drop(hasty);
        assert_eq!(told(&patient.next().await), [("snapshot", 1)]);
    });
}

/// Counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    fn waker() -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self::default());
        (Arc::clone(&bell), Waker::from(bell))
    }

    fn rung(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a cursor hands out, as one piece.
fn taken(cursor: &mut Cursor, task: &TaskContext<'_>) -> Vec<u8> {
    let mut found = Vec::new();
    cursor.poll(task, &mut found);
    found.concat()
}

#[test]
fn screens_that_one_task_serves_wake_it_once_and_all_get_the_frames() {
    paused(|| async {
        let desk = Desk::with(Duration::ZERO).await;
        for seq in 1..=9 {
            desk.publish(seq).await;
        }
        let topic = desk.tree.topic("steps").await;
        let (bell, waker) = Bell::waker();
        let task = TaskContext::from_waker(&waker);
        let (other_bell, other_waker) = Bell::waker();
        let other_task = TaskContext::from_waker(&other_waker);
        let mut first = topic.follow(Some(9));
        let mut neighbours: Vec<_> = (0..10).map(|_| topic.follow(Some(9))).collect();
        let mut behind = topic.follow(Some(7));
        let mut elsewhere = topic.follow(Some(9));
        let mut found = Vec::new();
        for round in 1..=3 {
            for cursor in neighbours.iter_mut().chain([&mut first, &mut behind]) {
                cursor.poll(&task, &mut found);
            }
            elsewhere.poll(&other_task, &mut found);
            assert_eq!((bell.rung(), other_bell.rung()), (round - 1, round - 1));
            desk.publish(9 + round as u64).await;
            assert_eq!((bell.rung(), other_bell.rung()), (round, round));
        }
        // Who is served first leaves before the next step; its neighbours are woken all the same.
        let step = taken(&mut first, &task);
        assert!(step.ends_with(text("delta", 12).as_bytes()), "{step:?}");
        drop(first);
        for cursor in neighbours.iter_mut().chain([&mut behind]) {
            assert_eq!(taken(cursor, &task), step);
        }
        let rung = bell.rung();
        desk.publish(13).await;
        assert_eq!(bell.rung(), rung + 1);
    });
}

#[test]
fn screens_of_one_task_that_follow_two_topics_get_each_ones_frames() {
    paused(|| async {
        let desk = Desk::with(Duration::ZERO).await;
        let names = ["hall.A", "hall.B"];
        for name in names {
            let shape = Shape::Whole {
                merge: Duration::ZERO,
            };
            let open = OpenTopic {
                name: name.to_owned(),
                shape,
                owner: None,
            };
            desk.tree.hub.send(open).await.unwrap();
        }
        let mut screens = Vec::new();
        for _ in 0..5 {
            for name in names {
                screens.push(desk.tree.topic(name).await.follow(None));
            }
        }
        let (_bell, waker) = Bell::waker();
        let task = TaskContext::from_waker(&waker);
        for seq in 1..=3 {
            for name in names {
                let topic = name.to_owned();
                let frame = text(name, seq);
                if seq == 1 {
                    let snapshot = PublishSnapshot { topic, seq, frame };
                    desk.tree.hub.send(snapshot).await.unwrap();
                } else {
                    let publish = Publish {
                        topic,
                        frames: vec![(seq, frame)],
                        urgent: true,
                    };
                    desk.tree.hub.send(publish).await.unwrap();
                }
            }
            for (cursor, name) in screens.iter_mut().zip(names.into_iter().cycle()) {
                let frames = taken(cursor, &task);
                assert!(frames.ends_with(text(name, seq).as_bytes()), "{frames:?}");
            }
        }
    });
}

#[test]
fn those_who_wait_for_a_snapshot_that_does_not_come_leave_few_wakers() {
    paused(|| async {
        let desk = Desk::with(Duration::ZERO).await;
        let topic = desk.tree.topic("steps").await;
        let mut cursors = [topic.follow(None), topic.follow(None)];
        let bells: Vec<_> = (0..2).map(|_| Bell::waker()).collect();
        for _ in 0..1000 {
            for (cursor, (_, waker)) in cursors.iter_mut().zip(&bells) {
                taken(cursor, &TaskContext::from_waker(waker));
            }
        }
        let kept: usize = bells.iter().map(|(bell, _)| Arc::strong_count(bell)).sum();
        assert!(kept < 12, "{kept} are kept");
        let rung: Vec<_> = bells.iter().map(|(bell, _)| bell.rung()).collect();
        desk.publish(1).await;
        for ((bell, _), rung) in bells.iter().zip(rung) {
            assert!(bell.rung() > rung);
        }
    });
}

#[test]
fn those_who_come_and_go_at_a_silent_topic_are_not_kept() {
    paused(|| async {
        let desk = Desk::with(Duration::ZERO).await;
        desk.publish(1).await;
        let topic = desk.tree.topic("steps").await;
        let mut staying = topic.follow(Some(1));
        let (bell, waker) = Bell::waker();
        staying.poll(&TaskContext::from_waker(&waker), &mut Vec::new());
        let gone: Vec<_> = (0..100)
            .map(|_| {
                let (bell, waker) = Bell::waker();
                let mut cursor = topic.follow(Some(1));
                cursor.poll(&TaskContext::from_waker(&waker), &mut Vec::new());
                Arc::downgrade(&bell)
            })
            .collect();
        let kept = gone.iter().filter(|bell| bell.strong_count() > 0).count();
        assert!(kept <= 2, "{kept} are kept");
        // The one that stays may be woken in vain, but is never forgotten.
        staying.poll(&TaskContext::from_waker(&waker), &mut Vec::new());
        let rung = bell.rung();
        desk.publish(2).await;
        assert_eq!(bell.rung(), rung + 1);
    });
}

#[test]
fn a_screen_that_leaves_is_no_longer_counted() {
    paused(|| async {
        let desk = Desk::with(Duration::ZERO).await;
        let topic = desk.tree.topic("steps").await;
        let screens: Vec<_> = (0..10).map(|_| topic.follow(None)).collect();
        assert_eq!(topic.followers(), 10);
        drop(screens);
        assert_eq!(topic.followers(), 0);
        let _again = topic.follow(None);
        assert_eq!(topic.followers(), 1);
        let figures = desk.tree.hub.send(actors::hub::Observe).await.unwrap();
        assert_eq!(figures.followers, 1);
    });
}

#[test]
fn a_halls_board_tells_every_event_once_and_a_call_at_once() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let (mut board, mut seen) = tree.board().await;
        for _ in 0..5 {
            tree.takes("H1").await;
        }
        let called = tree.does("H1", call_next("1")).await;
        until("the hub has it", || async {
            tree.topic("hall.H1").await.followers() == 1
        })
        .await;
        let frames = board.now().await;
        for frame in &frames {
            assert_eq!((frame.kind.as_str(), frame.seq), ("delta", seen + 1));
            seen = frame.seq;
        }
        assert_eq!(seen, called.seq);
        let call = &frames.last().unwrap().data["call"];
        assert_eq!(
            (call["number"].as_str(), call["window"].as_str()),
            (Some("B001"), Some("1"))
        );
        assert_eq!(frames.last().unwrap().data["figures"]["waiting"], 4);
    });
}

#[test]
fn a_board_that_lived_through_a_rebuild_goes_on_without_a_gap() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let (mut board, seen) = tree.board().await;
        tree.break_down("H1").await;
        tree.state("H1").await;
        let done = tree.does("H1", issue("social")).await;
        assert_eq!(done.seq, seen + 1);
        let frames = board.up_to(done.seq).await;
        assert_eq!(told(&frames).last().unwrap().1, done.seq);
        assert_eq!(frames.len(), 1, "{frames:?}");
    });
}
