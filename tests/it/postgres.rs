//! PostgreSQL for tests: a schema of its own for each that asks, on the server at
//! `HALLKEEPER_TEST_POSTGRES`; where there is none, these tests pass without having looked.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::Connection as _;

/// A corner of a PostgreSQL server. Its connections carry its name.
pub struct Schema {
    server: String,
    pub name: String,
}

impl Schema {
    /// On the server under test, if there is one.
    pub async fn new() -> Option<Self> {
        let server = std::env::var("HALLKEEPER_TEST_POSTGRES").ok()?;
        Some(Self::on(&server).await)
    }

    pub async fn on(server: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let schema = Self {
            server: server.to_owned(),
            name: format!("it_{}_{count}", std::process::id()),
        };
        // Another run may have left one of this name.
        schema.remove().await;
        schema.run(format!("create schema {}", schema.name)).await;
        schema
    }

    /// The address of this schema.
    pub fn url(&self) -> String {
        let Self { server, name } = self;
        let joint = if server.contains('?') { '&' } else { '?' };
        format!("{server}{joint}options=-csearch_path%3D{name}&application_name={name}")
    }

    pub async fn run(&self, statement: String) {
        let mut connection = sqlx::PgConnection::connect(&self.server)
            .await
            .expect("PostgreSQL");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .expect("done");
    }

    pub async fn drop(self) {
        self.remove().await;
    }

    async fn remove(&self) {
        let remove = "set client_min_messages = error; drop schema if exists";
        self.run(format!("{remove} {} cascade", self.name)).await;
    }
}
