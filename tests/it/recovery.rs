//! Servers that end at the worst moment, disks that are full, clocks that are set.
//!
//! The crash tests take their length from `HALLKEEPER_KILLS` and their choices from
//! `HALLKEEPER_SEED`; a failing run names the seed. The tests on PostgreSQL run when `HALLKEEPER_TEST_POSTGRES` holds
//! an address, and those that crash PostgreSQL itself when there is a server of their own at
//! `HALLKEEPER_TEST_POSTGRES_TO_CRASH` and `HALLKEEPER_TEST_PGCTL` is the command that takes
//! `restart` for it.

mod alerts;
mod book;
mod load;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix_web::rt::time::sleep;
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection as _};

use crate::harness::{Client, Folder, PATIENCE, Server, SetClock};
use crate::postgres::Schema;
use book::{Book, Chance, Tally};
use load::{Load, Temper};

/// Ends of the server in a normal run, or alerts that are raised and closed while it is killed.
const KILLS: u64 = 100;

/// After so many a fresh database is taken, so that a test does not spend its time on long lists.
const KILLS_PER_DATABASE: u64 = 20;

/// The server has so long to be killed in, in milliseconds.
const SHORTEST_LOAD: u64 = 5;
const LONGEST_LOAD: u64 = 300;

#[actix_web::test]
async fn nothing_acknowledged_is_lost_or_done_twice_when_the_server_is_killed() {
    kill_again_and_again("SQLite", from_environment("HALLKEEPER_KILLS", KILLS), None).await;
}

#[actix_web::test]
async fn nothing_acknowledged_is_lost_or_done_twice_on_postgresql() {
    let Some(url) = setting("HALLKEEPER_TEST_POSTGRES") else {
        return;
    };
    let kills = from_environment("HALLKEEPER_KILLS", KILLS).div_ceil(10);
    kill_again_and_again("PostgreSQL", kills, Some(&url)).await;
}

#[actix_web::test]
async fn nothing_acknowledged_is_lost_or_done_twice_when_postgresql_crashes() {
    let Some(url) = setting("HALLKEEPER_TEST_POSTGRES_TO_CRASH") else {
        return;
    };
    let control = setting("HALLKEEPER_TEST_PGCTL").expect("the command that restarts PostgreSQL");
    let seed = Seed::take();
    let schema = Schema::on(&url).await;
    let mut server = server_on(&schema).await;
    // A connection lost in a commit is logged as what it is.
    server.faults_expected = true;
    let book = Book::open(&server, Chance(seed.0)).await;
    let load = Load::start(&server, book, Temper::Repeats);
    let mut restarts = 0;
    while restarts < from_environment("HALLKEEPER_KILLS", KILLS).div_ceil(30) {
        sleep(Duration::from_millis(200)).await;
        let command = format!("{control} -s -w -m immediate restart");
        let run = move || Command::new("sh").args(["-c", &command]).output();
        let output = actix_web::rt::task::spawn_blocking(run).await;
        let output = output.expect("waited").expect("a shell");
        assert!(output.status.success(), "{output:?}");
        more_is_acknowledged(&load).await;
        restarts += 1;
    }
    let mut book = load.end().await;
    check(&server, &mut book, &schema.url()).await;
    server.kill();
    server.restart();
    check(&server, &mut book, &schema.url()).await;
    let tally = book.tally;
    say(&format!(
        "PostgreSQL: {restarts} crashes under load, {tally:?}, seed {}",
        seed.0
    ));
    drop(server);
    schema.drop().await;
}

#[actix_web::test]
async fn a_server_asked_to_end_does_so_at_once_and_keeps_snapshots() {
    let mut server = Server::start().await;
    let book = Book::open(&server, Chance(7)).await;
    let load = Load::start(&server, book, Temper::GivesUp);
    sleep(Duration::from_millis(300)).await;
    let asked = Instant::now();
    let status = server.stop();
    let took = asked.elapsed();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let mut book = load.end().await;
    let url = sqlite(&server);
    let behind = count(
        &url,
        "select count(*) from heads h left join snapshots s on s.stream = h.stream \
         where h.seq > 0 and (s.seq is null or s.seq <> h.seq)",
    )
    .await;
    assert_eq!(behind, 0, "streams without a snapshot of their end");
    server.restart();
    check(&server, &mut book, &url).await;
}

#[actix_web::test]
async fn a_full_disk_refuses_and_recovers() {
    if !runs("prlimit", &["--version"]) {
        return say("not tried: a full disk (the command prlimit is missing)");
    }
    // What would end the process becomes the error of a full disk.
    let ignoring = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];
    let mut server = Server::start_under(&ignoring, &[], &[]).await;
    let log = server.folder.path().join("hallkeeper.db-wal");
    let pid = server.pid().to_string();
    let limit = |size: &str| {
        let size = format!("--fsize={size}:");
        let status = Command::new("prlimit")
            .args(["--pid", &pid, &size])
            .status();
        assert!(status.expect("prlimit").success());
    };
    let mut book = fill_and_free(&server, 8, |space, chance| match space {
        Space::Little => {
            let size = std::fs::metadata(&log).expect("a log").len();
            limit(&(size + chance.below(60_000)).to_string());
        }
        Space::None => limit("4096"),
        Space::Enough => limit("unlimited"),
    })
    .await;
    let url = sqlite(&server);
    check(&server, &mut book, &url).await;
    server.kill();
    server.restart();
    check(&server, &mut book, &url).await;
    let tally = book.tally;
    say(&format!("full disk (limited files): {tally:?}"));
}

#[actix_web::test]
async fn a_full_file_system_refuses_and_recovers() {
    let mounting = "mkdir \"$HALLKEEPER__DATA__DIR/small\" \
        && mount -t tmpfs -o size=64m none \"$HALLKEEPER__DATA__DIR/small\" && exec \"$@\"";
    let own_mounts = ["unshare", "--mount", "sh", "-c", mounting, "sh"];
    if !runs(
        "unshare",
        &["--mount", "sh", "-c", "mount -t tmpfs none /mnt"],
    ) {
        return say("not tried: a full file system (mounting one needs privileges)");
    }
    let database = [("HALLKEEPER__DATABASE__URL", "sqlite:small/hallkeeper.db")];
    let server = Server::start_under(&own_mounts, &database, &[]).await;
    let small = server.folder.path().join("small");
    let inside = Path::new("/proc")
        .join(server.pid().to_string())
        .join("root")
        .join(small.strip_prefix("/").expect("an absolute path"));
    let filler = inside.join("filler");
    let mut book = fill_and_free(&server, 6, |space, chance| match space {
        Space::Little => {
            let mut file = std::fs::File::create(&filler).expect("a file");
            let mut size = 0;
            while let Ok(written) = file.write(&[0; 4096]) {
                size += written as u64;
            }
            let left = chance.below(16) * 4096;
            file.set_len(size.saturating_sub(left)).expect("some space");
        }
        Space::None => {
            let file = std::fs::File::options().append(true).open(&filler);
            let mut file = file.expect("the filler");
            while file.write(&[0; 4096]).is_ok() {}
        }
        Space::Enough => std::fs::remove_file(&filler).expect("removed"),
    })
    .await;
    let client = server.admin();
    book.settle(&client).await;
    book.check(&client).await.unwrap();
    let tally = book.tally;
    say(&format!("full disk (small file system): {tally:?}"));
}

#[actix_web::test]
async fn a_clock_set_over_midnight_and_back_gives_no_number_twice() {
    let Some(clock) = SetClock::new() else {
        return say("not tried: a clock that is set (the command faketime is missing)");
    };
    let day = 86_400;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let midnight = (now / day + 1) * day;
    // In seconds after the hall's midnight.
    let set = |at: i64| clock.set_ahead(midnight as i64 + at - now as i64);
    set(-120);
    let settings = clock.settings();
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut server = Server::start_with(&settings, &[]).await;
    let hall = json!({
        "id": "H1", "name": "H1", "time_zone": "Etc/UTC", "windows": [],
        "services": [{"id": "S1", "name": "S1", "prefix": "B"}],
    });
    server.admin().post("/halls", hall).await.expect(201);
    let mut taken = Vec::new();
    open_and_take(&server.admin(), &mut taken).await;
    // Forward, back under a running server, and back and forward across restarts.
    for (at, killed) in [
        (30, false),
        (-60, false),
        (-90, true),
        (60, true),
        (-30, false),
    ] {
        set(at);
        if killed {
            server.kill();
            server.restart();
        }
        open_and_take(&server.admin(), &mut taken).await;
    }
    let admin = server.admin();
    for (id, number) in &taken {
        let ticket = admin
            .get(&format!("/halls/H1/tickets/{id}"))
            .await
            .expect(200);
        assert_eq!(ticket["number"], **number);
    }
    let listed = admin
        .get("/halls/H1/tickets?limit=1000&sort=issued_at")
        .await
        .expect(200);
    let rows = listed["items"].as_array().expect("items");
    let text = |row: &Value, field: &str| row[field].as_str().expect(field).to_owned();
    let days: BTreeSet<_> = rows.iter().map(|row| text(row, "day")).collect();
    assert_eq!(days.len(), 2, "{days:?}");
    let given: BTreeSet<_> = rows
        .iter()
        .map(|row| (text(row, "day"), text(row, "number")))
        .collect();
    assert_eq!(
        given.len(),
        taken.len(),
        "a number was given twice in a day"
    );
    let order: Vec<_> = rows
        .iter()
        .map(|row| (text(row, "issued_at"), row["id"].as_u64()))
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    for day in days {
        let numbers: Vec<_> = given
            .iter()
            .filter(|(of, _)| *of == day)
            .map(|(_, n)| n)
            .collect();
        let due: Vec<_> = (1..=numbers.len()).map(|n| format!("B{n:03}")).collect();
        assert_eq!(numbers, due.iter().collect::<Vec<_>>());
    }
    say(&format!(
        "clock set over midnight and back: {} numbers",
        taken.len()
    ));
}

/// Takes three numbers, after opening the hall where the day's end has closed it.
async fn open_and_take(admin: &Client, taken: &mut Vec<(u64, String)>) {
    let path = "/halls/H1/tickets";
    let deadline = Instant::now() + PATIENCE;
    let mut left = 3;
    while left > 0 {
        assert!(Instant::now() < deadline, "no number in time");
        let answer = admin.post(path, json!({"service": "S1"})).await;
        if answer.status == 409 && answer.body["code"] == "hall_closed" {
            admin.post("/halls/H1/open", json!({})).await;
            continue;
        }
        let ticket = answer.expect(201);
        let number = ticket["number"].as_str().expect("a number");
        taken.push((ticket["id"].as_u64().expect("an id"), number.to_owned()));
        left -= 1;
    }
}

#[actix_web::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let server = Server::start().await;
    let dir = server.folder.path().to_str().expect("a path");
    let output = serve(&[("HALLKEEPER__DATA__DIR", dir)], &[]);
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("another process"), "{text}");
    server.visitor().get("/readyz").await.expect(200);
}

#[test]
fn an_unknown_setting_is_named() {
    let folder = Folder::new();
    let dir = folder.path().to_str().expect("a path");
    let in_environment = [
        ("HALLKEEPER__DATA__DIR", dir),
        ("HALLKEEPER__SERVER__ADRESS", "x"),
    ];
    let file = folder.path().join("hallkeeper.toml");
    std::fs::write(&file, "[sessions]\nhours = 3\n").expect("written");
    let in_file = ["--config", file.to_str().expect("a path")];
    let cases = [
        (serve(&in_environment, &[]), "adress"),
        (serve(&in_environment[..1], &in_file), "sessions"),
    ];
    for (output, key) in cases {
        let text = text_of(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(key), "{text}");
    }
}

#[test]
fn an_address_in_use_is_refused() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("an address").to_string();
    let folder = Folder::new();
    let dir = folder.path().to_str().expect("a path");
    let output = serve(
        &[
            ("HALLKEEPER__DATA__DIR", dir),
            ("HALLKEEPER__SERVER__ADDR", &addr),
        ],
        &[],
    );
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&addr), "{text}");
}

/// Runs a server that cannot start, to its end.
fn serve(settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hallkeeper"))
        .arg("serve")
        .args(arguments)
        .env("HALLKEEPER__SERVER__ADDR", "127.0.0.1:0")
        .envs(settings.iter().copied())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("a process");
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().expect("waited").is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("its output")
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Kills servers under load, `kills` times, and checks after each restart what they remember.
/// Every eighth is asked to end in good order, so that the next starts from a snapshot.
async fn kill_again_and_again(store: &str, kills: u64, postgres: Option<&str>) {
    let seed = Seed::take();
    let started = Instant::now();
    let mut total = Tally::default();
    let mut done = 0;
    while done < kills {
        let schema = match postgres {
            Some(url) => Some(Schema::on(url).await),
            None => None,
        };
        let mut server = match &schema {
            Some(schema) => server_on(schema).await,
            None => Server::start().await,
        };
        let url = match &schema {
            Some(schema) => schema.url(),
            None => sqlite(&server),
        };
        let chance = Chance(seed.0.wrapping_add(done));
        let mut book = Book::open(&server, chance).await;
        let until = kills.min(done + KILLS_PER_DATABASE);
        while done < until {
            let delay = short_rather_than_long(&mut book.chance);
            let load = Load::start(&server, book, Temper::GivesUp);
            sleep(delay).await;
            match done % 8 {
                7 => assert!(server.stop().success()),
                _ => server.kill(),
            }
            book = load.end().await;
            server.restart();
            check(&server, &mut book, &url).await;
            done += 1;
        }
        let tally = book.tally;
        total.acknowledged += tally.acknowledged;
        total.unanswered += tally.unanswered;
        total.carried_out += tally.carried_out;
        if let Some(schema) = schema {
            drop(server);
            schema.drop().await;
        }
    }
    let secs = started.elapsed().as_secs_f64();
    say(&format!(
        "{store}: {done} kills in {secs:.1} s, {} commands acknowledged, 0 lost, 0 done twice; \
         {} unanswered, {} of them carried out before the kill; seed {}",
        total.acknowledged, total.unanswered, total.carried_out, seed.0
    ));
}

/// Most kills come soon, while the first requests are under way; some come late.
fn short_rather_than_long(chance: &mut Chance) -> Duration {
    let span = LONGEST_LOAD - SHORTEST_LOAD;
    let share = chance.below(1001);
    Duration::from_millis(SHORTEST_LOAD + span * share * share / 1_000_000)
}

/// Settles what is open, then compares all that was told with all that the server shows.
async fn check(server: &Server, book: &mut Book, url: &str) {
    let client = server.admin();
    book.settle(&client).await;
    book.check(&client).await.unwrap();
    book.check_journal(url).await.unwrap();
}

/// Left on the disk.
enum Space {
    /// For a commit or two, perhaps not for all of one.
    Little,
    None,
    Enough,
}

/// Makes the disk full under load and free again, some times: until somebody was told so, and
/// until things go on.
async fn fill_and_free(
    server: &Server,
    times: u32,
    mut make: impl FnMut(Space, &mut Chance),
) -> Book {
    let seed = Seed::take();
    let book = Book::open(server, Chance(seed.0)).await;
    let load = Load::start(server, book, Temper::Repeats);
    for _ in 0..times {
        sleep(Duration::from_millis(100)).await;
        let told = load.tally().unavailable;
        load.draw(|chance| make(Space::Little, chance));
        let since = Instant::now();
        // The log may begin again at its start and find room there.
        wait_until("somebody is told, or there is room", || {
            load.tally().unavailable > told || since.elapsed() > Duration::from_secs(1)
        })
        .await;
        load.draw(|chance| make(Space::None, chance));
        wait_until("somebody is told", || load.tally().unavailable > told + 20).await;
        load.draw(|chance| make(Space::Enough, chance));
        more_is_acknowledged(&load).await;
    }
    load.end().await
}

async fn more_is_acknowledged(load: &Load) {
    let before = load.tally().acknowledged;
    wait_until("things go on", || load.tally().acknowledged > before + 50).await;
}

async fn wait_until(what: &str, reached: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Names itself when a test fails.
struct Seed(u64);

impl Seed {
    fn take() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(from_environment(
            "HALLKEEPER_SEED",
            since.as_millis() as u64,
        ))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("failed with HALLKEEPER_SEED={}", self.0));
        }
    }
}

async fn server_on(schema: &Schema) -> Server {
    Server::start_with(&[("HALLKEEPER__DATABASE__URL", &schema.url())], &[]).await
}

fn sqlite(server: &Server) -> String {
    format!(
        "sqlite:{}/hallkeeper.db?mode=ro",
        server.folder.path().display()
    )
}

async fn count(url: &str, statement: &'static str) -> i64 {
    sqlx::any::install_default_drivers();
    let mut database = AnyConnection::connect(url).await.expect("the database");
    let counted = sqlx::query_scalar(statement).fetch_one(&mut database).await;
    counted.expect("a count")
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

fn setting(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        say(&format!("not tried: {name} is not set"));
    }
    value
}

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().expect(name))
}

/// Also when the test passes: what is written by `println!` would be kept back.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "recovery: {line}");
}
