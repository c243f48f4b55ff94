//! Numbers: templates, the daily restart, the wrap, the contingent.

use rules::testing::{Story, hall, issue, wish};
use rules::ticket::Channel;
use rules::{Command, Refusal};

use crate::two_services;

fn number(story: &mut Story, service: &str) -> String {
    let id = story.takes(service);
    story.ticket(id).number.clone()
}

#[test]
fn four_wait_so_the_next_is_b005_with_four_ahead() {
    let mut story = Story::of(two_services().open());
    for _ in 1..=4 {
        story.takes("social");
    }
    let fifth = story.takes("social");
    assert_eq!(story.ticket(fifth).number, "B005");
    assert_eq!(story.ticket(fifth).ahead_at_issue, 4);
    assert_eq!(story.hall.ahead(fifth, story.now), Some(4));
    assert_eq!(story.hall.figures().waiting, 5);
}

#[test]
fn services_with_one_prefix_share_a_series() {
    let mut story = Story::of(hall().service("social", "B").service("tax", "B").open());
    let numbers = ["social", "tax", "social"].map(|service| number(&mut story, service));
    assert_eq!(numbers, ["B001", "B002", "B003"]);
}

#[test]
fn numbers_start_again_at_the_halls_own_midnight() {
    for zone in ["Asia/Shanghai", "Europe/Warsaw", "America/New_York"] {
        let mut story = Story::of(two_services().zone(zone).open());
        story.at("23:59:59.999");
        assert_eq!(number(&mut story, "social"), "B001");
        assert_eq!(number(&mut story, "social"), "B002");
        story.at("3T00:00");
        assert_eq!(number(&mut story, "social"), "B001", "in {zone}");
        assert_eq!(
            story.hall.day(),
            Some("2026-11-03".parse().expect("a date"))
        );
    }
}

#[test]
fn a_full_series_wraps_into_a_new_round_past_the_numbers_still_held() {
    let mut story = Story::of(
        hall()
            .service_with("social", "B", |s| s.template.last = 3)
            .window("1", &["social"])
            .open(),
    );
    for expected in ["B001", "B002", "B003"] {
        assert_eq!(number(&mut story, "social"), expected);
    }
    assert_eq!(
        story.is_refused(issue("social")).code(),
        "numbers_exhausted"
    );
    let first = story.serves("1");
    assert_eq!(first, "B001");
    let again = story.takes("social");
    assert_eq!(story.ticket(again).number, "B001");
    assert_eq!(story.ticket(again).round, 1);
    story.serves("1");
    assert_eq!(number(&mut story, "social"), "B002");
}

#[test]
fn rating_an_old_ticket_does_not_free_the_number_that_another_holds_since() {
    let mut story = Story::of(
        hall()
            .service_with("social", "B", |s| s.template.last = 1)
            .window("1", &["social"])
            .open(),
    );
    let first = story.takes("social");
    story.serves("1");
    story.takes("social");
    story.does(rules::testing::rate(first, 5));
    assert_eq!(
        story.is_refused(issue("social")).code(),
        "numbers_exhausted"
    );
}

#[test]
fn the_daily_contingent_binds_kiosks_and_phones_but_not_the_staff() {
    let mut story = Story::of(
        hall()
            .service_with("social", "B", |s| s.contingent = Some(2))
            .open(),
    );
    let through = |channel| {
        let mut wish = wish("social");
        wish.channel = channel;
        Command::IssueTicket(wish)
    };
    story.does(through(Channel::Staff));
    story.does(through(Channel::Kiosk));
    story.does(through(Channel::Phone));
    for channel in [Channel::Kiosk, Channel::Phone] {
        assert_eq!(
            story.is_refused(through(channel)),
            Refusal::ContingentReached {
                service: wish("social").service,
                contingent: 2
            }
        );
    }
    story.does(through(Channel::Staff));
    story.at("3T08:00");
    story.does(through(Channel::Kiosk));
}

#[test]
fn a_refused_wish_uses_up_no_number() {
    let mut story = Story::of(two_services().open());
    story.is_refused(issue("nowhere"));
    story.does(Command::PauseIssuing);
    story.is_refused(issue("social"));
    story.does(Command::ResumeIssuing);
    assert_eq!(number(&mut story, "social"), "B001");
}

#[test]
fn a_clock_set_back_over_midnight_reuses_no_number() {
    let mut story = Story::of(two_services().open());
    story.at("23:50");
    assert_eq!(number(&mut story, "social"), "B001");
    story.at("3T00:10");
    assert_eq!(number(&mut story, "social"), "B001");
    story.at("23:55");
    let third = story.takes("social");
    assert_eq!(story.ticket(third).number, "B002");
    assert_eq!(story.ticket(third).day.to_string(), "2026-11-03");
    assert_eq!(
        story.ticket(third).issued_at,
        rules::testing::clock("3T00:10")
    );
    story.at("3T00:20");
    assert_eq!(number(&mut story, "social"), "B003");
}

#[test]
fn each_slip_carries_its_own_token_by_which_it_is_found() {
    let mut story = Story::of(two_services().open());
    let (first, second) = (story.takes("social"), story.takes("social"));
    for id in [first, second] {
        let token = story.ticket(id).token.clone();
        assert_eq!(story.hall.ticket_by_token(&token).map(|t| t.id), Some(id));
    }
}
