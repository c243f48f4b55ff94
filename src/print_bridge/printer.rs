//! One ESC/POS printer: its bytes, and its real-time state (`DLE EOT n`).

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for a connection, and for each answer of a printer with nothing to do.
const ANSWER_MAX: Duration = Duration::from_millis(1500);

/// Longest wait for an answer behind a slip, which some printers read first.
const BEHIND_SLIP_MAX: Duration = Duration::from_secs(5);

/// Why nothing was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    PaperOut,
    CoverOpen,
    Offline,
}

impl Fault {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::PaperOut => "paper_out",
            Self::CoverOpen => "cover_open",
            Self::Offline => "offline",
        }
    }
}

/// It is well, perhaps not for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Printed {
    pub(super) paper_low: bool,
}

/// Where the printer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Device {
    Tcp(String),
    File(PathBuf),
}

impl Device {
    /// `tcp:HOST:PORT` or a path.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("tcp:") {
            Some(address) => match address.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                    Ok(Self::Tcp(address.to_owned()))
                }
                _ => Err(format!(
                    "--device: '{text}' needs an address and a port, such as tcp:10.0.0.9:9100"
                )),
            },
            None if text.is_empty() => Err("--device: a device is needed".to_owned()),
            None => Ok(Self::File(PathBuf::from(text))),
        }
    }

    /// Asks how the printer is, prints if it can and if there is something, and asks again: paper
    /// may run out on this very slip.
    ///
    /// # Errors
    /// The fault that stands in the way.
    pub(super) async fn work(&self, slip: Option<&[u8]>, asks: bool) -> Result<Printed, Fault> {
        let mut line = self.open().await.ok_or(Fault::Offline)?;
        let mut found = Printed { paper_low: false };
        if asks {
            found = line.state(ANSWER_MAX).await?;
        }
        if let Some(slip) = slip {
            line.send(slip).await.ok_or(Fault::Offline)?;
            if asks {
                found = line.state(BEHIND_SLIP_MAX).await?;
            }
        }
        Ok(found)
    }

    async fn open(&self) -> Option<Line> {
        match self {
            Self::Tcp(address) => {
                let stream = timeout(ANSWER_MAX, TcpStream::connect(address)).await;
                Some(Line::Tcp(stream.ok()?.ok()?))
            }
            Self::File(path) => open_file(path).map(Line::File),
        }
    }
}

/// Opened so that neither reading nor writing ever blocks.
#[cfg(unix)]
fn open_file(path: &std::path::Path) -> Option<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true);
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    options.open(path).ok()
}

#[cfg(not(unix))]
fn open_file(_: &std::path::Path) -> Option<std::fs::File> {
    None
}

/// A way to the printer while it is open.
enum Line {
    Tcp(TcpStream),
    File(std::fs::File),
}

impl Line {
    async fn send(&mut self, bytes: &[u8]) -> Option<()> {
        match self {
            Self::Tcp(stream) => {
                stream.write_all(bytes).await.ok()?;
                stream.flush().await.ok()
            }
            Self::File(file) => {
                let mut left = bytes;
                while !left.is_empty() {
                    match std::io::Write::write(file, left) {
                        Ok(0) => return None,
                        Ok(written) => left = &left[written..],
                        Err(error) if retried(&error) => pause().await,
                        Err(_) => return None,
                    }
                }
                Some(())
            }
        }
    }

    /// One byte of real-time state.
    async fn ask(&mut self, n: u8, patience: Duration) -> Option<u8> {
        self.send(&[0x10, 0x04, n]).await?;
        let answer = async {
            loop {
                let byte = self.next_byte().await?;
                // Every state byte is 0xx1xx10; others belong to something else the printer says.
                if byte & 0b1001_0011 == 0b0001_0010 {
                    return Some(byte);
                }
            }
        };
        timeout(patience, answer).await.ok()?
    }

    async fn next_byte(&mut self) -> Option<u8> {
        match self {
            Self::Tcp(stream) => stream.read_u8().await.ok(),
            Self::File(file) => loop {
                let mut byte = [0];
                match std::io::Read::read(file, &mut byte) {
                    Ok(1) => return Some(byte[0]),
                    // A device without news may also say "nothing read".
                    Ok(_) => pause().await,
                    Err(error) if retried(&error) => pause().await,
                    Err(_) => return None,
                }
            },
        }
    }

    /// Forgets what the printer said late to an earlier question: read now, it would be taken for
    /// the answer to the next.
    fn forget_old_answers(&mut self) {
        let mut old = [0; 64];
        // Bounded: a device that talks without end must not hold the line.
        for _ in 0..16 {
            let read = match self {
                Self::Tcp(stream) => stream.try_read(&mut old),
                Self::File(file) => std::io::Read::read(file, &mut old),
            };
            if !matches!(read, Ok(1..)) {
                return;
            }
        }
    }

    async fn state(&mut self, patience: Duration) -> Result<Printed, Fault> {
        self.forget_old_answers();
        let mut state = [0; 4];
        for (byte, n) in state.iter_mut().zip(1..) {
            *byte = self.ask(n, patience).await.ok_or(Fault::Offline)?;
        }
        judge(state)
    }
}

fn retried(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// The four state bytes of `DLE EOT 1` (printer), `2` (cause), `3` (error), `4` (paper).
fn judge([printer, cause, error, paper]: [u8; 4]) -> Result<Printed, Fault> {
    const OFFLINE: u8 = 0x08;
    const COVER_OPEN: u8 = 0x04;
    const STOPPED_BY_PAPER_END: u8 = 0x20;
    const KNIFE_OR_FATAL: u8 = 0x08 | 0x20;
    const PAPER_OUT: u8 = 0x60;
    const PAPER_LOW: u8 = 0x0c;
    if cause & COVER_OPEN != 0 {
        // An open cover lifts the paper from its sensor too; the cover is what one can see.
        Err(Fault::CoverOpen)
    } else if paper & PAPER_OUT != 0 || cause & STOPPED_BY_PAPER_END != 0 {
        Err(Fault::PaperOut)
    } else if printer & OFFLINE != 0 || error & KNIFE_OR_FATAL != 0 {
        Err(Fault::Offline)
    } else {
        let paper_low = paper & PAPER_LOW != 0;
        Ok(Printed { paper_low })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_bytes_mean_what_the_manuals_say() {
        let well = [0x12; 4];
        assert_eq!(judge(well), Ok(Printed { paper_low: false }));
        let with = |index: usize, bits: u8| {
            let mut state = well;
            state[index] |= bits;
            judge(state)
        };
        assert_eq!(with(0, 0x08), Err(Fault::Offline));
        assert_eq!(with(1, 0x04), Err(Fault::CoverOpen));
        assert_eq!(with(1, 0x20), Err(Fault::PaperOut));
        assert_eq!(with(2, 0x08), Err(Fault::Offline));
        assert_eq!(with(2, 0x20), Err(Fault::Offline));
        assert_eq!(with(3, 0x60), Err(Fault::PaperOut));
        assert_eq!(with(3, 0x0c), Ok(Printed { paper_low: true }));
        // Out of paper is also off line; the cause is what helps.
        assert_eq!(judge([0x1a, 0x32, 0x12, 0x7e]), Err(Fault::PaperOut));
    }

    /// A printer that was asked, fell asleep, and answers when the next slip comes.
    #[actix_web::test]
    async fn an_answer_that_came_late_is_not_taken_for_the_next_one() -> std::io::Result<()> {
        let printer = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let bridge = TcpStream::connect(printer.local_addr()?).await;
        let (mut printer, _) = printer.accept().await?;
        let bridge = bridge?;
        printer.write_all(&[0x1a, 0x32, 0x12, 0x7e]).await?;
        bridge.readable().await?;
        let answers = tokio::spawn(async move {
            let mut question = [0; 3];
            for _ in 0..4 {
                printer.read_exact(&mut question).await?;
                printer.write_all(&[0x12]).await?;
            }
            Ok(())
        });
        let state = Line::Tcp(bridge).state(Duration::from_secs(5)).await;
        assert_eq!(state, Ok(Printed { paper_low: false }));
        answers.await?
    }

    #[test]
    fn a_device_is_a_path_or_an_address_with_a_port() {
        let tcp = Device::parse("tcp:10.0.0.9:9100");
        assert_eq!(tcp, Ok(Device::Tcp("10.0.0.9:9100".to_owned())));
        let file = Device::parse("/dev/usb/lp0");
        assert_eq!(file, Ok(Device::File(PathBuf::from("/dev/usb/lp0"))));
        for wrong in ["tcp:10.0.0.9", "tcp::9100", "tcp:10.0.0.9:x", ""] {
            assert!(Device::parse(wrong).is_err(), "{wrong}");
        }
    }
}
