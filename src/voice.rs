//! A hall's own recordings: `{dir}/{set}/{clip}.wav`, in place of the clips that are built in.

use std::fs;
use std::io;
use std::path::Path;

use dashboards::voice::{Clips, NoClip};
use tracing::{info, warn};

/// Reads the recordings under `dir`; a missing folder holds none. A file that cannot be a clip is
/// refused in the log with its reason, and the built-in clip speaks in its place: a hall must be
/// able to open although one recording is broken.
pub fn load(dir: &Path) -> Clips {
    let mut clips = Clips::default();
    for set in entries(dir) {
        if !set.is_dir() {
            continue;
        }
        for file in entries(&set) {
            if let Err(reason) = take(&mut clips, &set, &file) {
                warn!(file = %file.display(), %reason, "recording refused; the built-in clip speaks");
            }
        }
    }
    if clips.own_count() > 0 {
        info!(clips = clips.own_count(), dir = %dir.display(), "own recordings speak");
    }
    clips
}

/// Largest file looked at: the longest clip with room for what tools write beside the sound.
const FILE_BYTES_MAX: u64 = 1 << 20;

fn take(clips: &mut Clips, set: &Path, file: &Path) -> Result<(), String> {
    let name = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let file_name = name(file);
    let Some(clip) = file_name.strip_suffix(".wav") else {
        return Err("its name does not end in .wav".to_owned());
    };
    let failed = |cause: io::Error| cause.to_string();
    if fs::metadata(file).map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(NoClip::TooLong.to_string());
    }
    let bytes = fs::read(file).map_err(failed)?;
    clips
        .replace(&name(set), clip, &bytes)
        .map_err(|reason| reason.to_string())
}

/// What lies in a folder, by name.
fn entries(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = match fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(|one| Some(one.ok()?.path())).collect(),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(cause) => {
            warn!(folder = %folder.display(), %cause, "own recordings not readable");
            Vec::new()
        }
    };
    found.sort();
    found
}
