//! Whom nobody is to be told of for now: silences, and alerts that keep others of their hall quiet.
//!
//! What was kept from being told is not forgotten. When nothing keeps it any longer, it is told as
//! raised if it never was, and else again, if somebody waits to hear of it.

use crate::desk::alert::{Alert, Raise, Suppression};
use crate::desk::alerts::{Alerts, Due};
use crate::desk::messages::Cause;
use crate::desk::silence::{Silence, SilencePlan, SilenceState};
use crate::ids::{AlertId, SilenceId};
use crate::time::Timestamp;

/// Ended silences that are still shown.
const SILENCES_ENDED_MAX: usize = 200;

impl Alerts {
    pub(super) fn silenced(&mut self, at: Timestamp, by: &str, id: SilenceId, plan: &SilencePlan) {
        self.last_silence = self.last_silence.max(id.0);
        let silence = Silence {
            id,
            plan: plan.clone(),
            by: by.to_owned(),
            made_at: at,
            state: SilenceState::Planned,
            ended_at: None,
        };
        self.silences.insert(id, silence);
        let begins = plan.from <= at;
        let state = [SilenceState::Planned, SilenceState::Active][usize::from(begins)];
        self.set_silence(at, id, state);
        let ended = self.silences.values();
        let ended: Vec<SilenceId> = ended
            .filter(|silence| silence.state == SilenceState::Ended)
            .map(|silence| silence.id)
            .collect();
        let surplus = ended.len().saturating_sub(SILENCES_ENDED_MAX);
        ended.iter().take(surplus).for_each(|id| {
            self.silences.remove(id);
        });
    }

    pub(super) fn set_silence(&mut self, at: Timestamp, id: SilenceId, state: SilenceState) {
        let Some(silence) = self.silences.get_mut(&id) else {
            return;
        };
        if let Some(due) = silence.due() {
            self.agenda.remove(&(due, Due::Silence(id)));
        }
        silence.state = state;
        if state == SilenceState::Ended {
            silence.ended_at = Some(at);
        }
        if let Some(due) = silence.due() {
            self.agenda.insert((due, Due::Silence(id)));
        }
        let matcher = silence.plan.matcher.clone();
        self.refresh_suppressions(at, |alert| matcher.matches(alert));
    }

    /// What suppresses an alert, if anything: a silence before an inhibiting alert.
    pub(super) fn suppression_of(&self, alert: &Alert) -> Option<Suppression> {
        let mut silences = self.silences.values();
        let silence = silences.find(|silence| {
            silence.state == SilenceState::Active && silence.plan.matcher.matches(alert)
        });
        if let Some(silence) = silence {
            return Some(Suppression::Silence(silence.id));
        }
        let mut others = self.inhibitors.iter();
        others
            .find(|id| {
                self.all
                    .get(id)
                    .is_some_and(|other| inhibits(&other.raise, alert))
            })
            .copied()
            .map(Suppression::Alert)
    }

    /// Works out anew who is suppressed, after a silence or an inhibiting alert came or went.
    pub(super) fn refresh_suppressions(&mut self, at: Timestamp, touches: impl Fn(&Alert) -> bool) {
        let standing = self.standing.values().filter_map(|id| self.all.get(id));
        let touched = standing
            .filter(|alert| touches(alert))
            .map(|alert| alert.id);
        for id in touched.collect::<Vec<_>>() {
            let Some(alert) = self.all.get(&id) else {
                continue;
            };
            let (before, after) = (alert.suppressed_by, self.suppression_of(alert));
            if before == after {
                continue;
            }
            if let Some(alert) = self.all.get_mut(&id) {
                alert.suppressed_by = after;
                let what = ["suppression_ended", "suppressed"][usize::from(after.is_some())];
                alert.note(at, "clock", what, after.or(before).map(|by| by.to_string()));
            }
            let silence = |by: Option<Suppression>| matches!(by, Some(Suppression::Silence(_)));
            let over = silence(before) && !silence(after);
            if after.is_some() {
                self.muted(at, id);
            }
            if over || after.is_none() {
                self.unmuted(at, id, over.then_some(Cause::SilenceEnded));
            }
        }
    }

    /// Nobody is to be told of this alert any longer.
    pub(super) fn muted(&mut self, at: Timestamp, id: AlertId) {
        let Some(alert) = self.all.get_mut(&id) else {
            return;
        };
        let key = alert.raise.group.clone();
        if let Some(group) = self.groups.get_mut(&key) {
            group.unwait(id);
            alert.owed = group.again.remove(&id).or(alert.owed);
        }
        self.replan_alert(id);
        self.replan_group(at, &key);
    }

    /// It may be told again: as raised if it never was, else for this cause or one that it was kept
    /// from being told for, if there is one. While something else still keeps it, it stays owed.
    pub(super) fn unmuted(&mut self, at: Timestamp, id: AlertId, cause: Option<Cause>) {
        let Some(alert) = self.all.get_mut(&id) else {
            return;
        };
        if !alert.state.stands() {
            return;
        }
        alert.owed = cause.or(alert.owed);
        if alert.is_muted() {
            return;
        }
        let cause = alert.owed.take();
        let (key, severity) = (alert.raise.group.clone(), alert.severity_now);
        let group = self.groups.entry(key.clone()).or_default();
        group.repeat_secs = alert.raise.repeat_secs;
        group.single = key == id.to_string();
        match cause {
            _ if !group.told.contains(&id) => group.wait(id, severity),
            Some(cause) => {
                group.again.insert(id, cause);
            }
            None => (),
        }
        self.replan_alert(id);
        self.replan_group(at, &key);
    }

    pub(super) fn tell_again(&mut self, at: Timestamp, id: AlertId, cause: Cause) {
        self.unmuted(at, id, Some(cause));
    }
}

/// Whether an alert raised so keeps this one quiet, as long as it stands.
pub(crate) fn inhibits(raise: &Raise, alert: &Alert) -> bool {
    raise.hall == alert.raise.hall
        && (&raise.rule, &raise.subject) != (&alert.raise.rule, &alert.raise.subject)
        && raise
            .inhibits
            .iter()
            .any(|rule| **rule == *alert.raise.rule)
}
