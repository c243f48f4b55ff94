//! Starts the tree of actors and says where they are.

use std::sync::Arc;

use actix::prelude::*;

use rules::machine::Machine;

use crate::city::CityActor;
use crate::desk::Desk;
use crate::hub::ScreenHub;
use crate::journal::Journal;
use crate::ports::{Clock, PortError, Store};
use crate::supervisor::{Halls, Supervisor};

/// The addresses of the tree.
#[derive(Clone)]
pub struct System {
    pub halls: Arc<Halls>,
    pub supervisor: Addr<Supervisor>,
    pub hub: Addr<ScreenHub>,
    pub city: Addr<CityActor>,
    pub journal: Journal,
}

impl System {
    /// Starts the supervisor on the present thread, as many further threads for halls as asked, and
    /// hub, city and journal on the first of these: most of what a hall tells them then crosses no
    /// thread, which costs a calm hall as much as the telling. No hall is live yet.
    pub fn start(store: Arc<dyn Store>, threads: usize) -> Self {
        let arbiters: Vec<_> = (0..threads.max(1))
            .map(|_| Arbiter::new().handle())
            .collect();
        let home = &arbiters[0];
        let hub = ScreenHub::start_in_arbiter(home, |_| ScreenHub::default());
        let followed = hub.clone();
        let city = CityActor::start_in_arbiter(home, |_| CityActor::new(followed));
        let journal = Journal::start_on(store, home);
        let halls = Arc::<Halls>::default();
        let supervisor = Supervisor::new(
            journal.clone(),
            hub.clone(),
            city.clone(),
            Arc::clone(&halls),
            arbiters,
        );
        Self {
            halls,
            supervisor: supervisor.start(),
            hub,
            city,
            journal,
        }
    }

    /// Starts a machine beside the halls, on a thread of its own.
    ///
    /// # Errors
    /// The store does not answer, or holds what cannot be.
    pub async fn start_desk<M: Machine>(
        &self,
        clock: Arc<dyn Clock>,
    ) -> Result<Desk<M>, PortError> {
        Desk::start(self.journal.clone(), clock, Arbiter::new().handle()).await
    }
}
