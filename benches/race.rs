//! Correctness when people act at the same instant: two windows after one ticket, sixteen kiosks
//! after the next number, eight windows emptying one queue.

mod support;

use anyhow::{Context, Result};
use serde_json::json;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;
use support::args::Args;
use support::http::Http;
use support::office::{Office, service, window};
use support::report::{Report, machine, progress, run};
use support::server::{Launch, sqlite_in};

const USAGE: &str = "\
race: does anyone get a ticket twice, or a number that was skipped or given out before?

  cargo bench --bench race [-- OPTIONS]

  --rounds N      one ticket, two windows calling at the same instant (1000)
  --tickets N     taken by sixteen kiosks together, at most 9999 (2000)
  --quick         100 rounds, 200 tickets
  --server PATH   the hallkeeper binary (what cargo built)
  --dir DIR       where the data directory is made (cargo's target directory)
  --pin           server on core 0, client on core 1

Prints one JSON document. Exit code 1 when a promise was broken.";

const HALL: &str = "R1";
const KIOSKS: usize = 16;
const WINDOWS: usize = 8;
const LAST_NUMBER: usize = 9999;

struct Options {
    launch: Launch,
    rounds: usize,
    tickets: usize,
}

fn main() -> ExitCode {
    run(async {
        let mut args = Args::read(USAGE);
        let (rounds, tickets) = if args.flag("--quick") {
            (100, 200)
        } else {
            (1000, 2000)
        };
        let options = Options {
            rounds: args.value("--rounds").unwrap_or(rounds),
            tickets: args.value("--tickets").unwrap_or(tickets).min(LAST_NUMBER),
            launch: Launch::from_args(&mut args)?,
        };
        args.finish();
        race(&options).await
    })
}

async fn race(options: &Options) -> Result<Report> {
    let scratch = options.launch.scratch("race")?;
    let data = scratch.data()?;
    let server = options.launch.start(&data, &sqlite_in(&data))?;
    let mut office = Office::enter(server.addr()?, &data).await?;
    let mut numbered = service("S2", "B");
    numbered["digits"] = json!(4);
    numbered["last"] = json!(LAST_NUMBER);
    let windows: Vec<_> = (1..=WINDOWS)
        .map(|n| window(&n.to_string(), &["S1", "S2"]))
        .collect();
    office
        .open_hall(HALL, &[service("S1", "A"), numbered], &windows)
        .await?;

    let mut report = Report::new("race");
    report.put("machine", machine(&data, options.launch.pinned));
    two_windows_one_ticket(&office, options.rounds, &mut report).await?;
    kiosks_take_numbers(&mut office, options.tickets, &mut report).await?;
    windows_empty_the_queue(&office, options.tickets, &mut report).await?;
    compare_with_figures(&mut office, options, &mut report).await?;
    Ok(report)
}

/// Both calls are on their way before either answer is read; who is first alternates.
async fn two_windows_one_ticket(office: &Office, rounds: usize, report: &mut Report) -> Result<()> {
    progress(&format!("{rounds} rounds of two windows after one ticket"));
    let mut rivals = [Rival::at("1", office), Rival::at("2", office)];
    let mut kiosk = office.connection();
    let issue = kiosk.encode(
        "POST",
        &format!("/api/v1/halls/{HALL}/tickets"),
        "{\"service\":\"S1\"}",
    );
    let mut wins = [0u64; 2];
    for round in 0..rounds {
        let ticket = kiosk
            .send(&issue)
            .await?
            .number("\"id\":")
            .context("an issued ticket without an id")?;
        let [first, second] = &mut rivals;
        let (early, late) = if round % 2 == 0 {
            (first, second)
        } else {
            (second, first)
        };
        early.http.write(&early.call).await?;
        late.http.write(&late.call).await?;
        let mut winners = Vec::new();
        for (n, rival) in rivals.iter_mut().enumerate() {
            let answer = rival.http.read().await?;
            match (answer.status, answer.string("\"code\":")) {
                (200, _) => {
                    let called = answer.number("\"id\":");
                    report.expect(called == Some(ticket), || {
                        format!("round {round}: ticket {ticket} waits, {called:?} was called")
                    });
                    winners.push(n);
                }
                (409, Some("nobody_waiting")) => {}
                _ => report.violation(format!(
                    "round {round}: the loser was told {}",
                    answer.refusal()
                )),
            }
        }
        report.expect(winners.len() == 1, || {
            format!(
                "round {round}: {} windows got ticket {ticket}",
                winners.len()
            )
        });
        for winner in winners {
            wins[winner] += 1;
            rivals[winner].serve().await?;
        }
    }
    report.put(
        "two_windows_one_ticket",
        json!({ "rounds": rounds, "won_by_window": { "1": wins[0], "2": wins[1] } }),
    );
    Ok(())
}

async fn kiosks_take_numbers(
    office: &mut Office,
    tickets: usize,
    report: &mut Report,
) -> Result<()> {
    progress(&format!("{KIOSKS} kiosks, {tickets} tickets"));
    let began = Instant::now();
    let mut kiosks = Vec::new();
    for n in 0..KIOSKS {
        let token = office
            .register_device("kiosk", &format!("K{n:02}"), HALL)
            .await?;
        let share = tickets / KIOSKS + usize::from(n < tickets % KIOSKS);
        kiosks.push(tokio::task::spawn_local(take_numbers(
            Http::new(office.addr, Some(&token)),
            share,
        )));
    }
    let mut taken = Vec::with_capacity(tickets);
    for kiosk in kiosks {
        taken.extend(kiosk.await.context("a kiosk broke down")??);
    }
    let numbers: BTreeSet<&str> = taken.iter().map(|(_, number)| number.as_str()).collect();
    let ids: BTreeSet<u64> = taken.iter().map(|(id, _)| *id).collect();
    let expected: Vec<String> = (1..=tickets).map(|n| format!("B{n:04}")).collect();
    report.expect(numbers.len() == tickets, || {
        format!("{tickets} tickets have {} different numbers", numbers.len())
    });
    report.expect(ids.len() == tickets, || {
        format!("{tickets} tickets have {} different ids", ids.len())
    });
    let strange = expected
        .iter()
        .find(|number| !numbers.contains(number.as_str()));
    report.expect(strange.is_none(), || {
        format!("nobody got number {strange:?}")
    });
    let secs = support::report::rounded(began.elapsed().as_secs_f64());
    report.put(
        "kiosks_take_numbers",
        json!({ "kiosks": KIOSKS, "tickets": tickets, "secs": secs }),
    );
    Ok(())
}

async fn take_numbers(mut http: Http, count: usize) -> Result<Vec<(u64, String)>> {
    let issue = http.encode(
        "POST",
        &format!("/api/v1/halls/{HALL}/tickets"),
        "{\"service\":\"S2\"}",
    );
    let mut taken = Vec::with_capacity(count);
    for _ in 0..count {
        let answer = http.send(&issue).await?;
        anyhow::ensure!(
            answer.status == 201,
            "a kiosk was refused: {}",
            answer.refusal()
        );
        let id = answer
            .number("\"id\":")
            .context("an issued ticket without an id")?;
        let number = answer
            .string("\"number\":")
            .context("an issued ticket without a number")?;
        taken.push((id, number.to_owned()));
    }
    Ok(taken)
}

async fn windows_empty_the_queue(
    office: &Office,
    tickets: usize,
    report: &mut Report,
) -> Result<()> {
    progress(&format!("{WINDOWS} windows serve {tickets} tickets"));
    let rivals = (1..=WINDOWS).map(|n| Rival::at(&n.to_string(), office));
    let clerks: Vec<_> = rivals
        .map(|rival| tokio::task::spawn_local(rival.serve_all()))
        .collect();
    let mut served = Vec::with_capacity(tickets);
    for clerk in clerks {
        served.extend(clerk.await.context("a clerk broke down")??);
    }
    let distinct: BTreeSet<&u64> = served.iter().collect();
    report.expect(distinct.len() == served.len(), || {
        format!(
            "{} tickets were assigned twice",
            served.len() - distinct.len()
        )
    });
    report.expect(served.len() == tickets, || {
        format!("{} of {tickets} tickets were served", served.len())
    });
    report.put(
        "windows_empty_the_queue",
        json!({ "windows": WINDOWS, "served": served.len() }),
    );
    Ok(())
}

async fn compare_with_figures(
    office: &mut Office,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let figures = office.figures(HALL).await?;
    let all = (options.rounds + options.tickets) as u64;
    report.expect(figures.issued == all && figures.completed == all, || {
        format!("{all} tickets were issued and completed, the server counts {figures:?}")
    });
    report.expect(figures.sum_of_states == figures.issued, || {
        format!("the states do not add up: {figures:?}")
    });
    report.put(
        "server_figures",
        json!({ "issued": figures.issued, "completed": figures.completed }),
    );
    Ok(())
}

/// A window that competes for tickets.
struct Rival {
    http: Http,
    call: Vec<u8>,
    start: Vec<u8>,
    complete: Vec<u8>,
}

impl Rival {
    fn at(window: &str, office: &Office) -> Self {
        let http = office.connection();
        let verb = |verb: &str| {
            http.encode(
                "POST",
                &format!("/api/v1/halls/{HALL}/windows/{window}/{verb}"),
                "{}",
            )
        };
        let (call, start, complete) = (verb("call-next"), verb("start"), verb("complete"));
        Self {
            http,
            call,
            start,
            complete,
        }
    }

    async fn serve(&mut self) -> Result<()> {
        for request in [&self.start, &self.complete] {
            let answer = self.http.send(request).await?;
            anyhow::ensure!(
                answer.is_success(),
                "a window with a ticket was refused: {}",
                answer.refusal()
            );
        }
        Ok(())
    }

    /// Until nobody waits.
    async fn serve_all(mut self) -> Result<Vec<u64>> {
        let mut served = Vec::new();
        loop {
            let answer = self.http.send(&self.call).await?;
            match answer.status {
                200 => served.push(
                    answer
                        .number("\"id\":")
                        .context("a called ticket without an id")?,
                ),
                409 if answer.string("\"code\":") == Some("nobody_waiting") => return Ok(served),
                _ => anyhow::bail!("call-next refused: {}", answer.refusal()),
            }
            self.serve().await?;
        }
    }
}
