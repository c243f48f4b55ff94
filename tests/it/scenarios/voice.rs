//! Zones of a hall, and what is said in them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Folder, Server, list, number, text};

/// Zones are set up with the hall's options, windows stand in them, and screens are told.
#[actix_web::test]
async fn windows_stand_in_zones_and_an_unknown_zone_is_refused() {
    let server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    let in_zone = |zone: &str| json!({"services": ["S1"], "zone": zone});
    let refused = admin.put("/halls/H1/windows/1", in_zone("A")).await;
    let refused = refused.refused(422, "invalid_field");
    assert_eq!(refused["field"], "windows.1.zone");
    let zones = json!([{"id": "A", "name": {"zh": "A区", "en": "Zone A"}}]);
    let options = json!({"options": {"zones": zones}});
    admin.put("/halls/H1", options).await.expect(200);
    admin
        .put("/halls/H1/windows/1", in_zone("A"))
        .await
        .expect(200);
    let hall = admin.get("/halls/H1").await.expect(200);
    assert_eq!(list(&hall["zones"])[0], zones[0]);
    assert_eq!(text(&hall["windows"]["1"]["zone"]), "A");
    assert!(hall["windows"]["2"]["zone"].is_null());
    let emptied = admin.put("/halls/H1", json!({"options": {}})).await;
    assert_eq!(
        emptied.refused(422, "invalid_field")["field"],
        "options.zones"
    );
}

/// The state of the one zone of a hall without zones, as a screen that offers to speak gets it.
async fn offers(screen: &Client, body: Value) -> Value {
    screen.put("/halls/H1/voice/-", body).await.expect(200)
}

async fn calls(admin: &Client, window: &str) -> String {
    admin.issue("H1", "S1").await;
    let called = admin.window("H1", window, "call-next", json!({})).await;
    text(&called["ticket"]["number"]).to_owned()
}

/// Two screens of a zone: one speaks, reports, and is told what is next; when it is silent the
/// other takes over within the lease.
#[actix_web::test]
async fn one_screen_speaks_and_when_it_dies_another_takes_over_within_ten_seconds() {
    let server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    admin.open_windows("H1", &["1", "2"]).await;
    let a = server.device("a", "screen", "H1").await;
    let b = server.device("b", "screen", "H1").await;
    assert!(offers(&a, json!({"page": "pa"})).await["saying"].is_null());
    let first = calls(&admin, "1").await;
    let second = calls(&admin, "2").await;
    let other = offers(&b, json!({"page": "pb"})).await;
    assert_eq!(
        other["speaker"],
        json!({"device": "device:a", "page": "pa"})
    );
    assert_eq!(text(&other["saying"]["number"]), first);
    assert_eq!(text(&list(&other["waiting"])[0]["number"]), second);
    let said = other["saying"]["id"].clone();
    // Who is not the speaker ends nothing; a report may be repeated.
    let stays = offers(&b, json!({"page": "pb", "ended": said})).await;
    assert_eq!(stays["saying"]["id"], said);
    for _ in 0..2 {
        let next = offers(&a, json!({"page": "pa", "ended": said})).await;
        assert_eq!(number(&next["saying"]["round"]), 2, "{next}");
        assert_eq!(next["saying"]["chime"], false);
    }
    let died = Instant::now();
    loop {
        let state = offers(&b, json!({"page": "pb"})).await;
        if state["speaker"]["page"] == "pb" {
            assert_eq!(text(&state["saying"]["number"]), first);
            break;
        }
        assert!(died.elapsed() < Duration::from_secs(11), "{state}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert!(died.elapsed() > Duration::from_secs(8), "the lease counts");
    // A page that leaves hands over at once, and a failed saying makes way for the next.
    offers(&b, json!({"page": "pb", "leave": true})).await;
    let state = offers(&a, json!({"page": "pa"})).await;
    assert_eq!(state["speaker"]["page"], "pa");
    let state = offers(&a, json!({"page": "pa", "failed": state["saying"]["id"]})).await;
    assert_eq!(text(&state["saying"]["number"]), second);
    assert_eq!(number(&state["tally"]["called"]), 2);
}

/// Nothing that can be wrong in a screen's report is taken.
#[actix_web::test]
async fn a_report_that_cannot_be_is_refused_and_another_zone_unknown() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let screen = server.device("a", "screen", "H1").await;
    for (body, field) in [
        (json!({"page": ""}), "page"),
        (json!({"page": "x".repeat(65)}), "page"),
        (json!({"page": "a b"}), "page"),
        (json!({"page": "p", "ended": "x", "leave": true}), "ended"),
    ] {
        let refused = screen.put("/halls/H1/voice/-", body).await;
        assert_eq!(refused.refused(422, "invalid_field")["field"], field);
    }
    let page = json!({"page": "p"});
    let lost = screen.put("/halls/H1/voice/A", page.clone()).await;
    lost.refused(404, "unknown_zone");
    let person = admin.put("/halls/H1/voice/-", page).await;
    person.refused(403, "forbidden");
    for languages in [json!([]), json!(["zh", "zh"])] {
        let options = json!({"options": {"voice": {"languages": languages}}});
        let refused = admin.put("/halls/H1", options).await;
        let refused = refused.refused(422, "invalid_field");
        assert_eq!(refused["field"], "options.voice.languages");
    }
}

/// A call as sound: whole, cacheable, in the hall's languages, for known windows only.
#[actix_web::test]
async fn a_call_is_one_wav_file_that_a_browser_may_keep() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let screen = server.device("a", "screen", "H1").await;
    let path = "/halls/H1/voice/A012/1.wav?chime=true";
    let sound = screen.get(path).await;
    assert_eq!(sound.status, 200, "{}", sound.text);
    assert_eq!(sound.header("content-type"), Some("audio/wav"));
    assert_eq!(sound.header("cache-control"), Some("private, no-cache"));
    let length = |answer: &Answer| answer.header("content-length").unwrap().parse::<u64>();
    let mandarin = length(&sound).unwrap();
    assert!((160_000..190_000).contains(&mandarin), "{mandarin} bytes");
    let tag = sound.header("etag").unwrap().to_owned();
    let get = awc::http::Method::GET;
    let again = [("If-None-Match", tag.as_str())];
    let known = screen.send(get.clone(), path, None, &again).await;
    assert_eq!((known.status, known.text.len()), (304, 0));
    let options = json!({"options": {"voice": {"languages": ["zh", "en"], "one_as_yao": true}}});
    admin.put("/halls/H1", options).await.expect(200);
    let both = screen.send(get, path, None, &again).await;
    assert_eq!(both.status, 200);
    assert!(length(&both).unwrap() > mandarin + 100_000);
    for (path, status, code) in [
        ("/halls/H1/voice/A012/9.wav", 404, "unknown_window"),
        ("/halls/H1/voice/A0123456789AB/1.wav", 422, "invalid_field"),
        ("/halls/H1/voice/A%2F..%2F1/1.wav", 422, "invalid_field"),
        ("/halls/none/voice/A012/1.wav", 404, "unknown_hall"),
    ] {
        screen.get(path).await.refused(status, code);
    }
    server
        .visitor()
        .get(path)
        .await
        .refused(401, "not_signed_in");
    server.hall("H2", 1).await;
    let stranger = server.device("b", "screen", "H2").await;
    stranger.get(path).await.refused(403, "forbidden");
}

/// Own recordings stand in for the built-in clips; one of another form is refused in the log by
/// file and reason, and the server starts all the same.
#[actix_web::test]
async fn own_recordings_are_heard_and_a_broken_one_is_told_in_the_log() {
    let folder = Folder::new();
    let set = folder.path().join("zh");
    std::fs::create_dir_all(&set).unwrap();
    let mut wav = b"RIFF\x26\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(32_000_u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data\x02\0\0\0\x01\0");
    std::fs::write(set.join("please.wav"), &wav).unwrap();
    wav[24..28].copy_from_slice(&44_100_u32.to_le_bytes());
    std::fs::write(set.join("to.wav"), &wav).unwrap();
    std::fs::write(set.join("two.wav"), &wav).unwrap();
    let dir = folder.path().to_str().unwrap().to_owned();
    let server = Server::start_with(&[("HALLKEEPER__VOICE__DIR", &dir)], &[]).await;
    server.hall("H1", 1).await;
    let screen = server.device("a", "screen", "H1").await;
    let own = screen.get("/halls/H1/voice/A012/1.wav").await;
    let plain = Server::start().await;
    plain.hall("H1", 1).await;
    let screen = plain.device("a", "screen", "H1").await;
    let built_in = screen.get("/halls/H1/voice/A012/1.wav").await;
    let length = |answer: &Answer| answer.header("content-length").unwrap().parse::<i64>();
    let saved = length(&built_in).unwrap() - length(&own).unwrap();
    assert!(saved > 10_000, "{saved} bytes");
    let log = server.log();
    for told in [
        "zh/to.wav",
        "44100 samples a second, but clips have 16000",
        "zh/two.wav",
        "the set has no clip of that name",
    ] {
        assert!(log.contains(told), "{told}: {log}");
    }
}

/// After the server was killed, calls older than 30 s are not to be said, younger ones are.
#[actix_web::test]
async fn after_a_kill_only_young_calls_are_to_be_said() {
    let mut server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    admin.open_windows("H1", &["1", "2"]).await;
    let screen = server.device("a", "screen", "H1").await;
    let old = calls(&admin, "1").await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    let young = calls(&admin, "2").await;
    server.kill();
    tokio::time::sleep(Duration::from_secs(20)).await;
    server.restart();
    let screen = Client::new(&server.base, screen.token);
    let state = offers(&screen, json!({"page": "p"})).await;
    assert_eq!(text(&state["saying"]["number"]), young, "{state}");
    let dropped = &list(&state["dropped"])[0];
    assert_eq!(
        (text(&dropped["number"]), text(&dropped["reason"])),
        (old.as_str(), "too_old")
    );
}
