//! What is asked for when a number is taken: read, checked, and made the hall's command. Documents come
//! in here and do not leave but masked.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use rules::hall::IssueTicket;
use rules::identity::{
    Holder, HolderClass, IdentityFault, IdentityKind, mask_name, mask_number, tags_are_valid,
};
use rules::ids::{HallId, ServiceId, Tag, Token, WindowId};
use rules::ticket::{BookedTime, Channel};
use rules::time::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::web::App;
use crate::web::auth::random_hex;
use crate::web::error::Problem;

/// Who takes the number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HolderBody {
    /// id_card, social_security_code, identity_code, foreign_permanent_residence, passport, phone or none
    #[schema(value_type = String)]
    pub(super) kind: IdentityKind,
    id_number: Option<String>,
    name: Option<String>,
    phone: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    class: HolderClass,
}

/// The appointment that is checked in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AppointmentBody {
    number: String,
    /// RFC 3339.
    from: String,
    to: String,
    /// When it was booked.
    booked_at: Option<String>,
}

/// A wish for a number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TicketRequest {
    #[schema(value_type = String)]
    service: ServiceId,
    pub(super) holder: Option<HolderBody>,
    /// Set by staff or kiosk; those of the tag library are added.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub(super) tags: BTreeSet<Tag>,
    pub(super) appointment: Option<AppointmentBody>,
    /// For visitors only: `scan` when the code shown in the hall led here, else `phone`.
    #[schema(value_type = Option<String>)]
    channel: Option<Channel>,
    /// Windows that shall not call it.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    exclude_windows: BTreeSet<WindowId>,
}

pub(super) fn invalid_identity(field: &str, fault: IdentityFault) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_identity",
        fault.zh,
        fault.en,
    )
    .with("field", field)
    .with("reason", fault.en)
}

pub(super) const NUMBER_NEEDED: IdentityFault = IdentityFault {
    zh: "请提供证件号码",
    en: "is needed",
};

const NO_NUMBER_HERE: IdentityFault = IdentityFault {
    zh: "该方式不需要号码",
    en: "this kind has no number",
};

fn text_within(field: &str, text: Option<&String>, max: usize) -> Result<(), Problem> {
    let fault = IdentityFault {
        zh: "内容过长或含有控制字符",
        en: "too long, or with control characters",
    };
    match text {
        Some(text) if text.chars().count() > max || text.chars().any(char::is_control) => {
            Err(invalid_identity(field, fault).with("max", max))
        }
        _ => Ok(()),
    }
}

impl HolderBody {
    /// Checks the document and keeps what may be kept.
    fn masked(self, app: &App) -> Result<Holder, Problem> {
        text_within("holder.name", self.name.as_ref(), 40)?;
        text_within("holder.phone", self.phone.as_ref(), 20)?;
        let number = self
            .id_number
            .map(|number| number.trim().to_ascii_uppercase());
        let number = match (self.kind, number, &self.phone) {
            (IdentityKind::Phone, None, Some(phone)) => Some(phone.trim().to_owned()),
            (_, number, _) => number,
        };
        match (&number, self.kind.has_number()) {
            (Some(number), true) => {
                self.kind
                    .check(number)
                    .map_err(|fault| invalid_identity("holder.id_number", fault))?;
            }
            (None, true) => return Err(invalid_identity("holder.id_number", NUMBER_NEEDED)),
            (Some(_), false) => {
                return Err(invalid_identity("holder.id_number", NO_NUMBER_HERE));
            }
            (None, false) => {}
        }
        Ok(Holder {
            kind: self.kind,
            class: self.class,
            person: number
                .as_deref()
                .map(|number| app.auth.person(self.kind, number)),
            id_masked: number.as_deref().map(mask_number),
            name_masked: self.name.as_deref().map(mask_name),
            phone_masked: self.phone.as_deref().map(mask_number),
        })
    }

    /// The number of a mobile phone, if one was given that can be.
    pub(super) fn mobile(&self) -> Option<String> {
        let typed = (self.kind == IdentityKind::Phone).then_some(self.id_number.as_ref());
        let number = self.phone.as_ref().or(typed.flatten())?.trim();
        IdentityKind::Phone.check(number).ok()?;
        Some(number.to_owned())
    }
}

impl TicketRequest {
    /// The channel, as far as a visitor may name it.
    pub(super) fn through(&self, channel: Channel) -> Result<Channel, Problem> {
        match (channel, self.channel) {
            (_, None) => Ok(channel),
            (Channel::Phone, Some(named)) if is_visitors(named) => Ok(named),
            _ => Err(Problem::invalid(
                "channel",
                "scan or phone, and only without a device or account",
            )),
        }
    }
}

impl AppointmentBody {
    fn booked(self) -> Result<BookedTime, Problem> {
        let instant = |field: &str, text: &str| {
            Timestamp::parse_rfc3339(text).ok_or_else(|| {
                Problem::invalid(&format!("appointment.{field}"), "RFC 3339 is needed")
            })
        };
        if self.number.is_empty() || self.number.chars().count() > 64 {
            return Err(Problem::invalid("appointment.number", "1 to 64 characters"));
        }
        Ok(BookedTime {
            from: instant("from", &self.from)?,
            to: instant("to", &self.to)?,
            booked_at: self
                .booked_at
                .as_deref()
                .map(|at| instant("booked_at", at))
                .transpose()?,
            number: self.number,
        })
    }
}

/// Taken on a visitor's own phone, which proves nothing of what it claims.
pub(super) fn is_visitors(channel: Channel) -> bool {
    matches!(channel, Channel::Phone | Channel::Scan)
}

/// What the hall is to decide: the document checked and masked, its tags added, a token of its own.
pub(super) async fn wish(
    app: &App,
    hall: &HallId,
    request: TicketRequest,
    channel: Channel,
) -> Result<IssueTicket, Problem> {
    let holder = request
        .holder
        .map(|holder| holder.masked(app))
        .transpose()?;
    let mut tags = request.tags;
    if let Some(person) = holder.as_ref().and_then(|holder| holder.person.as_deref()) {
        let known = app.records.tags_of(person).await?;
        tags.extend(known.iter().filter_map(|row| row.tag.parse().ok()));
    }
    if !tags_are_valid(&tags) {
        return Err(Problem::invalid("tags", "at most 16"));
    }
    let secret = random_hex(16).map_err(|_| Problem::unavailable())?;
    Ok(IssueTicket {
        service: request.service,
        token: Token(format!("{hall}.{secret}")),
        channel,
        holder,
        tags,
        appointment: request
            .appointment
            .map(AppointmentBody::booked)
            .transpose()?,
        excluded: request.exclude_windows,
    })
}
