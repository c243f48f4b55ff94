//! The journal's contract: named behaviours that every adapter of `actors::ports::Store` has, and
//! those of the records beside it.
//!
//! The adapters in memory and for SQLite are tried always, PostgreSQL when its address stands in
//! `HALLKEEPER_TEST_POSTGRES`; there every test lives in a schema of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use actors::memory::MemoryStore;
use actors::ports::{Append, Entry, Head, IdempotencyKey, Rejected, Store, StreamId, decode};
use hallkeeper::store::{Records, Stores, open};
use rules::hall::{Event, Recorded};
use rules::identity::{Holder, HolderClass, IdentityKind};
use rules::ids::{HallId, TicketId, Token};
use rules::ticket::{Channel, Ticket, TicketState};
use rules::time::Timestamp;

use crate::harness::Folder;
use crate::postgres::Schema;

// What a behaviour is tried on.

struct Bench {
    store: Arc<dyn Store>,
    /// None for the store in memory, which has no projection either.
    records: Option<Records>,
}

fn bench(stores: &Stores) -> Bench {
    Bench {
        store: Arc::clone(&stores.journal),
        records: Some(stores.records.clone()),
    }
}

/// Tries behaviours in memory.
macro_rules! on_memory {
    ($($name:ident),+ $(,)?) => {
        mod on_memory {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(crate::journal_contract::in_memory()).await;
                }
            )+
        }
    };
}

/// Tries behaviours on SQLite and on PostgreSQL.
macro_rules! on_databases {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    crate::journal_contract::in_sqlite(super::$name).await;
                }
            )+
        }

        mod on_postgres {
            $(
                #[tokio::test]
                async fn $name() {
                    crate::journal_contract::in_postgres(super::$name).await;
                }
            )+
        }
    };
}

/// Tries behaviours in memory as well.
macro_rules! on_every_adapter {
    ($($name:ident),+ $(,)?) => {
        on_memory! { $($name),+ }
        on_databases! { $($name),+ }
    };
}

mod items;
mod journal;
mod records;
mod tickets;

fn in_memory() -> Bench {
    Bench {
        store: Arc::new(MemoryStore::default()),
        records: None,
    }
}

async fn in_sqlite(behaviour: impl AsyncFnOnce(Bench)) {
    let folder = Folder::new();
    let stores = open("sqlite", folder.path()).await.expect("a store");
    behaviour(bench(&stores)).await;
}

async fn in_postgres(behaviour: impl AsyncFnOnce(Bench)) {
    let Some(schema) = Schema::new().await else {
        return;
    };
    let stores = open(&schema.url(), Path::new("")).await.expect("a store");
    behaviour(bench(&stores)).await;
    drop(stores);
    schema.drop().await;
}

// Given.

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

fn ids(tickets: &[Ticket]) -> Vec<u64> {
    tickets.iter().map(|ticket| ticket.id.0).collect()
}
