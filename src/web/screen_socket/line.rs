//! The connection itself, which most sockets are written to directly.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;

use actix_web::web::Bytes;

use crate::web::connection::Connection;

/// By which way frames leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Through the server.
    Server,
    /// Through the server, which was given a ping; `last` while nothing was given to it since.
    Asked { last: bool },
    /// Past the server, whose buffer is empty.
    Direct,
}

/// A connection to be written to past the server.
pub(super) struct Line(OwnedFd);

impl Line {
    /// Of a connection that the server holds open now.
    pub(super) fn of(connection: Connection) -> Option<Self> {
        connection.handle().map(Self)
    }

    /// Writes as much as the kernel takes now, and says what it does not.
    pub(super) fn send(&self, mut bytes: Bytes) -> std::io::Result<Bytes> {
        while !bytes.is_empty() {
            match socket2::SockRef::from(&self.0).send(&bytes) {
                Ok(sent) => drop(bytes.split_to(sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_the_kernel_does_not_take_is_said_to_the_byte() {
        let (near, mut far) = UnixStream::pair().expect("a pair");
        near.set_nonblocking(true).expect("not blocking");
        let line = Line(OwnedFd::from(near));
        let whole: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let mut rest = Bytes::from(whole.clone());
        let (mut read, mut full) = (Vec::new(), 0);
        while read.len() < whole.len() {
            rest = line.send(rest).expect("sent");
            full += u32::from(!rest.is_empty());
            let mut some = vec![0; 70_000];
            let n = far.read(&mut some).expect("read");
            read.extend_from_slice(&some[..n]);
        }
        assert!(full > 3, "{full}");
        assert!(read == whole);
        drop(far);
        let broken = line.send(Bytes::from_static(b"x"));
        assert!(broken.is_err(), "{broken:?}");
    }
}
