//! Numbers of phones, sealed: what is in the database cannot be read without the key, which lies in
//! a file beside it that belongs to the server alone.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

const KEY_FILE: &str = "contacts.key";

/// Seals and opens.
pub(super) struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
}

impl Seal {
    /// With the key of the data folder, which is made at the first start.
    ///
    /// # Errors
    /// The file cannot be read or made, or is no key.
    pub(super) fn load(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(KEY_FILE);
        let random = SystemRandom::new();
        let key = match std::fs::read(&path) {
            Ok(key) => key,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut key = vec![0; CHACHA20_POLY1305.key_len()];
                random
                    .fill(&mut key)
                    .map_err(|_| anyhow!("no random numbers"))?;
                let mut options = std::fs::OpenOptions::new();
                let file = options.write(true).create_new(true).mode(0o600);
                let mut file = file.open(&path)?;
                file.write_all(&key)?;
                file.sync_all()?;
                key
            }
            Err(error) => {
                return Err(error).with_context(|| format!("could not read {}", path.display()));
            }
        };
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key)
            .map_err(|_| anyhow!("{} is no key of 32 bytes", path.display()))?;
        Ok(Self {
            key: LessSafeKey::new(key),
            random,
        })
    }

    /// The text as it may be kept. `place` says whose it is: moved elsewhere it cannot be opened.
    pub(super) fn seal(&self, place: &str, text: &str) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut sealed = text.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.as_bytes()),
                &mut sealed,
            )
            .ok()?;
        let bytes = nonce.into_iter().chain(sealed);
        Some(bytes.map(|byte| format!("{byte:02x}")).collect())
    }

    /// What was sealed for this place.
    pub(super) fn open(&self, place: &str, sealed: &str) -> Option<String> {
        let mut bytes = unhex(sealed)?;
        let mut text = bytes.split_off(bytes.len().min(NONCE_LEN));
        let nonce = Nonce::try_assume_unique_for_key(&bytes).ok()?;
        let text = self
            .key
            .open_in_place(nonce, Aad::from(place.as_bytes()), &mut text)
            .ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_number_is_opened_by_its_key_and_at_its_place_only() {
        let dir = std::env::temp_dir().join(format!("hallkeeper-seal-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder");
        let seal = Seal::load(&dir).expect("a key");
        let sealed = seal.seal("H1/7", "13812345678").expect("sealed");
        assert!(!sealed.contains("13812345678"));
        assert_ne!(seal.seal("H1/7", "13812345678"), Some(sealed.clone()));
        let again = Seal::load(&dir).expect("the same key");
        assert_eq!(again.open("H1/7", &sealed).as_deref(), Some("13812345678"));
        assert_eq!(again.open("H1/8", &sealed), None);
        assert_eq!(again.open("H1/7", &sealed[2..]), None);
        assert_eq!(again.open("H1/7", ""), None);
        let mode = std::fs::metadata(dir.join(KEY_FILE)).expect("the file");
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        std::fs::remove_dir_all(&dir).expect("removed");
    }
}
