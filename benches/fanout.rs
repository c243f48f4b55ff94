//! From a command at a window to a thousand screens: how soon, at what cost, and beside nchan.

mod support;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::args::Args;
use support::clock::now_ns;
use support::nchan::{Installation, Nchan};
use support::office::{Office, service, window};
use support::procfs::{self, CpuMeter, rss_kib};
use support::publisher::{Sent, Source, publish};
use support::report::{Report, machine, progress, rounded, run, skipped_when_unoptimised};
use support::samples::{Samples, median};
use support::screens::{Crowd, Door, StuckScreen};
use support::server::{Launch, Server, sqlite_in};

const USAGE: &str = "\
fanout: screens of one hall, fed by real commands

  cargo bench --bench fanout [-- OPTIONS]

  --parts LIST        of memory,latency,steady,rapid,stuck (all)
  --screens N         subscribed to the hall (1000)
  --secs S            measured time of a round (10), after --warmup S (1)
  --repeats N         pairs of rounds, A B A B … (3)
  --rate R            changes a second for latency, steady and stuck (10)
  --rapid-rate R      changes a second for rapid (50)
  --stuck N           screens that stop reading together (10)
  --stuck-limit S     give up waiting for their end after S seconds (90)
  --quick             200 screens, 1.5 s, one pair, without stuck
  --nginx PATH        (/usr/sbin/nginx)
  --nchan-module PATH (/usr/lib/nginx/modules/ngx_nchan_module.so)
  --server PATH       the hallkeeper binary (what cargo built)
  --dir DIR           where data directories are made (cargo's target directory)
  --pin               servers on core 0, client on core 1

Prints one JSON document. Exit code 1 when a screen missed a seq or lost its connection.";

/// In this order, because a server that served screens before has their memory still; the last one takes
/// as long as the server's time-out.
const PARTS: [&str; 5] = ["memory", "latency", "steady", "rapid", "stuck"];

const HALL: &str = "F1";

/// Changes made before anything is measured. Until then SQLite's log grows with each commit and each
/// makes the file system write more, as in the first hour of a hall's first day only.
const EARLIER: usize = 4_000;

/// Frames of the last messages may still be under way when the publisher is done.
const SETTLE: Duration = Duration::from_secs(3);

struct Options {
    launch: Launch,
    nchan: Installation,
    parts: Vec<String>,
    screens: usize,
    warmup: Duration,
    secs: Duration,
    repeats: usize,
    rate: f64,
    rapid_rate: f64,
    stuck: usize,
    stuck_limit: Duration,
}

fn main() -> ExitCode {
    let mut args = Args::read(USAGE);
    let quick = args.flag("--quick");
    if skipped_when_unoptimised("fanout", quick) {
        return ExitCode::SUCCESS;
    }
    run(async move {
        let (screens, warmup, secs, repeats) = if quick {
            (200, 0.3, 1.5, 1)
        } else {
            (1000, 1.0, 10.0, 3)
        };
        let usual = if quick { &PARTS[..4] } else { &PARTS[..] };
        let parts = args
            .list("--parts")
            .unwrap_or_else(|| usual.iter().map(|part| (*part).to_owned()).collect());
        if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
            args.refuse(&format!("--parts: there is no {unknown:?}"));
        }
        let options = Options {
            nchan: Installation::from_args(&mut args),
            parts,
            screens: args.value("--screens").unwrap_or(screens),
            warmup: Duration::from_secs_f64(args.value("--warmup").unwrap_or(warmup)),
            secs: Duration::from_secs_f64(args.value("--secs").unwrap_or(secs)),
            repeats: args.value("--repeats").unwrap_or(repeats).max(1),
            rate: args.value("--rate").unwrap_or(10.0),
            rapid_rate: args.value("--rapid-rate").unwrap_or(50.0),
            stuck: args.value("--stuck").unwrap_or(10),
            stuck_limit: Duration::from_secs(args.value("--stuck-limit").unwrap_or(90)),
            launch: Launch::from_args(&mut args)?,
        };
        args.finish();
        procfs::raise_open_files();
        fanout(&options).await
    })
}

async fn fanout(options: &Options) -> Result<Report> {
    let mut report = Report::new("fanout");
    let scratch = options.launch.scratch("fanout")?;
    report.put("machine", machine(scratch.path(), options.launch.pinned));
    report.put("screens", json!(options.screens));
    let data = scratch.data()?;
    let server = options.launch.start(&data, &sqlite_in(&data))?;
    let hall = Stage::hall(&server, Office::enter(server.addr()?, &data).await?).await?;

    let absent = options.nchan.missing();
    let peer = match &absent {
        None => Some(options.nchan.start(&options.launch, scratch.path())?),
        Some(_) => None,
    };
    let nchan = peer.as_ref().map(Stage::nchan);
    if let Some(why) = absent {
        report.put("nchan_absent", json!(why));
    }
    for stage in [Some(&hall), nchan.as_ref()].into_iter().flatten() {
        progress(&format!("{}: {EARLIER} changes before", stage.name));
        finished(publish(stage.source.clone(), f64::INFINITY, EARLIER)).await?;
    }
    for part in &options.parts {
        let figures = match part.as_str() {
            "memory" => memory(&hall, nchan.as_ref(), options).await?,
            "latency" => latency(&hall, options, &mut report).await?,
            "steady" => compare(&hall, nchan.as_ref(), options.rate, options, &mut report).await?,
            "rapid" => {
                compare(
                    &hall,
                    nchan.as_ref(),
                    options.rapid_rate,
                    options,
                    &mut report,
                )
                .await?
            }
            _ => stuck(&hall, options, &mut report).await?,
        };
        report.put(part, figures);
    }
    Ok(report)
}

/// A server with a topic to subscribe to and a way to make it change.
struct Stage {
    name: &'static str,
    door: Door,
    pids: Vec<u32>,
    source: Source,
}

impl Stage {
    async fn hall(server: &Server, mut office: Office) -> Result<Self> {
        office
            .open_hall(HALL, &[service("S1", "A")], &[window("1", &["S1"])])
            .await?;
        let screen = office.register_device("screen", "W1", HALL).await?;
        let addr = server.addr()?;
        let subscribe = json!({ "subscribe": [format!("hall.{HALL}")] }).to_string();
        Ok(Self {
            name: "hallkeeper",
            door: Door {
                addr,
                path: "/ws",
                token: Some(screen),
                subscribe: Some(subscribe),
            },
            pids: procfs::family(server.pid()),
            source: Source::Hall {
                addr,
                token: office.token,
                hall: HALL.into(),
                service: "S1".into(),
            },
        })
    }

    fn nchan(peer: &Nchan) -> Self {
        Self {
            name: "nchan",
            door: Door {
                addr: peer.addr,
                path: "/sub",
                token: None,
                subscribe: None,
            },
            pids: peer.pids(),
            source: Source::Nchan {
                addr: peer.addr,
                size: 300,
            },
        }
    }

    /// The same server sending messages as large as the other's.
    fn with_size(&self, bytes: usize) -> Source {
        match &self.source {
            Source::Nchan { addr, .. } => Source::Nchan {
                addr: *addr,
                size: bytes,
            },
            hall @ Source::Hall { .. } => hall.clone(),
        }
    }
}

/// One measured round: what a crowd of screens saw of a stream of messages, and what it cost.
struct Round {
    messages: usize,
    wall: f64,
    delivered: u64,
    frame_bytes: f64,
    reads: u64,
    server_cpu: f64,
    server_waited: f64,
    client_cpu: f64,
    rss_before_kib: u64,
    rss_after_kib: u64,
    from_sent: Samples,
    from_answer: Samples,
    before_answer: u64,
    last_screen: Samples,
    without_seq: usize,
}

async fn play(
    stage: &Stage,
    source: Source,
    rate: f64,
    options: &Options,
    report: &mut Report,
) -> Result<Round> {
    let crowd = Crowd::gather(&stage.door, options.screens).await?;
    let gathered = crowd.counts();
    let rss_before_kib = rss_kib(&stage.pids);
    let (mut server, mut client) = (
        CpuMeter::of(stage.pids.clone()),
        CpuMeter::of_this_process(),
    );
    let total = (options.warmup + options.secs).as_secs_f64();
    let publisher = publish(source, rate, (rate * total).ceil() as usize);

    tokio::time::sleep(options.warmup).await;
    let (began, counts, cpu, own) = (now_ns(), crowd.counts(), server.read(), client.read());
    tokio::time::sleep(options.secs).await;
    let (ended, seen, cpu, own) = (
        now_ns(),
        crowd.counts(),
        server.read() - cpu,
        client.read() - own,
    );

    let sent = finished(publisher).await?;
    if let Some(seq) = sent.iter().rev().find_map(|message| message.seq) {
        crowd.settle(seq, SETTLE).await;
    }
    crowd.complain_of_losses()?;
    let gaps = crowd.counts().gaps;
    report.expect(gaps == 0, || {
        format!(
            "{}, {rate}/s: {gaps} seqs missed without a snapshot",
            stage.name
        )
    });
    let extra = crowd.counts().snapshots - gathered.snapshots;

    let delivered = seen.deltas - counts.deltas;
    let mut round = Round {
        messages: 0,
        wall: (ended - began) as f64 / 1e9,
        delivered,
        frame_bytes: (seen.delta_bytes - counts.delta_bytes) as f64 / delivered.max(1) as f64,
        reads: seen.reads - counts.reads,
        server_cpu: cpu.ran,
        server_waited: cpu.waited,
        client_cpu: own.ran,
        rss_before_kib,
        rss_after_kib: rss_kib(&stage.pids),
        from_sent: Samples::default(),
        from_answer: Samples::default(),
        before_answer: 0,
        last_screen: Samples::default(),
        without_seq: 0,
    };
    for message in sent
        .iter()
        .filter(|message| (began..ended).contains(&message.sent_ns))
    {
        let received = round.follow(message, &crowd);
        let complete = message.seq.is_none() || received == options.screens || extra > 0;
        report.expect(complete, || {
            format!(
                "{}: {received} of {} screens got seq {:?}",
                stage.name, options.screens, message.seq
            )
        });
    }
    crowd.disperse().await;
    Ok(round)
}

/// The publisher's thread, awaited without holding up the screens.
async fn finished(publisher: std::thread::JoinHandle<Result<Vec<Sent>>>) -> Result<Vec<Sent>> {
    while !publisher.is_finished() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    publisher.join().ok().context("the publisher broke down")?
}

impl Round {
    /// Adds one message's way to every screen; returns how many it reached.
    fn follow(&mut self, message: &Sent, crowd: &Crowd) -> usize {
        self.messages += 1;
        let Some(seq) = message.seq else {
            self.without_seq += 1;
            return 0;
        };
        crowd.with_arrivals(seq, |arrivals| {
            for at in arrivals {
                self.from_sent.push_ns(at.saturating_sub(message.sent_ns));
                self.from_answer
                    .push_ns(at.saturating_sub(message.answered_ns));
                self.before_answer += u64::from(*at < message.answered_ns);
            }
            if let Some(last) = arrivals.iter().max() {
                self.last_screen
                    .push_ns(last.saturating_sub(message.sent_ns));
            }
            arrivals.len()
        })
    }

    fn per_cpu_second(&self) -> f64 {
        self.delivered as f64 / self.server_cpu.max(1e-9)
    }

    fn summary(&self) -> Value {
        json!({
            "messages_per_s": rounded(self.messages as f64 / self.wall),
            "delivered": self.delivered,
            "delivered_per_cpu_s": self.per_cpu_second().round(),
            "frame_bytes_mean": rounded(self.frame_bytes),
            "deltas_per_read": rounded(self.delivered as f64 / self.reads.max(1) as f64),
            "server_cpu_pct": rounded(100.0 * self.server_cpu / self.wall),
            "server_wait_pct": rounded(100.0 * self.server_waited / self.wall),
            "client_cpu_pct": rounded(100.0 * self.client_cpu / self.wall),
            "rss_mib": [rounded(self.rss_before_kib as f64 / 1024.0), rounded(self.rss_after_kib as f64 / 1024.0)],
            "from_sent": self.from_sent.summary(),
            "messages_without_seq": self.without_seq,
        })
    }
}

/// Command to frame at every screen, with and without one screen among them that never reads.
async fn latency(hall: &Stage, options: &Options, report: &mut Report) -> Result<Value> {
    let (mut free, mut jammed) = (Vec::new(), Vec::new());
    for n in 1..=options.repeats {
        progress(&format!("latency, pair {n}/{}", options.repeats));
        free.push(play(hall, hall.source.clone(), options.rate, options, report).await?);
        let _stuck = StuckScreen::connect(&hall.door).await?;
        jammed.push(play(hall, hall.source.clone(), options.rate, options, report).await?);
    }
    let p95 = |rounds: &[Round]| pooled(rounds, |round| &round.from_sent).quantile_ms(0.95);
    let ratio = p95(&jammed)
        .zip(p95(&free))
        .map(|(jammed, free)| rounded(jammed / free));
    Ok(json!({
        "changes_per_s": options.rate,
        "all_reading": latency_summary(&free),
        "one_stuck": latency_summary(&jammed),
        "p95_one_stuck_to_all_reading": ratio,
    }))
}

fn latency_summary(rounds: &[Round]) -> Value {
    let messages: usize = rounds.iter().map(|round| round.messages).sum();
    let early: u64 = rounds.iter().map(|round| round.before_answer).sum();
    let rss = rounds
        .iter()
        .map(|round| rounded(round.rss_after_kib as f64 / 1024.0));
    json!({
        "messages": messages,
        "from_sent": pooled(rounds, |round| &round.from_sent).summary(),
        "from_answer": pooled(rounds, |round| &round.from_answer).summary(),
        "frames_before_answer": early,
        "last_screen_from_sent": pooled(rounds, |round| &round.last_screen).summary(),
        "messages_without_seq": rounds.iter().map(|round| round.without_seq).sum::<usize>(),
        "rss_mib_after_each": rss.collect::<Vec<_>>(),
    })
}

fn pooled<'a>(
    rounds: impl IntoIterator<Item = &'a Round>,
    of: impl Fn(&Round) -> &Samples,
) -> Samples {
    let mut all = Samples::default();
    rounds.into_iter().for_each(|round| all.absorb(of(round)));
    all
}

/// The same changes, the same frame size, the same screens: first us, then nchan, and again; each also
/// without any screen, since ours are durable commands and nchan keeps nothing for long.
async fn compare(
    hall: &Stage,
    nchan: Option<&Stage>,
    rate: f64,
    options: &Options,
    report: &mut Report,
) -> Result<Value> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for n in 1..=options.repeats {
        progress(&format!("{rate} changes/s, pair {n}/{}", options.repeats));
        let round = play(hall, hall.source.clone(), rate, options, report).await?;
        let bytes = round.frame_bytes.round() as usize;
        let alone = changes_alone(hall, hall.source.clone(), rate, options).await?;
        ours.push(Compared { round, alone });
        if let Some(nchan) = nchan {
            let source = nchan.with_size(bytes);
            let round = play(nchan, source.clone(), rate, options, report).await?;
            let alone = changes_alone(nchan, source, rate, options).await?;
            theirs.push(Compared { round, alone });
        }
    }
    let of = |rounds: &[Compared], figure: fn(&Compared) -> f64| {
        let known = rounds.iter().map(figure).filter(|known| known.is_finite());
        median(&known.collect::<Vec<_>>())
    };
    let p95 = |rounds: &[Compared]| from_sent(rounds).quantile_ms(0.95);
    let ratio = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| rounded(a / b));
    let side = |rounds: &[Compared]| {
        json!({
            "delivered_per_cpu_s": of(rounds, Compared::per_cpu_second).map(f64::round),
            "delivered_per_added_cpu_s": of(rounds, Compared::per_added_cpu_second).map(f64::round),
            "changes_alone_cpu_pct": of(rounds, |one| one.alone).map(rounded),
            "from_sent": from_sent(rounds).summary(),
            "rounds": rounds.iter().map(|one| one.round.summary()).collect::<Vec<_>>(),
        })
    };
    let both = |figure: fn(&Compared) -> f64| ratio(of(&ours, figure), of(&theirs, figure));
    Ok(json!({
        "changes_per_s": rate,
        "hallkeeper": side(&ours),
        "nchan": if theirs.is_empty() { Value::Null } else { side(&theirs) },
        "delivered_per_cpu_s_ratio": both(Compared::per_cpu_second),
        "delivered_per_added_cpu_s_ratio": both(Compared::per_added_cpu_second),
        "p95_ratio": ratio(p95(&ours), p95(&theirs)),
    }))
}

/// A round, and what percentage of a core the same changes take when nobody is told of them.
struct Compared {
    round: Round,
    alone: f64,
}

impl Compared {
    fn per_cpu_second(&self) -> f64 {
        self.round.per_cpu_second()
    }

    /// Of the time that the screens add: without what the changes take anyway, which is to decide,
    /// journal, commit and make one frame for us, and to take a request into its buffer for nchan.
    /// NaN where noise leaves nothing.
    fn per_added_cpu_second(&self) -> f64 {
        let changes = self.alone / 100.0 * self.round.wall;
        let added = Some(self.round.server_cpu - changes).filter(|added| *added > 0.0);
        added.map_or(f64::NAN, |added| self.round.delivered as f64 / added)
    }
}

fn from_sent(rounds: &[Compared]) -> Samples {
    let rounds = rounds.iter().map(|one| &one.round);
    pooled(rounds, |round| &round.from_sent)
}

/// What the changes cost when there is no screen, in percent of a core.
async fn changes_alone(stage: &Stage, source: Source, rate: f64, options: &Options) -> Result<f64> {
    let mut server = CpuMeter::of(stage.pids.clone());
    let before = server.read();
    let began = Instant::now();
    let count = (rate * options.secs.as_secs_f64()).ceil() as usize;
    finished(publish(source, rate, count)).await?;
    Ok(100.0 * (server.read() - before).ran / began.elapsed().as_secs_f64())
}

/// Resident memory at rest, and what one idle subscriber adds to it.
async fn memory(hall: &Stage, nchan: Option<&Stage>, options: &Options) -> Result<Value> {
    progress("memory");
    let theirs = match nchan {
        Some(nchan) => per_connection(nchan, options).await?,
        None => Value::Null,
    };
    Ok(json!({ "hallkeeper": per_connection(hall, options).await?, "nchan": theirs }))
}

async fn per_connection(stage: &Stage, options: &Options) -> Result<Value> {
    // The first connection pays for what all share.
    Crowd::gather(&stage.door, 1).await?.disperse().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = rss_kib(&stage.pids);
    let crowd = Crowd::gather(&stage.door, options.screens).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    crowd.complain_of_losses()?;
    let after = rss_kib(&stage.pids);
    crowd.disperse().await;
    let each = (after as f64 - before as f64) / options.screens as f64;
    Ok(
        json!({ "rss_at_rest_mib": rounded(before as f64 / 1024.0), "kib_per_idle_connection": rounded(each) }),
    )
}

/// Screens that stop reading: how long the server keeps them, and what it keeps for them.
async fn stuck(hall: &Stage, options: &Options, report: &mut Report) -> Result<Value> {
    progress(&format!("{} screens stop reading", options.stuck));
    let crowd = Crowd::gather(&hall.door, options.screens).await?;
    let mut screens = Vec::with_capacity(options.stuck);
    for _ in 0..options.stuck {
        screens.push(StuckScreen::connect(&hall.door).await?);
    }
    let ports = screens
        .iter()
        .map(StuckScreen::port)
        .collect::<Result<HashSet<u16>>>()?;
    let open = || procfs::established(hall.door.addr.port(), &ports);
    ensure!(
        open() == options.stuck,
        "{} of {} stuck screens are connected",
        open(),
        options.stuck
    );

    let before = rss_kib(&hall.pids);
    let began = Instant::now();
    let (mut gone_after, mut peak) = (None, before);
    while gone_after.is_none() && began.elapsed() < options.stuck_limit {
        // In short bursts, because a publisher cannot be stopped half-way.
        let burst = publish(
            hall.source.clone(),
            options.rate,
            options.rate.ceil() as usize,
        );
        while !burst.is_finished() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            gone_after = gone_after.or_else(|| (open() == 0).then(|| began.elapsed()));
            peak = peak.max(rss_kib(&hall.pids));
        }
        finished(burst).await?;
    }
    let left = open();
    crowd.complain_of_losses()?;
    let gaps = crowd.counts().gaps;
    crowd.disperse().await;
    report.expect(gaps == 0, || {
        format!("beside stuck screens, {gaps} seqs were missed without a snapshot")
    });
    report.expect(left == 0, || {
        format!("{left} stuck screens are connected still")
    });
    let mib = |kib: u64| rounded(kib as f64 / 1024.0);
    Ok(json!({
        "screens": options.stuck,
        "left": left,
        "all_gone_after_s": gone_after.map(|after| rounded(after.as_secs_f64())),
        "rss_mib": { "before": mib(before), "peak": mib(peak), "after": mib(rss_kib(&hall.pids)) },
    }))
}
