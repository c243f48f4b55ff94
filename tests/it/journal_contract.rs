//! The journal's contract: named behaviours that every adapter of `actors::ports::Store` has, and
//! those of the records beside it.
//!
//! The adapters in memory and for SQLite are tried always, PostgreSQL when its address stands in
//! `HALLKEEPER_TEST_POSTGRES`; there every test lives in a schema of its own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actors::memory::MemoryStore;
use actors::ports::{
    Append, Entry, Head, IdempotencyKey, PortError, Rejected, Store, StreamId, decode,
};
use hallkeeper::store::records::{
    AccountRow, AuditEntry, AuditFilter, CallToCount, Claim, ClosedLoop, DeviceRow, HallTicket,
    InvitationRow, ItemFilter, ItemSort, Kept, OccupancyRow, SessionRow, StoreError, TagRow,
    TelemetryFilter, TicketFilter, TicketSort, UsageRow,
};
use hallkeeper::store::{Records, Stores, open};
use rules::cases::{CaseCommand, CaseDesk, Settings as CaseSettings, Telling, Told};
use rules::channels::{Call, Outcome};
use rules::devices::occupancy::Reading;
use rules::hall::{Event, Recorded};
use rules::identity::{Holder, HolderClass, IdentityKind};
use rules::ids::{ChannelId, HallId, TicketId, Token, WindowId};
use rules::machine::{Item, ItemKind, Machine as _};
use rules::telemetry::{Class, Event as TelemetryEvent, Happened};
use rules::ticket::{Channel, Ticket, TicketState};
use rules::time::Timestamp;

use crate::postgres::Schema;

// What a behaviour is tried on.

struct Bench {
    store: Arc<dyn Store>,
    /// None for the store in memory, which has no projection either.
    records: Option<Records>,
}

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hallkeeper-contract-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn bench(stores: &Stores) -> Bench {
    Bench {
        store: Arc::clone(&stores.journal),
        records: Some(stores.records.clone()),
    }
}

macro_rules! in_memory {
    ($($name:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            let store = Arc::new(MemoryStore::default());
            super::$name(Bench { store, records: None }).await;
        }
    )+};
}

macro_rules! in_sqlite {
    ($($name:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            let folder = Folder::new();
            let stores = open("sqlite", &folder.0).await.expect("a store");
            super::$name(bench(&stores)).await;
        }
    )+};
}

macro_rules! in_postgres {
    ($($name:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            let Some(schema) = Schema::new().await else { return };
            let stores = open(&schema.url(), Path::new("")).await.expect("a store");
            super::$name(bench(&stores)).await;
            drop(stores);
            schema.drop().await;
        }
    )+};
}

/// What every adapter of the journal does.
macro_rules! of_the_journal {
    ($adapter:ident) => {
        $adapter! {
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
    };
}

/// What the databases do besides.
macro_rules! of_the_records {
    ($adapter:ident) => {
        $adapter! {
            a_window_goes_from_one_ticket_to_the_next_within_a_batch,
            two_tickets_may_change_windows_crosswise,
            one_window_never_has_two_tickets,
            a_number_carried_over_may_be_given_out_again,
            a_ticket_is_found_where_it_is_filed_now,
            a_refused_append_leaves_no_ticket,
            a_ticket_is_read_back_as_it_was_written,
            an_item_is_kept_as_it_was_last_written,
            a_refused_append_leaves_no_item,
            items_are_paged_in_every_order_within_what_may_be_seen,
            ac_a06_1_2350_tickets_are_24_pages_and_the_last_has_50,
            pages_keep_every_order,
            filters_find_what_they_name,
            figures_add_up,
            earlier_visits_are_those_before_the_ticket,
            old_keys_are_pruned_and_young_ones_kept,
            accounts_are_kept,
            sessions_end_with_their_account,
            devices_are_kept,
            device_usage_adds_up_and_the_last_reading_stays,
            invitations_and_telemetry_are_kept_once,
            calls_are_kept_once_and_have_places_in_their_order,
            tags_are_kept,
            a_persons_cases_and_a_halls_closed_loop_are_found,
            the_audit_log_is_paged_newest_first,
            a_setting_is_set_once,
            a_claimed_request_is_answered_once,
        }
    };
}

mod on_memory {
    use super::{Arc, Bench, MemoryStore};
    of_the_journal!(in_memory);
}

mod on_sqlite {
    use super::{Folder, bench, open};
    of_the_journal!(in_sqlite);
    of_the_records!(in_sqlite);
}

mod on_postgres {
    use super::{Path, Schema, bench, open};
    of_the_journal!(in_postgres);
    of_the_records!(in_postgres);
}

// The journal.

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

// The tickets' projection.

async fn a_window_goes_from_one_ticket_to_the_next_within_a_batch(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let (before, after) = (ticket(1), ticket(2));
    let serving = hall.with(1, vec![at_window(&before, "3")]);
    assert_eq!(commit(&bench, vec![serving]).await, [Ok(())]);
    let called_first = vec![at_window(&after, "3"), ended(&before)];
    let batch = vec![
        hall.with(2, called_first),
        hall.with(3, vec![at_window(&ticket(3), "4")]),
    ];
    assert_eq!(commit(&bench, batch).await, [Ok(()), Ok(())]);
    let found = find(&bench, |filter| filter.state = Some("called".into())).await;
    assert_eq!(ids(&found), [2, 3]);
}

async fn two_tickets_may_change_windows_crosswise(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let (one, two) = (ticket(1), ticket(2));
    let first = hall.with(1, vec![at_window(&one, "3"), at_window(&two, "4")]);
    assert_eq!(commit(&bench, vec![first]).await, [Ok(())]);
    let batch = vec![
        hall.with(2, vec![one.clone(), two.clone()]),
        hall.with(3, vec![at_window(&one, "4")]),
        hall.with(4, vec![at_window(&two, "3")]),
    ];
    assert_eq!(commit(&bench, batch).await, [Ok(()), Ok(()), Ok(())]);
    let found = find(&bench, |filter| filter.window = Some("4".into())).await;
    assert_eq!(ids(&found), [1]);
}

async fn one_window_never_has_two_tickets(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let first = hall.with(1, vec![at_window(&ticket(1), "3")]);
    assert_eq!(commit(&bench, vec![first]).await, [Ok(())]);
    let second = hall.with(2, vec![at_window(&ticket(2), "3")]);
    let refused = bench.store.commit(&[second]).await;
    assert!(
        matches!(refused, Err(PortError::Unavailable(_))),
        "{refused:?}"
    );
    assert_eq!(read(&bench, &hall, 0).await.len(), 1);
    let other = hall.with(2, vec![at_window(&ticket(2), "4")]);
    assert_eq!(commit(&bench, vec![other]).await, [Ok(())]);
}

async fn a_number_carried_over_may_be_given_out_again(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let mut carried = ticket(1);
    commit_one(&bench, hall.with(1, vec![carried.clone()])).await;
    carried.day = day("2026-11-03");
    commit_one(&bench, hall.with(2, vec![ended(&carried)])).await;
    let mut again = ticket(2);
    again.number = carried.number;
    again.day = carried.day;
    commit_one(&bench, hall.with(3, vec![again])).await;
}

async fn a_ticket_is_found_where_it_is_filed_now(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let mut filed = ticket(1);
    let before = filed.day;
    commit_one(&bench, hall.with(1, vec![filed.clone()])).await;
    filed.day = day("2026-11-03");
    filed.holder = Some(holder("p1"));
    commit_one(&bench, hall.with(2, vec![filed.clone()])).await;
    let of_day = async |day: &str| {
        let day = day.to_owned();
        find(&bench, |filter| filter.day = Some(day)).await
    };
    assert_eq!(of_day(&before.to_string()).await, []);
    assert_eq!(of_day("2026-11-03").await, [filed.clone()]);
    let of_person = async || find(&bench, |filter| filter.person = Some("p1".to_owned())).await;
    assert_eq!(of_person().await, [filed.clone()]);
    filed.holder = None;
    commit_one(&bench, hall.with(3, vec![filed])).await;
    assert_eq!(of_person().await, []);
}

async fn a_refused_append_leaves_no_ticket(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let result = commit(&bench, vec![hall.with(2, vec![ticket(1)])]).await;
    assert_eq!(result, [Err(Rejected::Fenced)]);
    assert_eq!(find(&bench, |_| {}).await, []);
}

async fn a_ticket_is_read_back_as_it_was_written(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let mut written = at_window(&ticket(1), "3");
    written.holder = Some(holder("p1"));
    written.tags = BTreeSet::from(["elderly".parse().expect("a tag")]);
    commit_one(&bench, hall.with(1, vec![written.clone()])).await;
    let records = records(&bench);
    assert_eq!(
        records.ticket(&hall.id, TicketId(1)).await,
        Ok(Some(written))
    );
    assert_eq!(records.ticket(&hall.id, TicketId(2)).await, Ok(None));
}

async fn ac_a06_1_2350_tickets_are_24_pages_and_the_last_has_50(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    issue(&bench, &hall, 2350).await;
    let mut seen = Vec::new();
    let mut sizes = Vec::new();
    let mut filter = all_of("H1");
    loop {
        let page = records(&bench).tickets(&filter).await.expect("a page");
        assert_eq!(page.total, 2350);
        sizes.push(page.items.len());
        seen.extend(page.items.iter().map(|item| item.ticket.id.0));
        filter.cursor = page.next_cursor;
        if filter.cursor.is_none() {
            break;
        }
    }
    assert_eq!((sizes.len(), sizes.last()), (24, Some(&50)));
    assert_eq!(seen, (1..=2350).collect::<Vec<u64>>());
    for day in [None, Some("2026-11-02".to_owned())] {
        let mut exported = Vec::new();
        let filter = TicketFilter {
            day,
            ..all_of("H1")
        };
        let export = |at: &HallTicket| {
            exported.push(at.ticket.id.0);
            Ok(())
        };
        assert_eq!(
            records(&bench).tickets_each(&filter, export).await,
            Ok(2350)
        );
        assert_eq!(exported, seen);
    }
}

async fn pages_keep_every_order(bench: Bench) {
    for hall in ["H1", "H2"] {
        let hall = Hall::taken(&bench, hall).await;
        issue(&bench, &hall, 40).await;
    }
    for order in ["issued_at", "number", "wait_secs", "service_secs"] {
        let rising = walk(&bench, order).await;
        let mut falling = walk(&bench, &format!("-{order}")).await;
        falling.reverse();
        assert_eq!(rising.len(), 80, "{order}");
        assert_eq!(rising, falling, "{order}");
        assert_eq!(rising.iter().collect::<BTreeSet<_>>().len(), 80, "{order}");
    }
    let mut filter = all_of("H1");
    filter.limit = 7;
    filter.cursor = records(&bench)
        .tickets(&filter)
        .await
        .expect("a page")
        .next_cursor;
    filter.sort = "-number".parse().expect("an order");
    assert_eq!(
        records(&bench).tickets(&filter).await,
        Err(StoreError::BadCursor)
    );
}

async fn filters_find_what_they_name(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let mut special = at_window(&ticket(2), "3");
    special.service = "S2".parse().expect("a service");
    special.clerk = Some("li".parse().expect("a clerk"));
    special.holder = Some(holder("p1"));
    commit_one(&bench, hall.with(1, vec![ticket(1), special, ticket(3)])).await;
    let by: [fn(&mut TicketFilter); 6] = [
        |filter| filter.service = Some("S2".into()),
        |filter| filter.state = Some("called".into()),
        |filter| filter.window = Some("3".into()),
        |filter| filter.clerk = Some("li".into()),
        |filter| filter.number = Some("B0002".into()),
        |filter| filter.person = Some("p1".into()),
    ];
    for name in by {
        assert_eq!(ids(&find(&bench, name).await), [2]);
    }
    assert_eq!(
        find(&bench, |filter| filter.day = Some("2026-11-01".into())).await,
        []
    );
    assert_eq!(
        find(&bench, |filter| filter.hall = Some("H2".into())).await,
        []
    );
}

async fn figures_add_up(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let mut other = ticket(4);
    other.service = "S2".parse().expect("a service");
    let tickets = vec![
        ticket(1),
        at_window(&ticket(2), "3"),
        ended(&ticket(3)),
        other,
    ];
    commit_one(&bench, hall.with(1, tickets)).await;
    let (total, by_service) = records(&bench)
        .figures_of_day(&hall.id, "2026-11-02")
        .await
        .expect("figures");
    assert!(total.add_up());
    assert_eq!(
        (total.issued, total.waiting, total.called, total.completed),
        (4, 2, 1, 1)
    );
    let issued: Vec<_> = by_service
        .iter()
        .map(|(service, figures)| (service.as_str(), figures.issued, figures.add_up()))
        .collect();
    assert_eq!(issued, [("S1", 3, true), ("S2", 1, true)]);
}

async fn earlier_visits_are_those_before_the_ticket(bench: Bench) {
    let (one, two) = (
        Hall::taken(&bench, "H1").await,
        Hall::taken(&bench, "H2").await,
    );
    let of = |n: u64, person: &str| {
        let mut ticket = ticket(n);
        ticket.holder = Some(holder(person));
        ticket
    };
    commit_one(
        &bench,
        one.with(1, vec![of(1, "p1"), of(2, "p2"), of(5, "p1"), of(9, "p1")]),
    )
    .await;
    commit_one(&bench, two.with(1, vec![of(3, "p1")])).await;
    let visits = records(&bench)
        .earlier_visits("p1", &one.id, TicketId(5), 10)
        .await;
    let visits = visits.expect("visits");
    let seen: Vec<_> = visits
        .iter()
        .map(|at| (at.hall.as_str(), at.ticket.id.0))
        .collect();
    assert_eq!(seen, [("H2", 3), ("H1", 1)]);
}

async fn old_keys_are_pruned_and_young_ones_kept(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    commit_one(&bench, hall.keyed(&events(1..=1), "k")).await;
    let at = events(1..=1)[0].at;
    let records = records(&bench);
    records
        .prune(at.plus_secs(47 * 3600))
        .await
        .expect("pruned");
    let result = commit(&bench, vec![hall.keyed(&events(2..=2), "k")]).await;
    assert_eq!(result, [Err(told(1, 1))]);
    records
        .prune(at.plus_secs(49 * 3600))
        .await
        .expect("pruned");
    commit_one(&bench, hall.keyed(&events(2..=2), "k")).await;
}

// The records.

async fn accounts_are_kept(bench: Bench) {
    let records = records(&bench);
    let mut zhang = account("zhang");
    assert_eq!(records.insert_account(&zhang).await, Ok(()));
    assert_eq!(records.insert_account(&account("li")).await, Ok(()));
    let taken = StoreError::Taken { what: "username" };
    assert_eq!(records.insert_account(&zhang).await, Err(taken));
    assert_eq!(
        records.accounts().await,
        Ok(vec![account("li"), zhang.clone()])
    );
    zhang.roles = vec!["manager".into()];
    zhang.disabled = true;
    assert_eq!(records.update_account(&zhang).await, Ok(true));
    assert_eq!(records.set_password("zhang", "other", true).await, Ok(true));
    assert_eq!(
        records.set_hotkeys("zhang", r#"{"call_next":"F2"}"#).await,
        Ok(true)
    );
    zhang.password_hash = "other".into();
    zhang.must_change_password = true;
    zhang.hotkeys = r#"{"call_next":"F2"}"#.into();
    assert_eq!(records.account("zhang").await, Ok(Some(zhang)));
    assert_eq!(records.update_account(&account("wang")).await, Ok(false));
    assert_eq!(records.delete_account("zhang").await, Ok(true));
    assert_eq!(records.account("zhang").await, Ok(None));
}

async fn sessions_end_with_their_account(bench: Bench) {
    let records = records(&bench);
    let session = |token: &str, username: &str, secs| SessionRow {
        token_hash: token.into(),
        username: username.into(),
        created_at: start(),
        expires_at: start().plus_secs(secs),
    };
    for username in ["zhang", "li"] {
        assert_eq!(records.insert_account(&account(username)).await, Ok(()));
    }
    let all = [
        session("a", "zhang", 60),
        session("b", "li", 60),
        session("c", "li", 600),
    ];
    for one in &all {
        assert_eq!(records.insert_session(one).await, Ok(()));
    }
    assert_eq!(records.sessions().await, Ok(all.to_vec()));
    assert_eq!(records.delete_account("zhang").await, Ok(true));
    assert_eq!(records.sessions().await, Ok(all[1..].to_vec()));
    records.prune(start().plus_secs(100)).await.expect("pruned");
    assert_eq!(records.sessions().await, Ok(all[2..].to_vec()));
    assert_eq!(records.delete_session("x").await, Ok(false));
    assert_eq!(records.delete_sessions_of("li").await, Ok(1));
}

async fn devices_are_kept(bench: Bench) {
    let records = records(&bench);
    let device = |id: &str, token: &str| DeviceRow {
        id: id.into(),
        name: "取号机".into(),
        kind: "kiosk".into(),
        hall: "H1".into(),
        zone: Some("east".into()),
        window: None,
        token_hash: token.into(),
        created_at: start(),
        muted: false,
        seen_at: None,
        report: None,
    };
    assert_eq!(records.insert_device(&device("k1", "t1")).await, Ok(()));
    let taken = Err(StoreError::Taken { what: "device" });
    assert_eq!(records.insert_device(&device("k1", "t2")).await, taken);
    assert_eq!(records.devices().await, Ok(vec![device("k1", "t1")]));
    let changed = DeviceRow {
        name: "一号取号机".into(),
        zone: None,
        window: Some("3".into()),
        muted: true,
        ..device("k1", "t3")
    };
    assert_eq!(records.update_device(&changed).await, Ok(true));
    assert_eq!(records.devices().await, Ok(vec![changed.clone()]));
    let seen = start().plus_secs(5);
    let kept = records.keep_device_report("k1", "{}", &[], seen).await;
    assert_eq!(kept, Ok(true));
    let told = DeviceRow {
        seen_at: Some(seen),
        report: Some("{}".into()),
        ..changed
    };
    assert_eq!(records.devices().await, Ok(vec![told]));
    assert_eq!(
        records.keep_device_report("k2", "{}", &[], seen).await,
        Ok(false)
    );
    assert_eq!(records.update_device(&device("k2", "t4")).await, Ok(false));
    assert_eq!(records.delete_device("k1").await, Ok(true));
    assert_eq!(records.delete_device("k1").await, Ok(false));
}

async fn device_usage_adds_up_and_the_last_reading_stays(bench: Bench) {
    let records = records(&bench);
    let day = |day: &str| day.parse().unwrap();
    let used = |on: &str, function: &str, used: u64| UsageRow {
        device: "k1".into(),
        day: day(on),
        function: function.into(),
        used,
    };
    for rows in [
        vec![
            used("2026-03-09", "print", 3),
            used("2026-03-09", "scan", 1),
        ],
        vec![
            used("2026-03-09", "print", 4),
            used("2026-03-10", "print", 1),
        ],
    ] {
        assert_eq!(records.add_device_usage(&rows).await, Ok(()));
    }
    let (from, to) = (day("2026-03-09"), day("2026-03-09"));
    let sums = vec![
        used("2026-03-09", "print", 7),
        used("2026-03-09", "scan", 1),
    ];
    assert_eq!(
        records.device_usage(Some("k1"), from, to).await,
        Ok(sums.clone())
    );
    assert_eq!(records.device_usage(None, from, to).await, Ok(sums));
    assert_eq!(records.device_usage(Some("k2"), from, to).await, Ok(vec![]));
    assert_eq!(records.forget_device_usage(day("2026-03-10")).await, Ok(()));
    let left = vec![used("2026-03-10", "print", 1)];
    let all = records.device_usage(None, from, day("2026-03-31")).await;
    assert_eq!(all, Ok(left));

    let counted = |people: u32, secs: u64| OccupancyRow {
        hall: "H1".into(),
        source: "east".into(),
        reading: Reading {
            people,
            at: start().plus_secs(secs),
            by: "device:c1".into(),
        },
    };
    for (people, secs) in [(10, 0), (12, 1)] {
        let kept = records.keep_occupancy(&[counted(people, secs)]).await;
        assert_eq!(kept, Ok(()));
    }
    assert_eq!(records.occupancy().await, Ok(vec![counted(12, 1)]));
    assert_eq!(records.forget_occupancy("device:c1").await, Ok(()));
    assert_eq!(records.occupancy().await, Ok(vec![]));
}

async fn calls_are_kept_once_and_have_places_in_their_order(bench: Bench) {
    let (records, now) = (records(&bench), Timestamp::from_millis(5_000));
    let channel: ChannelId = "sms".parse().unwrap();
    let call = |n: u64| Call {
        id: format!("c{n}"),
        channel: channel.clone(),
        caller: format!("caller {n}"),
        version: n.is_multiple_of(2).then(|| "v1".to_owned()),
        at: Timestamp::from_millis(1_000),
        micros: n.is_multiple_of(3).then_some(n),
        status: Some(200),
        result: Outcome::Ok,
        reason: n.is_multiple_of(5).then(|| "it's said".to_owned()),
        trace_id: None,
        path_family: None,
        request: None,
        response: None,
    };
    // As many as take a statement of each size.
    let calls: Vec<Call> = (0..1327).map(call).collect();
    let kept = keep(&records, &calls, now).await;
    assert_eq!(kept.new, 1327);
    let places = kept.places.expect("all are new");
    let read = records.calls_after(&channel, 0).await.unwrap();
    let pairs = calls.iter().zip(&places);
    let told: Vec<_> = pairs
        .map(|(call, place)| CallToCount::of(call, *place))
        .collect();
    assert_eq!(read, told);
    let found = records.call(&channel, "c30").await.unwrap();
    assert_eq!(found.as_ref(), Some(&calls[30]));
    // Of calls of which some are known nobody needs the places.
    let some: Vec<Call> = [1326, 1327, 7].map(call).into();
    let kept = keep(&records, &some, now).await;
    assert_eq!((kept.new, kept.places), (1, None));
    let kept = keep(&records, &some, now).await;
    assert_eq!((kept.new, kept.places), (0, None));
    let kept = keep(&records, &[call(1328)], now).await;
    let last = records.calls_after(&channel, places[1326]).await.unwrap();
    let last: Vec<u64> = last.iter().map(|call| call.place).collect();
    assert_eq!((last.len(), kept.places), (2, Some(vec![last[1]])));
    let none = keep(&records, &[], now).await;
    assert_eq!((none.new, none.places), (0, None));
}

async fn keep(records: &Records, calls: &[Call], now: Timestamp) -> Kept {
    let ready = records.ready_calls(calls, now).unwrap();
    records.keep_calls(ready).await.unwrap()
}

async fn invitations_and_telemetry_are_kept_once(bench: Bench) {
    let records = records(&bench);
    let asked = InvitationRow {
        hall: "H1".into(),
        ticket: 7,
        number: "B001".into(),
        window: "3".into(),
        device: "r1".into(),
        state: "asked".into(),
        reason: None,
        link: "http://x/t/H1.abc".into(),
        asked_at: start(),
        answered_at: None,
        attempts: 0,
        next_at: None,
    };
    assert_eq!(records.put_invitation(&asked).await, Ok(()));
    assert_eq!(records.open_invitations().await, Ok(vec![asked.clone()]));
    let texted = InvitationRow {
        state: "texted".into(),
        attempts: 1,
        ..asked
    };
    assert_eq!(records.put_invitation(&texted).await, Ok(()));
    assert_eq!(records.open_invitations().await, Ok(vec![]));
    assert_eq!(records.invitation("H1", 7).await, Ok(Some(texted.clone())));
    assert_eq!(records.invitations("H1", 5).await, Ok(vec![texted]));
    let until = start().plus_secs(10);
    assert_eq!(records.put_contact("H1", 7, "sealed", until).await, Ok(()));
    let contact = records.contact("H1", 7).await;
    assert_eq!(contact, Ok(Some("sealed".into())));
    let oldest = start().plus_secs(1);
    assert_eq!(records.forget_invitations(until, oldest).await, Ok(()));
    assert_eq!(records.contact("H1", 7).await, Ok(None));
    assert_eq!(records.invitation("H1", 7).await, Ok(None));

    let event = |id: &str, happened| TelemetryEvent {
        id: id.into(),
        at: start(),
        happened,
        class: Class::Handling,
        code: "A".into(),
        name: "社保".into(),
        department: Some("人社局".into()),
        region: "430100".into(),
        told: serde_json::json!({"id": id, "result": "accepted", "region_name": "长沙市"}),
    };
    let told = [
        event("v1", Happened::Visit),
        event("v2", Happened::Visit),
        event("c1", Happened::Case),
    ];
    assert_eq!(records.keep_telemetry(&told).await, Ok(3));
    assert_eq!(records.keep_telemetry(&told).await, Ok(0));
    let filter = |code: Option<&str>| TelemetryFilter {
        from: start(),
        before: start().plus_secs(1),
        code: code.map(str::to_owned),
        limit: 10,
        ..TelemetryFilter::default()
    };
    let counts = records.count_telemetry(&filter(Some("A"))).await.unwrap();
    let sums: Vec<_> = counts.iter().map(|row| (row.visits, row.cases)).collect();
    assert_eq!(sums, [(2, 1)]);
    assert_eq!(counts[0].region_name.as_deref(), Some("长沙市"));
    assert_eq!(counts[0].last_at, start());
    let results = records.telemetry_results(&filter(Some("A"))).await.unwrap();
    let results: Vec<_> = results
        .iter()
        .map(|row| (row.result.as_str(), row.cases))
        .collect();
    assert_eq!(results, [("accepted", 1)]);
    let other = records.count_telemetry(&filter(Some("B"))).await;
    assert_eq!(other, Ok(vec![]));
    assert_eq!(records.forget_telemetry(oldest).await, Ok(()));
    assert_eq!(records.count_telemetry(&filter(None)).await, Ok(vec![]));
}

async fn tags_are_kept(bench: Bench) {
    let records = records(&bench);
    let tag = |name: &str| TagRow {
        person: "p1".into(),
        tag: name.into(),
        added_at: start(),
        by: "zhang".into(),
    };
    assert_eq!(records.add_tag(&tag("soldier")).await, Ok(true));
    assert_eq!(records.add_tag(&tag("elderly")).await, Ok(true));
    assert_eq!(records.add_tag(&tag("elderly")).await, Ok(false));
    assert_eq!(
        records.tags_of("p1").await,
        Ok(vec![tag("elderly"), tag("soldier")])
    );
    assert_eq!(records.remove_tag("p1", "soldier").await, Ok(true));
}

/// Rows of cases as the case desk writes them, one after the other.
fn case_items(cases: &[&str]) -> Vec<Item> {
    let mut desk = CaseDesk::default();
    for (minute, case) in (0..).zip(cases) {
        let at = start().plus_secs(minute * 60);
        let telling = Telling {
            case_no: case.parse().expect("a number"),
            told: Told {
                received_at: Some(at),
                ..Told::default()
            },
            steps: Vec::new(),
        };
        let tell = CaseCommand::Tell(vec![telling]);
        for event in desk.decide(&tell, "source", at).expect("told") {
            desk.apply(&rules::machine::Recorded {
                seq: desk.seq() + 1,
                at,
                by: "source".to_owned(),
                event,
            });
        }
    }
    let again = CaseCommand::SetSettings(CaseSettings {
        near_due_days: 2,
        ..CaseSettings::default()
    });
    let event = desk.decide(&again, "settings", start()).expect("set")[0].clone();
    desk.items(&[rules::machine::Recorded {
        seq: desk.seq() + 1,
        at: start(),
        by: "settings".to_owned(),
        event,
    }])
}

async fn a_persons_cases_and_a_halls_closed_loop_are_found(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let append = Append {
        items: case_items(&["c1", "c2", "c3"]),
        ..hall.append(&events(1..=1))
    };
    commit_one(&bench, append).await;
    let records = records(&bench);
    for case in ["c1", "c3", "c1"] {
        assert_eq!(records.add_case_holder("p1", case).await, Ok(()));
    }
    let cases = records.cases_of("p1").await.expect("cases");
    let names: Vec<_> = cases.iter().map(|case| case.case_no.as_str()).collect();
    assert_eq!(names, ["c3", "c1"], "newest first");
    let home = "H1".parse().expect("a hall");
    let tickets = [TicketId(1), TicketId(2)];
    for _ in 0..2 {
        let linked = records.add_case_tickets(&home, &tickets, "c1").await;
        assert_eq!(linked, Ok(()));
    }
    let nothing = ClosedLoop {
        completed: 0,
        linked: 0,
    };
    let day = "2026-11-02";
    assert_eq!(records.closed_loop(&home, day).await, Ok(nothing));
    assert_eq!(records.unregistered(&home, day, 0, 10).await, Ok(vec![]));
}

async fn the_audit_log_is_paged_newest_first(bench: Bench) {
    let records = records(&bench);
    let entry = |n: u64| AuditEntry {
        at: start().plus_secs(n),
        actor: if n.is_multiple_of(2) { "li" } else { "zhang" }.into(),
        role: "manager".into(),
        action: "export".into(),
        object: format!("ticket/{n}"),
        detail: r#"{"rows":412}"#.into(),
        ip: "127.0.0.1".into(),
    };
    let all: Vec<_> = (0..450).map(entry).collect();
    assert_eq!(records.insert_audits(&all).await, Ok(()));
    assert_eq!(records.insert_audit(&entry(450)).await, Ok(()));
    let of_li = AuditFilter {
        actor: Some("li".into()),
        ..AuditFilter::default()
    };
    let (mut cursor, mut seen) = (None, Vec::new());
    loop {
        let page = records
            .audit_page(&of_li, cursor.as_deref(), 100)
            .await
            .expect("a page");
        seen.extend(page.items.into_iter().map(|row| row.entry));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..=450).rev().filter(|n| n % 2 == 0).map(entry).collect();
    assert_eq!(seen, expected);
    let bad = records.audit_page(&of_li, Some("x"), 100).await;
    assert_eq!(bad, Err(StoreError::BadCursor));
}

async fn a_setting_is_set_once(bench: Bench) {
    let records = records(&bench);
    assert_eq!(records.ping().await, Ok(()));
    assert_eq!(records.setting("secret").await, Ok(None));
    for value in ["first", "second"] {
        let present = records.set_setting_if_absent("secret", value).await;
        assert_eq!(present, Ok("first".to_owned()));
    }
}

async fn a_claimed_request_is_answered_once(bench: Bench) {
    let records = records(&bench);
    let claim = |print: &'static str, secs| {
        let records = records.clone();
        async move {
            records
                .claim_http_key("li", "k", print, start().plus_secs(secs))
                .await
        }
    };
    assert_eq!(claim("f", 0).await, Ok(Claim::New));
    assert_eq!(claim("f", 1).await, Ok(Claim::UnderWay));
    assert_eq!(claim("g", 1).await, Ok(Claim::OtherRequest));
    assert_eq!(
        claim("f", 120).await,
        Ok(Claim::New),
        "the first was abandoned"
    );
    assert_eq!(records.release_http_key("li", "k").await, Ok(()));
    assert_eq!(claim("f", 121).await, Ok(Claim::New));
    assert_eq!(
        records.store_http_answer("li", "k", 201, "{}").await,
        Ok(())
    );
    let done = Claim::Done {
        status: 201,
        body: "{}".into(),
    };
    assert_eq!(claim("f", 999).await, Ok(done));
}

// What one database does and the other need not.

#[tokio::test]
async fn a_second_process_does_not_open_the_same_file() {
    let folder = Folder::new();
    let first = open("sqlite", &folder.0).await.expect("a store");
    let second = open("sqlite", &folder.0).await.err().expect("an error");
    assert!(
        format!("{second:#}").contains("hallkeeper.lock"),
        "{second:#}"
    );
    drop(first);
    open("sqlite", &folder.0)
        .await
        .expect("the file is free again");
}

#[tokio::test]
async fn events_outlive_the_process() {
    let folder = Folder::new();
    let stores = open("sqlite", &folder.0).await.expect("a store");
    let first = bench(&stores);
    let hall = Hall::taken(&first, "H1").await;
    commit_one(&first, hall.append(&events(1..=3))).await;
    drop((stores, first));
    let again = bench(&open("sqlite", &folder.0).await.expect("a store"));
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

async fn an_item_is_kept_as_it_was_last_written(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let with = |seq, items| Append {
        items,
        ..hall.append(&events(seq..=seq))
    };
    commit_one(&bench, with(1, vec![item(1), item(2)])).await;
    let closed = Item {
        state: "closed".to_owned(),
        hall: None,
        ended_at: Some(start()),
        body: "{\"closed\":true}".to_owned(),
        ..item(1)
    };
    commit_one(&bench, with(2, vec![item(1), closed.clone()])).await;
    let records = records(&bench);
    assert_eq!(records.item(ItemKind::Case, "C-1").await, Ok(Some(closed)));
    assert_eq!(records.item(ItemKind::Case, "C-2").await, Ok(Some(item(2))));
    assert_eq!(records.item(ItemKind::Alert, "C-2").await, Ok(None));
    let states = records
        .item_states(ItemKind::Case, &ItemFilter::default())
        .await;
    let expected = [("closed".to_owned(), 1), ("open".to_owned(), 1)];
    assert_eq!(states, Ok(expected.to_vec()));
}

async fn a_refused_append_leaves_no_item(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let refused = Append {
        items: vec![item(1)],
        ..hall.append(&events(2..=2))
    };
    assert_eq!(commit(&bench, vec![refused]).await, [Err(Rejected::Fenced)]);
    let found = records(&bench).item(ItemKind::Case, "C-1").await;
    assert_eq!(found, Ok(None));
}

async fn items_are_paged_in_every_order_within_what_may_be_seen(bench: Bench) {
    let hall = Hall::taken(&bench, "H1").await;
    let append = Append {
        items: (1..=25).map(item).collect(),
        ..hall.append(&events(1..=1))
    };
    commit_one(&bench, append).await;
    let of = |filter: ItemFilter| all_ids(&bench, filter);
    let numbers = |ids: Vec<String>| -> Vec<u32> {
        let number = |id: &String| id.trim_start_matches("C-").parse().expect("a number");
        ids.iter().map(number).collect()
    };
    let newest = of(ItemFilter::default()).await;
    assert_eq!(numbers(newest), (1..=25).rev().collect::<Vec<_>>());
    let sorted = |sort| ItemFilter {
        sort,
        ..ItemFilter::default()
    };
    // Every third has no limit and comes last; of the others the later ones are due earlier.
    let due = numbers(of(sorted(ItemSort::Due)).await);
    let limited = (1..=25_u32).rev().filter(|n| !n.is_multiple_of(3));
    assert_eq!(due[..17], limited.collect::<Vec<_>>());
    let rank = numbers(of(sorted(ItemSort::Rank)).await);
    let odd_then_even = (1..=25).step_by(2).chain((2..=25).step_by(2));
    assert_eq!(rank, odd_then_even.collect::<Vec<_>>());
    // Only H1's: those without a hall are not seen by whoever may see some halls.
    let halls = |halls: &[&str]| ItemFilter {
        halls: Some(halls.iter().map(ToString::to_string).collect()),
        ..ItemFilter::default()
    };
    assert_eq!(of(halls(&["H1", "H2"])).await.len(), 20);
    assert_eq!(of(halls(&[])).await.len(), 0);
    let cursor = ItemFilter {
        cursor: Some("nonsense".to_owned()),
        ..ItemFilter::default()
    };
    let refused = records(&bench).items(ItemKind::Case, &cursor).await;
    assert_eq!(refused, Err(StoreError::BadCursor));
}

async fn all_ids(bench: &Bench, filter: ItemFilter) -> Vec<String> {
    let (mut ids, mut filter) = (Vec::new(), ItemFilter { limit: 7, ..filter });
    loop {
        let page = records(bench).items(ItemKind::Case, &filter).await;
        let page = page.expect("a page");
        ids.extend(page.items.into_iter().map(|item| item.id));
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            assert_eq!(ids.len() as u64, page.total);
            return ids;
        }
    }
}

// Given.

/// An open case, opened at minute `n`; every fifth belongs to no hall, odd ones are urgent.
fn item(n: u32) -> Item {
    let minute = |minutes: u32| start().plus_secs(60 * u64::from(minutes));
    Item {
        kind: ItemKind::Case,
        id: format!("C-{n}"),
        state: "open".to_owned(),
        hall: (!n.is_multiple_of(5)).then(|| "H1".parse().expect("an id")),
        department: Some("construction".to_owned()),
        person: None,
        about: None,
        topic: None,
        subject: None,
        rank: (n % 2) as u8,
        opened_at: minute(n),
        due_at: (!n.is_multiple_of(3)).then(|| minute(1000 - n)),
        ended_at: None,
        body: "{}".to_owned(),
    }
}

struct Hall {
    id: HallId,
    head: Head,
}

impl Hall {
    async fn taken(bench: &Bench, id: &str) -> Self {
        let id: HallId = id.parse().expect("an id");
        let head = bench
            .store
            .acquire(&StreamId::from(&id))
            .await
            .expect("a head");
        Self { id, head }
    }

    fn append(&self, events: &[Recorded]) -> Append {
        Append {
            events: Entry::all(events).expect("entries"),
            ..Append::nothing(self.stream(), self.head.epoch, None)
        }
    }

    fn stream(&self) -> StreamId {
        StreamId::from(&self.id)
    }

    fn keyed(&self, events: &[Recorded], key: &str) -> Append {
        let key = IdempotencyKey {
            key: key.into(),
            fingerprint: "print".into(),
        };
        Append {
            key: Some(key),
            ..self.append(events)
        }
    }

    /// One event with the tickets it touched.
    fn with(&self, seq: u64, tickets: Vec<Ticket>) -> Append {
        Append {
            tickets,
            ..self.append(&events(seq..=seq))
        }
    }
}

fn start() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-02T09:00:00+08:00").expect("an instant")
}

fn day(text: &str) -> chrono::NaiveDate {
    text.parse().expect("a date")
}

fn events(seqs: std::ops::RangeInclusive<u64>) -> Vec<Recorded> {
    let event = |seq| Recorded {
        seq,
        at: start().plus_secs(seq),
        by: "张三".into(),
        event: Event::WindowPaused {
            window: "3".parse().expect("a window"),
            reason: Some("\"午休\"\n".into()),
        },
    };
    seqs.map(event).collect()
}

/// The `n`th ticket of the day, waiting.
fn ticket(n: u64) -> Ticket {
    let issued_at = start().plus_secs(n * 20);
    Ticket {
        id: TicketId(n),
        number: format!("B{n:04}"),
        round: 0,
        day: day("2026-11-02"),
        service: "S1".parse().expect("a service"),
        token: Token(format!("{n:032x}")),
        channel: Channel::Kiosk,
        holder: None,
        tags: BTreeSet::new(),
        green: None,
        appointment: None,
        excluded: BTreeSet::new(),
        only_window: None,
        issued_at,
        queued_at: issued_at,
        ahead_at_issue: 0,
        not_before: None,
        behind: None,
        calls: 0,
        postpones: 0,
        requeues: 0,
        first_called_at: None,
        last_called_at: None,
        called_because: None,
        started_at: None,
        serving_since: None,
        served_ms: 0,
        ended_at: None,
        window: None,
        clerk: None,
        rating: None,
        state: TicketState::Waiting,
    }
}

fn at_window(ticket: &Ticket, window: &str) -> Ticket {
    let window: WindowId = window.parse().expect("a window");
    Ticket {
        first_called_at: Some(ticket.issued_at.plus_secs(ticket.id.0 % 7)),
        window: Some(window.clone()),
        state: TicketState::Called { window },
        ..ticket.clone()
    }
}

fn ended(ticket: &Ticket) -> Ticket {
    Ticket {
        served_ms: ticket.id.0 % 5 * 1000,
        ended_at: Some(ticket.issued_at.plus_secs(300)),
        state: TicketState::Completed,
        ..at_window(ticket, "3")
    }
}

fn holder(person: &str) -> Holder {
    Holder {
        kind: IdentityKind::IdCard,
        class: HolderClass::Citizen,
        id_masked: Some("110***********002X".into()),
        name_masked: Some("张\0*".into()),
        phone_masked: None,
        person: Some(person.into()),
    }
}

fn account(username: &str) -> AccountRow {
    AccountRow {
        username: username.into(),
        name: "张三".into(),
        password_hash: "hash".into(),
        roles: vec!["clerk".into(), "supervisor".into()],
        halls: vec!["*".into()],
        windows: Vec::new(),
        call_chosen: true,
        must_change_password: false,
        hotkeys: "{}".into(),
        disabled: false,
    }
}

/// Tickets 1 to `count`, a third each waiting, served or ended without a call.
async fn issue(bench: &Bench, hall: &Hall, count: u64) {
    let all: Vec<u64> = (1..=count).collect();
    for (seq, some) in (1..).zip(all.chunks(500)) {
        let as_they_stand = some.iter().map(|n| match n % 3 {
            0 => ticket(*n),
            1 => ended(&ticket(*n)),
            _ => Ticket {
                state: TicketState::Cancelled,
                ..ticket(*n)
            },
        });
        commit_one(bench, hall.with(seq, as_they_stand.collect())).await;
    }
}

// When, then.

async fn commit(bench: &Bench, batch: Vec<Append>) -> Vec<Result<(), Rejected>> {
    bench.store.commit(&batch).await.expect("a commit")
}

async fn commit_one(bench: &Bench, append: Append) {
    assert_eq!(commit(bench, vec![append]).await, [Ok(())]);
}

async fn read(bench: &Bench, hall: &Hall, after: u64) -> Vec<Recorded> {
    let stored = bench.store.read_after(&hall.stream(), after, 1000).await;
    decoded(stored.expect("events"))
}

fn decoded(stored: Vec<rules::machine::Recorded<String>>) -> Vec<Recorded> {
    let events = stored.into_iter().map(decode);
    events.collect::<Result<_, _>>().expect("events")
}

fn told(first_seq: u64, count: u64) -> Rejected {
    Rejected::Duplicate {
        fingerprint: "print".into(),
        first_seq,
        count,
    }
}

fn records(bench: &Bench) -> Records {
    bench.records.clone().expect("records")
}

fn all_of(hall: &str) -> TicketFilter {
    TicketFilter {
        hall: Some(hall.into()),
        limit: 100,
        ..TicketFilter::default()
    }
}

async fn find(bench: &Bench, name: impl FnOnce(&mut TicketFilter)) -> Vec<Ticket> {
    let mut filter = TicketFilter {
        limit: 100,
        ..TicketFilter::default()
    };
    name(&mut filter);
    let page = records(bench).tickets(&filter).await.expect("a page");
    assert_eq!(page.total, page.items.len() as u64);
    page.items.into_iter().map(|item| item.ticket).collect()
}

fn ids(tickets: &[Ticket]) -> Vec<u64> {
    tickets.iter().map(|ticket| ticket.id.0).collect()
}

/// All tickets of all halls in an order, read in small pages.
async fn walk(bench: &Bench, order: &str) -> Vec<(String, u64)> {
    let sort: TicketSort = order.parse().expect("an order");
    let mut filter = TicketFilter {
        sort,
        limit: 7,
        ..TicketFilter::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = records(bench).tickets(&filter).await.expect("a page");
        let places = page
            .items
            .iter()
            .map(|at| (at.hall.to_string(), at.ticket.id.0));
        seen.extend(places);
        filter.cursor = page.next_cursor;
        if filter.cursor.is_none() {
            return seen;
        }
    }
}
