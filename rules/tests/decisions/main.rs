//! What a hall decides, told as given, when, then. One file per subject.

mod calling;
mod days;
mod hall;
mod notices;
mod numbers;
mod refusals;
mod tickets;
mod windows;

use rules::testing::{HallBuilder, hall};

/// Two services; window 3 serves both, the others social matters only.
fn two_services() -> HallBuilder {
    hall()
        .service("social", "B")
        .service("fee", "F")
        .window("1", &["social"])
        .window("2", &["social"])
        .window("3", &["social", "fee"])
}
