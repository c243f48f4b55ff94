//! Passes over the rules: what the desk says before one, and what its watches make of it.
//!
//! The desk's journal is the truth about alerts, the watches are a help to find what changed. So a
//! pass first takes up what the desk knows better: other rules, alerts that people ended, instances
//! for which there is room now. Whoever drives the desk carries this; it asks nobody and sends nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::alerts::engine::{Compiled, Engine, Observation, Restored};
use crate::alerts::rule::Rule;
use crate::alerts::subject::{Facts, Subject};
use crate::alerts::watch::Phase;
use crate::desk::{AlertDesk, Instance};
use crate::time::Timestamp;

/// What the desk says before a pass.
#[derive(Debug)]
pub struct Glance {
    revision: u64,
    /// If the rules are others than those of the last pass.
    anew: Option<Anew>,
    offers: Vec<Instance>,
    by_hand: Vec<Instance>,
    at: Timestamp,
}

#[derive(Debug)]
struct Anew {
    /// The rules in force with their versions.
    rules: Vec<(Rule, u32)>,
    /// Every watch that is not quiet.
    watches: Vec<Restored>,
}

/// How far passes have come, for the next [`Glance`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Since {
    revision: Option<u64>,
    at: Timestamp,
}

impl AlertDesk {
    /// What has to be taken up since the last pass.
    pub fn glance(&self, since: Since, now: Timestamp) -> Glance {
        let revision = self.rules.revision();
        let anew = || {
            let rules = self.rules.in_force();
            let rules = rules.map(|version| (version.rule.clone(), version.number));
            let watches = self.alerts.watches().into_iter();
            let watches = watches
                .map(|(at, phase, flapping, blind)| (at.rule, at.subject, phase, flapping, blind));
            Anew {
                rules: rules.collect(),
                watches: watches.collect(),
            }
        };
        Glance {
            revision,
            anew: (since.revision != Some(revision)).then(anew),
            offers: self.alerts.to_offer_again(&self.rules),
            by_hand: match since.revision {
                Some(_) => self.alerts.resolved_by_hand(since.at),
                // The watches that are taken up anew know of it.
                None => Vec::new(),
            },
            at: now,
        }
    }
}

/// The watches of all rules, from pass to pass.
#[derive(Debug, Default)]
pub struct Passes {
    engine: Engine,
    since: Since,
    /// Whether watches taken up from the desk may still wait for their subjects.
    unseen: bool,
}

impl Passes {
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    pub const fn since(&self) -> Since {
        self.since
    }

    /// What the last pass found was not taken, or the desk is another: what it knows counts, and the
    /// next pass begins from that.
    pub const fn begin_anew(&mut self) {
        self.since.revision = None;
    }

    /// Takes up what the desk says. Gives what ends by that, and rules that cannot be in force.
    pub fn take_up(&mut self, glance: &Glance) -> (Vec<Observation>, Vec<String>) {
        let (mut found, mut faulty) = (Vec::new(), Vec::new());
        if let Some(Anew { rules, watches }) = &glance.anew {
            let compiled = rules.iter().filter_map(|(rule, version)| {
                let compiled = Compiled::new(rule, *version);
                compiled
                    .map_err(|faults| faulty.push(format!("{}: {faults:?}", rule.id)))
                    .ok()
            });
            let compiled = compiled.collect();
            if self.since.revision.is_some() {
                found = self.engine.set_rules(compiled);
                // A rule that was switched off and on again since has lost its alerts.
                let standing: BTreeSet<(&Arc<str>, &Subject)> = watches
                    .iter()
                    .map(|(rule, subject, ..)| (rule, subject))
                    .collect();
                self.engine.quiet_unless(&standing);
            } else {
                self.engine = Engine::new(compiled);
                self.engine.restore(watches.iter().cloned());
                self.unseen = true;
            }
        }
        for instance in &glance.by_hand {
            self.engine
                .set(&instance.rule, &instance.subject, Phase::Normal);
        }
        // They fired before, so they need not wait again.
        for instance in &glance.offers {
            let since = Timestamp::default();
            self.engine
                .set(&instance.rule, &instance.subject, Phase::Pending { since });
        }
        // Of the desk's own clock: what is ended by hand from this instant on, the next glance tells.
        self.since = Since {
            revision: Some(glance.revision),
            at: glance.at,
        };
        (found, faulty)
    }

    /// Evaluates the rules on all that a source knows. `owns` says which subjects are its own: what a
    /// restart left of those and it does not name is gone.
    pub fn feed(
        &mut self,
        source: &str,
        facts: &[Facts],
        owns: impl Fn(&Subject) -> bool,
        now: Timestamp,
    ) -> Vec<Observation> {
        let mut found = self.engine.feed(source, facts, now);
        if self.unseen {
            found.extend(self.engine.drop_unseen(owns));
        }
        found
    }

    /// Every source has answered in this pass, so no subject is still waited for.
    pub const fn all_answered(&mut self) {
        self.unseen = false;
    }
}
