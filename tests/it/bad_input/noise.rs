//! Frames and messages of any sort on the live feed: nobody is harmed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{PATIENCE, Server};

/// Pseudo-random numbers with a seed: a failing run can be repeated.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

fn raw_socket(server: &Server) -> TcpStream {
    let address = server.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let handshake = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Authorization: Bearer {}\r\n\r\n",
        server.token
    );
    stream.write_all(handshake.as_bytes()).unwrap();
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 101"));
    stream
}

/// A frame of any sort: any flags and opcode, any stated length, masked or not.
fn any_frame(chance: &mut Chance) -> Vec<u8> {
    let mut frame = vec![chance.next() as u8];
    let len = (chance.next() % 200) as usize;
    match chance.next() % 4 {
        0 => frame.push(0x80 | (len.min(125) as u8)),
        1 => frame.push(len.min(125) as u8),
        2 => frame.extend([0x80 | 126, chance.next() as u8, chance.next() as u8]),
        _ => {
            frame.push(0x80 | 127);
            frame.extend(chance.bytes(8));
        }
    }
    frame.extend(chance.bytes(4 + len));
    frame
}

/// A well-formed masked text frame around anything.
fn text_frame(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend((text.len() as u16).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(text);
    frame
}

#[actix_web::test]
async fn ten_thousand_frames_of_any_sort_harm_nobody() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let seed = 20_261_122;
    let mut chance = Chance(seed);
    let messages: [&[u8]; 6] = [
        b"{\"subscribe\": [\"hall.H1\", \"nothing\", \"hall.H9\", \"\", \"window..\"]}",
        b"{\"subscribe\": 7}",
        b"{\"since\": {\"hall.H1\": -1}}",
        b"\xff\xfe",
        b"[[[[[[[[[[",
        b"{\"subscribe\": [\"hall.H1\"], \"since\": {\"hall.H1\": 18446744073709551615}}",
    ];
    let mut sent = 0;
    while sent < 10_000 {
        let mut stream = raw_socket(&server);
        for _ in 0..100 {
            let frame = match chance.next() % 3 {
                0 => text_frame(messages[(chance.next() % 6) as usize]),
                _ => any_frame(&mut chance),
            };
            sent += 1;
            if stream.write_all(&frame).is_err() {
                break; // shown the door
            }
        }
    }
    assert_eq!(
        server.visitor().get("/readyz").await.status,
        200,
        "seed {seed}"
    );
    admin.issue("H1", "S1").await;
    let mut live = admin.live(&["hall.H1"], json!({})).await;
    let snapshot: Value = live.frame("hall.H1").await;
    assert_eq!(snapshot["data"]["figures"]["issued"], 1);
}

/// Any JSON at all, over several sockets at once that go on living.
#[actix_web::test]
async fn messages_of_any_shape_are_answered_or_ignored_and_the_socket_lives() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let mut chance = Chance(7);
    let mut feeds = Vec::new();
    for _ in 0..4 {
        feeds.push(admin.live(&["hall.H1"], json!({})).await);
    }
    for feed in &mut feeds {
        // Below the number at which a client is shown the door.
        for _ in 0..30 {
            feed.say(&any_json(&mut chance, 3)).await;
        }
        feed.say(&json!({"subscribe": ["window.H1.1"]})).await;
    }
    for feed in &mut feeds {
        feed.frame("window.H1.1").await;
    }
    // A flood ends the socket that sends it, with a reason.
    let mut flood = admin.live(&[], json!({})).await;
    for _ in 0..100 {
        flood.say(&json!({})).await;
    }
    while flood.next().await.is_some() {}
    admin.issue("H1", "S1").await;
    for feed in &mut feeds {
        feed.frames_until("hall.H1", |frame| frame["data"]["figures"]["issued"] == 1)
            .await;
    }
}

fn any_json(chance: &mut Chance, depth: u64) -> Value {
    let names = [
        "subscribe",
        "unsubscribe",
        "since",
        "hall.H1",
        "hall.H9",
        "大厅",
        "",
    ];
    let name = names[(chance.next() % 7) as usize];
    match chance.next() % if depth == 0 { 5 } else { 9 } {
        0 => json!(null),
        1 => json!(chance.next()),
        2 => json!(-1.5e300),
        3 => json!(name),
        4 => json!(chance.next().is_multiple_of(2)),
        5 | 6 => (0..chance.next() % 4)
            .map(|_| any_json(chance, depth - 1))
            .collect(),
        _ => json!({name: any_json(chance, depth - 1), "since": any_json(chance, depth - 1)}),
    }
}
