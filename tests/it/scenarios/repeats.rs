//! Requests sent again under the same idempotency key.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ID_CARD, holder};
use crate::harness::{Answer, Client, Server, text};

/// A request under its key, and what it was first answered.
struct Sent {
    path: String,
    key: String,
    body: Value,
    first: Answer,
}

/// Sends requests under keys and remembers the answers.
struct Script {
    admin: Client,
    sent: Vec<Sent>,
}

impl Script {
    /// Sends it, at once again, and once with another body.
    async fn send(&mut self, path: &str, body: Value, other: Value) -> Value {
        let key = format!("key-{}", self.sent.len());
        let first = self.admin.post_keyed(path, &key, body.clone()).await;
        assert!(matches!(first.status, 200 | 201), "{path}: {}", first.text);
        assert_eq!(first.header("idempotency-replayed"), None, "{path}");
        let answer = first.body.clone();
        let sent = Sent {
            path: path.to_owned(),
            key,
            body,
            first,
        };
        sent.again(&self.admin, whole).await;
        let reused = self.admin.post_keyed(path, &sent.key, other).await;
        assert_eq!(
            reused.body["code"], "idempotency_key_reused",
            "{path}: {}",
            reused.text
        );
        assert_eq!(reused.status, 422, "{path}");
        self.sent.push(sent);
        answer
    }

    /// A window's command; any of them may carry a reason.
    async fn at_window(&mut self, verb: &str, body: Value) -> Value {
        let mut other = body.clone();
        other["reason"] = json!("another body");
        self.send(&format!("/halls/R/windows/1/{verb}"), body, other)
            .await
    }

    async fn at_hall(&mut self, verb: &str) -> Value {
        self.send(&format!("/halls/R/{verb}"), json!({}), json!({"more": 1}))
            .await
    }

    async fn issue(&mut self, service: &str) -> Value {
        let wish = json!({"service": service, "holder": holder()});
        self.send("/halls/R/tickets", wish, json!({"service": service}))
            .await
    }

    async fn at_ticket(&mut self, ticket: &Value, verb: &str, body: Value, other: Value) -> Value {
        self.send(
            &format!("/halls/R/tickets/{}/{verb}", ticket["id"]),
            body,
            other,
        )
        .await
    }
}

impl Sent {
    /// The repeat has the first answer, as far as `part` looks at it.
    async fn again(&self, admin: &Client, part: fn(&Value) -> Value) {
        let path = &self.path;
        let again = admin.post_keyed(path, &self.key, self.body.clone()).await;
        assert_eq!(
            again.header("idempotency-replayed"),
            Some("true"),
            "{path}: {}",
            again.text
        );
        assert_eq!(again.status, self.first.status, "{path}");
        assert_eq!(part(&again.body), part(&self.first.body), "{path}");
    }
}

/// All but the estimate, which is of the moment.
fn whole(answer: &Value) -> Value {
    let mut answer = answer.clone();
    answer.as_object_mut().unwrap().remove("estimate");
    if let Some(ticket) = answer.get_mut("ticket").and_then(Value::as_object_mut) {
        ticket.remove("estimate");
    }
    answer
}

/// What the journal alone can say of an answer that was given before the process began.
fn kept(answer: &Value) -> Value {
    const FIELDS: [&str; 9] = [
        "id",
        "number",
        "token",
        "seq",
        "state",
        "why",
        "issued_at",
        "username",
        "tag",
    ];
    let some = |of: &Value| FIELDS.map(|field| of[field].clone());
    json!([
        some(answer),
        some(&answer["ticket"]),
        some(&answer["window"])
    ])
}

/// The contract of `Idempotency-Key`, for everything a hall can be told.
#[actix_web::test]
async fn a_repeated_request_has_the_first_answer_also_later_and_after_a_crash() {
    let mut server = Server::start().await;
    let admin = server.admin();
    let mut script = Script {
        admin: admin.clone(),
        sent: Vec::new(),
    };
    let hall = json!({
        "id": "R", "name": "R",
        "services": [{"id": "S1", "name": "S1", "prefix": "B"}, {"id": "S2", "name": "S2", "prefix": "F"}],
        "windows": [{"id": "1", "services": ["S1", "S2"]}],
        "policy": {"no_show_after_calls": 1},
    });
    let other = json!({"id": "R", "name": "another"});
    script.send("/halls", hall, other).await;
    for verb in ["open", "pause-issuing", "resume-issuing"] {
        script.at_hall(verb).await;
    }
    for verb in ["open", "pause", "resume"] {
        script.at_window(verb, json!({})).await;
    }
    let first = script.issue("S1").await;
    let second = script.issue("S1").await;
    let third = script.issue("S2").await;
    let which = |ticket: &Value| json!({"ticket": ticket["id"]});
    for verb in ["call-next", "recall", "start", "hold"] {
        script.at_window(verb, json!({})).await;
    }
    script.at_window("resume-ticket", which(&first)).await;
    script.at_window("transfer", json!({"service": "S2"})).await;
    script.at_window("call", which(&first)).await;
    script.at_window("start", json!({})).await;
    script.at_window("complete", json!({})).await;
    script
        .at_ticket(&first, "rating", json!({"stars": 5}), json!({"stars": 4}))
        .await;
    script.at_window("call-next", json!({})).await;
    script.at_window("no-show", json!({})).await;
    script
        .at_ticket(&second, "requeue", json!({}), json!({"more": 1}))
        .await;
    script
        .at_ticket(&third, "cancel", json!({}), json!({"more": 1}))
        .await;
    let fourth = script.issue("S1").await;
    let own = format!("/tickets/{}/cancel", text(&fourth["token"]));
    script.send(&own, json!({}), json!({"more": 1})).await;
    script.at_window("call-next", json!({})).await;
    script.at_window("start", json!({})).await;
    script.at_window("complete", json!({})).await;
    let own = format!("/tickets/{}/rating", text(&second["token"]));
    script
        .send(&own, json!({"stars": 3}), json!({"stars": 2}))
        .await;
    script.at_window("close", json!({})).await;
    script.at_hall("close").await;

    let figures = admin.get("/halls/R/figures").await.expect(200);
    assert_eq!(figures["figures"]["issued"], 4, "no repeat took a number");
    let seq = admin.get("/halls/R").await.expect(200)["seq"].clone();
    for sent in &script.sent {
        sent.again(&admin, whole).await;
    }
    server.kill();
    server.restart();
    let admin = server.admin();
    for sent in &script.sent {
        sent.again(&admin, kept).await;
    }
    assert_eq!(
        admin.get("/halls/R").await.expect(200)["seq"],
        seq,
        "nothing happened again"
    );
}

/// The same for what concerns no hall.
#[actix_web::test]
async fn accounts_tags_and_cases_are_not_made_twice_under_one_key() {
    let mut server = Server::start().await;
    let person = json!({"kind": "id_card", "id_number": ID_CARD});
    let user = |name: &str| json!({"username": "li", "name": name, "roles": ["clerk"], "halls": ["*"], "password": "long-enough-7"});
    let mut script = Script {
        admin: server.admin(),
        sent: Vec::new(),
    };
    script.send("/users", user("Li"), user("Lee")).await;
    let tag = |tag: &str| json!({"person": person, "tag": tag});
    script.send("/tags", tag("elderly"), tag("disabled")).await;
    let case = |item: &str| json!({"case_no": "K1", "holder": person, "item": item});
    script
        .send("/cases", case("企业设立"), case("企业注销"))
        .await;
    server.kill();
    server.restart();
    for sent in &script.sent {
        sent.again(&server.admin(), whole).await;
    }
    // A key belongs to its sender.
    let li = server.sign_in("li", "long-enough-7").await;
    let other = li.post_keyed("/cases", "key-2", case("企业设立")).await;
    other.refused(403, "forbidden");
}

/// An impatient finger: the same request many times at one instant.
#[actix_web::test]
async fn eight_equal_requests_at_once_take_one_number() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    for round in 0..10 {
        let key = format!("finger-{round}");
        let answers = join_all(
            (0..8).map(|_| admin.post_keyed("/halls/H1/tickets", &key, json!({"service": "S1"}))),
        )
        .await;
        let tokens: BTreeSet<&str> = answers
            .iter()
            .map(|answer| text(&answer.body["token"]))
            .collect();
        assert_eq!(tokens.len(), 1);
        let first = |answer: &&Answer| answer.header("idempotency-replayed").is_none();
        assert_eq!(answers.iter().filter(first).count(), 1);
    }
    let figures = admin.get("/halls/H1/figures").await.expect(200);
    assert_eq!(figures["figures"]["issued"], 10);
    let long = "k".repeat(201);
    let refused = admin
        .post_keyed("/halls/H1/tickets", &long, json!({"service": "S1"}))
        .await;
    assert_eq!(
        refused.refused(422, "invalid_field")["field"],
        "Idempotency-Key"
    );
}
