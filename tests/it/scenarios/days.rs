//! Scenarios in which days pass, on a server whose clock the test sets: C02, C04, C05, C06, D01, D03.

use std::time::Instant;

use rules::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server, SetClock, list, number, text};
use crate::notices::receivers::Receiver;

/// A server in whose office it is the time that the test says.
struct Days {
    clock: SetClock,
    server: Server,
    /// Where notices go: an account named `x` has the target `x`.
    inbox: Receiver,
    password: String,
}

/// The people of these scenarios who are told of things.
const ACCOUNTS: [&str; 5] = ["li", "wang", "zhao", "sup", "eng"];

/// `2026-11-06 17:30` or with seconds, in Shanghai.
fn local(text: &str) -> String {
    let (date, time) = text.split_once(' ').expect("date and time");
    let secs = if time.len() == 5 { ":00" } else { "" };
    format!("{date}T{time}{secs}+08:00")
}

fn instant(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(&local(text)).expect("a time")
}

impl Days {
    /// None where the clock cannot be set.
    async fn at(time: &str) -> Option<Self> {
        let clock = SetClock::new()?;
        set(&clock, time);
        let inbox = Receiver::http(&[]).await;
        let mut settings = clock.settings();
        settings.push(("HALLKEEPER__ALERTS__PASS_MS".to_owned(), "100".to_owned()));
        for account in ACCOUNTS {
            let name = format!("HALLKEEPER__NOTICES__WEBHOOKS__{}", account.to_uppercase());
            settings.push((format!("{name}__URL"), format!("{}/{account}", inbox.url())));
            settings.push((format!("{name}__SECRET"), "S3cret".to_owned()));
        }
        let settings: Vec<(&str, &str)> = settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let server = Server::start_with(&settings, &[]).await;
        let password = server.folder.path().join("initial-admin-password");
        let password = std::fs::read_to_string(password).expect("the first password");
        Some(Self {
            clock,
            server,
            inbox,
            password: password.trim().to_owned(),
        })
    }

    /// It is this time now; the administrator, signed in anew, for a shift may have passed.
    async fn until(&mut self, time: &str) -> Client {
        set(&self.clock, time);
        let admin = self.server.sign_in("admin", &self.password).await;
        self.server.token = admin.token.clone().expect("a token");
        admin
    }

    /// Somebody who is told by a webhook of the own.
    async fn tell(&self, admin: &Client, account: &str, roles: &[&str]) {
        let body = json!({
            "name": account, "account": account, "roles": roles, "halls": ["*"],
            "ways": [{"kind": "webhook", "address": account}],
        });
        let put = admin.put(&format!("/receivers/{account}"), body).await;
        put.expect(200);
    }

    /// What this account was told so far: cause and title. The machine that tests run on may be short
    /// of something, and minutes pass at once here: that is not what is asked.
    fn told(&self, account: &str) -> Vec<String> {
        let taken = self.inbox.taken().into_iter();
        let own = taken.filter(|one| one.to.ends_with(&format!("/{account}")));
        own.map(|one| {
            let body: Value = serde_json::from_str(&one.body).expect("JSON");
            format!("{} {}", text(&body["cause"]), text(&body["title"]["en"]))
        })
        .filter(|told| !told.contains("Node short of resources"))
        .collect()
    }

    async fn told_becomes(&self, account: &str, wanted: &[&str]) {
        let until = Instant::now() + PATIENCE;
        while self.told(account) != wanted {
            assert!(
                Instant::now() < until,
                "{account}: {:?}",
                self.told(account)
            );
            soon().await;
        }
    }
}

fn set(clock: &SetClock, time: &str) {
    let ahead = instant(time).millis() - super::now().millis();
    clock.set_ahead(ahead.div_euclid(1000));
}

async fn soon() {
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
}

/// Five passes and more: what does not come by then does not come.
async fn some_passes() {
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
}

async fn of_rule(client: &Client, rule: &str) -> Vec<Value> {
    let page = client.get(&format!("/alerts?rule={rule}")).await;
    list(&page.expect(200)["items"]).to_vec()
}

/// The alerts of a rule as soon as there are so many.
async fn alerts(client: &Client, rule: &str, count: usize) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let found = of_rule(client, rule).await;
        if found.len() == count {
            return found;
        }
        assert!(Instant::now() < until, "not {count}: {found:?}");
        soon().await;
    }
}

async fn ended(client: &Client, alert: &Value, ending: &str) {
    let path = format!("/alerts/{}", text(&alert["id"]));
    let until = Instant::now() + PATIENCE;
    loop {
        let alert = client.get(&path).await.expect(200);
        if alert["state"] == "resolved" {
            assert_eq!(alert["ending"], ending);
            return;
        }
        assert!(Instant::now() < until, "{alert}");
        soon().await;
    }
}

fn case(no: &str, received: &str) -> Value {
    json!({
        "case_no": no, "item": "开店", "department": "住建", "handler": "li", "hall": "H1",
        "received_at": local(received),
    })
}

fn with(mut case: Value, more: Value) -> Value {
    let fields = more.as_object().expect("fields").clone();
    case.as_object_mut().expect("a case").extend(fields);
    case
}

/// AC-C06-1, AC-C06-2, AC-C04-1: five working days from Monday end on the next Monday; told as near
/// due to the handler one working day before, then as overdue to handler and supervisor in its place.
#[actix_web::test]
async fn a_case_is_near_due_on_friday_and_overdue_on_monday_evening() {
    let Some(mut days) = Days::at("2026-11-02 09:00").await else {
        return;
    };
    let admin = days.server.hall("H1", 1).await;
    days.tell(&admin, "li", &[]).await;
    days.tell(&admin, "sup", &["supervisor"]).await;
    let limit = json!({"promise_days": 5, "accepted_at": local("2026-11-02 09:00")});
    let told = with(case("K1", "2026-11-02 08:30"), limit);
    let told = admin.post("/cases", told).await.expect(201);
    assert_eq!(told["due_at"], local("2026-11-09 17:30"));
    let admin = days.until("2026-11-06 17:29:30").await;
    assert_eq!(admin.get("/cases/K1").await.expect(200)["time"], "on_time");
    some_passes().await;
    assert_eq!(of_rule(&admin, "R01-near-due-case").await.len(), 0);
    let admin = days.until("2026-11-06 17:30").await;
    let near = alerts(&admin, "R01-near-due-case", 1).await.remove(0);
    assert_eq!(
        (&near["subject"]["id"], &near["handler"]),
        (&json!("K1"), &json!("li"))
    );
    days.told_becomes("li", &["raised Case near due"]).await;
    assert_eq!(days.told("sup"), [""; 0]);

    let admin = days.until("2026-11-09 17:29:30").await;
    some_passes().await;
    assert_eq!(of_rule(&admin, "R02-overdue-case").await.len(), 0);
    let admin = days.until("2026-11-09 17:30:01").await;
    let late = alerts(&admin, "R02-overdue-case", 1).await.remove(0);
    assert_eq!(late["severity"], "critical");
    ended(&admin, &near, "superseded").await;
    days.told_becomes("sup", &["raised Case overdue"]).await;
    let handler = ["raised Case near due", "raised Case overdue"];
    let until = Instant::now() + PATIENCE;
    while !handler
        .iter()
        .all(|one| days.told("li").contains(&(*one).to_owned()))
    {
        assert!(Instant::now() < until, "{:?}", days.told("li"));
        soon().await;
    }
    // Overdue by one begun working day, however long the night; over the weekend it stays.
    for (time, over) in [
        ("2026-11-10 09:00", 1),
        ("2026-11-13 20:00", 5),
        ("2026-11-15 20:00", 5),
    ] {
        let admin = days.until(time).await;
        let shown = admin.get("/cases/K1").await.expect(200);
        assert_eq!(
            (&shown["time"], number(&shown["days_overdue"])),
            (&json!("overdue"), over),
            "{time}"
        );
    }
    let admin = days.until("2026-11-16 09:00").await;
    assert_eq!(alerts(&admin, "R01-near-due-case", 1).await.len(), 1);
    assert_eq!(alerts(&admin, "R02-overdue-case", 1).await.len(), 1);
    let closed = json!({"kind": "closed", "at": local("2026-11-16 08:50")});
    admin.post("/cases/K1/steps", closed).await.expect(201);
    ended(&admin, &late, "condition_gone").await;
}

/// AC-C04-2, AC-C04-3: time in special procedure and in supplement does not count.
#[actix_web::test]
async fn suspension_and_supplement_move_the_due_time() {
    let Some(mut days) = Days::at("2026-11-03 09:00").await else {
        return;
    };
    let admin = days.server.hall("H1", 1).await;
    let limit = json!({"promise_days": 5, "accepted_at": local("2026-11-02 09:00")});
    for no in ["S1", "S2"] {
        let told = with(case(no, "2026-11-02 08:30"), limit.clone());
        admin.post("/cases", told).await.expect(201);
    }
    let step = async |client: &Client, no: &str, kind: &str, at: &str| {
        let step = json!({"kind": kind, "at": local(at)});
        client
            .post(&format!("/cases/{no}/steps"), step)
            .await
            .expect(201)
    };
    step(&admin, "S1", "suspended", "2026-11-03 09:00").await;
    step(&admin, "S2", "supplement_asked", "2026-11-03 09:00").await;
    let admin = days.until("2026-11-05 10:00").await;
    assert_eq!(admin.get("/cases/S1").await.expect(200)["time"], "on_time");
    let resumed = step(&admin, "S1", "resumed", "2026-11-05 10:00").await;
    assert_eq!(resumed["due_at"], local("2026-11-11 17:30"));
    let admin = days.until("2026-11-06 10:00").await;
    let answered = step(&admin, "S2", "supplement_answered", "2026-11-06 10:00").await;
    assert_eq!(answered["due_at"], local("2026-11-12 17:30"));
}

/// AC-C06-3: nobody accepts for a working day; the alert offers to accept or return, and either ends it.
#[actix_web::test]
async fn an_overdue_acceptance_is_accepted_or_returned_from_its_alert() {
    let Some(mut days) = Days::at("2026-11-02 09:00").await else {
        return;
    };
    const RULE: &str = "R03-overdue-acceptance";
    let admin = days.server.hall("H1", 1).await;
    for no in ["A1", "A2"] {
        let told = with(
            case(no, "2026-11-02 09:00"),
            json!({"acceptance_limit_days": 1}),
        );
        admin.post("/cases", told).await.expect(201);
    }
    let admin = days.until("2026-11-03 08:59:30").await;
    some_passes().await;
    assert_eq!(of_rule(&admin, RULE).await.len(), 0);
    days.until("2026-11-03 09:00:01").await;
    let chief = days.server.person("zhou", "supervisor", &["H1"]).await;
    let raised = alerts(&chief, RULE, 2).await;
    for (alert, verb) in raised.iter().zip(["accept", "return"]) {
        assert!(
            list(&alert["remedies"]).contains(&json!("accept_or_return")),
            "{alert}"
        );
        let path = format!("/cases/{}/{verb}", text(&alert["subject"]["id"]));
        chief.post(&path, json!({"note": "督办"})).await.expect(200);
        ended(&chief, alert, "condition_gone").await;
    }
}

/// AC-C05-2: one of three departments is late; it and the coordinator are named, and both are told.
#[actix_web::test]
async fn a_late_department_and_the_coordinator_are_told() {
    let Some(mut days) = Days::at("2026-11-09 09:00").await else {
        return;
    };
    let admin = days.server.hall("H1", 1).await;
    for account in ["li", "wang", "zhao"] {
        days.tell(&admin, account, &[]).await;
    }
    let part = |id: &str, handler: &str, day: u32| {
        json!({
            "id": id, "department": format!("{id}-dept"), "handler": handler,
            "due_at": local(&format!("2026-11-{day:02} 17:30")),
        })
    };
    let joint = json!({
        "coordinator": "zhao", "handler": null,
        "parts": [part("fire", "li", 10), part("land", "wang", 11), part("water", "li", 12)],
    });
    let told = with(case("J1", "2026-11-02 08:30"), joint);
    admin.post("/cases", told).await.expect(201);
    for id in ["fire", "water"] {
        let closed = json!({"kind": "closed", "at": local("2026-11-09 08:50"), "part": id});
        admin.post("/cases/J1/steps", closed).await.expect(201);
    }
    let admin = days.until("2026-11-11 17:30:01").await;
    let shown = admin.get("/cases/J1").await.expect(200);
    let progress = json!({"ended": 2, "total": 3, "overdue": ["land-dept"]});
    assert_eq!(shown["parts"], progress);
    let late = alerts(&admin, "R19-parallel-department-late", 1).await;
    let words = text(&late[0]["text"]["en"]);
    for named in ["land-dept", "2/3", "zhao"] {
        assert!(words.contains(named), "{named} is not in {words}");
    }
    assert!(!words.contains("fire-dept"), "{words}");
    for account in ["wang", "zhao"] {
        let title = "raised Department of a joint approval late";
        days.told_becomes(account, &[title]).await;
    }
    assert_eq!(days.told("li"), [""; 0], "whose parts are through");
}

/// AC-C02-2: two of a hundred are not acknowledged after ten minutes: 98.0 %, and the alert lists the two.
#[actix_web::test]
async fn cases_that_the_province_does_not_acknowledge_are_one_notice() {
    let Some(mut days) = Days::at("2026-11-03 10:01").await else {
        return;
    };
    let admin = days.server.hall("H1", 1).await;
    days.tell(&admin, "eng", &["engineer"]).await;
    for n in 0..100 {
        let mut steps = vec![json!({"kind": "sync_sent", "at": local("2026-11-03 10:00")})];
        if n >= 2 {
            steps.push(json!({"kind": "sync_acked", "at": local("2026-11-03 10:00:30")}));
        }
        let accepted = local("2026-11-03 09:30");
        let more = json!({"accepted_at": accepted, "promise_days": 20, "steps": steps});
        let told = with(case(&format!("P{n}"), "2026-11-03 09:00"), more);
        admin.post("/cases", told).await.expect(201);
    }
    let admin = days.until("2026-11-03 10:10:30").await;
    let lagging = alerts(&admin, "R22-province-sync", 2).await;
    let mut about: Vec<&str> = lagging
        .iter()
        .map(|one| text(&one["subject"]["id"]))
        .collect();
    about.sort_unstable();
    assert_eq!(about, ["P0", "P1"]);
    days.told_becomes("eng", &["raised Province sync behind: 2 alerts"])
        .await;
    let board = admin.get("/cases/board").await.expect(200);
    assert_eq!(board["sync_percent"], 98.0);
}

/// AC-D01-2: a task is told of two working days ahead, and not at all if it is done before.
#[actix_web::test]
async fn a_time_limited_task_is_told_of_two_working_days_ahead() {
    let Some(mut days) = Days::at("2026-11-20 09:00").await else {
        return;
    };
    const RULE: &str = "R04-time-limited-task";
    let admin = days.server.hall("H1", 1).await;
    for no in ["T1", "T2"] {
        let task = json!({"kind": "task", "due_at": local("2026-11-30 18:00")});
        let told = with(case(no, "2026-11-20 08:30"), task);
        admin.post("/cases", told).await.expect(201);
    }
    let admin = days.until("2026-11-26 17:59:30").await;
    some_passes().await;
    assert_eq!(of_rule(&admin, RULE).await.len(), 0);
    let done = json!({"kind": "closed", "at": local("2026-11-26 17:00")});
    admin.post("/cases/T2/steps", done).await.expect(201);
    let admin = days.until("2026-11-26 18:00").await;
    let raised = alerts(&admin, RULE, 1).await;
    assert_eq!(raised[0]["subject"]["id"], "T1");
}

/// AC-D03-2: served half an hour ago and no case: an alert and a problem; registered, it is over.
#[actix_web::test]
async fn a_ticket_served_and_not_registered_is_told_after_half_an_hour() {
    let Some(mut days) = Days::at("2026-11-03 10:00").await else {
        return;
    };
    const RULE: &str = "R13-served-not-registered";
    let admin = days.server.hall("H1", 1).await;
    admin.open_windows("H1", &["1"]).await;
    let mut tickets = Vec::new();
    for _ in 0..2 {
        tickets.push(number(&admin.issue("H1", "S1").await["id"]));
        admin.serve_next("H1", "1").await;
    }
    let registered = json!({"tickets": [tickets[0]]});
    let told = with(case("K1", "2026-11-03 09:50"), registered);
    admin.post("/cases", told).await.expect(201);
    let admin = days.until("2026-11-03 10:29:50").await;
    some_passes().await;
    assert_eq!(of_rule(&admin, RULE).await.len(), 0);
    let admin = days.until("2026-11-03 10:30:30").await;
    let alert = alerts(&admin, RULE, 1).await.remove(0);
    assert_eq!(alert["subject"]["id"], format!("H1/{}", tickets[1]));
    let problem = format!("/problems/{}", text(&alert["problem"]));
    let problem = admin.get(&problem).await.expect(200);
    assert_eq!(problem["kind"], "problem_data");
    let late = with(
        case("K2", "2026-11-03 10:00"),
        json!({"tickets": [tickets[1]]}),
    );
    admin.post("/cases", late).await.expect(201);
    ended(&admin, &alert, "condition_gone").await;
}

/// AC-D03-1: closed at 09:40 and accepted at 10:00 cannot be: an alert, and a problem that leads to
/// its record and to what found it.
#[actix_web::test]
async fn a_case_that_ended_before_it_was_accepted_is_a_problem() {
    let Some(days) = Days::at("2026-11-03 11:00").await else {
        return;
    };
    let admin = days.server.hall("H1", 1).await;
    let step =
        |kind: &str, time: &str| json!({"kind": kind, "at": local(&format!("2026-11-03 {time}"))});
    let steps = json!({"steps": [step("closed", "09:40"), step("accepted", "10:00")]});
    let told = with(case("K1", "2026-11-03 09:00"), steps);
    admin.post("/cases", told).await.expect(201);
    let alert = alerts(&admin, "R13-wrong-data", 1).await.remove(0);
    let path = format!("/problems/{}", text(&alert["problem"]));
    let problem = admin.get(&path).await.expect(200);
    assert_eq!(
        (&problem["kind"], &problem["source"], &problem["record"]),
        (&json!("wrong_data"), &json!("case"), &json!("K1"))
    );
    assert!(text(&problem["raw"]).contains("time_inverted"), "{problem}");
    assert_eq!(problem["trace"], json!(["R13-wrong-data", alert["id"]]));
    assert_eq!(problem["alert"], alert["id"]);
    let record = admin.get("/cases/K1").await.expect(200);
    assert_eq!(record["time_inverted"], true);
}

/// AC-F05-4: between 22:00 and 07:00 a yellow alert waits until 07:00, a red one goes out at once.
#[actix_web::test]
async fn at_night_yellow_waits_until_morning_and_red_does_not() {
    let Some(mut days) = Days::at("2026-11-05 22:50").await else {
        return;
    };
    let admin = days.server.hall("H1", 1).await;
    days.tell(&admin, "li", &[]).await;
    days.tell(&admin, "sup", &["supervisor"]).await;
    for (no, due) in [("near", "2026-11-06 23:00"), ("late", "2026-11-05 23:00")] {
        let accepted = json!({"accepted_at": local("2026-11-02 09:00"), "due_at": local(due)});
        let mut told = with(case(no, "2026-11-02 08:30"), accepted);
        if no == "late" {
            told["handler"] = json!("wang");
        }
        admin.post("/cases", told).await.expect(201);
    }
    let admin = days.until("2026-11-05 23:00:01").await;
    let near = alerts(&admin, "R01-near-due-case&subject=near", 1).await;
    days.told_becomes("sup", &["raised Case overdue"]).await;
    assert_eq!(days.told("li"), [""; 0]);
    let path = format!("/alerts/{}", text(&near[0]["id"]));
    let messages = admin.get(&path).await.expect(200)["messages"].clone();
    assert_eq!(messages[0]["state"], "queued", "{messages}");
    let admin = days.until("2026-11-06 06:59:30").await;
    days.tell(&admin, "eng", &[]).await;
    some_passes().await;
    assert_eq!(days.told("li"), [""; 0]);
    let admin = days.until("2026-11-06 07:00").await;
    days.tell(&admin, "zhao", &[]).await;
    days.told_becomes("li", &["raised Case near due"]).await;
}

/// A hall with these windows, all open.
async fn opened(admin: &Client, hall: &str) {
    let windows = ["1", "2", "3", "4"];
    let open = format!("/halls/{hall}/open");
    let state = admin.get(&format!("/halls/{hall}")).await.expect(200);
    if state["state"] != "open" {
        admin.post(&open, json!({})).await.expect(200);
    }
    admin.open_windows(hall, &windows).await;
}

/// So many people are served at four windows, and the hall closes.
async fn a_day(admin: &Client, hall: &str, served: usize) {
    opened(admin, hall).await;
    let windows = ["1", "2", "3", "4"];
    for _ in 0..served {
        admin.issue(hall, "S1").await;
    }
    let work = windows
        .iter()
        .enumerate()
        .map(|(place, window)| async move {
            let own = served / 4 + usize::from(place < served % 4);
            for _ in 0..own {
                admin.serve_next(hall, window).await;
            }
        });
    futures_util::future::join_all(work).await;
    for window in windows {
        admin.window(hall, window, "close", json!({})).await;
    }
    let close = format!("/halls/{hall}/close");
    admin.post(&close, json!({})).await.expect(200);
}

/// AC-D01-3, with 40 for the scenario's 200: 26 are 35 % down and told, 29 are 27.5 % down and not.
#[actix_web::test]
async fn a_day_far_below_its_weekday_is_told_when_it_is_over() {
    let Some(mut days) = Days::at("2026-10-06 10:00").await else {
        return;
    };
    const RULE: &str = "R06-business-anomaly";
    days.server.hall("H1", 4).await;
    days.server.hall("H2", 4).await;
    // Four Tuesdays, and a Monday on which far more came.
    let past = [
        ("2026-10-06", 38),
        ("2026-10-13", 42),
        ("2026-10-20", 40),
        ("2026-10-27", 40),
    ];
    for (date, served) in past {
        let admin = days.until(&format!("{date} 10:00")).await;
        futures_util::future::join(a_day(&admin, "H1", served), a_day(&admin, "H2", served)).await;
    }
    let admin = days.until("2026-11-02 10:00").await;
    a_day(&admin, "H1", 60).await;
    some_passes().await;
    assert_eq!(of_rule(&admin, RULE).await.len(), 0);
    let admin = days.until("2026-11-03 10:00").await;
    admin.post("/halls/H1/open", json!({})).await.expect(200);
    some_passes().await;
    assert_eq!(of_rule(&admin, RULE).await.len(), 0, "the day is not over");
    futures_util::future::join(a_day(&admin, "H1", 26), a_day(&admin, "H2", 29)).await;
    let told = alerts(&admin, RULE, 1).await;
    assert_eq!(
        (&told[0]["hall"], &told[0]["severity"]),
        (&json!("H1"), &json!("warning"))
    );
    let words = text(&told[0]["text"]["en"]);
    assert!(words.contains("served 26 today, 40 is usual"), "{words}");
    some_passes().await;
    assert_eq!(of_rule(&admin, RULE).await.len(), 1);
}
