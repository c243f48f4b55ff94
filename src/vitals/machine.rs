//! What the operating system tells of this process, its machine and its disk. Where it tells nothing,
//! as on another system than Linux, nothing is known.

use std::ffi::CString;
use std::fs;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

/// Files of the data folder that are added up at most.
const FILES_MAX: usize = 10_000;

/// This process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Process {
    /// Of one core, over the time since the last sample; above 100 with several threads at work.
    pub cpu_percent: Option<f64>,
    pub memory_bytes: Option<u64>,
    pub threads: Option<u64>,
    /// Files and connections it has open.
    pub open_files: Option<u64>,
}

/// The machine that it runs on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Node {
    pub cores: usize,
    /// Of all cores, over the time since the last sample.
    pub cpu_percent: Option<f64>,
    pub memory_bytes: Option<u64>,
    /// What is not available to a new program.
    pub memory_percent: Option<f64>,
}

/// The disk with the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Disk {
    pub total_bytes: u64,
    /// What this process may still take.
    pub free_bytes: u64,
    /// In use, of what is in use or may be taken, as `df` counts it.
    pub used_percent: f64,
    /// What the data folder's own files take.
    pub data_bytes: u64,
}

/// Counters that rise for ever; two readings give a share.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    at: Instant,
    own_cpu: Option<Duration>,
    /// Ticks of all cores: at work, and in all.
    ticks: Option<(u64, u64)>,
}

impl Reading {
    pub fn take() -> Self {
        Self {
            at: Instant::now(),
            own_cpu: own_cpu(),
            ticks: read("/proc/stat").as_deref().and_then(ticks),
        }
    }

    /// This process and its machine, with the shares since `before`.
    pub fn since(&self, before: &Self) -> (Process, Node) {
        let status = read("/proc/self/status").unwrap_or_default();
        let memory = read("/proc/meminfo").unwrap_or_default();
        let passed = self.at.duration_since(before.at).as_secs_f64();
        let own = self.own_cpu.zip(before.own_cpu).filter(|_| passed > 0.0);
        let own = own.map(|(now, then)| now.saturating_sub(then).as_secs_f64() / passed * 100.0);
        let process = Process {
            cpu_percent: own.map(round),
            memory_bytes: kibibytes(&status, "VmRSS:"),
            threads: number(&status, "Threads:"),
            open_files: open_files(),
        };
        let total = kibibytes(&memory, "MemTotal:");
        let available = kibibytes(&memory, "MemAvailable:");
        let taken = total
            .zip(available)
            .map(|(all, left)| (all.saturating_sub(left), all));
        let busy = self.ticks.zip(before.ticks);
        let busy =
            busy.map(|(now, then)| (now.0.saturating_sub(then.0), now.1.saturating_sub(then.1)));
        let node = Node {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu_percent: busy.and_then(percent),
            memory_bytes: total,
            memory_percent: taken.and_then(percent),
        };
        (process, node)
    }
}

/// Since Linux 6.2 the folder's size tells how many files are open; before, it is 0 and they are counted, of
/// which a thousand sockets make a long list.
fn open_files() -> Option<u64> {
    const OPEN: &str = "/proc/self/fd";
    match fs::metadata(OPEN).ok()?.len() {
        0 => Some(fs::read_dir(OPEN).ok()?.count() as u64),
        known => Some(known),
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn round(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}

fn percent((part, whole): (u64, u64)) -> Option<f64> {
    (whole > 0).then(|| round(part as f64 * 100.0 / whole as f64))
}

/// The number behind a name at the beginning of a line.
fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    number(text, name).map(|kib| kib * 1024)
}

/// From the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal; guests
/// are in user already. Idle, and waiting for a disk, is not at work.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let all: Vec<u64> = line
        .split_ascii_whitespace()
        .take(8)
        .map_while(|field| field.parse().ok())
        .collect();
    let total: u64 = all.iter().sum();
    let idle = all.get(3)? + all.get(4)?;
    Some((total - idle, total))
}

/// Processor time of all threads of this process.
fn own_cpu() -> Option<Duration> {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the kernel fills the whole struct when it answers 0, and only then it is read.
    let usage = unsafe {
        match libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) {
            0 => usage.assume_init(),
            _ => return None,
        }
    };
    let time = |part: libc::timeval| {
        let secs = u64::try_from(part.tv_sec).unwrap_or_default();
        let micros = u64::try_from(part.tv_usec).unwrap_or_default();
        Duration::from_secs(secs) + Duration::from_micros(micros)
    };
    Some(time(usage.ru_utime) + time(usage.ru_stime))
}

/// The disk that holds a folder.
pub fn disk(folder: &Path) -> Option<Disk> {
    let path = CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut found = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with a zero; the kernel fills the whole struct when it answers 0, and only
    // then it is read.
    let found = unsafe {
        match libc::statvfs(path.as_ptr(), found.as_mut_ptr()) {
            0 => found.assume_init(),
            _ => return None,
        }
    };
    #[allow(clippy::useless_conversion, reason = "narrower on 32-bit machines")]
    let (block, total, free, left) = (
        u64::from(found.f_frsize),
        u64::from(found.f_blocks),
        u64::from(found.f_bfree),
        u64::from(found.f_bavail),
    );
    let used = total.saturating_sub(free);
    Some(Disk {
        total_bytes: total * block,
        free_bytes: left * block,
        used_percent: percent((used, used + left))?,
        data_bytes: size(folder),
    })
}

fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let files = entries.flatten().take(FILES_MAX);
    let sizes = files
        .filter_map(|entry| entry.metadata().ok())
        .filter(fs::Metadata::is_file);
    sizes.map(|file| file.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_at_work_leave_out_idle_and_waiting_for_a_disk() {
        let stat = "cpu  100 10 50 800 20 5 15 0 30 0\ncpu0 1 2 3\n";
        assert_eq!(ticks(stat), Some((180, 1000)));
        assert_eq!(ticks("intr 5\n"), None);
        assert_eq!(ticks("cpu  1 2\n"), None);
    }

    #[test]
    fn a_number_is_found_behind_its_name() {
        let text = "MemTotal:       2048 kB\nMemAvailable:    512 kB\n";
        assert_eq!(kibibytes(text, "MemTotal:"), Some(2048 * 1024));
        assert_eq!(kibibytes(text, "MemFree:"), None);
    }

    #[test]
    fn work_done_shows_in_the_shares_and_files_in_the_folder() {
        let before = Reading::take();
        let mut sum = 0_u64;
        while before.at.elapsed() < Duration::from_millis(30) {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
        let (process, node) = Reading::take().since(&before);
        assert!(
            process.cpu_percent.is_some_and(|percent| percent > 1.0),
            "{process:?}"
        );
        assert!(process.memory_bytes.is_some_and(|bytes| bytes > 1_000_000));
        assert!(process.threads.is_some_and(|threads| threads > 0));
        assert!(
            node.memory_percent
                .is_some_and(|percent| (0.0..=100.0).contains(&percent))
        );
        let folder = std::env::temp_dir().join(format!("hallkeeper-vitals-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("a"), [0; 300]).expect("a file");
        let found = disk(&folder).expect("a disk");
        fs::remove_dir_all(&folder).expect("gone");
        assert_eq!(found.data_bytes, 300);
        assert!(found.total_bytes >= found.free_bytes && found.used_percent <= 100.0);
        assert_eq!(disk(Path::new("/no/such/folder")), None);
    }
}
