//! Prometheus on the first condition, for 10,000 instances: CPU of its process with the rule and without.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};

const INSTANCES: usize = 10_000;
/// Evaluation and scrape interval.
const INTERVAL_SECS: u64 = 5;

const RULE: &str = "groups:\n- name: bench\n  rules:\n  - alert: WaitOverTarget\n    expr: wait_p90_minutes > 30 and waiting > 2 * open_windows\n    for: 5s\n";

/// CPU milliseconds per pass, or why there is none.
pub(crate) fn measure(binary: Option<String>, seconds: u64) -> Json {
    let binary = binary.unwrap_or_else(|| "prometheus".to_owned());
    let version = Command::new(&binary).arg("--version").output();
    let Ok(version) = version else {
        return json!({"skipped": format!("there is no {binary} here (Debian's package is called prometheus)")});
    };
    let version = String::from_utf8_lossy(&version.stdout);
    let version = version.lines().next().unwrap_or_default().to_owned();
    let folder = std::env::temp_dir().join(format!("hallkeeper-prometheus-{}", std::process::id()));
    let run = |with_rule: bool| one_run(&binary, &folder, with_rule, seconds);
    let outcome = run(false).and_then(|without| Ok((without, run(true)?)));
    let _ = std::fs::remove_dir_all(&folder);
    match outcome {
        Err(error) => json!({"version": version, "failed": error.to_string()}),
        Ok((without, with)) => {
            let passes = seconds as f64 / INTERVAL_SECS as f64;
            let per_pass = |ms: f64| (ms / passes * 10.0).round() / 10.0;
            json!({
                "version": version,
                "instances": INSTANCES,
                "seconds": seconds,
                "cpu_ms_per_pass_without_rule": per_pass(without),
                "cpu_ms_per_pass_with_rule": per_pass(with),
                "cpu_ms_per_pass_of_the_rule": per_pass(with - without),
            })
        }
    }
}

/// The metrics of all instances; one in a hundred turns from scrape to scrape.
fn exposition(scrape: usize) -> String {
    let mut text = String::with_capacity(INSTANCES * 120);
    for name in ["wait_p90_minutes", "waiting", "open_windows"] {
        text += &format!("# TYPE {name} gauge\n");
        for instance in 0..INSTANCES {
            let bad = (instance + scrape).is_multiple_of(100);
            let wobble = (instance * 31 + scrape * 17) % 10;
            let value = match (name, bad) {
                ("wait_p90_minutes", true) => 35 + wobble,
                ("wait_p90_minutes", false) => 15 + wobble,
                ("waiting", _) => 20 + wobble,
                _ => 4,
            };
            text += &format!(
                "{name}{{hall=\"H{}\",queue=\"{instance}\"}} {value}\n",
                instance / 100
            );
        }
    }
    text
}

/// Serves the metrics until the process ends; the port.
fn serve() -> std::io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let scrapes = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let mut socket = socket;
            let mut request = [0; 4096];
            let _ = socket.read(&mut request);
            let body = exposition(scrapes.fetch_add(1, Ordering::Relaxed));
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = socket.write_all(head.as_bytes());
            let _ = socket.write_all(body.as_bytes());
        }
    });
    Ok(port)
}

/// CPU milliseconds of a fresh Prometheus within so many seconds, after it has settled.
fn one_run(binary: &str, folder: &Path, with_rule: bool, seconds: u64) -> std::io::Result<f64> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder)?;
    let port = serve()?;
    let rules = folder.join("rules.yml");
    std::fs::write(&rules, RULE)?;
    let files = if with_rule {
        format!("rule_files: ['{}']\n", rules.display())
    } else {
        String::new()
    };
    let config: PathBuf = folder.join("prometheus.yml");
    std::fs::write(
        &config,
        format!(
            "global:\n  scrape_interval: {INTERVAL_SECS}s\n  evaluation_interval: {INTERVAL_SECS}s\n{files}scrape_configs:\n- job_name: bench\n  static_configs:\n  - targets: ['127.0.0.1:{port}']\n"
        ),
    )?;
    let mut child = Command::new(binary)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.join("data").display()
        ))
        .arg("--web.listen-address=127.0.0.1:0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    std::thread::sleep(Duration::from_secs(3 * INTERVAL_SECS));
    let before = cpu_ms(&child)?;
    std::thread::sleep(Duration::from_secs(seconds));
    let spent = cpu_ms(&child).map(|after| after - before);
    child.kill()?;
    child.wait()?;
    spent
}

/// CPU milliseconds of a process so far, at 100 ticks a second.
fn cpu_ms(child: &Child) -> std::io::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok());
    match (ticks(11), ticks(12)) {
        (Some(user), Some(kernel)) => Ok((user + kernel) * 10.0),
        _ => Err(std::io::Error::other("the process has ended")),
    }
}
