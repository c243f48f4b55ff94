//! A server of one's own: the real binary, a fresh data folder, a free port.

mod client;
mod live;

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

pub use self::client::{Answer, Client};
pub use self::live::Live;

/// Nothing the tests wait for takes longer, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The zone of China.
pub const CHINA: &str = "Asia/Shanghai";

/// Where a server's clock is told what time it is, if a test sets it.
const CLOCK: &str = "FAKETIME_TIMESTAMP_FILE";

/// A hall there does not meet the end of its day during a test.
pub fn zone_where_it_is_noon() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let hour = since.expect("a clock after 1970").as_secs() / 3600 % 24;
    // The names of these zones count westward.
    match 12 - hour as i64 {
        0 => "Etc/UTC".to_owned(),
        east if east > 0 => format!("Etc/GMT-{east}"),
        west => format!("Etc/GMT+{}", -west),
    }
}

/// An address on this machine that nobody else takes, also while nobody listens there: outside the
/// ports that the kernel gives to outgoing connections, and never told twice.
pub fn own_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let n = std::process::id().wrapping_mul(64) + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + u16::try_from(n % 10_000).expect("a port");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A folder that is gone with its owner.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hallkeeper-it-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A clock that the test sets, for servers started with its settings.
pub struct SetClock {
    folder: Folder,
    library: String,
}

impl SetClock {
    /// Showing the right time; `None` where the command faketime is missing.
    pub fn new() -> Option<Self> {
        let output = Command::new("faketime")
            .args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"])
            .output()
            .ok()?;
        let library = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        let found = output.status.success() && !library.is_empty();
        let clock = Self {
            folder: Folder::new(),
            library: found.then_some(library)?,
        };
        clock.set_ahead(0);
        Some(clock)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    /// The servers' clocks run so many seconds ahead from now on.
    pub fn set_ahead(&self, secs: i64) {
        let fresh = self.folder.path().join("fresh");
        std::fs::write(&fresh, format!("{secs:+}\n")).expect("written");
        std::fs::rename(&fresh, self.file()).expect("renamed");
    }

    pub fn settings(&self) -> Vec<(String, String)> {
        let file = self.file().display().to_string();
        let settings = [
            ("LD_PRELOAD", self.library.as_str()),
            (CLOCK, &file),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ];
        settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }
}

thread_local! {
    static DATABASE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Servers that `test` starts on this thread keep their data there.
pub fn with_database(url: &str, test: fn()) {
    struct Forget;
    impl Drop for Forget {
        fn drop(&mut self) {
            DATABASE.set(None);
        }
    }
    DATABASE.set(Some(url.to_owned()));
    let _forget = Forget;
    test();
}

/// A running server.
pub struct Server {
    child: Child,
    pub base: String,
    pub folder: Folder,
    settings: Vec<(String, String)>,
    arguments: Vec<String>,
    /// A command that runs the server's command line, such as `env` or a shell; mostly none.
    wrapper: Vec<String>,
    /// What it prints on standard output.
    printed: Arc<Mutex<String>>,
    pub token: String,
    /// The test makes something fail: an ERROR in the log is no fault then.
    pub faults_expected: bool,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(&[], &[]).await
    }

    /// Starts with settings (`HALLKEEPER__…`) and arguments after `serve`.
    pub async fn start_with(settings: &[(&str, &str)], arguments: &[&str]) -> Self {
        Self::start_under(&[], settings, arguments).await
    }

    /// Starts at an address of its own, where pages find it again after a restart.
    pub async fn start_to_come_back() -> Self {
        let address = own_address().to_string();
        Self::start_with(&[("HALLKEEPER__SERVER__ADDR", &address)], &[]).await
    }

    /// Starts the server through a command that is given its command line and must become it.
    pub async fn start_under(
        wrapper: &[&str],
        settings: &[(&str, &str)],
        arguments: &[&str],
    ) -> Self {
        let folder = Folder::new();
        let wrapper: Vec<_> = wrapper.iter().map(|a| (*a).to_owned()).collect();
        let mut settings: Vec<_> = settings
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let database = DATABASE.with_borrow(Clone::clone);
        settings.extend(database.map(|url| ("HALLKEEPER__DATABASE__URL".to_owned(), url)));
        let arguments: Vec<_> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let under_a_wrapper = !wrapper.is_empty();
        let (child, printed, base) = spawn(&folder, &settings, &wrapper, &arguments);
        let mut server = Self {
            child,
            base,
            folder,
            settings,
            arguments,
            wrapper,
            printed,
            token: String::new(),
            faults_expected: under_a_wrapper,
        };
        server.token = server.sign_in_as_admin().await;
        server
    }

    async fn sign_in_as_admin(&self) -> String {
        let path = self.folder.path().join("initial-admin-password");
        let password = std::fs::read_to_string(path).expect("the first password");
        let credentials = json!({"username": "admin", "password": password.trim()});
        let answer = self.visitor().post("/session", credentials).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.body["token"].as_str().expect("a token").to_owned()
    }

    /// SIGKILL: nothing is written in good order.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited");
    }

    /// The same data, a new process, another port.
    pub fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let (child, printed, base) =
            spawn(&self.folder, &self.settings, &self.wrapper, &self.arguments);
        self.child = child;
        self.printed = printed;
        self.base = base;
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks to end in good order, and waits.
    pub fn stop(&mut self) -> ExitStatus {
        let pid = self.pid().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("signalled");
        self.child.wait().expect("waited")
    }

    pub fn visitor(&self) -> Client {
        Client::new(&self.base, None)
    }

    pub fn admin(&self) -> Client {
        Client::new(&self.base, Some(self.token.clone()))
    }

    /// Signs in with a password.
    pub async fn sign_in(&self, username: &str, password: &str) -> Client {
        let answer = self
            .visitor()
            .post(
                "/session",
                json!({"username": username, "password": password}),
            )
            .await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        Client::new(&self.base, answer.body["token"].as_str().map(str::to_owned))
    }

    /// A hall with services 社保 (`S1`, prefix B) and 收费 (`S2`, prefix F), and windows 1 to
    /// `windows` that serve both; open, windows still closed. It is about noon there, unless the
    /// test sets the clock: then it stands in China.
    pub async fn hall(&self, id: &str, windows: u32) -> Client {
        match self.settings.iter().any(|(name, _)| name == CLOCK) {
            true => self.hall_in(CHINA, id, windows).await,
            false => self.hall_in(&zone_where_it_is_noon(), id, windows).await,
        }
    }

    /// Such a hall in that time zone, whatever time it is there.
    pub async fn hall_in(&self, zone: &str, id: &str, windows: u32) -> Client {
        let admin = self.admin();
        let windows: Vec<Value> = (1..=windows)
            .map(|n| json!({"id": n.to_string(), "services": ["S1", "S2"]}))
            .collect();
        let hall = json!({
            "id": id,
            "name": {"zh": "政务服务中心", "en": "Service center"},
            "time_zone": zone,
            "services": [
                {"id": "S1", "name": {"zh": "社保", "en": "Social security"}, "prefix": "B", "digits": 3},
                {"id": "S2", "name": {"zh": "收费", "en": "Payment"}, "prefix": "F", "digits": 3},
            ],
            "windows": windows,
        });
        admin.post("/halls", hall).await.expect(201);
        admin
            .post(&format!("/halls/{id}/open"), json!({}))
            .await
            .expect(200);
        admin
    }

    /// Adds an account with a role in halls, and signs in.
    pub async fn person(&self, username: &str, role: &str, halls: &[&str]) -> Client {
        self.account(json!({"username": username, "roles": [role], "halls": halls}))
            .await
    }

    /// Adds an account, its password apart, and signs in.
    pub async fn account(&self, mut account: Value) -> Client {
        const PASSWORD: &str = "long-enough-7";
        account["password"] = json!(PASSWORD);
        let added = self.admin().post("/users", account).await.expect(201);
        let username = added["username"].as_str().expect("a username");
        self.sign_in(username, PASSWORD).await
    }

    /// Registers a device of a hall; a pager or rater for window 1.
    pub async fn device(&self, id: &str, kind: &str, hall: &str) -> Client {
        let window = ["pager", "rater"].contains(&kind).then_some("1");
        let device = json!({"id": id, "kind": kind, "hall": hall, "window": window});
        let added = self.admin().post("/devices", device).await.expect(201);
        Client::new(&self.base, added["token"].as_str().map(str::to_owned))
    }

    /// What it has printed on standard output so far.
    pub fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log.txt")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.faults_expected || std::thread::panicking() {
            return;
        }
        let log = self.log();
        let fault = |line: &&str| line.contains(" ERROR ") || line.contains("panicked at");
        if let Some(line) = log.lines().find(fault) {
            panic!("the server logged a fault: {line}\n{log}");
        }
    }
}

fn spawn(
    folder: &Folder,
    settings: &[(String, String)],
    wrapper: &[String],
    arguments: &[String],
) -> (Child, Arc<Mutex<String>>, String) {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.path().join("log.txt"))
        .expect("a log file");
    let server = [env!("CARGO_BIN_EXE_hallkeeper"), "serve"];
    let mut line = wrapper.iter().map(String::as_str).chain(server);
    let mut child = Command::new(line.next().expect("the server's name"))
        .args(line)
        .args(arguments)
        .env("HALLKEEPER__SERVER__ADDR", "127.0.0.1:0")
        .env("HALLKEEPER__DATA__DIR", folder.path())
        .envs(settings.iter().map(|(k, v)| (k.as_str(), v.as_str())))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("the server starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let printed: Arc<Mutex<String>> = Arc::default();
    let base = loop {
        let line = lines.next().and_then(Result::ok).unwrap_or_else(|| {
            let log = std::fs::read_to_string(folder.path().join("log.txt")).unwrap_or_default();
            panic!("the server ended before it was ready:\n{log}")
        });
        note(&printed, &line);
        if let Some(base) = line.strip_prefix("listening on ") {
            break base.to_owned();
        }
    };
    // Whoever reads no more would stop the server at a full pipe.
    let rest = Arc::clone(&printed);
    std::thread::spawn(move || {
        lines
            .map_while(Result::ok)
            .for_each(|line| note(&rest, &line));
    });
    (child, printed, base)
}

fn note(printed: &Mutex<String>, line: &str) {
    let mut printed = printed.lock().unwrap();
    printed.push_str(line);
    printed.push('\n');
}

/// The text that a field must be.
#[track_caller]
pub fn text(field: &Value) -> &str {
    field.as_str().unwrap_or_else(|| panic!("no text: {field}"))
}

/// The whole number that a field must be.
#[track_caller]
pub fn number(field: &Value) -> u64 {
    field
        .as_u64()
        .unwrap_or_else(|| panic!("no whole number: {field}"))
}

/// The entries of the list that a field must be.
#[track_caller]
pub fn list(field: &Value) -> &[Value] {
    field
        .as_array()
        .unwrap_or_else(|| panic!("no list: {field}"))
}
