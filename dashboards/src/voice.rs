//! What is heard: the state of a zone's voice (topic `voice.{h}.{z}`), and a call as one WAV file
//! joined from clips.
//!
//! Clips are 16-bit PCM, mono, [`RATE`] samples a second: what the oldest browser plays, and what
//! can be joined by copying.

use std::collections::BTreeMap;
use std::fmt;

use rules::announce::{Announcer, Call, Reason, Speaker, Tally};
use rules::ids::HallId;
use rules::speech::{COMMON_SET, Language, Sound, common_clips};
use rules::time::TimeZone;
use rust_embed::RustEmbed;
use serde::Serialize;

/// Samples a second of every clip.
pub const RATE: u32 = 16_000;

/// Longest clip accepted, in seconds: a slow speaker's longest phrase.
pub const CLIP_SECS_MAX: u32 = 6;

const BYTES_PER_SAMPLE: u32 = 2;
const PCM: u16 = 1;
const HEADER: usize = 44;

/// The clips that are built in, made by `scripts/make-voice`.
#[derive(RustEmbed)]
#[folder = "voice/"]
struct BuiltIn;

/// Why a file cannot be a clip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoClip {
    UnknownSet,
    UnknownName,
    NotWav,
    Encoding(u16),
    Channels(u16),
    Rate(u32),
    Bits(u16),
    Empty,
    TooLong,
}

impl fmt::Display for NoClip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSet => f.write_str("there is no set of clips of that name"),
            Self::UnknownName => f.write_str("the set has no clip of that name"),
            Self::NotWav => f.write_str("not a whole WAV file"),
            Self::Encoding(tag) => write!(f, "encoding {tag}, but clips are plain PCM (1)"),
            Self::Channels(n) => write!(f, "{n} channels, but clips are mono"),
            Self::Rate(rate) => write!(f, "{rate} samples a second, but clips have {RATE}"),
            Self::Bits(bits) => write!(f, "{bits} bits a sample, but clips have 16"),
            Self::Empty => f.write_str("no sound in it"),
            Self::TooLong => write!(f, "longer than {CLIP_SECS_MAX} s"),
        }
    }
}

impl std::error::Error for NoClip {}

/// The clips to speak with: a hall's own recordings over the built-in ones.
#[derive(Debug, Default)]
pub struct Clips {
    /// Samples by set and name.
    own: BTreeMap<(String, String), Vec<u8>>,
}

impl Clips {
    /// Takes a recording in place of the built-in clip.
    ///
    /// # Errors
    /// Why it cannot be; the built-in clip stays.
    pub fn replace(&mut self, set: &str, name: &str, file: &[u8]) -> Result<(), NoClip> {
        let known = clips_of(set).ok_or(NoClip::UnknownSet)?;
        if !known.iter().any(|one| one == name) {
            return Err(NoClip::UnknownName);
        }
        let samples = samples(file)?.to_vec();
        self.own.insert((set.to_owned(), name.to_owned()), samples);
        Ok(())
    }

    /// How many clips are the hall's own.
    pub fn own_count(&self) -> usize {
        self.own.len()
    }

    /// One WAV file of these sounds, one after the other.
    pub fn join(&self, sounds: &[Sound]) -> Vec<u8> {
        let mut wav = vec![0; HEADER];
        for sound in sounds {
            match sound {
                Sound::Clip { set, name } => self.append(set, name, &mut wav),
                Sound::Pause { ms } => wav.resize(wav.len() + pause_bytes(*ms), 0),
            }
        }
        let header = header((wav.len() - HEADER) as u32);
        wav[..HEADER].copy_from_slice(&header);
        wav
    }

    fn append(&self, set: &str, name: &str, wav: &mut Vec<u8>) {
        if let Some(samples) = self.own.get(&(set.to_owned(), name.to_owned())) {
            return wav.extend_from_slice(samples);
        }
        if let Some(file) = BuiltIn::get(&format!("{set}/{name}.wav")) {
            wav.extend_from_slice(samples(&file.data).unwrap_or_default());
        }
    }
}

/// The names of a set's clips.
pub fn clips_of(set: &str) -> Option<Vec<String>> {
    if set == COMMON_SET {
        return Some(common_clips());
    }
    let language = Language::ALL.into_iter().find(|one| one.set() == set)?;
    Some(language.clips())
}

fn pause_bytes(ms: u32) -> usize {
    (RATE * ms / 1000 * BYTES_PER_SAMPLE) as usize
}

fn header(data: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(b"RIFF");
    header[4..8].copy_from_slice(&(data + HEADER as u32 - 8).to_le_bytes());
    header[8..16].copy_from_slice(b"WAVEfmt ");
    header[16..20].copy_from_slice(&16_u32.to_le_bytes());
    header[20..22].copy_from_slice(&PCM.to_le_bytes());
    header[22..24].copy_from_slice(&1_u16.to_le_bytes());
    header[24..28].copy_from_slice(&RATE.to_le_bytes());
    header[28..32].copy_from_slice(&(RATE * BYTES_PER_SAMPLE).to_le_bytes());
    header[32..34].copy_from_slice(&(BYTES_PER_SAMPLE as u16).to_le_bytes());
    header[34..36].copy_from_slice(&16_u16.to_le_bytes());
    header[36..40].copy_from_slice(b"data");
    header[40..].copy_from_slice(&data.to_le_bytes());
    header
}

/// The sound in a WAV file.
///
/// # Errors
/// It is none, or of another form than clips have.
pub fn samples(file: &[u8]) -> Result<&[u8], NoClip> {
    let mut rest = match file.get(..12) {
        Some(start) if start.starts_with(b"RIFF") && start.ends_with(b"WAVE") => &file[12..],
        _ => return Err(NoClip::NotWav),
    };
    let mut is_checked = false;
    while let Some((id, size)) = rest.get(..8).map(|head| head.split_at(4)) {
        let size = u32_at(size, 0).ok_or(NoClip::NotWav)? as usize;
        let body = rest.get(8..8 + size).ok_or(NoClip::NotWav)?;
        match id {
            b"fmt " => {
                check_format(body)?;
                is_checked = true;
            }
            b"data" if is_checked => return check_length(body),
            _ => {}
        }
        // Chunks begin at even places.
        rest = rest.get(8 + size + size % 2..).unwrap_or_default();
    }
    Err(NoClip::NotWav)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn check_format(format: &[u8]) -> Result<(), NoClip> {
    let short = |at| u16_at(format, at).ok_or(NoClip::NotWav);
    let rate = u32_at(format, 4).ok_or(NoClip::NotWav)?;
    match (short(0)?, short(2)?, rate, short(14)?) {
        (PCM, 1, RATE, 16) => Ok(()),
        (PCM, 1, RATE, bits) => Err(NoClip::Bits(bits)),
        (PCM, 1, rate, _) => Err(NoClip::Rate(rate)),
        (PCM, channels, ..) => Err(NoClip::Channels(channels)),
        (encoding, ..) => Err(NoClip::Encoding(encoding)),
    }
}

fn check_length(data: &[u8]) -> Result<&[u8], NoClip> {
    if data.len() > (CLIP_SECS_MAX * RATE * BYTES_PER_SAMPLE) as usize {
        return Err(NoClip::TooLong);
    }
    match data.len() / 2 * 2 {
        0 => Err(NoClip::Empty),
        even => Ok(&data[..even]),
    }
}

/// A zone's voice, as its screens and the staff see it.
#[derive(Debug, Clone, Serialize)]
pub struct VoiceView {
    pub hall: String,
    pub zone: String,
    pub on: bool,
    /// The screen that speaks.
    pub speaker: Option<Speaker>,
    pub saying: Option<SayingFace>,
    pub waiting: Vec<CallFace>,
    /// The calls dropped of late, oldest first.
    pub dropped: Vec<DroppedFace>,
    pub tally: Tally,
}

#[derive(Debug, Clone, Serialize)]
pub struct CallFace {
    pub number: String,
    pub window: String,
    pub at: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct SayingFace {
    pub id: String,
    #[serde(flatten)]
    pub call: CallFace,
    pub round: u8,
    pub chime: bool,
    /// Where the sound is.
    pub wav: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct DroppedFace {
    #[serde(flatten)]
    pub call: CallFace,
    pub reason: Reason,
}

/// The voice of one zone; `zone` is its id, or `-`.
pub fn view(hall: &HallId, zone: &str, time_zone: TimeZone, voice: &Announcer) -> VoiceView {
    let face = |call: &Call| CallFace {
        number: call.number.clone(),
        window: call.window.to_string(),
        at: time_zone.rfc3339(call.at),
    };
    VoiceView {
        hall: hall.to_string(),
        zone: zone.to_owned(),
        on: voice.is_on(),
        speaker: voice.speaker().cloned(),
        saying: voice.saying().map(|saying| SayingFace {
            id: saying.id(),
            call: face(&saying.call),
            round: saying.round,
            chime: saying.chime,
            wav: format!(
                "/api/v1/halls/{hall}/voice/{}/{}.wav?chime={}",
                saying.call.number, saying.call.window, saying.chime
            ),
        }),
        waiting: voice.waiting().map(face).collect(),
        dropped: voice
            .dropped()
            .map(|one| DroppedFace {
                call: face(&one.call),
                reason: one.reason,
            })
            .collect(),
        tally: voice.tally().clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rules::speech::{Place, VoiceOptions, call};

    use super::*;

    fn wav(rate: u32, channels: u16, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut file = header(data.len() as u32).to_vec();
        file[22..24].copy_from_slice(&channels.to_le_bytes());
        file[24..28].copy_from_slice(&rate.to_le_bytes());
        file[34..36].copy_from_slice(&bits.to_le_bytes());
        file.extend_from_slice(data);
        file
    }

    fn a_call(chime: bool) -> Vec<Sound> {
        let place = Place::Numbered {
            letters: String::new(),
            number: 3,
        };
        call("A012", &place, &VoiceOptions::default(), chime)
    }

    fn built_in(set: &str, name: &str) -> Vec<u8> {
        let file = BuiltIn::get(&format!("{set}/{name}.wav")).expect("a clip");
        samples(&file.data).expect("a sound clip").to_vec()
    }

    #[test]
    fn every_clip_is_built_in_of_the_right_form_and_no_file_is_left_over() {
        let mut expected: Vec<String> = [COMMON_SET, "zh", "en", "yue"]
            .into_iter()
            .flat_map(|set| {
                let names = clips_of(set).expect("a set");
                names
                    .into_iter()
                    .map(move |name| format!("{set}/{name}.wav"))
            })
            .collect();
        let mut present: Vec<String> = BuiltIn::iter().map(String::from).collect();
        expected.sort();
        present.sort();
        assert_eq!(present, expected);
        let mut size = 0;
        for name in present {
            let file = BuiltIn::get(&name).expect("listed");
            let sound = samples(&file.data).unwrap_or_else(|cause| panic!("{name}: {cause}"));
            let ms = sound.len() / 32;
            assert!((150..2_600).contains(&ms), "{name}: {ms} ms");
            let loudest = sound
                .chunks_exact(2)
                .map(|two| i16::from_le_bytes([two[0], two[1]]).unsigned_abs())
                .max();
            assert!(loudest > Some(8_000), "{name} is too quiet: {loudest:?}");
            size += file.data.len();
        }
        assert!(size < 2_000_000, "{size} bytes");
    }

    #[test]
    fn a_call_is_its_clips_and_pauses_to_the_byte() {
        let file = Clips::default().join(&a_call(true));
        let mut expected = built_in(COMMON_SET, "chime");
        for clip in ["please", "a", "0", "1", "2", "number"] {
            let set = if clip == "a" { COMMON_SET } else { "zh" };
            expected.extend(built_in(set, clip));
        }
        expected.extend(vec![0; 16 * 220 * 2]);
        for clip in ["to", "3", "window"] {
            expected.extend(built_in("zh", clip));
        }
        assert_eq!(file.len(), HEADER + expected.len());
        assert_eq!(&file[..4], b"RIFF");
        assert_eq!(u32_at(&file, 4), Some(file.len() as u32 - 8));
        assert_eq!(&file[8..16], b"WAVEfmt ");
        assert_eq!(
            (u32_at(&file, 16), u16_at(&file, 20)),
            (Some(16), Some(PCM))
        );
        assert_eq!(
            (u16_at(&file, 22), u32_at(&file, 24)),
            (Some(1), Some(RATE))
        );
        assert_eq!(
            (u32_at(&file, 28), u16_at(&file, 32)),
            (Some(32_000), Some(2))
        );
        assert_eq!((u16_at(&file, 34), &file[36..40]), (Some(16), &b"data"[..]));
        assert_eq!(u32_at(&file, 40), Some(expected.len() as u32));
        assert_eq!(&file[HEADER..], expected);
        assert_eq!(samples(&file), Ok(&expected[..]));
    }

    #[test]
    fn a_call_takes_about_five_seconds_to_say_and_next_to_none_to_join() {
        let clips = Clips::default();
        let started = Instant::now();
        let file = clips.join(&a_call(false));
        let took = started.elapsed();
        let secs = (file.len() - HEADER) as f64 / 32_000.0;
        println!("{secs:.2} s, {} bytes, joined in {took:?}", file.len());
        assert!((4.0..5.5).contains(&secs), "{secs} s");
        assert!(took.as_millis() < 100, "{took:?}");
    }

    #[test]
    fn an_own_recording_is_heard_in_place_of_the_built_in_clip() {
        let mut clips = Clips::default();
        let own = [1, 0, 2, 0, 3, 0];
        clips
            .replace("zh", "please", &wav(RATE, 1, 16, &own))
            .expect("a clip");
        let with_own = clips.join(&a_call(false));
        assert_eq!(&with_own[HEADER..HEADER + 6], own);
        let default = Clips::default().join(&a_call(false));
        let default_please = built_in("zh", "please").len();
        assert_eq!(with_own[HEADER + 6..], default[HEADER + default_please..]);
    }

    #[test]
    fn a_recording_of_another_form_is_refused_with_the_reason() {
        let sound = [1, 0, 2, 0];
        let mut compressed = wav(RATE, 1, 16, &sound);
        compressed[20] = 7;
        let mut cut = wav(RATE, 1, 16, &sound);
        cut.truncate(46);
        let long = vec![0; (CLIP_SECS_MAX * RATE * 2) as usize + 2];
        let mut clips = Clips::default();
        for (file, told) in [
            (b"OggS".to_vec(), "not a whole WAV file"),
            (cut, "not a whole WAV file"),
            (compressed, "encoding 7, but clips are plain PCM (1)"),
            (wav(RATE, 2, 16, &sound), "2 channels, but clips are mono"),
            (
                wav(44_100, 1, 16, &sound),
                "44100 samples a second, but clips have 16000",
            ),
            (
                wav(RATE, 1, 8, &sound),
                "8 bits a sample, but clips have 16",
            ),
            (wav(RATE, 1, 16, &[]), "no sound in it"),
            (wav(RATE, 1, 16, &long), "longer than 6 s"),
        ] {
            let refused = clips.replace("zh", "please", &file);
            assert_eq!(refused.expect_err(told).to_string(), told);
        }
        let good = wav(RATE, 1, 16, &sound);
        assert_eq!(clips.replace("fr", "1", &good), Err(NoClip::UnknownSet));
        assert_eq!(clips.replace("zh", "one", &good), Err(NoClip::UnknownName));
        assert_eq!(clips.own_count(), 0);
    }
}
