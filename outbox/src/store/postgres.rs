//! Connections to PostgreSQL: what is set on them, and how they are spoken to.

mod convert;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use postgres::config::{Host, SslMode};
use postgres::error::SqlState;
use postgres::{Client, Config, GenericClient, NoTls, Statement};

use super::config::StoreConfig;
use super::link::{Link, Use};
use crate::tx::Session;
use crate::value::{Dialect, Row, SqlError, SqlErrorKind, Value};

/// Statements kept ready on one connection; beyond it all are forgotten and made again.
const STATEMENTS_KEPT: usize = 256;

/// How long to wait for a server that does not answer.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A connection of the store's own.
pub(crate) struct PostgresLink {
    client: Client,
    statements: HashMap<String, Statement>,
    transaction: Transaction,
}

#[derive(Debug)]
enum Transaction {
    None,
    UnderWay,
    /// A statement failed: until a rollback, nothing else is done in it.
    Aborted(SqlError),
}

/// The server that an address names, unless its password and everything else would travel in
/// clear to another machine without the operator having said so.
pub(crate) fn server(address: &str) -> Result<Config, SqlError> {
    let server: Config = address.parse()?;
    let is_here = |host: &Host| match host {
        Host::Tcp(name) => {
            let address = name.parse::<IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    };
    // Where an address is given beside the name, the address is what is connected to.
    let here = if server.get_hostaddrs().is_empty() {
        server.get_hosts().iter().all(is_here)
    } else {
        server.get_hostaddrs().iter().all(IpAddr::is_loopback)
    };
    if here || server.get_ssl_mode() == SslMode::Disable {
        return Ok(server);
    }
    let text = "the server is on another machine, and the connection to it is not encrypted: use a \
                socket or a tunnel that ends on this machine, or write sslmode=disable into the \
                address if the network between is yours alone";
    Err(SqlError::new(SqlErrorKind::Other, text))
}

impl PostgresLink {
    pub(crate) fn connect(
        address: &str,
        config: &StoreConfig,
        wanted: Use,
    ) -> Result<Self, SqlError> {
        let mut server = server(address)?;
        server
            .connect_timeout(CONNECT_PATIENCE)
            .tcp_user_timeout(SILENCE_MAX);
        server
            .keepalives_idle(SILENCE_MAX)
            .application_name("outbox");
        let mut client = server.connect(NoTls)?;
        // Zero would mean to wait for ever.
        let patience_ms = config.busy_wait.as_millis().clamp(1, 86_400_000);
        let read_only = if wanted == Use::Read { "on" } else { "off" };
        client.batch_execute(&format!(
            "SET synchronous_commit = on; SET lock_timeout = {patience_ms};
             SET default_transaction_read_only = {read_only}; SET client_encoding = 'UTF8'"
        ))?;
        let link = Self {
            client,
            statements: HashMap::new(),
            transaction: Transaction::None,
        };
        link.check_durable()
    }

    /// The settings that are in effect, not those that were asked for.
    fn check_durable(mut self) -> Result<Self, SqlError> {
        for setting in ["synchronous_commit", "fsync", "full_page_writes"] {
            let row = self.client.query_one(&format!("SHOW {setting}"), &[])?;
            let found: String = row.get(0);
            if found != "on" {
                let text = format!(
                    "the server cannot keep messages durable: its {setting} is {found}; set it to on"
                );
                return Err(SqlError::new(SqlErrorKind::Other, text));
            }
        }
        Ok(self)
    }

    /// A statement that is ready.
    fn statement(&mut self, sql: &str) -> Result<Statement, SqlError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(&with_dollars(sql))?;
        if self.statements.len() >= STATEMENTS_KEPT {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Keeps the error that makes a transaction useless.
    fn note<T>(&mut self, result: Result<T, SqlError>) -> Result<T, SqlError> {
        match (&result, &self.transaction) {
            (Err(error), Transaction::UnderWay) => {
                self.transaction = Transaction::Aborted(error.again());
            }
            // After an error the server does nothing but go back to a savepoint.
            (Ok(_), Transaction::Aborted(_)) => self.transaction = Transaction::UnderWay,
            _ => {}
        }
        result
    }
}

impl Link for PostgresLink {
    fn begin(&mut self) -> Result<(), SqlError> {
        self.client
            .batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED")?;
        self.transaction = Transaction::UnderWay;
        Ok(())
    }

    fn begin_snapshot(&mut self) -> Result<(), SqlError> {
        self.client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        self.transaction = Transaction::UnderWay;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SqlError> {
        if let Transaction::Aborted(error) = &self.transaction {
            // The server would roll back, and say that all is well.
            return Err(error.again());
        }
        self.transaction = Transaction::None;
        Ok(self.client.batch_execute("COMMIT")?)
    }

    fn roll_back(&mut self) -> Result<(), SqlError> {
        self.transaction = Transaction::None;
        Ok(self.client.batch_execute("ROLLBACK")?)
    }

    fn roll_back_to(&mut self, savepoint: &str) -> Result<(), SqlError> {
        self.client
            .batch_execute(&format!("ROLLBACK TO SAVEPOINT {savepoint}"))?;
        self.transaction = Transaction::UnderWay;
        Ok(())
    }

    fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    fn in_transaction(&mut self) -> bool {
        !matches!(self.transaction, Transaction::None)
    }

    fn trouble(&mut self) -> Option<SqlError> {
        match &self.transaction {
            Transaction::Aborted(error) => Some(error.again()),
            _ => None,
        }
    }

    fn restart_log(&mut self) {}

    fn free_bytes_inside(&mut self) -> Result<u64, SqlError> {
        Ok(0)
    }
}

impl Session for PostgresLink {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        let result = self.statement(sql).and_then(|statement| {
            Ok(self
                .client
                .execute(&statement, &convert::parameters(values))?)
        });
        self.note(result)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        let result = self.statement(sql).and_then(|statement| {
            let rows = self
                .client
                .query(&statement, &convert::parameters(values))?;
            rows.iter().map(convert::row).collect()
        });
        self.note(result)
    }

    fn batch(&mut self, sql: &str) -> Result<(), SqlError> {
        let result = self.client.batch_execute(sql).map_err(SqlError::from);
        self.note(result)
    }
}

impl Session for postgres::Transaction<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        let sql = with_dollars(sql);
        Ok(GenericClient::execute(
            self,
            &sql,
            &convert::parameters(values),
        )?)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        let sql = with_dollars(sql);
        let rows = GenericClient::query(self, &sql, &convert::parameters(values))?;
        rows.iter().map(convert::row).collect()
    }

    fn batch(&mut self, sql: &str) -> Result<(), SqlError> {
        Ok(GenericClient::batch_execute(self, sql)?)
    }
}

/// The placeholders `?1` as PostgreSQL writes them, `$1`; texts and names in quotes stay.
fn with_dollars(sql: &str) -> String {
    let mut quote = None;
    let mut characters = sql.chars().peekable();
    let mut rewritten = String::with_capacity(sql.len());
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
        let placeholder = quote.is_none()
            && character == '?'
            && characters.peek().is_some_and(char::is_ascii_digit);
        rewritten.push(if placeholder { '$' } else { character });
    }
    rewritten
}

impl From<postgres::Error> for SqlError {
    fn from(error: postgres::Error) -> Self {
        let kind = match error.code() {
            Some(code) => kind_of(code),
            // Without a code the error is not the server's, but of the way to it.
            None if error.is_closed() || caused_by_io(&error) => SqlErrorKind::Disconnected,
            None => SqlErrorKind::Other,
        };
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        if kind == SqlErrorKind::Disconnected {
            text = format!("no connection to PostgreSQL ({text})");
        }
        Self::new(kind, text)
    }
}

fn caused_by_io(error: &postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>())
        || error.to_string().starts_with("error connecting")
}

fn kind_of(code: &SqlState) -> SqlErrorKind {
    match code.code() {
        "42P01" => SqlErrorKind::NoSuchTable,
        "53100" => SqlErrorKind::Full,
        // Lock not available, deadlock, serialization failure.
        "55P03" | "40P01" | "40001" => SqlErrorKind::Busy,
        code if code.starts_with("23") => SqlErrorKind::Constraint,
        // Connection exceptions, and shutdown by an operator or a crash.
        code if code.starts_with("08") || code.starts_with("57P") => SqlErrorKind::Disconnected,
        _ => SqlErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_another_machine_is_refused_unless_clear_text_is_asked_for() {
        for here in [
            "postgres://a@127.0.0.1:1/b",
            "postgres://a@localhost/b",
            "postgres://a@[::1]/b",
            "postgres://a@%2Frun%2Fpostgresql/b",
            "host=/run/postgresql user=a",
            "host=db.example hostaddr=127.0.0.1 user=a",
            "postgres://a@db.example/b?sslmode=disable",
        ] {
            assert!(server(here).is_ok(), "{here}");
        }
        for elsewhere in [
            "postgres://a:secret@db.example/b",
            "postgres://a:secret@192.0.2.7/b?sslmode=prefer",
            "postgres://a:secret@db.example/b?sslmode=require",
            "postgres://a:secret@127.0.0.1,192.0.2.7/b",
            "host=localhost hostaddr=192.0.2.7 user=a password=secret",
        ] {
            let error = server(elsewhere).unwrap_err().to_string();
            assert!(error.contains("sslmode=disable"), "{elsewhere}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn placeholders_are_rewritten_outside_of_quotes_only() {
        let check = |sql: &str, expected: &str| assert_eq!(with_dollars(sql), expected);
        check("a = ?1 AND b = ?12", "a = $1 AND b = $12");
        check("a = '?1' AND \"?2\" = ?3", "a = '?1' AND \"?2\" = $3");
        check("a = 'it''s ?1' OR b ? 'x'", "a = 'it''s ?1' OR b ? 'x'");
    }
}
