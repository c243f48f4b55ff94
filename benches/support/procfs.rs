//! What processes use, as the kernel counts it (Linux only), and the few knobs turned before a run.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::ops::Sub;

/// Seconds on a core (kernel time included), and seconds ready to run without getting one.
/// The second says how far a busy machine spoilt a run.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cpu {
    pub(crate) ran: f64,
    pub(crate) waited: f64,
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            ran: self.ran - earlier.ran,
            waited: self.waited - earlier.waited,
        }
    }
}

/// Sums the CPU time of all threads ever seen in some processes. A thread that ended between two
/// readings keeps its last one, so idle pool threads that go away are not subtracted.
pub(crate) struct CpuMeter {
    pids: Vec<u32>,
    threads: BTreeMap<(u32, u32), Cpu>,
}

impl CpuMeter {
    pub(crate) fn of(pids: Vec<u32>) -> Self {
        Self {
            pids,
            threads: BTreeMap::new(),
        }
    }

    pub(crate) fn of_this_process() -> Self {
        Self::of(vec![std::process::id()])
    }

    pub(crate) fn read(&mut self) -> Cpu {
        for pid in &self.pids {
            let tasks = fs::read_dir(format!("/proc/{pid}/task"))
                .into_iter()
                .flatten()
                .flatten();
            for task in tasks {
                let Some(tid) = task.file_name().to_str().and_then(|name| name.parse().ok()) else {
                    continue;
                };
                // A thread can end between the listing and the reading.
                let Ok(line) = fs::read_to_string(task.path().join("schedstat")) else {
                    continue;
                };
                let mut seconds = line
                    .split_whitespace()
                    .map(|ns| ns.parse::<f64>().unwrap_or(0.0) / 1e9);
                let (ran, waited) = (seconds.next().unwrap_or(0.0), seconds.next().unwrap_or(0.0));
                self.threads.insert((*pid, tid), Cpu { ran, waited });
            }
        }
        self.threads.values().fold(Cpu::default(), |sum, one| Cpu {
            ran: sum.ran + one.ran,
            waited: sum.waited + one.waited,
        })
    }
}

pub(crate) fn rss_kib(pids: &[u32]) -> u64 {
    pids.iter().filter_map(|pid| status(*pid, "VmRSS:")).sum()
}

fn status(pid: u32, field: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A process and its children: nginx works in a child of the process that was started.
pub(crate) fn family(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| status(*pid, "PPid:") == Some(u64::from(parent)));
    std::iter::once(parent).chain(children).collect()
}

/// How many of the server's sockets to these client ports are still ESTABLISHED.
pub(crate) fn established(server_port: u16, client_ports: &HashSet<u16>) -> usize {
    const ESTABLISHED: &str = "01";
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .map(|table| {
            table
                .lines()
                .skip(1)
                .filter(|line| {
                    let mut words = line.split_whitespace().skip(1);
                    let local = words.next().and_then(port);
                    let remote = words.next().and_then(port);
                    local == Some(server_port)
                        && remote.is_some_and(|port| client_ports.contains(&port))
                        && words.next() == Some(ESTABLISHED)
                })
                .count()
        })
        .sum()
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

pub(crate) fn kernel() -> Option<String> {
    Some(
        fs::read_to_string("/proc/sys/kernel/osrelease")
            .ok()?
            .trim()
            .to_owned(),
    )
}

pub(crate) fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg")
        .ok()?
        .split(' ')
        .next()?
        .parse()
        .ok()
}

/// Binds the calling thread, and what it starts from here on, to one core.
pub(crate) fn pin(core: usize) -> std::io::Result<()> {
    // SAFETY: a zeroed cpu_set_t is the empty set, CPU_SET stays inside it for core < 1024, and the
    // kernel only reads the set we own.
    let done = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    if done == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// A thousand screens need more than the usual 1,024 open files, here and in the server, which
/// inherits the limit.
pub(crate) fn raise_open_files() {
    // SAFETY: both calls get a pointer to a struct we own; failure leaves the limit as it was, and
    // the first refused connection then names the cause.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// Asks a process to end, as an operator's `kill` would.
pub(crate) fn terminate(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        // SAFETY: kill takes no pointers; the pid is of a child of ours that was not waited for yet.
        unsafe { libc::kill(pid, libc::SIGTERM) };
    }
}
