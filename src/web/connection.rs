//! What a request knows of the connection that it came by.

use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

/// The address at the other end of a connection.
pub struct Peer(pub String);

/// The connection that a request came by.
#[derive(Clone, Copy)]
pub struct Connection(pub RawFd);

impl Connection {
    /// A handle of its own, which must not outlive the connection's use by the server for long: it
    /// keeps the connection open.
    pub(super) fn handle(self) -> Option<OwnedFd> {
        // SAFETY: the server keeps the connection open while one of its requests is being handled.
        let connection = unsafe { BorrowedFd::borrow_raw(self.0) };
        connection.try_clone_to_owned().ok()
    }

    /// Cuts the connection after a while, in which an answer can leave: one whose request never ends is
    /// not held open for it.
    pub fn cut_after(self, pause: Duration) {
        let Some(connection) = self.handle() else {
            return;
        };
        actix_web::rt::spawn(async move {
            tokio::time::sleep(pause).await;
            // One that is gone already need not be cut.
            let _ = socket2::SockRef::from(&connection).shutdown(std::net::Shutdown::Both);
        });
    }

    /// Cuts the connection, which its peer sees as an answer that broke off. To be called while one of
    /// its requests is being handled.
    pub fn cut(self) {
        // SAFETY: the server keeps the connection open while one of its requests is being handled.
        let connection = unsafe { BorrowedFd::borrow_raw(self.0) };
        // One that is gone already need not be cut.
        let _ = socket2::SockRef::from(&connection).shutdown(std::net::Shutdown::Both);
    }
}
