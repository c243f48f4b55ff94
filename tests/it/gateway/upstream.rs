//! What stands behind the gateway: sockets of a test, well-behaved and otherwise.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::harness::PATIENCE;

/// What stands behind the gateway: a socket that a test answers on.
pub(super) struct Upstream {
    pub(super) url: String,
    /// Requests as they came, head and body.
    pub(super) heard: Rc<RefCell<Vec<String>>>,
    pub(super) connections: Rc<Cell<usize>>,
    /// Those of them that stand.
    pub(super) open: Rc<Cell<usize>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// How an upstream treats a connection on which a request has come whole.
#[derive(Clone, Copy)]
pub(super) enum Manner {
    /// Says this, and goes on.
    Says(&'static str),
    /// Says this after so long, and goes on.
    SaysLate(&'static str, Duration),
    /// Says this, and closes.
    SaysAndCloses(&'static str),
    /// Says this, and nothing more, for ever.
    SaysAndHangs(&'static str),
    /// Says this, and then this for ever.
    Endless(&'static str, &'static str),
    /// Reads nothing at all.
    Deaf,
}

pub(super) const OK: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";

impl Upstream {
    pub(super) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, manner)
    }

    pub(super) fn on(listener: TcpListener, manner: Manner) -> Self {
        Self::serve(listener, manner, None)
    }

    /// One that speaks TLS only.
    pub(super) async fn encrypted(manner: Manner, tls: TlsAcceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(listener, manner, Some(tls))
    }

    fn serve(listener: TcpListener, manner: Manner, tls: Option<TlsAcceptor>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let heard = Rc::<RefCell<Vec<String>>>::default();
        let connections = Rc::<Cell<usize>>::default();
        let open = Rc::<Cell<usize>>::default();
        let (told, counted, standing) =
            (Rc::clone(&heard), Rc::clone(&connections), Rc::clone(&open));
        let serving = actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.set(counted.get() + 1);
                let (told, tls) = (Rc::clone(&told), tls.clone());
                let standing = Rc::clone(&standing);
                actix_web::rt::spawn(async move {
                    standing.set(standing.get() + 1);
                    let treated = async {
                        let Some(tls) = tls else {
                            return treat(stream, manner, &told).await;
                        };
                        let stream = tls.accept(stream).await.ok()?;
                        treat(stream, manner, &told).await
                    };
                    treated.await;
                    standing.set(standing.get() - 1);
                });
            }
        });
        Self {
            url,
            heard,
            connections,
            open,
            serving,
        }
    }

    pub(super) fn heard(&self, n: usize) -> String {
        self.heard.borrow()[n].to_lowercase()
    }
}

async fn treat(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    manner: Manner,
    heard: &RefCell<Vec<String>>,
) -> Option<()> {
    if matches!(manner, Manner::Deaf) {
        sleep(PATIENCE).await;
    }
    while let Some(request) = whole_request(&mut stream).await {
        heard.borrow_mut().push(request);
        match manner {
            Manner::Says(what) => stream.write_all(what.as_bytes()).await.ok()?,
            Manner::SaysLate(what, late) => {
                sleep(late).await;
                stream.write_all(what.as_bytes()).await.ok()?;
            }
            Manner::SaysAndCloses(what) => return stream.write_all(what.as_bytes()).await.ok(),
            Manner::SaysAndHangs(what) => {
                stream.write_all(what.as_bytes()).await.ok()?;
                // Until the other side has had enough.
                let _ = stream.read(&mut [0; 16]).await;
                return None;
            }
            Manner::Endless(head, piece) => {
                stream.write_all(head.as_bytes()).await.ok()?;
                loop {
                    stream.write_all(piece.as_bytes()).await.ok()?;
                }
            }
            Manner::Deaf => {}
        }
    }
    None
}

async fn whole_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let whole = match length {
                Some(length) => body.len() >= length.parse::<usize>().unwrap(),
                None if head.contains("transfer-encoding: chunked") => body.ends_with("0\r\n\r\n"),
                None => true,
            };
            if whole {
                return Some(text);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
            _ => return None,
        }
    }
}
