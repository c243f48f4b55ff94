//! LED strips: the words for each size and state, and their dots against a golden file.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::path::Path;
use std::time::Instant;

use dashboards::strip::{Show, Size, Strip, width};
use dashboards::window::{ShownTicket, WindowView};
use rules::name::{Lang, Name};
use rules::window::WindowKind;

/// Window 3 in a state, with a number if the state has one. It serves one service, or several.
fn window(state: &'static str, number: &str, services: &[&str]) -> WindowView {
    let ticket = ShownTicket {
        number: number.to_owned(),
        service: "S1".to_owned(),
        service_name: services.first().map(|name| Name::same(*name)),
        calls: 1,
        at: Some("2026-11-02T10:00:00+08:00".to_owned()),
    };
    WindowView {
        window: "3".to_owned(),
        name: Name::new("3号窗口", "Window 3"),
        kind: WindowKind::Comprehensive,
        services: services.iter().map(|name| Name::same(*name)).collect(),
        state,
        ticket: matches!(state, "calling" | "serving" | "offline").then_some(ticket),
    }
}

const STATES: [&str; 6] = ["calling", "serving", "idle", "paused", "closed", "offline"];

const ONE: &[&str] = &["企业养老申报"];
const SEVERAL: &[&str] = &["企业养老申报", "医保报销"];

fn words(view: &WindowView, size: Size, lang: Lang) -> String {
    let strip = Strip::of(view, size, lang);
    for line in &strip.lines {
        assert_eq!(line.scrolls, line.dots.columns() > size.columns());
    }
    strip.text().join("/")
}

#[test]
fn each_size_says_what_fits_it() {
    let zh = |state: &'static str, services: &[&str]| {
        Size::ALL.map(|size| words(&window(state, "A012", services), size, Lang::Zh))
    };
    let expected = [
        (
            "calling",
            [
                "请A012号",
                "请A012号办理",
                "请A012号到本窗口",
                "请A012号办理/企业养老申报",
            ],
        ),
        (
            "serving",
            [
                "A012办理",
                "A012正在办理",
                "A012 正在办理中",
                "A012 正在办理中/企业养老申报",
            ],
        ),
        (
            "idle",
            [
                "欢迎光临",
                "3号综合窗口",
                "03 企业养老申报",
                "3号综合窗口/企业养老申报",
            ],
        ),
        (
            "paused",
            [
                "暂停服务",
                "暂停服务",
                "暂离，请稍候",
                "暂停服务/暂离，请稍候",
            ],
        ),
        (
            "closed",
            [
                "窗口关闭",
                "本窗口未开放",
                "本窗口未开放",
                "本窗口未开放/请到其他窗口",
            ],
        ),
        (
            "offline",
            ["人工叫号", "请听工作人员", "请听工作人员", "人工叫号"],
        ),
    ];
    for (state, texts) in expected {
        assert_eq!(zh(state, ONE), texts, "{state}");
    }
    let idle = [
        "欢迎光临",
        "3号综合窗口",
        "3号综合窗口",
        "3号综合窗口/欢迎光临",
    ];
    assert_eq!(zh("idle", SEVERAL), idle);
    // The widths that these forms were made for.
    for (text, columns) in [
        ("请A012号", 64),
        ("请A012号办理", 96),
        ("请A012号到本窗口", 128),
        ("3号综合窗口", 88),
        ("03 企业养老申报", 120),
    ] {
        assert_eq!(width(text), columns, "{text}");
    }
}

#[test]
fn a_text_that_is_too_wide_takes_a_shorter_form_and_runs_through_only_when_none_fits() {
    let calling = |number: &str, size| words(&window("calling", number, ONE), size, Lang::Zh);
    assert_eq!(calling("FA006", Size::S64x16), "请FA006");
    assert_eq!(calling("FA006", Size::S96x16), "请FA006办理");
    assert_eq!(calling("FA006", Size::S128x16), "请FA006到本窗口");
    assert_eq!(calling("ABC0006", Size::S64x16), "ABC0006");
    let strip = Strip::of(
        &window("calling", "ABCD000006", ONE),
        Size::S64x16,
        Lang::Zh,
    );
    assert_eq!(strip.text(), ["请ABCD000006号"]);
    assert!(strip.lines[0].scrolls);
    assert_eq!(
        (strip.lines[0].dots.columns(), strip.dots().columns()),
        (112, 64)
    );
    let long = ["不动产登记（含抵押权注销）"];
    let strip = Strip::of(&window("calling", "A012", &long), Size::S128x32, Lang::Zh);
    assert_eq!(
        strip
            .lines
            .iter()
            .map(|line| line.scrolls)
            .collect::<Vec<_>>(),
        [false, true]
    );
    let lettered = WindowView {
        window: "window-north".to_owned(),
        ..window("idle", "", SEVERAL)
    };
    assert_eq!(words(&lettered, Size::S128x16, Lang::Zh), "欢迎光临");
}

#[test]
fn a_call_without_a_service_name_stands_in_signs_of_double_size() {
    let strip = Strip::of(&window("calling", "A012", &[]), Size::S128x32, Lang::Zh);
    assert_eq!(strip.text(), ["请A012号"]);
    assert_eq!(
        (strip.lines[0].dots.columns(), strip.lines[0].dots.rows()),
        (128, 32)
    );
}

#[test]
fn english_words_fit_without_running_through() {
    for state in STATES {
        for size in Size::ALL {
            let strip = Strip::of(&window(state, "A012", &["Pensions"]), size, Lang::En);
            assert!(strip.lines.iter().all(|line| !line.scrolls), "{strip:?}");
            assert!(strip.text().iter().all(|text| text.is_ascii()), "{strip:?}");
        }
    }
    let view = window("calling", "A012", &["Pensions"]);
    assert_eq!(words(&view, Size::S96x16, Lang::En), "A012 come in");
}

#[test]
fn an_old_number_is_never_shown_when_the_console_or_the_server_is_lost() {
    for size in Size::ALL {
        let lost = Strip::of(&window("offline", "A012", ONE), size, Lang::Zh);
        assert_eq!((lost.show, lost.call.as_ref()), (Show::Staff, None));
        assert_eq!(lost.dots(), Strip::staff(size, Lang::Zh).dots());
    }
}

/// Every state in every size, dot by dot. `BLESS=1 cargo test -p dashboards` writes the file anew.
#[test]
fn the_dots_are_those_of_the_golden_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/strips.txt");
    let mut all = String::new();
    for size in Size::ALL {
        for state in STATES {
            let strip = Strip::of(&window(state, "A012", ONE), size, Lang::Zh);
            all += &format!("{size} {state}: {}\n", strip.to_text());
        }
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &all).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap();
    let differs = golden.lines().zip(all.lines()).position(|(a, b)| a != b);
    assert_eq!(differs, None, "first line that differs");
    assert_eq!(golden.len(), all.len());
}

#[test]
fn pictures_hold_the_same_dots() {
    let strip = Strip::of(&window("calling", "A012", ONE), Size::S64x16, Lang::Zh);
    let pbm = strip.to_pbm();
    let bits = pbm.strip_prefix(b"P4\n64 16\n").unwrap();
    let dots = strip.dots();
    for y in 0..16 {
        for x in 0..64 {
            let bit = bits[usize::from(y) * 8 + usize::from(x) / 8] >> (7 - x % 8) & 1;
            assert_eq!(bit == 1, dots.lit(x, y));
        }
    }
    let hex: String = strip.view().lines[0].dots.concat();
    let packed: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, packed);
    // Signature, header of 64 × 16 at one bit, and the rows each after a filter byte.
    let png = strip.to_png();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(&png[16..26], [0, 0, 0, 64, 0, 0, 0, 16, 1, 0]);
    assert_eq!(&png[49..57], &bits[..8]);
}

/// Cheap enough to be made for whoever looks, whenever they look.
#[test]
fn a_strip_takes_well_under_a_millisecond() {
    let view = window("calling", "A012", ONE);
    let began = Instant::now();
    for _ in 0..200 {
        assert_eq!(Strip::of(&view, Size::S128x32, Lang::Zh).lines.len(), 2);
    }
    let micros = began.elapsed().as_micros() / 200;
    println!("{micros} us a strip of 128x32");
    assert!(micros < 2000, "{micros} us");
}
