//! What every adapter of the journal does.

use std::path::Path;
use std::sync::Arc;

use actors::ports::{Head, Rejected, StreamId};
use hallkeeper::store::open;

use super::{Bench, Hall, bench, commit, commit_one, decoded, events, read, records, told};
use crate::harness::Folder;
use crate::postgres::Schema;

on_every_adapter! {
    appended_events_are_read_back_in_order,
    a_gap_or_a_repeated_number_is_fenced,
    an_older_epoch_is_fenced_after_another_took_the_hall,
    a_fenced_append_does_not_hurt_the_others_of_its_batch,
    a_repeated_key_is_told_the_first_events,
    a_key_repeated_within_a_batch_is_told_the_first_events,
    an_append_without_events_asks_for_its_key,
    one_key_serves_each_hall_on_its_own,
    a_refused_append_leaves_no_event_and_no_key,
    only_the_newest_snapshot_is_kept,
    two_appends_of_one_hall_in_one_batch_both_pass,
    concurrent_commits_lose_nothing,
    a_hall_nobody_took_is_fenced,
    halls_are_listed_in_order,
}

async fn appended_events_are_read_back_in_order(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let all = events(1..=7);
    commit_one(&bench, hall.append(&all[..3])).await;
    commit_one(&bench, hall.append(&all[3..])).await;
    assert_eq!(read(&bench, &hall, 0).await, all);
    assert_eq!(read(&bench, &hall, 5).await, all[5..]);
    let few = bench.store.read_after(&hall.stream(), 2, 2).await;
    assert_eq!(few.map(decoded), Ok(all[2..4].to_vec()));
    assert_eq!(
        bench
            .store
            .acquire(&hall.stream())
            .await
            .map(|head| head.seq),
        Ok(7)
    );
}

async fn a_gap_or_a_repeated_number_is_fenced(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    commit_one(&bench, hall.append(&events(1..=3))).await;
    for wrong in [3..=3, 5..=5, 1..=4] {
        let result = commit(&bench, vec![hall.append(&events(wrong))]).await;
        assert_eq!(result, [Err(Rejected::Fenced)]);
    }
    commit_one(&bench, hall.append(&events(4..=4))).await;
}

async fn an_older_epoch_is_fenced_after_another_took_the_hall(bench: Bench) {
    let older = Hall::taken(&bench, "H1").await;
    commit_one(&bench, older.append(&events(1..=2))).await;
    let newer = Hall::taken(&bench, "H1").await;
    assert!(newer.head.epoch > older.head.epoch);
    assert_eq!(newer.head.seq, 2);
    let result = commit(&bench, vec![older.append(&events(3..=3))]).await;
    assert_eq!(result, [Err(Rejected::Fenced)]);
    let both = vec![older.append(&events(3..=3)), newer.append(&events(3..=3))];
    assert_eq!(commit(&bench, both).await, [Err(Rejected::Fenced), Ok(())]);
}

async fn a_fenced_append_does_not_hurt_the_others_of_its_batch(bench: Bench) {
    let (one, two) = (
        Hall::taken(&bench, "H1").await,
        Hall::taken(&bench, "H2").await,
    );
    let batch = vec![
        one.append(&events(1..=2)),
        two.append(&events(5..=6)),
        one.append(&events(3..=3)),
    ];
    assert_eq!(
        commit(&bench, batch).await,
        [Ok(()), Err(Rejected::Fenced), Ok(())]
    );
    assert_eq!(read(&bench, &one, 0).await.len(), 3);
    assert_eq!(read(&bench, &two, 0).await, []);
}

async fn a_repeated_key_is_told_the_first_events(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    commit_one(&bench, hall.append(&events(1..=1))).await;
    commit_one(&bench, hall.keyed(&events(2..=4), "k")).await;
    let result = commit(&bench, vec![hall.keyed(&events(5..=5), "k")]).await;
    assert_eq!(result, [Err(told(2, 3))]);
    let later = Hall::taken(&bench, "H1").await;
    let result = commit(&bench, vec![later.keyed(&events(5..=5), "k")]).await;
    assert_eq!(result, [Err(told(2, 3))]);
    assert_eq!(read(&bench, &hall, 0).await.len(), 4);
}

async fn a_key_repeated_within_a_batch_is_told_the_first_events(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let batch = vec![
        hall.keyed(&events(1..=2), "k"),
        hall.keyed(&events(3..=3), "k"),
    ];
    assert_eq!(commit(&bench, batch).await, [Ok(()), Err(told(1, 2))]);
    commit_one(&bench, hall.keyed(&events(3..=3), "l")).await;
}

/// What a hall refuses may be the repeat of what it did before: it asks so.
async fn an_append_without_events_asks_for_its_key(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    commit_one(&bench, hall.keyed(&events(1..=2), "k")).await;
    let batch = vec![
        hall.keyed(&[], "k"),
        hall.append(&events(3..=3)),
        hall.keyed(&[], "l"),
    ];
    let results = commit(&bench, batch).await;
    assert_eq!(results, [Err(told(1, 2)), Ok(()), Err(Rejected::Fenced)]);
    assert_eq!(read(&bench, &hall, 0).await.len(), 3);
}

async fn one_key_serves_each_hall_on_its_own(bench: Bench) {
    let (one, two) = (
        Hall::taken(&bench, "H1").await,
        Hall::taken(&bench, "H2").await,
    );
    commit_one(&bench, one.keyed(&events(1..=1), "k")).await;
    commit_one(&bench, two.keyed(&events(1..=1), "k")).await;
}

async fn a_refused_append_leaves_no_event_and_no_key(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let result = commit(&bench, vec![hall.keyed(&events(9..=9), "k")]).await;
    assert_eq!(result, [Err(Rejected::Fenced)]);
    assert_eq!(read(&bench, &hall, 0).await, []);
    commit_one(&bench, hall.keyed(&events(1..=1), "k")).await;
}

async fn only_the_newest_snapshot_is_kept(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    assert_eq!(bench.store.latest_snapshot(&hall.stream()).await, Ok(None));
    for (seq, body) in [(3, "three"), (8, "eight"), (5, "five")] {
        let kept = bench
            .store
            .keep_snapshot(&hall.stream(), seq, body.to_owned())
            .await;
        assert_eq!(kept, Ok(()));
    }
    let newest = bench.store.latest_snapshot(&hall.stream()).await;
    assert_eq!(newest, Ok(Some((8, "eight".to_owned()))));
}

async fn two_appends_of_one_hall_in_one_batch_both_pass(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let batch = vec![hall.append(&events(1..=2)), hall.append(&events(3..=3))];
    assert_eq!(commit(&bench, batch).await, [Ok(()), Ok(())]);
    assert_eq!(read(&bench, &hall, 0).await, events(1..=3));
}

async fn concurrent_commits_lose_nothing(bench: Bench) {
    let mut writers = Vec::new();
    for n in 1..=8 {
        let hall = Hall::taken(&bench, &format!("H{n}")).await;
        let store = Arc::clone(&bench.store);
        writers.push(tokio::spawn(async move {
            for seq in 1..=20 {
                let append = hall.append(&events(seq..=seq));
                assert_eq!(store.commit(&[append]).await, Ok(vec![Ok(())]));
            }
            hall
        }));
    }
    for writer in writers {
        let hall = writer.await.expect("a writer");
        assert_eq!(read(&bench, &hall, 0).await, events(1..=20));
    }
}

async fn a_hall_nobody_took_is_fenced(bench: Bench) {
    let hall = Hall {
        id: "H9".parse().expect("an id"),
        head: Head { epoch: 1, seq: 0 },
    };
    let result = commit(&bench, vec![hall.append(&events(1..=1))]).await;
    assert_eq!(result, [Err(Rejected::Fenced)]);
}

async fn halls_are_listed_in_order(bench: Bench) {
    for id in ["b", "A", "a"] {
        Hall::taken(&bench, id).await;
    }
    let halls = bench.store.streams().await.expect("the halls");
    let ids: Vec<_> = halls.iter().map(StreamId::as_str).collect();
    assert_eq!(ids, ["A", "a", "b"]);
}

// What one database does and the other need not.

#[tokio::test]
async fn a_second_process_does_not_open_the_same_file() {
    let folder = Folder::new();
    let first = open("sqlite", folder.path()).await.expect("a store");
    let second = open("sqlite", folder.path()).await.err().expect("an error");
    assert!(
        format!("{second:#}").contains("hallkeeper.lock"),
        "{second:#}"
    );
    drop(first);
    open("sqlite", folder.path())
        .await
        .expect("the file is free again");
}

#[tokio::test]
async fn events_outlive_the_process() {
    let folder = Folder::new();
    let stores = open("sqlite", folder.path()).await.expect("a store");
    let first = bench(&stores);
    let hall = Hall::taken(&first, "H1").await;
    commit_one(&first, hall.append(&events(1..=3))).await;
    drop((stores, first));
    let again = bench(&open("sqlite", folder.path()).await.expect("a store"));
    let taken = Hall::taken(&again, "H1").await;
    assert_eq!((taken.head.epoch, taken.head.seq), (hall.head.epoch + 1, 3));
    assert_eq!(read(&again, &taken, 0).await, events(1..=3));
}

#[tokio::test]
async fn lost_connections_are_replaced() {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let stores = open(&schema.url(), Path::new("")).await.expect("a store");
    let bench = bench(&stores);
    let hall = Hall::taken(&bench, "H1").await;
    let name = &schema.name;
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name";
    schema.run(format!("{cut} = '{name}'")).await;
    commit_one(&bench, hall.append(&events(1..=1))).await;
    assert_eq!(records(&bench).ping().await, Ok(()));
    drop((stores, bench));
    schema.drop().await;
}
