//! The topics of the live feed: who may follow which, and how one is found.

use std::sync::Arc;

use actors::hall::Watch;
use actors::hub::{Find, Topic};
use rules::ids::{HallId, Token};

use super::ScreenSocket;
use super::opening::Who;
use crate::web::App;
use crate::web::access::{Action, Principal, Scope};

/// Why a topic is not followed.
pub(super) struct NoTopic {
    pub(super) topic: String,
    pub(super) code: &'static str,
}

impl ScreenSocket {
    /// Whether this end may follow the topic; for a ticket's topic, its token.
    pub(super) fn may_follow(&self, topic: &str) -> Result<Option<Token>, &'static str> {
        let (family, rest) = topic.split_once('.').unwrap_or((topic, ""));
        if family == "ticket" {
            let token = Token(rest.to_owned());
            return match &self.who {
                Who::Holder(own) if *own != token => Err("forbidden"),
                Who::Viewer(_) => Err("forbidden"),
                // Whoever knows the token has seen the slip.
                Who::Holder(_) | Who::Known { .. } => Ok(Some(token)),
            };
        }
        if let Who::Viewer(own) = &self.who {
            let board = matches!(family, "hall" | "queue");
            let here = rest.split('.').next() == Some(own.as_str());
            return if board && here {
                Ok(None)
            } else {
                Err("forbidden")
            };
        }
        let Some(principal) = self.principal() else {
            return Err("forbidden");
        };
        let allowed = match family {
            "city" => principal.may(Action::SeeHall) && principal.scope.everywhere(),
            "hall" | "queue" | "window" | "voice" | "occupancy" => {
                let hall = rest.split('.').next().unwrap_or_default();
                let hall: HallId = hall.parse().map_err(|_| "unknown_topic")?;
                principal.may_in(Action::SeeHall, &hall)
            }
            "alerts" if rest.is_empty() => {
                principal.may(Action::SeeAlerts) && principal.scope.everywhere()
            }
            "alerts" => {
                let hall: HallId = rest.parse().map_err(|_| "unknown_topic")?;
                principal.may_in(Action::SeeAlerts, &hall)
            }
            "ops" | "channels" if rest.is_empty() => {
                principal.may(Action::SeeChannels) && principal.scope.everywhere()
            }
            "ops" | "channels" => {
                let hall: HallId = rest.parse().map_err(|_| "unknown_topic")?;
                principal.may_in(Action::SeeChannels, &hall)
            }
            // Whose it is, is seen when it is found.
            "channel" => principal.may(Action::SeeChannels),
            "device" | "rating" => {
                principal.device() == Some(rest) || self.manages(&principal, rest)
            }
            _ => return Err("unknown_topic"),
        };
        if allowed { Ok(None) } else { Err("forbidden") }
    }

    /// Whether a device stands in a hall whose devices this principal manages.
    fn manages(&self, principal: &Principal, device: &str) -> bool {
        let row = self.app.devices.row(device);
        let hall = row.and_then(|row| row.hall.parse::<HallId>().ok());
        hall.is_some_and(|hall| principal.may_in(Action::ManageDevices, &hall))
    }
}

/// Makes a channel's topic known to whoever may see the channel.
async fn open_channel(app: &App, channel: &str, scope: &Scope) -> Result<(), &'static str> {
    let known = channel.parse().ok().and_then(|id| app.channels.get(&id));
    let watched = known.ok_or("unknown_topic")?;
    let hall = watched.desk.read(|channel, _| {
        let setup = channel.setup();
        setup.map(|setup| setup.hall.clone())
    });
    let hall = hall.await.flatten().ok_or("unknown_topic")?;
    if !scope.holds_any(hall.as_ref()) {
        return Err("forbidden");
    }
    app.ops.open_channel(watched.id.clone()).await;
    Ok(())
}

/// Finds a topic; a ticket's, a channel's, a hall's alerts and what operations look at are made known first.
pub(super) async fn find(
    app: Arc<App>,
    topic: String,
    watch: Option<Token>,
    scope: Option<Scope>,
    since: Option<u64>,
) -> Result<(Arc<Topic>, Option<u64>), NoTopic> {
    let unknown = |topic: String| NoTopic {
        topic,
        code: "unknown_topic",
    };
    if let Some(token) = watch {
        let hall = token
            .0
            .split_once('.')
            .map_or("", |(hall, _)| hall)
            .to_owned();
        let Ok((_, handle)) = app.hall(&hall) else {
            return Err(unknown(topic));
        };
        if !handle.actor.send(Watch(token)).await.unwrap_or(false) {
            return Err(unknown(topic));
        }
    }
    if let Some(hall) = topic.strip_prefix("alerts.") {
        // A hall has a topic of alerts also before it has an alert.
        let Ok((hall, _)) = app.hall(hall) else {
            return Err(unknown(topic));
        };
        app.alerting.driver.open(hall).await;
    }
    if let Some(device) = topic.strip_prefix("rating.") {
        // Also before anything was rated there.
        if app
            .devices
            .row(device)
            .is_none_or(|row| row.kind != "rater")
        {
            return Err(unknown(topic));
        }
        app.raters.open(device, app.now());
    }
    if let Some(hall) = topic.strip_prefix("occupancy.") {
        // Also before anybody has counted there.
        let Ok((hall, _)) = app.hall(hall) else {
            return Err(unknown(topic));
        };
        app.occupancies.open(&hall, app.now());
    }
    let (family, hall) = topic.split_once('.').unwrap_or((&topic, ""));
    if matches!(family, "ops" | "channels") {
        let known = app.hall(hall).ok().map(|(hall, _)| hall);
        if known.is_none() && !hall.is_empty() {
            return Err(unknown(topic));
        }
        app.ops.open(known).await;
    }
    if let Some(channel) = topic.strip_prefix("channel.") {
        let opened = open_channel(&app, channel, &scope.unwrap_or_default()).await;
        if let Err(code) = opened {
            return Err(NoTopic { topic, code });
        }
    }
    match app.system.hub.send(Find(topic.clone())).await {
        Ok(Some(found)) => Ok((found, since)),
        _ => Err(unknown(topic)),
    }
}
