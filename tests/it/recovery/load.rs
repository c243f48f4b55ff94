//! Kiosks and clerks that never rest.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::task::JoinHandle;
use actix_web::rt::time::sleep;

use super::book::{Book, Chance, Place, Request, Tally, Verb, places};
use crate::harness::{Answer, Client, PATIENCE, Server};

/// What one does whose request was not answered, or answered: not just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Temper {
    /// Leaves it at that.
    GivesUp,
    /// Sends it again under the same key until there is an answer.
    Repeats,
}

/// Everybody at work.
pub(super) struct Load {
    book: Rc<RefCell<Book>>,
    stop: Rc<Cell<bool>>,
    crew: Vec<JoinHandle<()>>,
}

impl Load {
    pub(super) fn start(server: &Server, book: Book, temper: Temper) -> Self {
        let book = Rc::new(RefCell::new(book));
        let stop = Rc::new(Cell::new(false));
        let crew = places().into_iter().map(|place| {
            let worker = Worker {
                place,
                temper,
                client: server.admin(),
                book: Rc::clone(&book),
                stop: Rc::clone(&stop),
            };
            actix_web::rt::spawn(worker.work())
        });
        Self {
            crew: crew.collect(),
            book,
            stop,
        }
    }

    pub(super) fn tally(&self) -> Tally {
        self.book.borrow().tally
    }

    /// Leaves something to chance.
    pub(super) fn draw<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        draw(&mut self.book.borrow_mut().chance)
    }

    /// Nobody begins anything more; gives the book back when everybody has their last answer, or
    /// none.
    pub(super) async fn end(self) -> Book {
        self.stop.set(true);
        for worker in self.crew {
            worker.await.expect("a worker that does not fail");
        }
        let book = Rc::into_inner(self.book).expect("all have gone home");
        book.into_inner()
    }
}

struct Worker {
    place: Place,
    temper: Temper,
    client: Client,
    book: Rc<RefCell<Book>>,
    stop: Rc<Cell<bool>>,
}

impl Worker {
    async fn work(self) {
        while !self.stop.get() {
            let request = self.book.borrow_mut().next_request(self.place);
            let Some(answer) = self.ask(&request).await else {
                self.book.borrow_mut().lost(request);
                return;
            };
            let idle = request.verb == Verb::Issue || answer.status == 409;
            self.book.borrow_mut().learn(&request, &answer);
            let pause = if idle { 3 } else { 0 };
            sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn ask(&self, request: &Request) -> Option<Answer> {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let answer = request.send(&self.client).await;
            match answer {
                Some(answer) if answer.status != 503 => return Some(answer),
                _ if self.temper == Temper::GivesUp || Instant::now() > deadline => return None,
                Some(away) => self.book.borrow_mut().learn(request, &away),
                None => {}
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}
