//! Rebuilding a hall from the journal alone.

use std::sync::Arc;

use rules::hall::Hall;
use rules::ids::HallId;
use tokio::runtime::Handle;
use tracing::warn;

use crate::ports::{PortError, Store, StreamId, decode};

/// Events read from the journal at a time.
const PAGE: u32 = 1000;

/// A hall as rebuilt from the journal, and the epoch under which this process writes it.
pub struct Loaded {
    pub hall: Hall,
    pub epoch: i64,
}

/// Takes a hall and rebuilds it from snapshot and events. `None` if nothing was ever journalled.
///
/// It works on a thread beside the runtime's: halls that start together share all cores.
///
/// # Errors
/// When the store does not answer, or holds what cannot be.
pub async fn load(store: Arc<dyn Store>, id: HallId) -> Result<Option<Loaded>, PortError> {
    let runtime = Handle::current();
    let work = move || runtime.block_on(rebuild(&*store, &id));
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|cause| Err(PortError::Unavailable(format!("loading ended: {cause}"))))
}

async fn rebuild(store: &dyn Store, id: &HallId) -> Result<Option<Loaded>, PortError> {
    let stream = StreamId::from(id);
    let head = store.acquire(&stream).await?;
    let mut hall = match store.latest_snapshot(&stream).await? {
        Some((seq, body)) => match serde_json::from_str::<Hall>(&body) {
            Ok(hall) => Some(hall.restore()),
            Err(cause) => {
                warn!(hall = %id, seq, %cause, "snapshot not readable; replaying from the start");
                None
            }
        },
        None => None,
    };
    loop {
        let after = hall.as_ref().map_or(0, Hall::seq);
        let page = store.read_after(&stream, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for stored in page {
            let recorded = decode(stored)?;
            match &mut hall {
                Some(hall) => hall.apply(&recorded),
                None => hall = Hall::registered(id.clone(), &recorded),
            }
        }
        if hall.is_none() {
            return Err(PortError::Corrupt(format!(
                "hall {id} does not begin with its registration"
            )));
        }
    }
    match hall {
        Some(hall) if hall.seq() == head.seq => Ok(Some(Loaded {
            hall,
            epoch: head.epoch,
        })),
        Some(hall) => Err(PortError::Corrupt(format!(
            "hall {id} has events up to {} but its head says {}",
            hall.seq(),
            head.seq
        ))),
        None => Ok(None),
    }
}
