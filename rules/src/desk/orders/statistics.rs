//! How soon work orders are taken up, resolved and closed, and how well.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{OrderState, WorkOrder};
use crate::desk::history::{Spread, percent};
use crate::time::Timestamp;

/// Figures of some work orders.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct OrderGroup {
    pub orders: usize,
    /// Work still to be done.
    pub open: usize,
    pub closed: usize,
    /// Open and past their due time.
    pub overdue: usize,
    /// Of those resolved that had a due time, the share that was in time; in percent.
    pub in_time_percent: Option<f64>,
    /// Of those ever resolved, the share that was opened again; in percent.
    pub reopened_percent: Option<f64>,
    pub to_assign: Spread,
    pub to_resolve: Spread,
    pub to_close: Spread,
}

/// Figures of all orders made in a period, and of each rule, person and hall.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct OrderStatistics {
    pub all: OrderGroup,
    pub by_rule: BTreeMap<String, OrderGroup>,
    pub by_person: BTreeMap<String, OrderGroup>,
    pub by_hall: BTreeMap<String, OrderGroup>,
}

impl OrderStatistics {
    pub fn of<'a>(orders: impl IntoIterator<Item = &'a WorkOrder>) -> Self {
        let orders: Vec<&WorkOrder> = orders.into_iter().collect();
        let hall = |order: &WorkOrder| order.made.hall.as_ref().map(ToString::to_string);
        Self {
            all: OrderGroup::of(&orders),
            by_rule: grouped(&orders, |order| order.made.rule.clone()),
            by_person: grouped(&orders, |order| order.assignee.clone()),
            by_hall: grouped(&orders, hall),
        }
    }
}

fn grouped(
    orders: &[&WorkOrder],
    key: impl Fn(&WorkOrder) -> Option<String>,
) -> BTreeMap<String, OrderGroup> {
    let mut groups: BTreeMap<String, Vec<&WorkOrder>> = BTreeMap::new();
    for order in orders {
        if let Some(key) = key(order) {
            groups.entry(key).or_default().push(order);
        }
    }
    groups
        .into_iter()
        .map(|(key, orders)| (key, OrderGroup::of(&orders)))
        .collect()
}

impl OrderGroup {
    fn of(orders: &[&WorkOrder]) -> Self {
        let count = |is: &dyn Fn(&WorkOrder) -> bool| orders.iter().filter(|o| is(o)).count();
        let took = |until: fn(&WorkOrder) -> Option<Timestamp>| {
            let secs = |order: &&WorkOrder| Some(until(order)?.secs_since(order.created_at));
            Spread::of(orders.iter().filter_map(secs))
        };
        let promised = |o: &WorkOrder| o.resolved_at.is_some() && o.made.due_at.is_some();
        let in_time = |o: &WorkOrder| promised(o) && o.resolved_at <= o.made.due_at;
        let reopened = |o: &WorkOrder| o.reopened_count > 0;
        let ever_resolved = |o: &WorkOrder| o.resolved_at.is_some() || reopened(o);
        Self {
            orders: orders.len(),
            open: count(&|o| o.state.is_open()),
            closed: count(&|o| o.state == OrderState::Closed),
            overdue: count(&WorkOrder::is_overdue),
            in_time_percent: percent(count(&in_time), count(&promised)),
            reopened_percent: percent(count(&reopened), count(&ever_resolved)),
            to_assign: took(|order| order.assigned_at),
            to_resolve: took(|order| order.resolved_at),
            to_close: took(|order| order.closed_at),
        }
    }
}
