//! A channel to be tried: commands, calls and time in short.

use rules::channels::{
    Channel, ChannelCommand, ChannelEvent, ChannelRefusal, Direction, KeyHash, Limits, Measured,
    Outcome, Setup,
};
use rules::machine::{Machine as _, Recorded};
use rules::name::Name;
use rules::testing::clock;
use rules::time::{TimeZone, Timestamp};

/// A channel and its journal. Each event that time or calls bring is applied at once, as an actor would.
pub(crate) struct Story {
    pub(crate) channel: Channel,
    pub(crate) journal: Vec<Recorded<ChannelEvent>>,
    pub(crate) now: Timestamp,
}

pub(crate) fn setup() -> Setup {
    Setup {
        name: Name::new("短信平台", "SMS platform"),
        provider: "city".to_owned(),
        direction: Direction::Outbound,
        consumer: None,
        group: None,
        endpoint: None,
        owner: None,
        hall: None,
        time_zone: TimeZone::SHANGHAI,
        expected_every_secs: None,
        upstream: None,
        probe: None,
        limits: Limits::default(),
    }
}

pub(crate) fn key(number: u8) -> KeyHash {
    KeyHash([number; 32])
}

/// A call by `app` in version `v1`.
pub(crate) fn call(outcome: Outcome, millis: u64) -> Measured<'static> {
    let status = match outcome {
        Outcome::Ok => Some(200),
        Outcome::Failed => None,
        Outcome::Refused => Some(403),
    };
    Measured {
        caller: "app",
        version: "v1",
        outcome,
        status,
        micros: Some(millis * 1000),
    }
}

impl Story {
    /// Set up on Monday at 09:00.
    pub(crate) fn new(setup: Setup) -> Self {
        Self::set_up_at("09:00", setup)
    }

    pub(crate) fn set_up_at(time: &str, setup: Setup) -> Self {
        let mut story = Self {
            channel: Channel::default(),
            journal: Vec::new(),
            now: clock(time),
        };
        let channel = "sms".parse().expect("an id");
        story.does(ChannelCommand::SetUp {
            channel,
            setup,
            revision: None,
        });
        story
    }

    pub(crate) fn at(&mut self, time: &str) -> &mut Self {
        self.until(clock(time))
    }

    /// Lets time pass, with every deadline on the way.
    pub(crate) fn until(&mut self, until: Timestamp) -> &mut Self {
        while let Some(deadline) = self.channel.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(deadline);
            self.channel.advance(self.now);
            self.elapses();
        }
        self.now = until;
        self.channel.advance(self.now);
        self.elapses();
        self
    }

    fn elapses(&mut self) {
        for _ in 0..4 {
            let events = self.channel.elapse(self.now);
            if events.is_empty() {
                return;
            }
            self.applies(events);
        }
        panic!("it does not come to rest");
    }

    fn applies(&mut self, events: Vec<ChannelEvent>) {
        for event in events {
            let recorded = Recorded {
                seq: self.channel.seq() + 1,
                at: self.now,
                by: "test".to_owned(),
                event,
            };
            self.channel.apply(&recorded);
            self.journal.push(recorded);
        }
    }

    pub(crate) fn does(&mut self, command: ChannelCommand) -> &mut Self {
        let events = self.channel.decide(&command, "test", self.now);
        self.applies(events.unwrap_or_else(|refusal| panic!("{command:?}: {refusal}")));
        self.elapses();
        self
    }

    pub(crate) fn refuses(&self, command: ChannelCommand) -> ChannelRefusal {
        let refusal = self.channel.decide(&command, "test", self.now);
        refusal.expect_err("a refusal")
    }

    pub(crate) fn records(&mut self, call: &Measured<'_>) -> &mut Self {
        if self.channel.record(call, None, self.now) {
            self.elapses();
        }
        self
    }

    /// Calls a second apart: `F` fails, `S` succeeds.
    pub(crate) fn calls(&mut self, outcomes: &str) -> &mut Self {
        for outcome in outcomes.chars().filter(|c| !c.is_whitespace()) {
            self.until(self.now.plus_secs(1));
            let outcome = match outcome {
                'S' => Outcome::Ok,
                'F' => Outcome::Failed,
                other => panic!("{other}"),
            };
            self.records(&call(outcome, 100));
        }
        self
    }

    /// The changes of health so far, each as `from-to`.
    pub(crate) fn turns(&self) -> Vec<String> {
        let turn = |recorded: &Recorded<ChannelEvent>| match &recorded.event {
            ChannelEvent::HealthChanged { from, to, .. } => {
                Some(format!("{}-{}", from.name(), to.name()))
            }
            _ => None,
        };
        self.journal.iter().filter_map(turn).collect()
    }
}
