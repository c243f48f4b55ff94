//! The conditions of a query that is put together at run time: only texts from this code and
//! numbered placeholders go into the statement, values are bound.

use sqlx::AssertSqlSafe;

use super::db::Statement;
use super::order::{Place, SortValue};

#[derive(Debug, Clone)]
enum Value {
    Text(String),
    Int(i64),
}

/// Conditions that must all hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions {
    clauses: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    pub(super) fn equal(&mut self, column: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            let place = self.bind(Value::Text(value.to_owned()));
            self.clauses.push(format!("{column} = {place}"));
        }
    }

    pub(super) fn below(&mut self, column: &'static str, value: i64) {
        self.compare(column, "<", value);
    }

    pub(super) fn compare(&mut self, column: &'static str, order: &'static str, value: i64) {
        let place = self.bind(Value::Int(value));
        self.clauses.push(format!("{column} {order} {place}"));
    }

    pub(super) fn is_null(&mut self, column: &'static str, null: bool) {
        let not = if null { "" } else { "not " };
        self.clauses.push(format!("{column} is {not}null"));
    }

    /// One of these values; of none there is nothing.
    pub(super) fn one_of(&mut self, column: &'static str, values: Option<&Vec<String>>) {
        let Some(values) = values else { return };
        if values.is_empty() {
            return self.clauses.push("1 = 0".to_owned());
        }
        let bind = |value: &String| self.bind(Value::Text(value.clone()));
        let places: Vec<String> = values.iter().map(bind).collect();
        self.clauses
            .push(format!("{column} in ({})", places.join(", ")));
    }

    /// Items behind a place in an order.
    pub(super) fn behind_item(&mut self, expression: &'static str, key: i64, id: &str) {
        let key = self.bind(Value::Int(key));
        let id = self.bind(Value::Text(id.to_owned()));
        self.clauses
            .push(format!("({expression}, id) > ({key}, {id})"));
    }

    /// Rows behind a place in a falling order of two columns.
    pub(super) fn behind_pair(
        &mut self,
        first: &'static str,
        second: &'static str,
        place: (i64, i64),
    ) {
        let (a, b) = (
            self.bind(Value::Int(place.0)),
            self.bind(Value::Int(place.1)),
        );
        self.clauses
            .push(format!("({first}, {second}) < ({a}, {b})"));
    }

    pub(super) fn above(&mut self, hall: &str, id: u64) {
        let hall = self.bind(Value::Text(hall.to_owned()));
        let id = self.bind_id(id);
        self.clauses.push(format!("(hall, id) > ({hall}, {id})"));
    }

    /// Rows behind a place in an order; `order` is `<` for a falling one.
    pub(super) fn behind(&mut self, expression: &'static str, order: &'static str, place: &Place) {
        let key = self.bind(match &place.key {
            SortValue::Text(text) => Value::Text(text.clone()),
            SortValue::Int(number) => Value::Int(*number),
        });
        let hall = self.bind(Value::Text(place.hall.clone()));
        let id = self.bind_id(place.id);
        self.clauses.push(format!(
            "({expression}, hall, id) {order} ({key}, {hall}, {id})"
        ));
    }

    /// What stands behind `where`.
    pub(super) fn text(&self) -> String {
        if self.clauses.is_empty() {
            return "1 = 1".to_owned();
        }
        self.clauses.join(" and ")
    }

    /// A statement that contains [`Self::text`], with the values bound.
    pub(super) fn statement(self, text: String) -> Statement<'static> {
        let statement = sqlx::query(AssertSqlSafe(text));
        self.values
            .into_iter()
            .fold(statement, |statement, value| match value {
                Value::Text(text) => statement.bind(text),
                Value::Int(number) => statement.bind(number),
            })
    }

    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn bind_id(&mut self, id: u64) -> String {
        self.bind(Value::Int(i64::try_from(id).unwrap_or(i64::MAX)))
    }
}
