//! Pushing messages to the desk pages that people have open.
//!
//! A page's connection registers here under its account. A message is delivered when at least one
//! of them has taken it up; when none is open it fails for the time being.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rules::desk::messages::Outcome;
use rules::time::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::letter::Letter;

/// Frames that wait for one page; a page that has more waiting is as good as closed.
const WAITING_MAX: usize = 64;

/// The open desk pages, by account.
#[derive(Clone, Default)]
pub struct DeskPush(Arc<Mutex<BTreeMap<String, Vec<mpsc::Sender<Value>>>>>);

impl DeskPush {
    /// Registers a page. It is forgotten when the receiving end is dropped.
    pub fn open(&self, account: &str) -> mpsc::Receiver<Value> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pages.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
        pages.entry(account.to_owned()).or_default().push(sender);
        receiver
    }

    /// Hands a message to all pages of an account.
    pub fn tell(&self, account: &str, letter: &Letter, now: Timestamp) -> Outcome {
        let frame = json!({"notice": letter.json(now)});
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let senders = pages.entry(account.to_owned()).or_default();
        let taken = senders
            .iter()
            .filter(|sender| sender.try_send(frame.clone()).is_ok())
            .count();
        match taken {
            0 => Outcome::Failed {
                reason: "no desk page is open".to_owned(),
            },
            _ => Outcome::Delivered { receipt: None },
        }
    }
}
