//! The print bridge against a printer that is only a socket: well, out of paper, dead, slow.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use awc::Client as Http;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::harness::PATIENCE;

/// What the printer answers to `DLE EOT 1` to `4` when all is well.
pub const WELL: [u8; 4] = [0x12; 4];
pub const PAPER_OUT: [u8; 4] = [0x1a, 0x32, 0x12, 0x7e];
const PAPER_LOW: [u8; 4] = [0x12, 0x12, 0x12, 0x1e];
const COVER_OPEN: [u8; 4] = [0x1a, 0x16, 0x12, 0x7e];

#[derive(Default)]
struct Paper {
    printed: Vec<u8>,
    state: [u8; 4],
    /// The state once something was printed.
    afterwards: Option<[u8; 4]>,
    /// It answers nothing any more.
    dead: bool,
    /// It takes so long to read a piece.
    pause: Duration,
}

/// A printer at an address of its own.
#[derive(Clone)]
pub struct Printer {
    paper: Arc<Mutex<Paper>>,
    pub address: String,
}

impl Printer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let printer = Self {
            address: listener.local_addr().unwrap().to_string(),
            paper: Arc::new(Mutex::new(Paper {
                state: WELL,
                ..Paper::default()
            })),
        };
        let paper = Arc::clone(&printer.paper);
        actix_web::rt::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let paper = Arc::clone(&paper);
                actix_web::rt::spawn(async move {
                    let mut bytes = Vec::new();
                    let mut piece = [0; 512];
                    loop {
                        let pause = paper.lock().unwrap().pause;
                        tokio::time::sleep(pause).await;
                        match stream.read(&mut piece).await {
                            Ok(count) if count > 0 => bytes.extend(&piece[..count]),
                            _ => return,
                        }
                        let answers = Self::read(&mut paper.lock().unwrap(), &mut bytes);
                        if stream.write_all(&answers).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        printer
    }

    /// Takes what is whole off the bytes: questions about the state, all else onto paper.
    fn read(paper: &mut Paper, bytes: &mut Vec<u8>) -> Vec<u8> {
        let mut answers = Vec::new();
        while bytes.len() >= 3 || bytes.first().is_some_and(|byte| *byte != 0x10) {
            // A slip's raster may hold these three bytes too; ours are asked for on their own.
            if let [0x10, 0x04, n @ 1..=4, ..] = bytes[..] {
                bytes.drain(..3);
                if !paper.dead {
                    answers.push(paper.state[usize::from(n) - 1]);
                }
            } else {
                paper.printed.push(bytes.remove(0));
                if let Some(state) = paper.afterwards.take() {
                    paper.state = state;
                }
            }
        }
        answers
    }

    pub fn becomes(&self, state: [u8; 4]) {
        self.paper.lock().unwrap().state = state;
    }

    pub fn printed(&self) -> Vec<u8> {
        self.paper.lock().unwrap().printed.clone()
    }
}

/// A bridge of one's own, the real binary.
pub struct Bridge {
    child: Child,
    pub base: String,
}

const ORIGIN: &str = "http://10.0.0.2:8080";

impl Bridge {
    pub fn start(device: &str, origin: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hallkeeper"))
            .args(["print-bridge", "--listen", "127.0.0.1:0"])
            .args(["--device", device, "--origin", origin])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the bridge starts");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let base = line.trim().strip_prefix("print bridge listening on ");
        Self {
            base: base.expect(&line).to_owned(),
            child,
        }
    }

    async fn print(&self, slip: &[u8]) -> Value {
        self.send("POST", "/print", slip.to_vec(), ORIGIN).await.1
    }

    async fn send(&self, method: &str, path: &str, body: Vec<u8>, origin: &str) -> (u16, Value) {
        let http = Http::builder().timeout(PATIENCE).finish();
        let url = format!("{}{path}", self.base);
        let request = http.request(method.parse().unwrap(), url);
        let request = request.insert_header(("Origin", origin));
        let mut answer = request.send_body(body).await.expect("an answer");
        let body = answer.body().await.unwrap();
        let allowed = answer
            .headers()
            .get("access-control-allow-origin")
            .map(|value| value.to_str().unwrap().to_owned());
        let expected = (origin == ORIGIN).then(|| ORIGIN.to_owned());
        let told_why = answer.status() != 413;
        assert!(allowed == expected || !told_why, "{method} {path}");
        let told = serde_json::from_slice(&body).unwrap_or(Value::Null);
        (answer.status().as_u16(), told)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[actix_web::test]
async fn a_slip_reaches_the_paper_and_a_printer_says_what_it_lacks() {
    let printer = Printer::start().await;
    let bridge = Bridge::start(&format!("tcp:{}", printer.address), ORIGIN);
    let slip = b"\x1b@B001\n\x1dVB\x00".to_vec();
    assert_eq!(bridge.print(&slip).await, json!({"ok": true}));
    assert_eq!(printer.printed(), slip);

    for (state, fault) in [(PAPER_OUT, "paper_out"), (COVER_OPEN, "cover_open")] {
        printer.becomes(state);
        assert_eq!(bridge.print(&slip).await, json!({"fault": fault}));
        let (_, told) = bridge.send("GET", "/status", Vec::new(), ORIGIN).await;
        assert_eq!(told, json!({"fault": fault}));
    }
    assert_eq!(printer.printed(), slip, "nothing was sent to it meanwhile");
    printer.becomes(PAPER_LOW);
    let told = bridge.print(&slip).await;
    assert_eq!(told, json!({"ok": true, "fault": "paper_low"}));

    // The paper ends on this very slip.
    printer.becomes(WELL);
    printer.paper.lock().unwrap().afterwards = Some(PAPER_OUT);
    assert_eq!(bridge.print(&slip).await, json!({"fault": "paper_out"}));
}

#[actix_web::test]
async fn a_printer_that_is_dead_gone_or_slow_never_hangs_the_kiosk() {
    let printer = Printer::start().await;
    let bridge = Bridge::start(&format!("tcp:{}", printer.address), ORIGIN);
    printer.paper.lock().unwrap().pause = Duration::from_millis(200);
    let slip = vec![b'x'; 4000];
    assert_eq!(
        bridge.print(&slip).await,
        json!({"ok": true}),
        "slow, but well"
    );
    assert_eq!(printer.printed(), slip);
    printer.paper.lock().unwrap().dead = true;
    let began = Instant::now();
    assert_eq!(bridge.print(&slip).await, json!({"fault": "offline"}));
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );

    let nobody = Bridge::start("tcp:127.0.0.1:1", ORIGIN);
    assert_eq!(nobody.print(&slip).await, json!({"fault": "offline"}));
    let no_file = Bridge::start("/dev/nothing-here", ORIGIN);
    assert_eq!(no_file.print(&slip).await, json!({"fault": "offline"}));
}

#[actix_web::test]
async fn only_pages_of_the_one_server_may_print() {
    let printer = Printer::start().await;
    let bridge = Bridge::start(&format!("tcp:{}", printer.address), ORIGIN);
    for origin in ["http://elsewhere.example", "http://10.0.0.2", "null"] {
        for (method, path) in [
            ("POST", "/print"),
            ("GET", "/status"),
            ("OPTIONS", "/print"),
        ] {
            let (status, told) = bridge.send(method, path, b"x".to_vec(), origin).await;
            assert_eq!((status, &told["fault"]), (403, &json!("foreign_origin")));
        }
    }
    assert!(printer.printed().is_empty());
    let asked = bridge.send("OPTIONS", "/print", Vec::new(), ORIGIN).await;
    assert_eq!(asked.0, 204);
    let nothing = bridge.send("POST", "/print", Vec::new(), ORIGIN).await;
    assert_eq!(nothing.0, 422);
    let much = bridge
        .send("POST", "/print", vec![0; 2 << 20], ORIGIN)
        .await;
    assert_eq!(much.0, 413);
}

/// A page that reaches the bridge under a name of its own, or hides its origin, is no program of
/// this machine.
#[actix_web::test]
async fn no_page_reaches_the_bridge_under_another_name() {
    let printer = Printer::start().await;
    let bridge = Bridge::start(&format!("tcp:{}", printer.address), ORIGIN);
    let port = bridge.base.rsplit(':').next().unwrap();
    let ask = async |headers: &[(&str, &str)]| {
        let mut request = Http::default().post(format!("{}/print", bridge.base));
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        request.send_body("slip").await.unwrap().status().as_u16()
    };
    for host in ["printer.example", "10.0.0.2.example", "localhost.example"] {
        let named = format!("{host}:{port}");
        assert_eq!(ask(&[("host", &named)]).await, 403, "{host}");
    }
    for site in ["cross-site", "same-site", "same-origin"] {
        assert_eq!(ask(&[("sec-fetch-site", site)]).await, 403, "{site}");
    }
    assert!(printer.printed().is_empty());
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let named = format!("{host}:{port}");
        assert_eq!(ask(&[("host", &named)]).await, 200, "{host}");
    }
    assert_eq!(ask(&[("sec-fetch-site", "none")]).await, 200);
    assert_eq!(printer.printed(), b"slip".repeat(4));
}

#[test]
fn a_device_or_origin_that_cannot_be_is_named_and_exits_with_2() {
    for (device, origin, named) in [
        ("tcp:nowhere", ORIGIN, "--device"),
        ("/dev/usb/lp0", "10.0.0.2:8080", "--origin"),
        ("/dev/usb/lp0", "http://10.0.0.2:8080/kiosk", "--origin"),
    ] {
        let ended = Command::new(env!("CARGO_BIN_EXE_hallkeeper"))
            .args(["print-bridge", "--device", device, "--origin", origin])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains(named), "{said}");
    }
}
