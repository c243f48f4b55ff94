//! What the server told its clients, kept by one who forgets nothing, and whether it still says so.
//!
//! Every answered command is a [`Step`] under its place in the hall's journal. Told over in that
//! order the steps give what each ticket must be, to the last detail that a client can see. A
//! request that got no answer is kept too, and repeated under its key after the restart: whatever
//! became of it, it must then have happened once.

use std::collections::{BTreeMap, BTreeSet};

use awc::http::Method;
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection as _};

use crate::harness::{Answer, Client, Server, zone_where_it_is_noon};

/// Halls that are busy at the same time.
pub(super) const HALLS: usize = 3;

/// Windows of each.
pub(super) const WINDOWS: usize = 2;

/// Answered requests that are sent once more after each restart.
const SENT_AGAIN: usize = 3;

/// A small generator of chance, so that a seed tells all that was chosen.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % end
    }

    pub(super) fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Issue,
    CallNext,
    Recall,
    Start,
    Complete,
    NoShow,
    Transfer,
}

impl Verb {
    fn path(self) -> &'static str {
        match self {
            Self::Issue => "tickets",
            Self::CallNext => "call-next",
            Self::Recall => "recall",
            Self::Start => "start",
            Self::Complete => "complete",
            Self::NoShow => "no-show",
            Self::Transfer => "transfer",
        }
    }
}

/// Who works: a kiosk, or the clerk of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) hall: usize,
    pub(super) window: Option<usize>,
}

/// All places of the halls of a book.
pub(super) fn places() -> Vec<Place> {
    let windows = || std::iter::once(None).chain((0..WINDOWS).map(Some));
    (0..HALLS)
        .flat_map(|hall| windows().map(move |window| Place { hall, window }))
        .collect()
}

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) place: Place,
    pub(super) verb: Verb,
    key: String,
    body: Value,
}

impl Request {
    fn path(&self) -> String {
        let hall = hall_id(self.place.hall);
        let verb = self.verb.path();
        match self.place.window {
            None => format!("/halls/{hall}/{verb}"),
            Some(window) => format!("/halls/{hall}/windows/{}/{verb}", window + 1),
        }
    }

    /// `None` when the server does not answer.
    pub(super) async fn send(&self, client: &Client) -> Option<Answer> {
        let key = [("Idempotency-Key", self.key.as_str())];
        let body = Some(self.body.to_string());
        client
            .try_send(Method::POST, &self.path(), body, &key)
            .await
    }
}

fn hall_id(hall: usize) -> String {
    format!("H{}", hall + 1)
}

/// Something that happened to a ticket, as the answer told it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    verb: Verb,
    window: Option<usize>,
    ticket: u64,
    number: String,
    service: String,
}

/// What a clerk has before them.
#[derive(Debug, Clone)]
enum Seat {
    Free,
    Called { calls: u64 },
    Serving { service: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Ticket {
    number: String,
    service: String,
    state: &'static str,
    window: Option<usize>,
    calls: u64,
}

struct Hall {
    steps: BTreeMap<u64, Step>,
    seats: Vec<Seat>,
}

/// Counts of a run.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) acknowledged: u64,
    pub(super) unanswered: u64,
    /// Unanswered requests that turned out to have been carried out.
    pub(super) carried_out: u64,
    /// Answers that said: not just now.
    pub(super) unavailable: u64,
}

pub(super) struct Book {
    pub(super) chance: Chance,
    pub(super) tally: Tally,
    halls: Vec<Hall>,
    unanswered: Vec<Request>,
    answered: Vec<(Request, u64)>,
    keys: u64,
    /// What must not have been; the first is enough to fail.
    faults: Vec<String>,
}

impl Book {
    /// Opens the halls and their windows.
    pub(super) async fn open(server: &Server, chance: Chance) -> Self {
        let admin = server.admin();
        for hall in 0..HALLS {
            let id = hall_id(hall);
            let service = |id: &str, prefix: &str| json!({"id": id, "name": id, "prefix": prefix, "digits": 4, "last": 9999});
            let window = |n: usize| json!({"id": n.to_string(), "services": ["S1", "S2"]});
            let body = json!({
                "id": id, "name": id, "time_zone": zone_where_it_is_noon(),
                "services": [service("S1", "A"), service("S2", "B")],
                "windows": (1..=WINDOWS).map(window).collect::<Vec<_>>(),
                "policy": {"no_show_after_calls": 1},
            });
            admin.post("/halls", body).await.expect(201);
            admin
                .post(&format!("/halls/{id}/open"), json!({}))
                .await
                .expect(200);
            for window in 1..=WINDOWS {
                admin
                    .at_window(&id, &window.to_string(), "open")
                    .await
                    .expect(200);
            }
        }
        let hall = || Hall {
            steps: BTreeMap::new(),
            seats: vec![Seat::Free; WINDOWS],
        };
        Self {
            chance,
            tally: Tally::default(),
            halls: (0..HALLS).map(|_| hall()).collect(),
            unanswered: Vec::new(),
            answered: Vec::new(),
            keys: 0,
            faults: Vec::new(),
        }
    }

    /// What somebody at this place would ask next.
    pub(super) fn next_request(&mut self, place: Place) -> Request {
        self.keys += 1;
        let (verb, body) = match place.window.map(|w| &self.halls[place.hall].seats[w]) {
            None => {
                let service = ["S1", "S2"][self.chance.below(2) as usize];
                (Verb::Issue, json!({"service": service}))
            }
            Some(Seat::Free) => (Verb::CallNext, json!({})),
            Some(Seat::Called { calls }) if *calls < 3 && self.chance.percent(20) => {
                (Verb::Recall, json!({}))
            }
            Some(Seat::Called { .. }) if self.chance.percent(15) => (Verb::NoShow, json!({})),
            Some(Seat::Called { .. }) => (Verb::Start, json!({})),
            Some(Seat::Serving { service }) if self.chance.percent(20) => {
                let other = if service == "S1" { "S2" } else { "S1" };
                (Verb::Transfer, json!({"service": other}))
            }
            Some(Seat::Serving { .. }) => (Verb::Complete, json!({})),
        };
        Request {
            place,
            verb,
            key: format!("k{}", self.keys),
            body,
        }
    }

    /// Nobody knows what became of it.
    pub(super) fn lost(&mut self, request: Request) {
        self.tally.unanswered += 1;
        self.unanswered.push(request);
    }

    /// Notes an answer. One of the 500s is allowed to say that the database is away, no other.
    pub(super) fn learn(&mut self, request: &Request, answer: &Answer) {
        let code = answer.body["code"].as_str();
        match (answer.status, request.verb, code) {
            (503, _, Some("unavailable")) => self.tally.unavailable += 1,
            (409, Verb::CallNext, Some("nobody_waiting")) => {}
            (201, Verb::Issue, _) | (200, _, _) => self.learn_step(request, answer),
            _ => self.fault(format!(
                "{request:?} was answered {} {}",
                answer.status, answer.text
            )),
        }
    }

    fn learn_step(&mut self, request: &Request, answer: &Answer) {
        let Place { hall, window } = request.place;
        let Some((seq, step, calls)) = read_step(request, answer) else {
            self.fault(format!("{request:?}: no ticket in {}", answer.text));
            return;
        };
        if let Some(window) = window {
            self.halls[hall].seats[window] = match request.verb {
                Verb::CallNext | Verb::Recall => Seat::Called { calls },
                Verb::Start => Seat::Serving {
                    service: step.service.clone(),
                },
                Verb::Issue | Verb::Complete | Verb::NoShow | Verb::Transfer => Seat::Free,
            };
        }
        self.tally.acknowledged += 1;
        self.answered.push((request.clone(), seq));
        if let Some(other) = self.halls[hall].steps.insert(seq, step) {
            self.fault(format!("{request:?} took the place {seq} of {other:?}"));
        }
    }

    fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// Repeats what got no answer until it has one, and once more; and some of what had one.
    pub(super) async fn settle(&mut self, client: &Client) {
        for request in std::mem::take(&mut self.unanswered) {
            let answer = request.send(client).await.expect("an answer");
            self.tally.carried_out += u64::from(is_replay(&answer));
            self.learn(&request, &answer);
            if answer.status < 300 {
                self.expect_repeat(client, &request, answer.body["seq"].as_u64())
                    .await;
            }
        }
        for _ in 0..SENT_AGAIN.min(self.answered.len()) {
            let which = self.chance.below(self.answered.len() as u64) as usize;
            let (request, seq) = self.answered[which].clone();
            self.expect_repeat(client, &request, Some(seq)).await;
        }
    }

    async fn expect_repeat(&mut self, client: &Client, request: &Request, seq: Option<u64>) {
        let answer = request.send(client).await.expect("an answer");
        let step = read_step(request, &answer);
        let known = seq.and_then(|seq| self.halls[request.place.hall].steps.get(&seq));
        let same = step
            .as_ref()
            .zip(known)
            .is_some_and(|((at, step, _), known)| {
                Some(*at) == seq && step.ticket == known.ticket && step.number == known.number
            });
        if !same || !is_replay(&answer) {
            self.fault(format!(
                "{request:?} repeated: {} {}; first {known:?} at {seq:?}",
                answer.status, answer.text
            ));
        }
    }

    /// Whether the halls are what was told; the first thing that is not.
    pub(super) async fn check(&self, client: &Client) -> Result<(), String> {
        if let Some(fault) = self.faults.first() {
            return Err(format!("{fault} (1 of {})", self.faults.len()));
        }
        for (n, hall) in self.halls.iter().enumerate() {
            let id = hall_id(n);
            let in_hall = |fault: String| format!("hall {id}: {fault}");
            let told = hall.told().map_err(in_hall)?;
            let seen = Seen::of(&id, client).await;
            seen.compare(&told).map_err(in_hall)?;
        }
        Ok(())
    }

    /// Whether the journal has no gap and holds every key once.
    pub(super) async fn check_journal(&self, url: &str) -> Result<(), String> {
        sqlx::any::install_default_drivers();
        let mut database = AnyConnection::connect(url).await.expect("the database");
        let streams: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(
            "select h.stream, h.seq, min(e.seq), max(e.seq), count(*) \
             from heads h join events e on e.stream = h.stream group by h.stream, h.seq order by h.stream",
        )
        .fetch_all(&mut database)
        .await
        .expect("the journal");
        let keys: Vec<(String, i64)> = sqlx::query_as(
            "select stream, count(*) from idempotency group by stream order by stream",
        )
        .fetch_all(&mut database)
        .await
        .expect("the keys");
        let keys: BTreeMap<_, _> = keys.into_iter().collect();
        database.close().await.expect("closed");
        for (id, head, first, last, count) in &streams {
            if (first, last, count) != (&1, head, head) {
                return Err(format!(
                    "{id}: {count} events from {first} to {last}, head {head}"
                ));
            }
        }
        let halls: Vec<String> = streams
            .into_iter()
            .map(|(id, ..)| id)
            .filter(|id| !id.starts_with('@'))
            .collect();
        if halls.len() != HALLS {
            return Err(format!("{} halls in the journal", halls.len()));
        }
        for (id, hall) in halls.into_iter().zip(&self.halls) {
            let kept = keys.get(&id).copied().unwrap_or_default();
            if kept != hall.steps.len() as i64 {
                return Err(format!(
                    "hall {id}: {kept} keys kept, {} commands answered",
                    hall.steps.len()
                ));
            }
        }
        Ok(())
    }
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

/// The journal place, step and number of calls that an answer tells.
fn read_step(request: &Request, answer: &Answer) -> Option<(u64, Step, u64)> {
    let ticket = match request.verb {
        Verb::Issue => &answer.body,
        _ => &answer.body["ticket"],
    };
    let step = Step {
        verb: request.verb,
        window: request.place.window,
        ticket: ticket["id"].as_u64()?,
        number: ticket["number"].as_str()?.to_owned(),
        service: ticket["service"].as_str()?.to_owned(),
    };
    let calls = ticket["calls"].as_u64().unwrap_or_default();
    Some((answer.body["seq"].as_u64()?, step, calls))
}

impl Hall {
    /// The tickets as the steps in their order make them.
    fn told(&self) -> Result<BTreeMap<u64, Ticket>, String> {
        let mut tickets: BTreeMap<u64, Ticket> = BTreeMap::new();
        let mut at_window = [None; WINDOWS];
        for (seq, step) in &self.steps {
            let wrong = |why: &str| format!("{step:?} at {seq}: {why}");
            let Some(window) = step.window else {
                let ticket = Ticket {
                    number: step.number.clone(),
                    service: step.service.clone(),
                    state: "waiting",
                    window: None,
                    calls: 0,
                };
                if tickets.insert(step.ticket, ticket).is_some() {
                    return Err(wrong("issued twice"));
                }
                continue;
            };
            let ticket = tickets
                .get_mut(&step.ticket)
                .ok_or_else(|| wrong("never issued"))?;
            let (before, after) = match step.verb {
                Verb::Issue | Verb::CallNext => ("waiting", "called"),
                Verb::Recall => ("called", "called"),
                Verb::Start => ("called", "serving"),
                Verb::Complete => ("serving", "completed"),
                Verb::NoShow => ("called", "missed"),
                Verb::Transfer => ("serving", "waiting"),
            };
            let expected = (step.verb != Verb::CallNext).then_some(step.ticket);
            if at_window[window] != expected || ticket.state != before {
                return Err(wrong(&format!(
                    "{ticket:?}, at the window {:?}",
                    at_window[window]
                )));
            }
            ticket.state = after;
            let here = matches!(after, "called" | "serving");
            at_window[window] = here.then_some(step.ticket);
            ticket.window = here.then_some(window);
            ticket.service.clone_from(&step.service);
            match step.verb {
                Verb::CallNext => ticket.calls = 1,
                Verb::Recall => ticket.calls += 1,
                _ => {}
            }
        }
        Ok(tickets)
    }
}

/// A hall as the server shows it: the list and the figures from the database, the board alive.
struct Seen {
    board: Value,
    figures: Value,
    rows: Vec<Value>,
}

impl Seen {
    async fn of(id: &str, client: &Client) -> Self {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/halls/{id}/tickets?limit=1000{cursor}");
            let page = client.get(&path).await.expect(200);
            rows.extend(page["items"].as_array().expect("items").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        Self {
            board: client.get(&format!("/halls/{id}")).await.expect(200),
            figures: client
                .get(&format!("/halls/{id}/figures"))
                .await
                .expect(200),
            rows,
        }
    }

    fn compare(&self, told: &BTreeMap<u64, Ticket>) -> Result<(), String> {
        self.compare_tickets(told)?;
        self.numbers_are_consecutive()?;
        self.figures_add_up()?;
        self.windows_have_their_tickets(told)
    }

    fn compare_tickets(&self, told: &BTreeMap<u64, Ticket>) -> Result<(), String> {
        let mut unseen: BTreeSet<u64> = told.keys().copied().collect();
        for row in &self.rows {
            let id = row["id"].as_u64().expect("an id");
            let Some(ticket) = told.get(&id) else {
                return Err(format!("nobody was told of {row}"));
            };
            if !unseen.remove(&id) {
                return Err(format!("listed twice: {row}"));
            }
            let here = ticket.window.map(|window| (window + 1).to_string());
            let same = row["number"] == *ticket.number
                && row["service"] == *ticket.service
                && row["state"] == ticket.state
                && (here.is_none() || row["window"].as_str() == here.as_deref())
                && (here.is_none() || row["calls"] == ticket.calls);
            if !same {
                return Err(format!("told {ticket:?}, but it is {row}"));
            }
        }
        match unseen.first() {
            Some(id) => Err(format!(
                "{} tickets lost, the first is {id}: {:?}",
                unseen.len(),
                told[id]
            )),
            None => Ok(()),
        }
    }

    /// A number is taken by the ticket's own event, so not even an unanswered request leaves a gap.
    fn numbers_are_consecutive(&self) -> Result<(), String> {
        let mut numbers: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for row in &self.rows {
            let (prefix, number) = row["number"].as_str().expect("a number").split_at(1);
            numbers
                .entry(prefix)
                .or_default()
                .push(number.parse().expect("digits"));
        }
        for (prefix, numbers) in &mut numbers {
            numbers.sort_unstable();
            let wrong = (1..).zip(numbers.iter()).find(|(n, number)| n != *number);
            if let Some((due, found)) = wrong {
                return Err(format!("after {prefix}{:04} comes {found}", due - 1));
            }
        }
        Ok(())
    }

    fn figures_add_up(&self) -> Result<(), String> {
        let states = [
            "waiting",
            "called",
            "serving",
            "held",
            "completed",
            "missed",
            "cancelled",
            "expired",
        ];
        let mut counted: BTreeMap<&str, u64> = states.map(|state| (state, 0)).into();
        for row in &self.rows {
            *counted
                .entry(row["state"].as_str().expect("a state"))
                .or_default() += 1;
        }
        counted.insert("issued", self.rows.len() as u64);
        let counted = json!(counted);
        let (live, kept) = (&self.board["figures"], &self.figures["figures"]);
        if *live != counted || *kept != counted {
            return Err(format!(
                "figures differ: counted {counted}, live {live}, kept {kept}"
            ));
        }
        Ok(())
    }

    fn windows_have_their_tickets(&self, told: &BTreeMap<u64, Ticket>) -> Result<(), String> {
        for window in 0..WINDOWS {
            let here = told.values().find(|ticket| ticket.window == Some(window));
            let number = here.map(|ticket| ticket.number.as_str());
            let shown = &self.board["windows"][(window + 1).to_string()];
            if shown["ticket"]["number"].as_str() != number {
                return Err(format!("window {} has {number:?}, not {shown}", window + 1));
            }
        }
        Ok(())
    }
}
