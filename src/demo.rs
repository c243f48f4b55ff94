//! The demonstration: a recorded office as a hall, played through its own commands, with sign-ins
//! for whoever wants to try.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use actors::clock::{ReplayClock, SystemClock};
use actors::demo::{GREEN_TAG, Player};
use actors::ports::Clock as _;
use actors::supervisor::{Register, SetClock};
use anyhow::Context as _;
use chrono::NaiveTime;
use rules::hall::{HallConfig, Options, Service};
use rules::ids::{HallId, WindowId};
use rules::name::Name;
use rules::number::NumberTemplate;
use rules::policy::{CallPolicy, GreenRule, Mix, RequeueRule};
use rules::time::{TimeZone, Timestamp};
use rules::window::{WindowKind, WindowPlan};
use simulations::office::{OfficeDay, recorded_day};
use simulations::staffing::Staffing;

use crate::devices::{Devices, Place};
use crate::store::records::AccountRow;
use crate::web::App;
use crate::web::access::Role;
use crate::web::auth::{hash_password, random_hex};

mod traffic;

/// The demonstration's hall.
pub const HALL: &str = "demo";

/// The window that the simulated clerks leave to people.
const FREE_WINDOW: &str = "88";

/// When the first day of a new demonstration begins.
const FIRST_LOOK: NaiveTime = NaiveTime::from_hms_opt(9, 30, 0).expect("a time of day");

/// Of how many earlier starts the screens' tokens stay valid.
const STARTS_REMEMBERED: usize = 2;

/// How long the screens of earlier starts have to come back; then nobody has them open.
const TO_COME_BACK: Duration = Duration::from_secs(60);

/// Everything, where others have the demonstration's hall: interfaces belong to no hall.
const ENGINEER_SCOPE: &str = "*";

const SCREEN: &str = "demo-screen";
const KIOSK: &str = "demo-kiosk";

const PEOPLE: [(&str, &str, Role, &str); 4] = [
    ("demo-clerk", "窗口人员 Clerk", Role::Clerk, HALL),
    ("demo-manager", "大厅管理员 Manager", Role::Manager, HALL),
    ("demo-supervisor", "督导 Supervisor", Role::Supervisor, HALL),
    (
        "demo-engineer",
        "运维 Engineer",
        Role::Engineer,
        ENGINEER_SCOPE,
    ),
];

/// Builds the office if it is not there, starts its player, and says where everything is.
///
/// # Errors
/// The hall cannot be registered or the sign-ins not kept.
pub async fn start(app: Data<App>, clock: Arc<ReplayClock>, base: &str) -> anyhow::Result<String> {
    let office = recorded_day();
    let id: HallId = HALL.parse()?;
    let zone: TimeZone = office.time_zone.parse().map_err(anyhow::Error::msg)?;
    if app.system.halls.get(&id).is_none() {
        let register = Register {
            id: id.clone(),
            config: office_config(&office, zone)?,
            by: HALL.to_owned(),
            key: None,
            clock: Some(clock.clone()),
        };
        app.system
            .supervisor
            .send(register)
            .await?
            .context("could not register the demonstration")?;
    }
    let hall = app
        .system
        .halls
        .get(&id)
        .context("the demonstration's hall is not live")?;
    let (last, day) = hall
        .read(|hall, _| (hall.last_at(), hall.day()))
        .await
        .context("the demonstration's hall is gone")?;
    clock.skip_to(last);
    if day.is_none() {
        // Whoever looks for the first time shall see people called, not an office that opens.
        clock.skip_to(zone.at(zone.date_of(clock.now()), FIRST_LOOK));
    }
    let signs = sign_ins(&app, &id).await?;
    let seed = app.settings.demo.seed;
    let player = Player::new(hall, clock, office, zone, seed);
    actix_web::rt::spawn(player.play());
    traffic::start(&app, seed, id).await?;
    Ok(signs.guide(base, app.settings.demo.speed))
}

fn office_config(office: &OfficeDay, zone: TimeZone) -> anyhow::Result<HallConfig> {
    let staffing = Staffing::of(office);
    let mut services = BTreeMap::new();
    for service in &office.services {
        let minutes = staffing.mean_service_min(&service.id).unwrap_or(8.0);
        let plan = Service {
            name: Name::new(&service.name.zh, &service.name.en),
            template: NumberTemplate::new(&service.prefix, 3),
            contingent: None,
            menu: None,
            avg_service_secs: (minutes * 60.0) as u32,
        };
        services.insert(service.id.parse()?, plan);
    }
    let mut windows = BTreeMap::new();
    for window in &office.windows {
        let plan = WindowPlan {
            name: Name::new(
                format!("{}号窗口", window.id),
                format!("Window {}", window.id),
            ),
            services: window
                .services
                .iter()
                .map(|id| id.parse())
                .collect::<Result<_, _>>()?,
            kind: WindowKind::Comprehensive,
            zone: None,
        };
        windows.insert(window.id.parse::<WindowId>()?, plan);
    }
    let free = WindowPlan {
        name: Name::new(
            format!("{FREE_WINDOW}号体验窗口"),
            format!("Window {FREE_WINDOW} (try me)"),
        ),
        services: services.keys().cloned().collect(),
        kind: WindowKind::Comprehensive,
        zone: None,
    };
    windows.insert(FREE_WINDOW.parse()?, free);
    let policy = CallPolicy {
        mix: Mix::Ratio {
            priority: 2,
            ordinary: 1,
        },
        ageing_step_secs: Some(2400),
        green: GreenRule {
            version: 1,
            tags: [GREEN_TAG.parse()?].into(),
        },
        requeue: RequeueRule {
            times: 1,
            after: 3,
            cool_down_secs: 60,
        },
        ..CallPolicy::default()
    };
    Ok(HallConfig {
        name: Name::new(&office.name.zh, &office.name.en),
        time_zone: zone,
        services,
        windows,
        policy,
        options: Options {
            visitor_issuing: true,
            demo: true,
            ..Options::default()
        },
    })
}

struct SignIns {
    password: String,
    screen: String,
    kiosk: String,
}

/// Fresh sign-ins at each start: whoever sees the terminal may use them, nobody else.
async fn sign_ins(app: &App, hall: &HallId) -> anyhow::Result<SignIns> {
    let password = random_hex(6)?;
    let hash = hash_password(&password)?;
    for (username, name, role, scope) in PEOPLE {
        let account = AccountRow {
            username: username.to_owned(),
            name: name.to_owned(),
            password_hash: hash.clone(),
            roles: vec![role.name().to_owned()],
            halls: vec![scope.to_owned()],
            windows: Vec::new(),
            call_chosen: true,
            must_change_password: false,
            hotkeys: "{}".to_owned(),
            disabled: false,
        };
        let new = app.auth.account(username).is_none();
        app.auth
            .put_account(account, new)
            .await
            .map_err(|problem| anyhow::anyhow!("{problem}"))?;
    }
    let started = app.now();
    let signs = SignIns {
        screen: device(app, hall, SCREEN, Role::Screen, started).await?,
        kiosk: device(app, hall, KIOSK, Role::Kiosk, started).await?,
        password,
    };
    actix_web::rt::spawn(forget_unused(app.devices.clone(), started));
    Ok(signs)
}

/// Forgets the screens of earlier starts that did not come back: they would be told of as offline.
async fn forget_unused(devices: Arc<Devices>, started: Timestamp) {
    actix_web::rt::time::sleep(TO_COME_BACK).await;
    let earlier = devices.rows().into_iter().filter(|device| {
        let ours = [SCREEN, KIOSK]
            .iter()
            .any(|name| device.id.starts_with(name));
        ours && device.created_at < started && device.seen_at.is_none_or(|at| at < started)
    });
    for device in earlier {
        if let Err(cause) = devices.remove(&device.id).await {
            tracing::warn!(device = device.id, %cause, "a screen of an earlier start is still known");
        }
    }
}

/// A new token for each start, beside those of the latest starts: a screen that stayed open comes
/// back to life.
async fn device(
    app: &App,
    hall: &HallId,
    name: &str,
    kind: Role,
    started: Timestamp,
) -> anyhow::Result<String> {
    let rows = app.devices.rows();
    let earlier = rows.iter().filter(|device| device.id.starts_with(name));
    for device in earlier.rev().skip(STARTS_REMEMBERED) {
        app.devices.remove(&device.id).await?;
    }
    let id = format!("{name}-{}", started.millis());
    let place = Place {
        name: name.to_owned(),
        zone: None,
        window: None,
    };
    Ok(app
        .devices
        .add(id, kind, hall.to_string(), place, started)
        .await?)
}

impl SignIns {
    fn guide(&self, base: &str, speed: f64) -> String {
        let Self {
            password,
            screen,
            kiosk,
        } = self;
        let mut text = String::new();
        let mut line = |what: &str, address: String| {
            let _ = writeln!(text, "  {what:<22} {base}{address}");
        };
        line("等候屏 board", format!("/board/{HALL}?t={screen}"));
        line("窗口屏 window strip", format!("/led/{HALL}/1?t={screen}"));
        line("取号机 kiosk", format!("/kiosk/{HALL}?t={kiosk}"));
        line(
            "窗口坐席 console",
            format!("/console?hall={HALL}&window={FREE_WINDOW}"),
        );
        line("管理 manage", "/manage".to_owned());
        line("督导台 alert desk", "/desk".to_owned());
        line("运维 operations", "/ops".to_owned());
        line("接口设置 set-up", "/setup".to_owned());
        format!(
            "demonstration 演示: a recorded office day at {speed}× speed; the phone page is behind the code of any slip\n\
             {text}  sign in 登录: demo-clerk, demo-manager, demo-supervisor or demo-engineer, password 密码 {password}"
        )
    }
}

/// The clock of the demonstration's hall; it must be known before the hall is rebuilt from the
/// journal. It begins at today's midnight, and [`start`] puts it forward to where the hall stands.
///
/// # Errors
/// The supervisor is gone.
pub async fn set_clock(system: &actors::System, speed: f64) -> anyhow::Result<Arc<ReplayClock>> {
    let zone: TimeZone = recorded_day()
        .time_zone
        .parse()
        .map_err(anyhow::Error::msg)?;
    let today = zone.date_of(SystemClock.now());
    let clock = Arc::new(ReplayClock::new(zone.at(today, NaiveTime::MIN), speed));
    system
        .supervisor
        .send(SetClock {
            hall: HALL.parse()?,
            clock: clock.clone(),
        })
        .await?;
    Ok(clock)
}
