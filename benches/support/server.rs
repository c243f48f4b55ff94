//! The server under test as a process: started in a directory of its own, killed when dropped.

use crate::support::args::Args;
use crate::support::procfs;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A journal of a million events may take its time; a server that says nothing for this long is stuck.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(300);

/// How and where servers are started; the same for every server of a run.
pub(crate) struct Launch {
    program: PathBuf,
    parent: PathBuf,
    pub(crate) pinned: bool,
}

impl Launch {
    /// `--server`, `--dir` and `--pin`.
    pub(crate) fn from_args(args: &mut Args) -> Result<Self> {
        let built: Option<PathBuf> = option_env!("CARGO_BIN_EXE_hallkeeper").map(Into::into);
        let program = args
            .value("--server")
            .or(built)
            .context("no server binary: name one with --server PATH")?;
        // Cargo's directory lies on a disk where /tmp may lie in memory.
        let nearby =
            option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let parent = args.value("--dir").unwrap_or(nearby);
        Ok(Self {
            program,
            parent,
            pinned: args.flag("--pin"),
        })
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// A fresh directory, gone with its last user.
    pub(crate) fn scratch(&self, name: &str) -> Result<Scratch> {
        let path = self
            .parent
            .join(format!("hallkeeper-bench-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("resolving {}", path.display()))?;
        Ok(Scratch { path, keep: false })
    }

    /// Starts a server and waits until it is ready.
    pub(crate) fn start(&self, data: &Path, database: &str) -> Result<Server> {
        let mut server = self.spawn(data, database, 0)?;
        server.wait_until_listening(START_LIMIT)?;
        Ok(server)
    }

    /// Starts a server without waiting. Port 0 lets it choose.
    pub(crate) fn spawn(&self, data: &Path, database: &str, port: u16) -> Result<Server> {
        let log_path = data.with_extension("log");
        let log =
            File::create(&log_path).with_context(|| format!("creating {}", log_path.display()))?;
        let mut command = Command::new(&self.program);
        command
            .arg("serve")
            .env("HALLKEEPER__SERVER__ADDR", format!("127.0.0.1:{port}"))
            .env("HALLKEEPER__DATA__DIR", data)
            .env("HALLKEEPER__DATABASE__URL", database)
            .current_dir(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let spawned = Instant::now();
        let mut child = self.spawn_pinned(&mut command)?;
        let output = child
            .stdout
            .take()
            .context("the server's standard output is not ours")?;
        Ok(Server {
            child,
            spawned,
            announcement: announcements(output),
            listening: None,
            log_path,
        })
    }

    /// With `--pin` a child gets core 0 and this program core 1.
    pub(crate) fn spawn_pinned(&self, command: &mut Command) -> Result<Child> {
        if self.pinned {
            procfs::pin(0).context("pinning the server to core 0")?;
        }
        let child = command
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()));
        if self.pinned {
            procfs::pin(1).context("pinning the client to core 1")?;
        }
        child
    }
}

pub(crate) struct Server {
    child: Child,
    pub(crate) spawned: Instant,
    announcement: Receiver<(Instant, SocketAddr)>,
    listening: Option<(Instant, SocketAddr)>,
    log_path: PathBuf,
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn addr(&self) -> Result<SocketAddr> {
        Ok(self
            .listening
            .context("the server has not said where it listens")?
            .1)
    }

    /// From the start of the process to its `listening on` line, once that was seen.
    pub(crate) fn announced_after(&mut self) -> Option<Duration> {
        if self.listening.is_none() {
            self.listening = self.announcement.try_recv().ok();
        }
        self.listening.map(|(at, _)| at - self.spawned)
    }

    pub(crate) fn wait_until_listening(&mut self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while self.listening.is_none() {
            match self.announcement.recv_timeout(Duration::from_millis(50)) {
                Ok(announced) => self.listening = Some(announced),
                Err(RecvTimeoutError::Timeout) if Instant::now() > deadline => {
                    bail!(
                        "no `listening on` line within {} s; its log ends: {}",
                        limit.as_secs(),
                        self.log_end()
                    )
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.alive().and_then(|()| {
                    bail!(
                        "the server closed its standard output; its log ends: {}",
                        self.log_end()
                    )
                })?,
            }
        }
        Ok(())
    }

    pub(crate) fn alive(&mut self) -> Result<()> {
        match self.child.try_wait().context("asking after the server")? {
            Some(status) => bail!(
                "the server ended with {status}; its log ends: {}",
                self.log_end()
            ),
            None => Ok(()),
        }
    }

    /// `kill -9`, and wait until it is gone.
    pub(crate) fn kill(&mut self) {
        // Either fails only when the process is gone, which is what was asked for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn log_end(&self) -> String {
        let text = fs::read_to_string(&self.log_path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(8).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads standard output to its end, so that the pipe never fills, and passes on the one line that counts.
fn announcements(output: ChildStdout) -> Receiver<(Instant, SocketAddr)> {
    let (announce, announcement) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let at = Instant::now();
            let addr = line
                .strip_prefix("listening on http://")
                .and_then(|addr| addr.trim().parse().ok());
            if let Some(addr) = addr {
                // Nobody waiting any longer is no reason to stop draining the pipe.
                let _ = announce.send((at, addr));
            }
        }
    });
    announcement
}

/// A directory that is removed in the end unless someone wants to keep it.
pub(crate) struct Scratch {
    path: PathBuf,
    keep: bool,
}

impl Scratch {
    /// A directory the caller chose: made when absent, never removed.
    pub(crate) fn kept(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("resolving {}", path.display()))?;
        Ok(Self { path, keep: true })
    }

    /// The server's data directory inside; its log lies beside it.
    pub(crate) fn data(&self) -> Result<PathBuf> {
        let data = self.path.join("data");
        fs::create_dir_all(&data).with_context(|| format!("creating {}", data.display()))?;
        Ok(data)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            // Left-over files are a nuisance, not a failed measurement.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

pub(crate) fn sqlite_in(data: &Path) -> String {
    format!("sqlite:{}", data.join("hallkeeper.db").display())
}

/// A port that was free a moment ago, for a server whose address must be known before it speaks.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
    Ok(listener
        .local_addr()
        .context("asking for the free port")?
        .port())
}
