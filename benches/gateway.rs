//! What the gateway costs a call, beside nginx's proxy on the same machine and before the same upstream.

mod support;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use support::args::Args;
use support::http::Http;
use support::office::Office;
use support::procfs::{self, Cpu, CpuMeter};
use support::report::{Report, machine, progress, rounded, run, skipped_when_unoptimised};
use support::samples::{Samples, median};
use support::server::{Launch, free_port, sqlite_in};

const USAGE: &str = "\
gateway: calls through the gateway, through nginx's proxy, and direct, in turn

  cargo bench --bench gateway [-- OPTIONS]

  --rounds N      rounds, each of all three ways (5)
  --seconds S     of each way in a round, alone and with many callers (3)
  --callers LIST  callers at a time where many call (32,128)
  --workers N     worker threads of the gateway and workers of the proxy (as many as cores)
  --nginx PATH    nginx (/usr/sbin/nginx); without it there is no upstream and nothing is measured
  --quick         2 rounds of 1 second
  --server PATH   the hallkeeper binary (what cargo built)
  --dir DIR       where the data directory is made (cargo's target directory)
  --pin           servers on core 0, client on core 1

Prints one JSON document. Exit code 1 when a call failed or one that was answered is in no figure.";

struct Options {
    launch: Launch,
    rounds: usize,
    seconds: Duration,
    callers: Vec<usize>,
    workers: usize,
    nginx: PathBuf,
}

fn main() -> ExitCode {
    let mut args = Args::read(USAGE);
    let quick = args.flag("--quick");
    if skipped_when_unoptimised("gateway", quick) {
        return ExitCode::SUCCESS;
    }
    run(async move {
        let (rounds, seconds) = if quick { (2, 1.0) } else { (5, 3.0) };
        let options = Options {
            rounds: args.value("--rounds").unwrap_or(rounds).max(1),
            seconds: Duration::from_secs_f64(args.value("--seconds").unwrap_or(seconds)),
            callers: args.list("--callers").unwrap_or_else(|| vec![32, 128]),
            workers: args.value("--workers").unwrap_or_else(cores).max(1),
            nginx: args
                .value("--nginx")
                .unwrap_or_else(|| "/usr/sbin/nginx".into()),
            launch: Launch::from_args(&mut args)?,
        };
        args.finish();
        measure(&options).await
    })
}

/// An nginx of its own, with its configuration in a directory of its own.
struct Nginx {
    child: Child,
    addr: SocketAddr,
}

impl Nginx {
    fn start(options: &Options, dir: &Path, workers: usize, rest: &str) -> Result<Self> {
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        fs::create_dir_all(dir)?;
        let config = dir.join("nginx.conf");
        let text = format!(
            "daemon off;\nworker_processes {workers};\npid nginx.pid;\n\
             events {{ worker_connections 4096; }}\nhttp {{\n  access_log off;\n  \
             client_body_temp_path body;\n  proxy_temp_path proxy;\n  fastcgi_temp_path fastcgi;\n  \
             uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n  keepalive_requests 100000000;\n  \
             {}\n}}\n",
            rest.replace("ADDR", &addr.to_string())
        );
        fs::write(&config, text).context("writing nginx.conf")?;
        let mut command = Command::new(&options.nginx);
        command.arg("-p").arg(dir).arg("-c").arg(&config);
        command.arg("-e").arg("error.log").stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = options.launch.spawn_pinned(&mut command)?;
        let nginx = Self { child, addr };
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(addr).is_err() || nginx.pids().len() <= workers {
            let log = || fs::read_to_string(dir.join("error.log")).unwrap_or_default();
            ensure!(Instant::now() < until, "nginx does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(nginx)
    }

    fn pids(&self) -> Vec<u32> {
        procfs::family(self.child.id())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        procfs::terminate(self.child.id());
        // Fails only when it is gone already.
        let _ = self.child.wait();
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// One way to the upstream.
struct Way {
    name: &'static str,
    addr: SocketAddr,
    request: Vec<u8>,
    /// Whose CPU it costs, beside the upstream's.
    pids: Vec<u32>,
    alone: Vec<f64>,
    many: Vec<Many>,
}

/// What came of calls by so many callers at a time, round by round.
struct Many {
    callers: usize,
    p50: Vec<f64>,
    per_second: Vec<f64>,
    cpu: Cpu,
    upstream_cpu: Cpu,
    calls: u64,
}

impl Way {
    fn new(
        name: &'static str,
        addr: SocketAddr,
        path: &str,
        key: &str,
        pids: Vec<u32>,
        callers: &[usize],
    ) -> Self {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nX-Api-Key: {key}\r\n\r\n");
        Self {
            name,
            addr,
            request: request.into_bytes(),
            pids,
            alone: Vec::new(),
            many: callers.iter().map(|callers| Many::of(*callers)).collect(),
        }
    }

    /// Calls in a closed loop.
    async fn load(&self, callers: usize, time: Duration) -> Result<Samples> {
        let until = Instant::now() + time;
        let loops = (0..callers).map(|_| {
            let (addr, request) = (self.addr, self.request.clone());
            tokio::task::spawn_local(async move {
                let mut http = Http::new(addr, None);
                let mut samples = Samples::default();
                while Instant::now() < until {
                    let begun = Instant::now();
                    let answer = http.send(&request).await?;
                    ensure!(answer.status == 200, "{}", answer.refusal());
                    samples.push(begun.elapsed());
                }
                anyhow::Ok(samples)
            })
        });
        let loops: Vec<_> = loops.collect();
        let mut all = Samples::default();
        for one in loops {
            all.absorb(&one.await.context("a caller ended")??);
        }
        Ok(all)
    }

    async fn round(&mut self, options: &Options, upstream: &Nginx) -> Result<()> {
        let alone = self.load(1, options.seconds).await?;
        let alone = alone.quantile_ms(0.5).unwrap_or_default();
        progress(&format!("{}: {alone:.3} ms alone", self.name));
        self.alone.push(alone);
        for n in 0..self.many.len() {
            let mut own = CpuMeter::of(self.pids.clone());
            let mut behind = CpuMeter::of(upstream.pids());
            let (before, behind_before) = (own.read(), behind.read());
            let begun = Instant::now();
            let called = self.load(self.many[n].callers, options.seconds).await?;
            let took = begun.elapsed().as_secs_f64();
            let (used, behind_used) = (own.read() - before, behind.read() - behind_before);
            let many = &mut self.many[n];
            many.cpu.ran += used.ran;
            many.cpu.waited += used.waited;
            many.upstream_cpu.ran += behind_used.ran;
            many.calls += called.len() as u64;
            many.p50.push(called.quantile_ms(0.5).unwrap_or_default());
            let per_second = called.len() as f64 / took;
            many.per_second.push(per_second);
            let (name, callers) = (self.name, many.callers);
            progress(&format!("{name}: {per_second:.0}/s with {callers} callers"));
        }
        Ok(())
    }

    fn figures(&self) -> Value {
        let many: Vec<Value> = self.many.iter().map(Many::figures).collect();
        json!({"p50_ms_alone": median(&self.alone).map(rounded), "many": many})
    }
}

impl Many {
    fn of(callers: usize) -> Self {
        Self {
            callers,
            p50: Vec::new(),
            per_second: Vec::new(),
            cpu: Cpu::default(),
            upstream_cpu: Cpu::default(),
            calls: 0,
        }
    }

    fn figures(&self) -> Value {
        let of = |values: &[f64]| median(values).map(rounded);
        let per_call = |secs: f64| rounded(secs * 1e6 / self.calls.max(1) as f64);
        json!({
            "callers": self.callers, "p50_ms": of(&self.p50),
            "calls_per_s": of(&self.per_second), "calls_per_s_by_round": self.per_second,
            "cpu_us_per_call": per_call(self.cpu.ran),
            "upstream_cpu_us_per_call": per_call(self.upstream_cpu.ran),
            "wait_us_per_call": per_call(self.cpu.waited), "calls": self.calls,
        })
    }
}

/// The gateway's channel before the upstream; its caller's key.
async fn channel(office: &Office, upstream: SocketAddr, callers: usize) -> Result<String> {
    let mut http = Http::new(office.addr, Some(&office.token));
    let setup = json!({
        "name": {"zh": "压测", "en": "Bench"}, "provider": "bench", "direction": "through",
        "upstream": {"url": format!("http://{upstream}"), "max_parallel": callers * 2},
    });
    let api = "/api/v1/channels/bench";
    http.done("PUT", api, &setup).await?;
    let version = json!({"version": "v1"});
    http.done("POST", &format!("{api}/versions"), &version)
        .await?;
    let publish = format!("{api}/versions/v1/publish");
    http.done("POST", &publish, &json!({})).await?;
    let caller = json!({"caller": "bench"});
    let granted = http.done("POST", &format!("{api}/grants"), &caller).await?;
    let key = granted["key"].as_str().context("a grant without a key")?;
    Ok(key.to_owned())
}

/// Calls in the history and calls that were counted, once both are at rest.
async fn recorded(office: &Office) -> Result<(u64, u64)> {
    let mut http = Http::new(office.addr, Some(&office.token));
    let (mut before, mut found) = ((0, 1), (0, 0));
    while before != found {
        before = found;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let page = http
            .done("GET", "/api/v1/channels/bench/calls?limit=1", &Value::Null)
            .await?;
        let face = http
            .done("GET", "/api/v1/channels/bench", &Value::Null)
            .await?;
        let counted = face["figures"][3]["calls"].as_u64().unwrap_or_default();
        found = (page["total"].as_u64().unwrap_or_default(), counted);
    }
    Ok(found)
}

async fn measure(options: &Options) -> Result<Report> {
    let mut report = Report::new("gateway");
    let scratch = options.launch.scratch("gateway")?;
    let data = scratch.data()?;
    report.put("machine", machine(&data, options.launch.pinned));
    if !options.nginx.exists() {
        report.put("nginx", json!("absent"));
        return Ok(report);
    }
    let small = "server { listen ADDR; location / { return 200 \"{\\\"ok\\\":true}\"; default_type application/json; } }";
    let upstream = Nginx::start(options, &scratch.path().join("upstream"), 1, small)?;
    let proxy = format!(
        "upstream behind {{ server {}; keepalive 256; keepalive_requests 100000000; }}\n  \
         server {{ listen ADDR; location / {{ proxy_pass http://behind; proxy_http_version 1.1; \
         proxy_set_header Connection \"\"; proxy_set_header X-Forwarded-For $remote_addr; }} }}",
        upstream.addr
    );
    let proxy = Nginx::start(
        options,
        &scratch.path().join("proxy"),
        options.workers,
        &proxy,
    )?;
    // SAFETY: nothing else runs in this process yet that reads or writes the environment.
    unsafe { std::env::set_var("HALLKEEPER__SERVER__WORKERS", options.workers.to_string()) };
    let ours = options.launch.start(&data, &sqlite_in(&data))?;
    let office = Office::enter(ours.addr()?, &data).await?;
    let most = options.callers.iter().copied().max().unwrap_or(1);
    let key = channel(&office, upstream.addr, most).await?;
    let mut ways = [
        Way::new(
            "direct",
            upstream.addr,
            "/orders/17?full=1",
            "x",
            Vec::new(),
            &options.callers,
        ),
        Way::new(
            "nginx",
            proxy.addr,
            "/orders/17?full=1",
            "x",
            proxy.pids(),
            &options.callers,
        ),
        Way::new(
            "ours",
            office.addr,
            "/gateway/bench/v1/orders/17?full=1",
            &key,
            vec![ours.pid()],
            &options.callers,
        ),
    ];
    for way in &ways {
        way.load(most, Duration::from_millis(300)).await?;
    }
    for _ in 0..options.rounds {
        for way in &mut ways {
            way.round(options, &upstream).await?;
        }
    }
    let (history, counted) = recorded(&office).await?;
    let [direct, nginx, own] = &ways;
    let alone = |way: &Way| median(&way.alone).unwrap_or_default();
    let per_second = |many: &Many| median(&many.per_second).unwrap_or_default();
    let pairs = own.many.iter().zip(&nginx.many);
    let shares = pairs.map(|(own, nginx)| rounded(per_second(own) / per_second(nginx)));
    let shares: Vec<f64> = shares.collect();
    report.put("workers", json!(options.workers));
    report.put("callers", json!(options.callers));
    for way in &ways {
        report.put(way.name, way.figures());
    }
    let added = |way| json!(rounded(alone(way) - alone(direct)));
    report.put("added_p50_ms", added(own));
    report.put("added_p50_ms_by_nginx", added(nginx));
    report.put("throughput_of_nginx", json!(shares));
    report.put("calls_in_the_history", json!(history));
    report.put("calls_counted", json!(counted));
    report.expect(history > 0 && counted >= history, || {
        format!("{history} calls in the history, {counted} counted")
    });
    Ok(report)
}
