//! nginx with the nchan module as the peer to compare with: one worker, one channel, messages kept
//! in memory. Needs the Debian packages `nginx` and `libnginx-mod-nchan`, or paths to the like.

use crate::support::args::Args;
use crate::support::procfs;
use crate::support::server::{Launch, free_port};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What `--nginx` and `--nchan-module` say, or where Debian puts them.
pub(crate) struct Installation {
    nginx: PathBuf,
    module: PathBuf,
}

impl Installation {
    pub(crate) fn from_args(args: &mut Args) -> Self {
        let or = |given: Option<PathBuf>, usual: &str| given.unwrap_or_else(|| usual.into());
        Self {
            nginx: or(args.value("--nginx"), "/usr/sbin/nginx"),
            module: or(
                args.value("--nchan-module"),
                "/usr/lib/nginx/modules/ngx_nchan_module.so",
            ),
        }
    }

    /// Why there is nothing to compare with, if so.
    pub(crate) fn missing(&self) -> Option<String> {
        let absent = [&self.nginx, &self.module]
            .into_iter()
            .find(|path| !path.exists())?;
        Some(format!(
            "{} is missing (Debian: nginx, libnginx-mod-nchan)",
            absent.display()
        ))
    }

    pub(crate) fn start(&self, launch: &Launch, prefix: &Path) -> Result<Nchan> {
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let config = prefix.join("nginx.conf");
        fs::write(&config, configuration(&self.module, addr)).context("writing nginx.conf")?;
        let mut command = Command::new(&self.nginx);
        command
            .arg("-p")
            .arg(prefix)
            .arg("-c")
            .arg(&config)
            .arg("-e")
            .arg("error.log");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = launch.spawn_pinned(&mut command)?;
        let mut nchan = Nchan { child, addr };
        nchan.wait_until_listening(&prefix.join("error.log"))?;
        Ok(nchan)
    }
}

pub(crate) struct Nchan {
    child: Child,
    pub(crate) addr: SocketAddr,
}

impl Nchan {
    pub(crate) fn pids(&self) -> Vec<u32> {
        procfs::family(self.child.id())
    }

    fn wait_until_listening(&mut self, log: &Path) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        // The first process listens before it has made its worker, which does the work.
        while TcpStream::connect(self.addr).is_err() || self.pids().len() < 2 {
            let running = self
                .child
                .try_wait()
                .context("asking after nginx")?
                .is_none();
            let said = || fs::read_to_string(log).unwrap_or_default();
            ensure!(
                running && Instant::now() < deadline,
                "nginx does not listen; its log: {}",
                said()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Nchan {
    /// nginx's first process ends its worker when asked, not when killed.
    fn drop(&mut self) {
        procfs::terminate(self.child.id());
        // Fails only when it is gone already.
        let _ = self.child.wait();
    }
}

/// Every path is relative to the prefix. Errors only, no access log, as one would run it for speed.
fn configuration(module: &Path, addr: SocketAddr) -> String {
    format!(
        "load_module {};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid nginx.pid;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 1000000;
    tcp_nodelay on;
    server {{
        listen {addr} backlog=4096;
        location = /pub {{
            nchan_publisher http;
            nchan_channel_id hall;
            nchan_message_buffer_length 16;
            nchan_message_timeout 10s;
        }}
        location = /sub {{
            nchan_subscriber websocket;
            nchan_channel_id hall;
            nchan_subscriber_first_message newest;
        }}
    }}
}}
",
        module.display()
    )
}
