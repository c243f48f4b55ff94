//! Access logs: the recorded one against an independent count, other formats, bad lines, pieces.

use std::ops::ControlFlow;

use rules::channels::access_log::import::{BAD_LINES_MAX, KEYS_MAX, LINE_MAX};
use rules::channels::access_log::{Format, Import, LineFault, PatternFault, Report};
use rules::channels::{Limits, Masking, Outcome};
use rules::name::Lang;
use rules::testing::clock;

fn recorded() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/access-log.txt");
    std::fs::read(path).expect("the log")
}

fn import(format: &Format) -> Import {
    Import::new(format.clone(), 400, 2_000_000)
}

/// Reads a log in pieces of so many bytes; also what each good line was.
fn read(format: &Format, log: &[u8], piece: usize) -> (Report, Vec<String>) {
    let mut import = import(format);
    let mut ids = Vec::new();
    let mut each = |line: &rules::channels::access_log::Line<'_>| {
        ids.push(line.id.text());
        ControlFlow::Continue(())
    };
    for piece in log.chunks(piece) {
        assert!(import.feed(piece, &mut each).is_continue());
    }
    assert!(import.finish(&mut each).is_continue());
    assert_eq!(import.progress(), (log.len() as u64, import.report().lines));
    (import.report(), ids)
}

/// The numbers are awk's over the same file, which knows nothing of this code:
/// `awk '{print $9}' | sort | uniq -c` for statuses, `awk '{print substr($4,2,14)}' | sort | uniq -c` for
/// hours, `awk '{split($7,a,"[?#]"); split(a[1],s,"/"); print s[2]}' | sort | uniq -c` for first segments
/// (where `//favicon.ico` is one more of `favicon.ico`), `awk '$10!="-"{n+=$10} END{print n}'` for bytes.
#[test]
fn the_recorded_log_is_counted_as_awk_counts_it() {
    let log = recorded();
    let mut import = import(&Format::combined());
    let mut bytes = 0;
    let mut each = |line: &rules::channels::access_log::Line<'_>| {
        bytes += line.entry.bytes.unwrap_or(0);
        ControlFlow::Continue(())
    };
    assert!(import.feed(&log, &mut each).is_continue());
    let report = import.report();
    assert_eq!((report.lines, report.good, report.bad), (4525, 4525, 0));
    assert_eq!(bytes, 1_202_896_060);
    let statuses: Vec<(u16, u64)> = report.by_status.clone().into_iter().collect();
    assert_eq!(
        statuses,
        [
            (200, 4030),
            (206, 21),
            (301, 110),
            (304, 268),
            (403, 1),
            (404, 93),
            (500, 2)
        ]
    );
    assert_eq!(report.times.failed, 96);
    assert_eq!(report.by_hour.len(), 38);
    assert_eq!(report.first_at.as_deref(), Some("2015-05-17T10:05:00.000Z"));
    let hour = |from: &str| {
        let found = report
            .by_hour
            .iter()
            .find(|hour| hour.from.starts_with(from));
        found.map_or(0, |hour| hour.times.calls)
    };
    for (from, calls) in [
        ("2015-05-18T15", 133),
        ("2015-05-18T10", 132),
        ("2015-05-18T17", 132),
        ("2015-05-18T21", 130),
        ("2015-05-17T20", 129),
    ] {
        assert_eq!(hour(from), calls, "{from}");
    }
    let first_segment = |name: &str| -> u64 {
        let under = format!("/{name}/");
        let families = report.by_path_family.of.iter();
        let of_it = families
            .filter(|(family, _)| **family == format!("/{name}") || family.starts_with(&under));
        of_it.map(|(_, count)| count).sum()
    };
    for (name, count) in [
        ("blog", 1051),
        ("presentations", 861),
        ("images", 546),
        ("projects", 328),
        ("favicon.ico", 328),
        ("style2.css", 233),
        ("files", 230),
        ("articles", 138),
        ("robots.txt", 92),
    ] {
        assert_eq!(first_segment(name), count, "{name}");
    }
    assert_eq!(report.by_path_family.of["/"], 301);
    assert_eq!(report.by_path_family.of.values().sum::<u64>(), 4525);
    assert_eq!(report.by_caller.of.values().sum::<u64>(), 4525);
    assert_eq!(report.times.p95_ms, None);
}

#[test]
fn a_log_reads_the_same_in_pieces_of_any_size() {
    let log = recorded();
    let log = &log[..40_000];
    let format = Format::combined();
    let whole = read(&format, log, log.len());
    for piece in [1, 7, 100, 4096] {
        assert!(read(&format, log, piece) == whole, "{piece}");
    }
    // The same line elsewhere is another one; the same log again is the same.
    let mut ids = whole.1;
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len() as u64, whole.0.good);
}

#[test]
fn combined_and_common_lines_say_who_what_and_when() {
    let format = Format::combined();
    let line = br#"203.0.113.7 - app [02/Nov/2026:09:00:01 +0800] "POST /cases/17?x=1 HTTP/1.1" 201 12 "http://a/\"b\"" "agent \x22x\x22 (y)""#;
    let entry = format.read(line).expect("an entry");
    assert_eq!(entry.at.rfc3339_utc(), "2026-11-02T01:00:01.000Z");
    assert_eq!(
        (&*entry.address, entry.caller()),
        (&b"203.0.113.7"[..], &b"app"[..])
    );
    assert_eq!(
        (&*entry.method, &*entry.target),
        (&b"POST"[..], &b"/cases/17?x=1"[..])
    );
    assert_eq!(
        (entry.status, entry.bytes, entry.micros),
        (Some(201), Some(12), None)
    );
    let common = br#"::1 - - [02/Nov/2026:09:00:01 +0800] "GET / HTTP/1.0" 304 -"#;
    let entry = format.read(common).expect("an entry");
    assert_eq!((entry.caller(), entry.bytes), (&b"::1"[..], None));
    // What scanners send is a call with a strange target.
    for (request, target) in [
        (r"\x16\x03\x01", r"\x16\x03\x01"),
        ("-", ""),
        ("GET /a b HTTP/1.1", "/a b"),
        ("GET /old", "/old"),
        ("get / HTTP/1.1", "get / HTTP/1.1"),
    ] {
        let line = format!(r#"1.2.3.4 - - [02/Nov/2026:09:00:01 +0800] "{request}" 400 0"#);
        let entry = format.read(line.as_bytes()).expect("an entry");
        assert_eq!(entry.target, target.as_bytes(), "{request}");
    }
    let gone = br#"1.2.3.4 - - [02/Nov/2026:09:00:01 +0800] "GET / HTTP/1.1" 000 0"#;
    let call = format.read(gone).expect("an entry").status;
    assert_eq!(call, None);
}

/// A mark behind a backslash ends nothing, and a backslash may be the last byte there is.
#[test]
fn a_line_that_breaks_off_in_a_quoted_value_is_no_call() {
    let format = Format::combined();
    let line = br#"1.2.3.4 - - [02/Nov/2026:09:00:01 +0800] "GET / HTTP/1.1" 200 12 "a\"b" "c\\""#;
    assert!(format.read(line).is_ok());
    let referer = line.len() - r#""a\"b" "c\\""#.len();
    for end in referer + 1..line.len() {
        let cut = String::from_utf8_lossy(&line[..end]);
        assert!(format.read(&line[..end]).is_err(), "{cut}");
    }
}

#[test]
fn json_lines_of_nginx_are_read_with_texts_and_numbers() {
    let format = Format::nginx_json();
    let line = br#"{"time_iso8601":"2026-11-02T09:00:01+08:00","remote_addr":"203.0.113.7","remote_user":"","request":"GET /a\/b?q=\"x\" HTTP/1.1","status":"200","body_bytes_sent":12,"request_time":0.005,"request_id":"abc","upstream":["a",{"b":1}],"x":null}"#;
    let entry = format.read(line).expect("an entry");
    assert_eq!(
        (entry.status, entry.micros, entry.bytes),
        (Some(200), Some(5000), Some(12))
    );
    assert_eq!(
        (entry.caller(), &*entry.target),
        (&b"203.0.113.7"[..], &b"/a/b?q=\"x\""[..])
    );
    assert_eq!(&*entry.trace_id, b"abc");
    let line = br#"{"msec": 1431857103.123, "status": 502, "request_time": "1.5", "method": "GET", "uri": "/x"}"#;
    let entry = format.read(line).expect("an entry");
    assert_eq!(
        (entry.at.millis(), entry.status),
        (1_431_857_103_123, Some(502))
    );
    assert_eq!(
        (entry.micros, &*entry.method, &*entry.target),
        (Some(1_500_000), &b"GET"[..], &b"/x"[..])
    );
    for (line, fault) in [
        ("", LineFault::NotJson),
        ("[]", LineFault::NotJson),
        (r#"{"status":200"#, LineFault::NotJson),
        (r#"{"status":200} x"#, LineFault::NotJson),
        (r#"{"status":[200]}"#, LineFault::NotJson),
        (r#"{"status":200}"#, LineFault::Missing("time_local")),
        (r#"{"msec":1}"#, LineFault::Missing("status")),
        (r#"{"msec":1,"status":1000}"#, LineFault::Value("status")),
        (
            r#"{"time_iso8601":"yesterday"}"#,
            LineFault::Value("time_iso8601"),
        ),
    ] {
        assert_eq!(format.read(line.as_bytes()), Err(fault), "{line}");
    }
}

#[test]
fn any_log_format_of_nginx_can_be_given() {
    let format = Format::pattern("[$msec] ${status}|$request_time|$request_method $request_uri ($http_x_made_up) $request_id").expect("a format");
    let entry = format
        .read(b"[1431857103.5] 200|0.25|GET /a b (any thing) 77")
        .expect("an entry");
    assert_eq!(
        (entry.at.millis(), entry.micros),
        (1_431_857_103_500, Some(250_000))
    );
    assert_eq!(
        (&*entry.target, &*entry.trace_id),
        (&b"/a b"[..], &b"77"[..])
    );
    assert_eq!(format.read(b"1 200|"), Err(LineFault::Form("msec")));
    assert_eq!(format.read(b"[1] 200 0.25"), Err(LineFault::Form("status")));
    assert_eq!(
        format.read(b"[1] 2x0|1|GET / () 7"),
        Err(LineFault::Value("status"))
    );
    for (text, fault) in [
        ("$status", PatternFault::NoTime),
        ("$msec", PatternFault::NoStatus),
        ("$msec$status", PatternFault::Together("msec".to_owned())),
        (
            "$msec $status$request",
            PatternFault::Together("status".to_owned()),
        ),
        ("", PatternFault::NoTime),
    ] {
        assert_eq!(Format::pattern(text), Err(fault), "{text}");
    }
    assert!(Format::pattern(&"$status ".repeat(65)).is_err());
    let tail = Format::pattern("$status $msec end").expect("a format");
    assert_eq!(
        tail.read(b"200 1 end more"),
        Err(LineFault::Form("the end of the line"))
    );
}

#[test]
fn bad_lines_are_told_with_number_reason_and_beginning() {
    let good = r#"1.2.3.4 - - [02/Nov/2026:09:00:01 +0800] "GET / HTTP/1.1" 200 0 "-" "-""#;
    let long = "x".repeat(LINE_MAX + 1);
    let log = format!(
        "{good}\r\nrubbish\n\n{}\n{}\n{long}\n{good} trailing\n\u{feff}{good}",
        good.replace("02/Nov", "31/Nov"),
        good.replace("200", "20x"),
    );
    for piece in [3, 1000, log.len()] {
        let (report, _) = read(&Format::combined(), log.as_bytes(), piece);
        assert_eq!((report.lines, report.good, report.bad), (8, 2, 5));
        let told: Vec<(u64, LineFault)> = report
            .bad_lines
            .iter()
            .map(|bad| (bad.number, bad.fault))
            .collect();
        assert_eq!(
            told,
            [
                (2, LineFault::Form("remote_addr")),
                (4, LineFault::Value("time_local")),
                (5, LineFault::Value("status")),
                (6, LineFault::TooLong),
                (7, LineFault::Form("the end of the line")),
            ]
        );
        assert_eq!(report.bad_lines[0].excerpt, "rubbish");
        assert_eq!(report.bad_lines[3].excerpt.len(), 160);
    }
    let fault = LineFault::Value("status");
    assert_ne!(fault.sentence(Lang::Zh), fault.sentence(Lang::En));
    let rubbish = "rubbish\n".repeat(1000);
    let (report, _) = read(&Format::combined(), rubbish.as_bytes(), 64);
    assert_eq!((report.bad, report.bad_lines.len()), (1000, BAD_LINES_MAX));
}

#[test]
fn memory_has_a_limit_however_many_paths_and_callers_there_are() {
    let lines: String = (0..3 * KEYS_MAX)
        .map(|n| {
            format!(
                "10.0.{}.{} - - [02/Nov/2026:09:00:01 +0800] \"GET /a{n}b HTTP/1.1\" 200 0\n",
                n / 256,
                n % 256
            )
        })
        .collect();
    let (report, _) = read(&Format::combined(), lines.as_bytes(), 4096);
    for counts in [&report.by_path_family, &report.by_caller] {
        assert_eq!(counts.of.len(), KEYS_MAX);
        assert_eq!(
            counts.of.values().sum::<u64>() + counts.others,
            3 * KEYS_MAX as u64
        );
    }
}

#[test]
fn whoever_imports_may_break_off() {
    let log = recorded();
    let mut import = import(&Format::combined());
    let mut seen = 0;
    let flow = import.feed(&log, &mut |_| {
        seen += 1;
        if seen == 10 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(flow.is_break());
    assert_eq!((seen, import.progress().1), (10, 10));
}

#[test]
fn every_line_of_the_recorded_log_is_a_call_that_may_be_kept() {
    let log = recorded();
    let mut import = import(&Format::combined());
    let (limits, masking) = (Limits::default(), Masking::default());
    let channel = "web".parse().expect("an id");
    let mut calls = Vec::new();
    let flow = import.feed(&log, &mut |line| {
        let call = line
            .told()
            .checked(&channel, String::new, &limits, &masking, clock("09:00"));
        calls.push(call.unwrap_or_else(|fault| panic!("line {}: {fault}", line.number)));
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue());
    assert_eq!(calls.len(), 4525);
    assert_eq!(
        calls
            .iter()
            .filter(|call| call.result == Outcome::Failed)
            .count(),
        96
    );
    let first = &calls[0];
    // A log that was imported by an earlier build tells nothing new.
    assert_eq!(first.id, "L0000000001-9ce6df90f0ab2089");
    assert_eq!(
        (first.caller.as_str(), first.status),
        ("83.149.9.0", Some(200))
    );
    assert_eq!(
        first.path_family.as_deref(),
        Some("/presentations/logstash-monitorama-2013/images/kibana-search.png")
    );
    // Strange callers still make a record.
    let odd = format!(
        "{} - - [02/Nov/2026:09:00:01 +0800] \"GET /\u{1} HTTP/1.1\" 200 0\n",
        "长".repeat(40)
    );
    let flow = import.feed(odd.as_bytes(), &mut |line| {
        let call = line
            .told()
            .checked(&channel, String::new, &limits, &masking, clock("09:05"));
        assert_eq!(call.expect("a call").caller, "长".repeat(21));
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue());
}
