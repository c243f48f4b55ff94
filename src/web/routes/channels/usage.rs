//! How channels are used: by whom, in which version, what, and when; and who may be abusing them.

use std::collections::BTreeMap;

use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpResponse, get};
use chrono::{Datelike as _, Timelike as _};
use rules::channels::abuse::{Terms, suspects};
use rules::ids::ChannelId;
use rules::time::{TimeZone, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::{find, read, zone};
use crate::ops::view;
use crate::store::records::{UseBy, UseFilter, Used};
use crate::web::App;
use crate::web::access::Action;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::items::instant;

/// Days that are looked at unless asked otherwise, and at most.
const DAYS: u64 = 7;
const DAYS_MAX: u64 = 35;

const DAY_SECS: u64 = 86_400;
const HOUR_MS: i64 = 3_600_000;

pub fn configure(config: &mut ServiceConfig) {
    config.service(usage);
}

/// Which calls, and by what they are summed up.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct UsageQuery {
    /// One channel; without it all that may be seen.
    pub channel: Option<String>,
    /// RFC 3339; seven days before `until` unless it is given, at most 35.
    pub from: Option<String>,
    /// RFC 3339; now, unless it is given.
    pub until: Option<String>,
    /// `caller` (the default, with those who are suspected of abuse), `hour`, `version` or `path`.
    pub by: Option<String>,
    /// Whose weekdays and hours they are, by its name in the tz database; the channel's own unless it is
    /// given, and the installation's for several channels.
    pub time_zone: Option<String>,
    pub lang: Option<String>,
}

impl UsageQuery {
    fn span(&self, now: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
        let until = instant("until", self.until.as_deref())?.unwrap_or(now);
        let from = instant("from", self.from.as_deref())?;
        let from = from.unwrap_or_else(|| until.minus_secs(DAYS * DAY_SECS));
        if from >= until {
            return Err(Problem::invalid("from", "lies before until"));
        }
        if until.secs_since(from) > DAYS_MAX * DAY_SECS {
            return Err(Problem::invalid(
                "from",
                "lies at most 35 days before until",
            ));
        }
        Ok((from, until))
    }
}

/// The use of one channel, or of all within the caller's halls: by caller, with those far above their own
/// usual level or often refused; by weekday and hour; by version; by path family. What left the history of
/// calls counts by whole hours: then `whole_hours_before` says before when. By path it does not count: then
/// `incomplete_before` does.
#[utoipa::path(get, path = "/api/v1/channels/usage", tag = "channels", params(UsageQuery),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/channels/usage")]
async fn usage(
    app: Data<App>,
    caller: Caller,
    query: Query<UsageQuery>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeChannels)?;
    let by = query.by.as_deref().unwrap_or("caller");
    let (from, until) = query.span(app.now())?;
    let asked = zone(query.time_zone.as_deref())?;
    let (channels, own) = channels(&app, &caller, query.channel.as_deref()).await?;
    let filter = UseFilter {
        channels,
        from,
        until,
    };
    let known = UseBy::NAMES.into_iter().find(|known| known.0 == by);
    let (_, dimension) =
        known.ok_or_else(|| Problem::invalid("by", "caller, hour, version or path"))?;
    let mut answer = match dimension {
        UseBy::Caller => by_caller(&app, &filter).await?,
        UseBy::Hour => json!({"items": by_hour(&app, &filter, asked.unwrap_or(own)).await?}),
        UseBy::Version | UseBy::Path => {
            json!({"items": app.records.channel_use(&filter, dimension).await?})
        }
    };
    if let Some(until) = app.records.use_by_hours_until(&filter).await? {
        let field = match dimension.fits_hours() {
            true => "whole_hours_before",
            false => "incomplete_before",
        };
        answer[field] = json!(until.rfc3339_utc());
    }
    answer["by"] = json!(by);
    answer["from"] = json!(from.rfc3339_utc());
    answer["until"] = json!(until.rfc3339_utc());
    answer["channels"] = json!(filter.channels.len());
    Ok(HttpResponse::Ok().json(answer))
}

/// The channels that are meant, and the zone whose hours are told unless another is asked for.
async fn channels(
    app: &App,
    caller: &Caller,
    named: Option<&str>,
) -> Result<(Vec<ChannelId>, TimeZone), Problem> {
    if let Some(id) = named {
        let watched = find(app, caller, Action::SeeChannels, id).await?;
        let zone = read(&watched, |channel, _| channel.time_zone()).await?;
        return Ok((vec![watched.id.clone()], zone));
    }
    let scope = &caller.principal.scope;
    let rows = view::rows(app).await.into_iter();
    let own = rows.filter(|row| scope.holds_any(row.hall.as_ref()));
    Ok((
        own.map(|row| row.id).collect(),
        app.settings.cases.time_zone,
    ))
}

async fn by_caller(app: &App, filter: &UseFilter) -> Result<Value, Problem> {
    let items = app.records.channel_use(filter, UseBy::Caller).await?;
    let (hours, more) = app.records.caller_hours(filter).await?;
    let terms = Terms::default();
    Ok(json!({
        "items": items, "suspects": suspects(&hours, &terms),
        // With very many callers only their busiest hours were looked at.
        "suspects_from_part": more,
    }))
}

/// A weekday and hour of the zone, over all its occurrences in the stretch of time.
#[derive(Debug, Default, Serialize)]
struct HourOfWeek {
    /// 1 is Monday.
    weekday: u32,
    hour: u32,
    calls: u64,
    failed: u64,
    refused: u64,
}

/// All 168, in their order.
async fn by_hour(
    app: &App,
    filter: &UseFilter,
    zone: TimeZone,
) -> Result<Vec<HourOfWeek>, Problem> {
    let used = app.records.channel_use(filter, UseBy::Hour).await?;
    let mut cells: BTreeMap<(u32, u32), HourOfWeek> = BTreeMap::new();
    for weekday in 1..=7 {
        for hour in 0..24 {
            let cell = HourOfWeek {
                weekday,
                hour,
                ..HourOfWeek::default()
            };
            cells.insert((weekday, hour), cell);
        }
    }
    for one in &used {
        let Some(cell) = place(one, zone).and_then(|place| cells.get_mut(&place)) else {
            continue;
        };
        cell.calls += one.calls;
        cell.failed += one.failed;
        cell.refused += one.refused;
    }
    Ok(cells.into_values().collect())
}

fn place(used: &Used, zone: TimeZone) -> Option<(u32, u32)> {
    let hours: i64 = used.key.as_deref()?.parse().ok()?;
    let at = zone.moment(Timestamp::from_millis(hours * HOUR_MS));
    Some((at.weekday().number_from_monday(), at.hour()))
}
