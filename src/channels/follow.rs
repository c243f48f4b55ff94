//! A log that grows: read as it comes, through rotation by renaming and by truncation, and after a
//! restart from where it was left.
//!
//! How far it has come is noted only when all before it is kept. What was sent and not noted is sent again
//! and is the same calls, because a line's id is made of its number and contents. The last line is
//! waited for until its end has come.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use rules::channels::access_log::Import;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use super::import::{Options, calls_of};
use super::taker::Taker;
use crate::web::auth::hex;

/// The log is looked at so often.
const LOOK: Duration = Duration::from_millis(200);

/// So many looks without anything new at a log that was renamed, and it is over: who writes it has
/// taken up the next one.
const QUIET_LOOKS: u32 = 5;

/// How long a server that does not answer is left alone.
const AGAIN: Duration = Duration::from_secs(5);

/// Bytes read at a time.
const PIECE: usize = 1024 * 1024;

/// By so many bytes at its beginning a log is told from another one in its place.
const HEAD: u64 = 512;

/// How far a log has been read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Place {
    device: u64,
    inode: u64,
    /// Behind the last line that was read whole.
    bytes: u64,
    lines: u64,
    /// How much of its beginning is known, and the digest of that.
    head: u64,
    digest: String,
}

/// A log that is open.
struct Log {
    file: File,
    place: Place,
    /// Read behind `place`: the beginning of a line.
    partial: u64,
}

enum Stop {
    No,
    Asked,
}

/// Follows the log until a signal asks to stop.
///
/// # Errors
/// The log or the note of how far it was read cannot be used.
pub(super) async fn run(
    options: &Options,
    import: &mut Import,
    taker: &mut Taker,
) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let note = options.state.clone();
    let note = note.unwrap_or_else(|| beside(&options.file));
    let mut log = resume(&options.file, &note)?;
    import.go_on_after(log.place.lines);
    let (mut quiet, mut listed) = (0, 0);
    loop {
        let piece = log.read()?;
        if piece.is_empty() {
            let moved = log.other_in_place(&options.file)?;
            quiet = if moved { quiet + 1 } else { 0 };
            if log.was_cut()? || quiet > QUIET_LOOKS {
                // Its last line has no end and will have none.
                deliver(options, import, taker, &[], &mut signals).await;
                log = Log::open(&options.file, Place::default())?;
                log.note(&note)?;
                import.go_on_after(0);
                quiet = 0;
            } else if let Stop::Asked = signals.or(LOOK).await {
                return Ok(());
            }
            continue;
        }
        quiet = 0;
        if let Stop::Asked = deliver(options, import, taker, &piece, &mut signals).await {
            return Ok(());
        }
        log.took(&piece, import.line_number())?;
        log.note(&note)?;
        listed = list_bad(import, listed);
    }
}

/// Hands a piece over and waits until it is kept, however long that takes.
async fn deliver(
    options: &Options,
    import: &mut Import,
    taker: &mut Taker,
    piece: &[u8],
    signals: &mut Signals,
) -> Stop {
    let Ok(told) = calls_of(import, piece, |line| Ok::<_, Infallible>(line.told()));
    loop {
        let kept = match taker.take(&told).await {
            Ok(()) => taker.settle().await,
            Err(cause) => Err(cause),
        };
        let Err(cause) = kept else { return Stop::No };
        eprintln!("calls not taken yet, trying again: {cause:#}");
        if let Stop::Asked = signals.or(AGAIN).await {
            return Stop::Asked;
        }
        if let Err(cause) = taker.renew(options).await {
            eprintln!("could not sign in again: {cause:#}");
        }
    }
}

/// Says of bad lines as they come; the report lists them once more.
fn list_bad(import: &Import, listed: usize) -> usize {
    let bad = import.bad_lines();
    for one in &bad[listed.min(bad.len())..] {
        let why = one.fault.sentence(rules::name::Lang::En);
        eprintln!("line {}: {why}", one.number);
    }
    bad.len()
}

fn beside(log: &Path) -> PathBuf {
    let name = log.file_name().unwrap_or_default().to_string_lossy();
    log.with_file_name(format!(".{name}.followed"))
}

/// The log where it was left: perhaps under another name by now.
fn resume(path: &Path, note: &Path) -> anyhow::Result<Log> {
    let place = match fs::read(note) {
        Ok(text) => serde_json::from_slice(&text)
            .with_context(|| format!("{} is no note of this command", note.display()))?,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Place::default(),
        Err(cause) => return Err(cause).with_context(|| format!("reading {}", note.display())),
    };
    if place == Place::default() {
        return Log::open(path, place);
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let names = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let others = names.flatten().map(|entry| entry.path());
    for candidate in std::iter::once(path.to_owned()).chain(others) {
        if place.is_of(&candidate) {
            return Log::open(&candidate, place);
        }
    }
    eprintln!("the log that was being read is gone; what it held behind is not read");
    Log::open(path, Place::default())
}

impl Place {
    /// Whether a file is the one that was read so far.
    fn is_of(&self, path: &Path) -> bool {
        let Ok(mut file) = File::open(path) else {
            return false;
        };
        let Ok(found) = file.metadata() else {
            return false;
        };
        (found.dev(), found.ino()) == (self.device, self.inode)
            && found.len() >= self.bytes
            && digest(&mut file, self.head).is_ok_and(|digest| digest == self.digest)
    }
}

/// Of the first bytes of a file.
fn digest(file: &mut File, bytes: u64) -> std::io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    file.take(bytes).read_to_end(&mut head)?;
    Ok(hex(&Sha256::digest(&head)))
}

impl Log {
    fn open(path: &Path, mut place: Place) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let found = file.metadata()?;
        (place.device, place.inode) = (found.dev(), found.ino());
        Ok(Self {
            file,
            place,
            partial: 0,
        })
    }

    /// What has come since.
    fn read(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut piece = Vec::new();
        if !self.is_as_it_was()? {
            return Ok(piece);
        }
        let from = self.place.bytes + self.partial;
        self.file.seek(SeekFrom::Start(from))?;
        (&self.file).take(PIECE as u64).read_to_end(&mut piece)?;
        Ok(piece)
    }

    /// Whether its beginning is what was read: one that was cut may have grown again since.
    fn is_as_it_was(&mut self) -> std::io::Result<bool> {
        let long = self.file.metadata()?.len() >= self.place.bytes + self.partial;
        Ok(long
            && (self.place.head == 0
                || digest(&mut self.file, self.place.head)? == self.place.digest))
    }

    fn was_cut(&mut self) -> std::io::Result<bool> {
        Ok(!self.is_as_it_was()?)
    }

    /// Whether another log has taken its name.
    fn other_in_place(&self, path: &Path) -> anyhow::Result<bool> {
        match fs::metadata(path) {
            Ok(found) => Ok((found.dev(), found.ino()) != (self.place.device, self.place.inode)),
            // Renamed, and the next one is not there yet.
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(cause) => Err(cause).with_context(|| path.display().to_string()),
        }
    }

    /// A piece was read and what it told is kept.
    fn took(&mut self, piece: &[u8], lines: u64) -> std::io::Result<()> {
        let whole = piece.iter().rposition(|byte| *byte == b'\n');
        match whole {
            Some(end) => {
                self.place.bytes += self.partial + end as u64 + 1;
                self.partial = (piece.len() - end - 1) as u64;
            }
            None => self.partial += piece.len() as u64,
        }
        self.place.lines = lines;
        if self.place.head < HEAD {
            self.place.head = self.place.bytes.min(HEAD);
            self.place.digest = digest(&mut self.file, self.place.head)?;
        }
        Ok(())
    }

    /// Notes how far it has come, whole or not at all.
    fn note(&self, note: &Path) -> anyhow::Result<()> {
        let fresh = note.with_extension("new");
        let text = serde_json::to_string(&self.place)?;
        let written = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, note));
        written.with_context(|| {
            format!(
                "{} cannot be written; --state names another place",
                note.display()
            )
        })
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits, unless it is asked to stop.
    async fn or(&mut self, wait: Duration) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => Stop::Asked,
            _ = self.interrupt.recv() => Stop::Asked,
            () = sleep(wait) => Stop::No,
        }
    }
}
