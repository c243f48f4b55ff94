//! The records beside the journal.

use hallkeeper::store::Records;
use hallkeeper::store::records::{
    AccountRow, AuditEntry, AuditFilter, CallToCount, Claim, DeviceRow, InvitationRow, Kept,
    OccupancyRow, SessionRow, StoreError, TagRow, TelemetryFilter, UsageRow,
};
use rules::channels::{Call, Outcome};
use rules::devices::occupancy::Reading;
use rules::ids::ChannelId;
use rules::telemetry::{Class, Event as TelemetryEvent, Happened};
use rules::time::Timestamp;

use super::{Bench, records, start};

on_databases! {
    accounts_are_kept,
    sessions_end_with_their_account,
    devices_are_kept,
    device_usage_adds_up_and_the_last_reading_stays,
    calls_are_kept_once_and_have_places_in_their_order,
    invitations_and_telemetry_are_kept_once,
    tags_are_kept,
    the_audit_log_is_paged_newest_first,
    a_setting_is_set_once,
    a_claimed_request_is_answered_once,
}

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
        // Neighbours have the same texts in some columns, now in these, now in those.
        caller: format!("caller {}", n / 3),
        version: n.is_multiple_of(2).then(|| format!("v{}", n / 7)),
        at: Timestamp::from_millis(1_000),
        micros: n.is_multiple_of(3).then_some(n),
        status: Some(200),
        result: [Outcome::Ok, Outcome::Failed][usize::from(n % 4 == 1)],
        reason: n.is_multiple_of(5).then(|| format!("it's said {}", n / 20)),
        trace_id: n.is_multiple_of(2).then(|| format!("trace {n}")),
        path_family: (!n.is_multiple_of(11)).then(|| format!("/orders/{}", n / 5)),
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
    for told in &calls[..40] {
        let found = records.call(&channel, &told.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(told));
    }
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
