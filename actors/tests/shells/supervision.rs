//! Halls are built again when they are gone, and do not notice each other's end.

use std::time::Duration;

use actors::supervisor::{Observe, Register, RegisterError, StartAll};
use rules::testing::{begin, call_next, finish, issue, window};
use tokio::time::sleep;

use crate::support::{Tree, Trouble, config, id, paused, until};

#[test]
fn a_hall_that_fails_comes_back_with_its_37_in_order_and_the_others_are_never_refused() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        for hall in ["H2", "H3", "H4", "H5"] {
            tree.register(hall, config()).await;
            tree.open(hall).await;
        }
        for _ in 0..37 {
            tree.takes("H3").await;
        }
        let before = tree.state("H3").await;
        tree.break_down("H3").await;
        let failed = tree.ask("H3", issue("social")).await;
        assert!(matches!(
            failed,
            Err(actors::hall::SubmitError::Unavailable(_))
        ));

        // While H3 is away the others issue, call and serve.
        let rebuilt = || async {
            tree.supervisor.send(Observe).await.unwrap().rebuilt == 1
                && tree.hall("H3").actor.connected()
        };
        let mut rounds = 0;
        while !rebuilt().await || rounds < 20 {
            for hall in ["H1", "H2", "H4", "H5"] {
                for command in [issue("social"), call_next("1"), begin("1"), finish("1")] {
                    tree.does(hall, command).await;
                }
            }
            rounds += 1;
            sleep(Duration::from_millis(10)).await;
        }

        let after = tree.state("H3").await;
        assert_eq!(after, before);
        let social = "social".parse().unwrap();
        let line = after.line(&social, after.last_at());
        let numbers: Vec<&str> = line
            .iter()
            .map(|id| after.ticket(*id).unwrap().number.as_str())
            .collect();
        let expected: Vec<String> = (1..=37).map(|n| format!("B{n:03}")).collect();
        assert_eq!(numbers, expected);
        let called = tree.does("H3", call_next("1")).await;
        assert_eq!(called.ticket.as_ref().unwrap().number, "B001");
    });
}

#[test]
fn the_windows_and_queues_of_a_hall_that_failed_do_not_live_on() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let old = tree.hall("H1");
        let window = old.window(&window("1")).unwrap().downgrade();
        let queue = old.queue(&"social".parse().unwrap()).unwrap().downgrade();
        drop(old);
        tree.break_down("H1").await;
        tree.state("H1").await;
        until("they end", || async {
            // Their interval is the last thing that holds them.
            sleep(Duration::from_secs(5)).await;
            window.upgrade().is_none() && queue.upgrade().is_none()
        })
        .await;
    });
}

#[test]
fn a_removed_window_loses_its_actor_and_a_new_one_has_its_own() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let hall = tree.hall("H1");
        tree.does("H1", rules::testing::close_window("2")).await;
        tree.does(
            "H1",
            rules::Command::RemoveWindow {
                window: window("2"),
            },
        )
        .await;
        assert!(hall.window(&window("2")).is_none());
        tree.does(
            "H1",
            rules::Command::ConfigureWindow {
                window: window("3"),
                plan: rules::testing::window_plan("3", &["social"]),
            },
        )
        .await;
        assert!(hall.window(&window("3")).is_some());
        assert!(hall.window(&window("1")).is_some());
    });
}

#[test]
fn a_process_started_again_has_every_hall_as_it_was() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        tree.register("H2", config()).await;
        tree.takes("H1").await;
        let before = [tree.state("H1").await, tree.state("H2").await];
        let next = Tree::over(&tree.store);
        drop(tree);
        assert_eq!(next.supervisor.send(StartAll).await.unwrap(), Ok(2));
        assert_eq!([next.state("H1").await, next.state("H2").await], before);
    });
}

#[test]
fn a_hall_is_registered_once_and_a_repeat_under_the_same_key_is_no_fault() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        let register = |key: Option<&str>| Register {
            id: id("H1"),
            config: config(),
            by: "manager".to_owned(),
            key: key.map(|key| actors::ports::IdempotencyKey {
                key: key.to_owned(),
                fingerprint: "a".to_owned(),
            }),
            clock: None,
        };
        for (key, expected) in [(None, false), (Some("k1"), true)] {
            let answer = tree.supervisor.send(register(key)).await.unwrap();
            match answer {
                Err(RegisterError::Exists { repeated }) => assert_eq!(repeated, expected),
                other => panic!("{other:?}"),
            }
        }
        let mut impossible = register(None);
        impossible.id = id("H9");
        impossible.config.policy.no_show_after_calls = 0;
        let refused = tree.supervisor.send(impossible).await.unwrap();
        assert!(matches!(refused, Err(RegisterError::Refused(_))));
        assert!(tree.halls.get(&id("H9")).is_none());
    });
}

#[test]
fn a_hall_whose_store_is_away_when_it_fails_is_built_when_the_store_is_back() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        tree.takes("H1").await;
        tree.store.suffer(Trouble::Unavailable);
        tree.break_down("H1").await;
        sleep(Duration::from_secs(10)).await;
        assert!(!tree.hall("H1").actor.connected());
        tree.store.suffer(Trouble::None);
        assert_eq!(tree.state("H1").await.figures().waiting, 1);
    });
}

#[test]
fn a_hall_that_fails_again_and_again_is_built_again_and_again() {
    paused(|| async {
        let tree = Tree::with_open_hall().await;
        tree.takes("H1").await;
        for _ in 0..3 {
            tree.break_down("H1").await;
            assert_eq!(tree.state("H1").await.figures().waiting, 1);
        }
        let figures = tree.supervisor.send(Observe).await.unwrap();
        assert_eq!((figures.halls, figures.rebuilt), (1, 3));
    });
}
