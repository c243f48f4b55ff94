//! The tickets' projection.

use std::collections::BTreeSet;

use actors::ports::{Append, PortError, Rejected};
use hallkeeper::store::open;
use hallkeeper::store::records::{HallTicket, StoreError, TicketFilter, TicketSort};
use rules::identity::{Holder, HolderClass};
use rules::ids::{TicketId, WindowId};
use rules::ticket::{BookedTime, Channel, Rating, Ticket, TicketState};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use super::{
    Bench, Hall, bench, commit, commit_one, day, events, holder, ids, read, records, start, ticket,
    told,
};
use crate::harness::Folder;

on_databases! {
    a_window_goes_from_one_ticket_to_the_next_within_a_batch,
    two_tickets_may_change_windows_crosswise,
    one_window_never_has_two_tickets,
    a_number_carried_over_may_be_given_out_again,
    a_ticket_is_found_where_it_is_filed_now,
    a_refused_append_leaves_no_ticket,
    a_ticket_is_read_back_as_it_was_written,
    ac_a06_1_2350_tickets_are_24_pages_and_the_last_has_50,
    pages_keep_every_order,
    filters_find_what_they_name,
    figures_add_up,
    earlier_visits_are_those_before_the_ticket,
    old_keys_are_pruned_and_young_ones_kept,
}

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

/// A lone append has a statement of its own in SQLite.
#[tokio::test]
async fn alone_or_in_company_a_ticket_is_written_alike() {
    let folder = Folder::new();
    let stores = open("sqlite", folder.path()).await.expect("a store");
    let bench = bench(&stores);
    let alone = Hall::taken(&bench, "H1").await;
    let among_others = Hall::taken(&bench, "H2").await;
    let other = Hall::taken(&bench, "H3").await;
    for (seq, version) in (1..).zip(versions_of_a_ticket()) {
        let keyed = |hall: &Hall| Append {
            tickets: vec![version.clone()],
            ..match seq % 2 {
                0 => hall.keyed(&events(seq..=seq), &format!("key {seq}")),
                _ => hall.append(&events(seq..=seq)),
            }
        };
        commit_one(&bench, keyed(&alone)).await;
        let batch = vec![keyed(&among_others), other.with(seq, vec![ticket(seq)])];
        assert_eq!(commit(&bench, batch).await, [Ok(()), Ok(())]);
        for (table, of_hall) in [
            ("tickets", "hall"),
            ("events", "stream"),
            ("idempotency", "stream"),
            ("heads", "stream"),
        ] {
            let written = rows(&folder, table, of_hall, "H1").await;
            assert_eq!(written, rows(&folder, table, of_hall, "H2").await, "{seq}");
            assert!(!written.is_empty() || (table, seq) == ("idempotency", 1));
        }
    }
}

/// Each differs from the one before in many columns.
fn versions_of_a_ticket() -> Vec<Ticket> {
    let appointment = Some(BookedTime {
        number: "Y20261102-7".into(),
        from: start(),
        to: start().plus_secs(1800),
        booked_at: None,
    });
    let waiting = ticket(1);
    let known = Ticket {
        holder: Some(Holder {
            class: HolderClass::Agent,
            phone_masked: Some("138****0000".into()),
            ..holder("p1")
        }),
        tags: BTreeSet::from(["elderly".parse().expect("a tag")]),
        green: Some(3),
        appointment,
        channel: Channel::Staff,
        ..waiting.clone()
    };
    let called = Ticket {
        calls: 2,
        clerk: Some("clerk7".parse().expect("a clerk")),
        ..at_window(&known, "3")
    };
    let served = Ticket {
        started_at: Some(start().plus_secs(120)),
        served_ms: 61_000,
        requeues: 1,
        rating: Some(Rating {
            stars: 4,
            text: Some("快".into()),
            at: start().plus_secs(400),
        }),
        ..ended(&called)
    };
    let filed_elsewhere = Ticket {
        day: day("2026-11-03"),
        holder: Some(holder("p2")),
        ..served.clone()
    };
    let back = waiting.clone();
    vec![waiting, known, called, served, filed_elsewhere, back]
}

/// What a table of SQLite has of a hall, but for the hall's own name.
async fn rows(folder: &Folder, table: &str, of_hall: &str, hall: &str) -> Vec<String> {
    let file = SqliteConnectOptions::new()
        .filename(folder.path().join("hallkeeper.db"))
        .read_only(true);
    let mut database = file.connect().await.expect("the database");
    let columns: Vec<String> = sqlx::query_scalar(
        r#"select format('quote("%w")', name) from pragma_table_info(?) where name <> ?"#,
    )
    .bind(table)
    .bind(of_hall)
    .fetch_all(&mut database)
    .await
    .expect("the columns");
    let columns = columns.join(" || ' ' || ");
    let all = format!("select {columns} from {table} where {of_hall} = ?");
    sqlx::query_scalar(AssertSqlSafe(all))
        .bind(hall)
        .fetch_all(&mut database)
        .await
        .expect("the rows")
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

fn ended(ticket: &Ticket) -> Ticket {
    Ticket {
        served_ms: ticket.id.0 % 5 * 1000,
        ended_at: Some(ticket.issued_at.plus_secs(300)),
        state: TicketState::Completed,
        ..at_window(ticket, "3")
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
