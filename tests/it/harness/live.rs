//! What is told over a WebSocket.

use std::time::Instant;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;

use super::{PATIENCE, number};

type Socket = actix_codec::Framed<awc::BoxedSocket, awc::ws::Codec>;

/// A live feed.
pub struct Live {
    pub socket: Socket,
}

impl Live {
    pub async fn say(&mut self, message: &Value) {
        let text = awc::ws::Message::Text(message.to_string().into());
        self.socket.send(text).await.expect("said");
    }

    /// The next message of any kind, heartbeats included; `None` when the socket has ended.
    pub async fn next(&mut self) -> Option<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let frame = tokio::time::timeout(left, self.socket.next())
                .await
                .expect("a frame in time");
            match frame? {
                Ok(awc::ws::Frame::Text(text)) => {
                    return Some(serde_json::from_slice(&text).expect("JSON"));
                }
                Ok(awc::ws::Frame::Ping(data)) => {
                    let pong = awc::ws::Message::Pong(data);
                    // A socket that ends meanwhile says so with the next frame.
                    let _ = self.socket.send(pong).await;
                }
                Ok(awc::ws::Frame::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next frame of a topic.
    pub async fn frame(&mut self, topic: &str) -> Value {
        self.find(|message| message["topic"] == topic).await
    }

    /// The frames of a topic up to the one that fits, which is the last of them.
    pub async fn frames_until(&mut self, topic: &str, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        let mut frames = Vec::new();
        while Instant::now() < deadline {
            frames.push(self.frame(topic).await);
            if frames.last().is_some_and(&fits) {
                return frames;
            }
        }
        panic!("no such frame in time: {frames:?}");
    }

    /// The frames of a topic up to a sequence number. A new follower may be given a snapshot that
    /// is some steps old, and those steps.
    pub async fn frames_to(&mut self, topic: &str, seq: &Value) -> Vec<Value> {
        let frames = self
            .frames_until(topic, |frame| number(&frame["seq"]) >= number(seq))
            .await;
        assert_eq!(frames.last().map(|frame| &frame["seq"]), Some(seq));
        frames
    }

    /// The next message that fits.
    pub async fn find(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let message = self.next().await.expect("the socket is open");
            if fits(&message) {
                return message;
            }
        }
        panic!("no such message in time");
    }
}
