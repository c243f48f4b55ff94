//! Alerts while the server is killed: facts come and go in some halls, each alert is acknowledged,
//! resolved and closed, and whoever is on duty must hear of each as raised and as over.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::rt::time::sleep;
use serde_json::{Value, json};

use super::book::Chance;
use super::{KILLS, Seed, from_environment, say};
use crate::harness::{Client, PATIENCE, Server, list, number, text};
use crate::notices::receivers::{Manner, Receiver, Taken};

/// So many halls have alerts at the same time.
const HALLS: u64 = 4;

/// The server lives between these, in milliseconds.
const SHORTEST_LIFE: u64 = 5;
const LONGEST_LIFE: u64 = 900;

/// What has waited: one person is one too many.
const RULE: &str = r#"version = 1

[[rule]]
id = "T1"
name = {zh = "有人等候", en = "Somebody waits"}
topic = "flow"
subject = "queue"
when = "waiting >= 1"
severity = "warning"
group_by = []
message = {zh = "{label} 有人等候", en = "{label}: somebody waits"}
notify = ["role:supervisor"]
"#;

/// AC-C05-1, C05-3: whatever the instant of a SIGKILL, no alert is lost or made twice, none forgets that it was
/// acknowledged, each is told as raised and as over, and what is told again says so.
#[actix_web::test]
async fn no_alert_and_no_notice_of_one_is_lost_when_the_server_is_killed() {
    let seed = Seed::take();
    let mut chance = Chance(seed.0);
    let rounds = from_environment("HALLKEEPER_KILLS", KILLS).div_ceil(HALLS);
    let started = Instant::now();
    let receiver = Receiver::http(&[Manner::Accept]).await;
    let mut server = prepare(&receiver).await;
    let line = Line(Rc::new(RefCell::new(server.admin())));
    let halls = (1..=HALLS).map(|hall| actix_web::rt::spawn(handle(line.clone(), hall, rounds)));
    let halls: Vec<_> = halls.collect();
    let mut kills = 0;
    while !halls
        .iter()
        .all(actix_web::rt::task::JoinHandle::is_finished)
    {
        sleep(Duration::from_millis(
            SHORTEST_LIFE + chance.below(LONGEST_LIFE - SHORTEST_LIFE),
        ))
        .await;
        server.kill();
        server.restart();
        *line.0.borrow_mut() = server.admin();
        kills += 1;
    }
    let mut alerts = BTreeSet::new();
    for hall in halls {
        alerts.extend(hall.await.expect("a hall went through its alerts"));
    }
    assert_eq!(alerts.len() as u64, rounds * HALLS);
    every_alert_is_there_once(&server.admin(), &alerts).await;
    let repeats = every_change_was_told(&receiver, &alerts).await;
    say(&format!(
        "alerts: {kills} kills in {:.1} s, {} alerts raised, acknowledged, resolved and closed, \
         0 lost, 0 made twice; {} notices, {repeats} once more and marked; seed {}",
        started.elapsed().as_secs_f64(),
        alerts.len(),
        2 * alerts.len(),
        seed.0
    ));
}

async fn prepare(receiver: &Receiver) -> Server {
    let settings = [
        ("HALLKEEPER__ALERTS__PASS_MS", "100"),
        ("HALLKEEPER__NOTICES__WEBHOOKS__OPS__URL", &receiver.url()),
        ("HALLKEEPER__NOTICES__WEBHOOKS__OPS__SECRET", "S3cret"),
    ];
    let server = Server::start_with(&settings, &[]).await;
    let admin = server.admin();
    for hall in 1..=HALLS {
        server.hall(&format!("H{hall}"), 1).await;
    }
    let duty = json!({
        "name": "值班", "account": "duty", "roles": ["supervisor"], "halls": ["*"],
        "ways": [{"kind": "webhook", "address": "ops"}],
    });
    admin.put("/receivers/duty", duty).await.expect(200);
    let rule = json!({"source": RULE});
    admin.put("/rules/T1", rule).await.expect(200);
    server
}

/// Whoever asks until a server answers, under whatever address it is.
#[derive(Clone)]
struct Line(Rc<RefCell<Client>>);

impl Line {
    async fn ask(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> Value {
        let until = Instant::now() + 3 * PATIENCE;
        loop {
            let client = self.0.borrow().clone();
            let headers: Vec<_> = key
                .map(|key| ("Idempotency-Key", key))
                .into_iter()
                .collect();
            let body = body.as_ref().map(Value::to_string);
            let answer = client.try_send(method.clone(), path, body, &headers).await;
            match answer {
                Some(answer) if answer.status < 300 => return answer.body,
                Some(answer) if answer.status < 500 => panic!("{path}: {}", answer.text),
                _ => assert!(Instant::now() < until, "no answer: {path}"),
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Acts once, however often it must ask.
    async fn act(&self, path: &str, key: &str, body: Value) -> Value {
        self.ask(Method::POST, path, Some(key), Some(body)).await
    }

    async fn until(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + 3 * PATIENCE;
        loop {
            let found = self.ask(Method::GET, path, None, None).await;
            if fits(&found) {
                return found;
            }
            assert!(Instant::now() < until, "{path}: {found}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Takes one alert of a hall after the other from the fact to the end; their ids.
async fn handle(line: Line, hall: u64, rounds: u64) -> Vec<String> {
    let mut ids = Vec::new();
    for round in 0..rounds {
        let key = |step: &str| format!("{hall}/{round}/{step}");
        let tickets = format!("/halls/H{hall}/tickets");
        let ticket = line
            .act(&tickets, &key("issue"), json!({"service": "S1"}))
            .await;
        let standing = format!("/alerts?rule=T1&hall=H{hall}&ended=false");
        let page = line
            .until(&standing, |page| number(&page["total"]) > 0)
            .await;
        assert_eq!(page["total"], 1, "{page}");
        let id = text(&page["items"][0]["id"]).to_owned();
        let alert = format!("/alerts/{id}");
        line.act(
            &format!("{alert}/ack"),
            &key("ack"),
            json!({"comment": "seen"}),
        )
        .await;
        let acked = line.until(&alert, |_| true).await;
        assert_eq!(
            (&acked["state"], &acked["acked_by"]),
            (&json!("acknowledged"), &json!("admin"))
        );
        let cancel = format!("{tickets}/{}/cancel", ticket["id"]);
        line.act(&cancel, &key("cancel"), json!({})).await;
        let over = line
            .until(&alert, |alert| alert["state"] == "resolved")
            .await;
        assert_eq!(
            (&over["ending"], &over["acked_by"]),
            (&json!("condition_gone"), &json!("admin"))
        );
        line.act(&format!("{alert}/close"), &key("close"), json!({}))
            .await;
        ids.push(id);
    }
    ids
}

/// The list has these alerts and no others, and each went each way once.
async fn every_alert_is_there_once(admin: &Client, ids: &BTreeSet<String>) {
    let mut listed = BTreeSet::new();
    let mut after = String::new();
    loop {
        let page = admin
            .get(&format!("/alerts?rule=T1&limit=50{after}"))
            .await
            .expect(200);
        let items = list(&page["items"]).iter();
        listed.extend(items.map(|alert| text(&alert["id"]).to_owned()));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    assert_eq!(&listed, ids);
    for id in ids {
        let alert = admin.get(&format!("/alerts/{id}")).await.expect(200);
        assert_eq!(alert["state"], "closed");
        let steps: Vec<&str> = list(&alert["timeline"])
            .iter()
            .map(|step| text(&step["what"]))
            .filter(|step| *step != "alerts_told")
            .collect();
        let once = ["raised", "acknowledged", "resolved", "closed"];
        assert_eq!(steps, once.map(|step| format!("alert_{step}")), "{alert}");
    }
}

/// Each alert was told as raised and as over; how many notices came once more, each marked so.
async fn every_change_was_told(receiver: &Receiver, ids: &BTreeSet<String>) -> usize {
    let of = |taken: &Taken| {
        let body: Value = serde_json::from_str(&taken.body).expect("JSON");
        (
            text(&body["alert"]).to_owned(),
            text(&body["cause"]).to_owned(),
        )
    };
    let expected: BTreeSet<_> = ids
        .iter()
        .flat_map(|id| ["raised", "resolved"].map(|cause| (id.clone(), cause.to_owned())))
        .collect();
    let until = Instant::now() + PATIENCE;
    loop {
        let taken = receiver.taken();
        let told: BTreeSet<_> = taken.iter().map(of).collect();
        if told == expected {
            break;
        }
        let lost: Vec<_> = expected.difference(&told).collect();
        let strange: Vec<_> = told.difference(&expected).collect();
        assert!(
            Instant::now() < until,
            "not told: {lost:?}; not asked for: {strange:?}"
        );
        sleep(Duration::from_millis(50)).await;
    }
    // A repeat that is still on its way must not be missed.
    sleep(Duration::from_secs(1)).await;
    let mut seen = BTreeSet::new();
    let mut repeats = 0;
    for taken in receiver.taken() {
        if !seen.insert(taken.headers["idempotency-key"].clone()) {
            let marked = taken.headers.get("x-hallkeeper-possible-duplicate");
            assert_eq!(marked.map(String::as_str), Some("true"), "{taken:?}");
            repeats += 1;
        }
    }
    assert_eq!(seen.len(), expected.len());
    repeats
}
