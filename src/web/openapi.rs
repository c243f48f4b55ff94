//! The description of the interface, made from the routes themselves.

use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, get};
use utoipa::OpenApi;

use crate::web::error::ProblemBody;
use crate::web::routes::strips;
use crate::web::routes::visitors;
use crate::web::routes::{
    accounts, alerts, audit, cases, devices, floor, halls, journeys, messages, notice, people,
    problems, receivers, rules, session, silences, ticket_lists, tickets, voice, windows,
    work_orders,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hallkeeper",
        description = "Halls, windows, tickets and screens. Refusals are application/problem+json with a stable \
            `code`. `Idempotency-Key` is honoured on POST. The live feed is a WebSocket at /ws."
    ),
    paths(
        session::sign_in,
        session::show,
        session::sign_out,
        session::change_password,
        session::show_hotkeys,
        session::set_hotkeys,
        halls::list,
        halls::register,
        halls::show,
        halls::change,
        halls::switch,
        halls::show_policy,
        halls::set_policy,
        halls::show_service,
        halls::put_service,
        halls::delete_service,
        halls::put_window,
        halls::delete_window,
        notice::show,
        notice::post,
        notice::clear,
        tickets::issue,
        ticket_lists::list,
        ticket_lists::export,
        ticket_lists::figures,
        tickets::show,
        tickets::cancel,
        tickets::requeue,
        tickets::rate_ticket,
        tickets::show_by_token,
        tickets::cancel_by_token,
        tickets::rate_by_token,
        tickets::postpone_by_token,
        visitors::menu,
        visitors::slip_bytes,
        visitors::slip_picture,
        visitors::sample,
        windows::command,
        windows::heartbeat,
        windows::holder,
        windows::next,
        windows::my_day,
        windows::held,
        voice::show,
        voice::attend,
        voice::sound,
        accounts::list_users,
        accounts::add_user,
        accounts::change_user,
        accounts::remove_user,
        devices::list,
        devices::add,
        devices::remove,
        devices::list_of_hall,
        devices::change,
        devices::order,
        devices::report,
        floor::floor,
        floor::preview_policy,
        journeys::show,
        people::show_tags,
        people::add_tag,
        people::remove_tag,
        cases::tell_case,
        cases::list,
        cases::board,
        cases::unregistered,
        cases::show,
        cases::tell_step,
        cases::handle_case,
        alerts::list,
        alerts::figures,
        alerts::supervision,
        alerts::show,
        alerts::handle,
        silences::list,
        silences::add,
        silences::end,
        rules::list,
        rules::variables,
        rules::check,
        rules::show,
        rules::put_rule,
        rules::backtest,
        rules::switch,
        audit::list,
        strips::preview,
        strips::list,
        strips::show,
        strips::put,
        strips::remove,
        work_orders::list,
        work_orders::create,
        work_orders::statistics,
        work_orders::show,
        work_orders::step,
        problems::list,
        problems::add,
        problems::statistics,
        problems::show,
        problems::step,
        messages::list,
        messages::statistics,
        messages::show,
        messages::resend,
        messages::templates,
        messages::preview,
        messages::set_template,
        messages::reset_template,
        receivers::list,
        receivers::show,
        receivers::put_receiver,
        receivers::remove,
        receivers::test,
    ),
    components(schemas(ProblemBody))
)]
pub struct Description;

pub fn configure(config: &mut ServiceConfig) {
    config.service(show);
}

#[get("/openapi.json")]
async fn show() -> HttpResponse {
    HttpResponse::Ok().json(Description::openapi())
}
