//! The items that desks list: cases, alerts and the like.

use actors::ports::{Append, Rejected};
use hallkeeper::store::records::{ClosedLoop, ItemFilter, ItemSort, StoreError};
use rules::cases::{CaseCommand, CaseDesk, Settings as CaseSettings, Telling, Told};
use rules::ids::TicketId;
use rules::machine::{Item, ItemKind, Machine as _};

use super::{Bench, Hall, commit, commit_one, events, records, start};

on_databases! {
    an_item_is_kept_as_it_was_last_written,
    a_refused_append_leaves_no_item,
    items_are_paged_in_every_order_within_what_may_be_seen,
    a_persons_cases_and_a_halls_closed_loop_are_found,
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
