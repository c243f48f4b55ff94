//! Alert rules: their text and versions, whether they are in force, and what they would have done.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpResponse, get, post, put};
use rules::alerts::source::{Fault, RuleFile, UnitTest};
use rules::alerts::subject::SubjectKind;
use rules::alerts::{catalogue, trial};
use rules::desk::rulebook::{Entry, Version};
use rules::desk::{Command, RuleCommand, SourcedRule};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::rule_files::backtest::on_records;
use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::items::instant;
use crate::web::routes::{answer, desk};

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(variables)
        .service(check)
        .service(show)
        .service(put_rule)
        .service(backtest)
        .service(switch);
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceBody {
    /// A rule file with one rule, in TOML.
    source: String,
}

fn face(id: &str, entry: &Entry, version: &Version) -> Value {
    let rule = &version.rule;
    json!({
        "id": id,
        "name": rule.name,
        "topic": rule.topic,
        "subject": rule.subject,
        "severity": rule.severity,
        "when": rule.when,
        "clear_when": rule.clear_when,
        "enabled": entry.enabled,
        "version": version.number,
        "by": version.by,
        "at": version.at.rfc3339_utc(),
    })
}

/// All rules, with the version in force.
#[utoipa::path(get, path = "/api/v1/rules", tag = "rules", responses((status = 200, body = Object)))]
#[get("/rules")]
async fn list(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeAlerts)?;
    let read = app.desk.read(|desk, _| {
        let all = desk.rules().iter();
        let faces = all.filter_map(|(id, entry)| {
            let mut face = face(id, entry, entry.current()?);
            face["standing"] = json!(desk.alerts().standing_of(id).count());
            Some(face)
        });
        faces.collect::<Vec<_>>()
    });
    let items = read.await.ok_or_else(Problem::unavailable)?;
    Ok(HttpResponse::Ok().json(json!({"items": items, "next": null})))
}

/// What rules may name, by the kind of subject.
#[utoipa::path(get, path = "/api/v1/rules/catalogue", tag = "rules", responses((status = 200, body = Object)))]
#[get("/rules/catalogue")]
async fn variables(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeAlerts)?;
    let subjects = SubjectKind::ALL.map(|kind| {
        let all = catalogue::variables(kind).iter().map(|variable| {
            json!({
                "name": variable.name, "type": variable.kind, "unit": variable.unit,
                "meaning": {"zh": variable.zh, "en": variable.en}, "texts": variable.texts,
            })
        });
        json!({"kind": kind, "variables": all.collect::<Vec<_>>()})
    });
    Ok(HttpResponse::Ok().json(json!({"subjects": subjects})))
}

fn unknown_rule(id: &str) -> Problem {
    Problem::unknown("unknown_rule", "没有这条规则", "there is no such rule").with("rule", id)
}

/// One rule: its text, every version, and where it cannot be evaluated.
#[utoipa::path(get, path = "/api/v1/rules/{rule}", tag = "rules", params(("rule" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/rules/{rule}")]
async fn show(app: Data<App>, caller: Caller, rule: Path<String>) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeAlerts)?;
    let face = whole(&app, &rule)
        .await?
        .ok_or_else(|| unknown_rule(&rule))?;
    let mut face = face;
    if caller.principal.scope.everywhere() {
        let present = app.alerting.driver.rule(&rule).await.unwrap_or_default();
        let blind = present.without_data.iter().map(|(subject, since, missing)| {
            json!({"subject": subject, "since": since.rfc3339_utc(), "missing": missing})
        });
        face["instances"] = json!(present.instances);
        face["without_data"] = blind.collect();
    }
    Ok(HttpResponse::Ok().json(face))
}

async fn whole(app: &App, rule: &str) -> Result<Option<Value>, Problem> {
    let id: Arc<str> = rule.into();
    let read = app.desk.read(move |desk, _| {
        let entry = desk.rules().get(&id)?;
        let current = entry.current()?;
        let mut whole = face(&id, entry, current);
        let versions = entry.versions.iter().map(|version| {
            json!({
                "number": version.number, "source": version.source, "by": version.by,
                "at": version.at.rfc3339_utc(),
            })
        });
        whole["source"] = json!(current.source);
        whole["versions"] = versions.collect();
        whole["standing"] = json!(desk.alerts().standing_of(&id).count());
        whole["held_back"] = json!(
            desk.alerts()
                .held()
                .filter(|(instance, _)| instance.rule == id)
                .count()
        );
        Some(whole)
    });
    read.await.ok_or_else(Problem::unavailable)
}

/// The tests of a file that do not pass, in words.
fn failures(file: &RuleFile) -> Vec<Value> {
    let of = |test: &UnitTest| {
        let rule = file.rules.iter().find(|rule| rule.id == test.rule)?;
        let failures = trial::run(test, rule).ok()?;
        let said: Vec<Value> = failures
            .iter()
            .map(|failure| {
                json!({
                    "at_secs": failure.at_secs, "expected": failure.expected,
                    "found": failure.found,
                })
            })
            .collect();
        (!said.is_empty()).then(|| json!({"test": test.name, "failures": said}))
    };
    file.tests.iter().filter_map(of).collect()
}

/// Checks a rule file without changing anything: every mistake with its line and column, and the
/// tests that do not pass.
#[utoipa::path(post, path = "/api/v1/rules/check", tag = "rules", request_body = SourceBody,
    responses((status = 200, body = Object)))]
#[post("/rules/check")]
async fn check(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageRules)?;
    let source = body.parse::<SourceBody>()?.source;
    Ok(HttpResponse::Ok().json(match RuleFile::parse(&source) {
        Ok(file) => {
            let failed = failures(&file);
            let rules: Vec<&str> = file.rules.iter().map(|rule| rule.id.as_str()).collect();
            json!({
                "ok": failed.is_empty(), "faults": [], "rules": rules,
                "tests": file.tests.len(), "failed": failed,
            })
        }
        Err(faults) => json!({"ok": false, "faults": faults}),
    }))
}

/// Reads a text as exactly one rule whose own tests pass.
fn one_rule(source: String) -> Result<SourcedRule, Problem> {
    let refuse = |faults: Vec<Fault>| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_rule",
            "规则有误，没有保存",
            &format!("the rule has mistakes and is not kept: {first}"),
        )
        .with("faults", faults)
    };
    let mut file = RuleFile::parse(&source).map_err(refuse)?;
    let failed = failures(&file);
    if !failed.is_empty() {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "rule_test_failed",
            "规则自带的测试没有通过，没有保存",
            "the rule's own tests do not pass, so it is not kept",
        )
        .with("failed", failed));
    }
    match (file.rules.pop(), file.rules.is_empty()) {
        (Some(rule), true) => Ok(SourcedRule { rule, source }),
        _ => Err(Problem::invalid("source", "must hold one rule")),
    }
}

/// Puts a rule or a new version of it in force, at once. `-` takes the id from the text.
#[utoipa::path(put, path = "/api/v1/rules/{rule}", tag = "rules", params(("rule" = String, Path)),
    request_body = SourceBody,
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[put("/rules/{rule}")]
async fn put_rule(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    require_everywhere(&app, &caller, &path)?;
    let rule = one_rule(body.parse::<SourceBody>()?.source)?;
    let id = rule.rule.id.clone();
    if *path != "-" && *path != id {
        return Err(Problem::invalid(
            "source",
            "has another id than the address",
        ));
    }
    let command = Command::Rule(RuleCommand::Put(Box::new(rule)));
    submit(&app, &caller, command, &body, "rule_put", &id).await
}

/// Rules hold for all halls, so whoever changes them must answer for all.
fn require_everywhere(app: &App, caller: &Caller, rule: &str) -> Result<(), Problem> {
    caller.require(app, Action::ManageRules)?;
    match caller.principal.scope.everywhere() {
        true => Ok(()),
        false => Err(caller.refuse(app, Action::ManageRules, rule)),
    }
}

async fn submit(
    app: &App,
    caller: &Caller,
    command: Command,
    body: &Body,
    what: &str,
    id: &str,
) -> Result<HttpResponse, Problem> {
    let done = desk::submit(&app.desk, caller, body, command).await?;
    app.audit(caller, what, id, json!({})).await?;
    let whole = whole(app, id).await?.ok_or_else(|| unknown_rule(id))?;
    Ok(answer(HttpResponse::Ok(), done.replayed, &whole))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BacktestBody {
    /// The text to try; without it, the version in force.
    source: Option<String>,
    /// RFC 3339.
    from: String,
    /// RFC 3339; at most 92 days later.
    until: String,
}

/// The longest past that a rule is tried on while somebody waits.
const BACKTEST_SECS_MAX: u64 = 92 * 24 * 3600;

/// What a rule would have done in the past, and how that differs from the version in force.
#[utoipa::path(post, path = "/api/v1/rules/{rule}/backtest", tag = "rules", params(("rule" = String, Path)),
    request_body = BacktestBody,
    responses((status = 200, body = Object), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[post("/rules/{rule}/backtest")]
async fn backtest(
    app: Data<App>,
    caller: Caller,
    rule: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    require_everywhere(&app, &caller, &rule)?;
    let asked = body.parse::<BacktestBody>()?;
    let from = instant("from", Some(&asked.from))?.unwrap_or_default();
    let until = instant("until", Some(&asked.until))?
        .unwrap_or_default()
        .min(app.now());
    if until <= from || until.secs_since(from) > BACKTEST_SECS_MAX {
        return Err(Problem::invalid(
            "until",
            "must lie after from, at most 92 days",
        ));
    }
    let id: Arc<str> = rule.as_str().into();
    let read = app.desk.read(move |desk, _| {
        let current = desk.rules().get(&id)?.current()?;
        Some(current.rule.clone())
    });
    let known = read.await.ok_or_else(Problem::unavailable)?;
    let tried = match asked.source {
        Some(source) => one_rule(source)?.rule,
        None => known.clone().ok_or_else(|| unknown_rule(&rule))?,
    };
    let (records, settings) = (app.records.clone(), (*app.case_settings).clone());
    // It reckons for a while, so it does that beside the threads that answer everybody else.
    let runtime = tokio::runtime::Handle::current();
    let run = move || {
        let test = on_records(records, settings, tried, known, (from, until));
        runtime.block_on(test)
    };
    let done = tokio::task::spawn_blocking(run).await;
    let (report, difference) = match done {
        Ok(Ok(done)) => done,
        Ok(Err(cause)) => {
            tracing::warn!(%cause, "back-test not finished");
            return Err(Problem::unavailable());
        }
        Err(_) => return Err(Problem::unavailable()),
    };
    Ok(HttpResponse::Ok().json(json!({"report": report, "difference": difference})))
}

/// Puts a rule in force or out of it: `enable` or `disable`. Out of force, its alerts end.
#[utoipa::path(post, path = "/api/v1/rules/{rule}/{verb}", tag = "rules",
    params(("rule" = String, Path), ("verb" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
#[post("/rules/{rule}/{verb}")]
async fn switch(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (rule, verb) = path.into_inner();
    let command = match verb.as_str() {
        "enable" => RuleCommand::Enable(rule.clone()),
        "disable" => RuleCommand::Disable(rule.clone()),
        _ => return Err(crate::web::routes::no_such_path()),
    };
    require_everywhere(&app, &caller, &rule)?;
    let what = format!("rule_{verb}");
    submit(&app, &caller, Command::Rule(command), &body, &what, &rule).await
}
