//! What one durable write costs on this disk: the floor under every answered command.

use crate::support::samples::Samples;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Two SQLite pages, about what one small commit appends to the write-ahead log.
const BLOCK: [u8; 8192] = [0x5a; 8192];

/// Appends a block and forces it down, `times` times, in a file of its own beside the data.
pub(crate) fn fdatasync(dir: &Path, times: usize) -> Result<Samples> {
    let path = dir.join("fdatasync.probe");
    let mut file = File::create(&path).context("creating the fdatasync probe")?;
    let mut samples = Samples::default();
    for _ in 0..times {
        let began = Instant::now();
        file.write_all(&BLOCK)
            .context("writing the fdatasync probe")?;
        file.sync_data()
            .context("forcing the fdatasync probe down")?;
        samples.push(began.elapsed());
    }
    fs::remove_file(&path).context("removing the fdatasync probe")?;
    Ok(samples)
}

/// In memory nothing is durable and fdatasync is free; whoever reads the figures has to know.
pub(crate) fn on_tmpfs(dir: &Path) -> Option<bool> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let dir = dir.canonicalize().ok()?;
    let kind = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?, words.next()?))
        })
        .filter(|(mounted, _)| dir.starts_with(mounted))
        .max_by_key(|(mounted, _)| mounted.len())
        .map(|(_, kind)| kind)?;
    Some(kind == "tmpfs" || kind == "ramfs")
}

/// Bytes of all files in a directory, not counting deeper ones.
pub(crate) fn size(dir: &Path) -> u64 {
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .filter(|m| m.is_file())
        .map(|m| m.len())
        .sum()
}
