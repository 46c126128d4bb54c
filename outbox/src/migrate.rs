//! Schemas: which version each component's tables have, and the steps from one to the next.

use crate::schema::{days, tables};
use crate::tx::{Session, one_row};
use crate::value::{Dialect, SqlError, SqlErrorKind, Value};

/// Tables that a service keeps in the same database, so that its state and its messages change in
/// one transaction.
#[derive(Debug, Clone, Copy)]
pub struct Component {
    /// Short name, such as `presence`; unique in a database, never `outbox`.
    pub name: &'static str,
    /// Steps with versions 1, 2, 3 and so on. A step that was released never changes.
    pub migrations: &'static [Migration],
}

/// A step from one version of a component's tables to the next.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The version that it leads to.
    pub version: u32,
    /// Statements for SQLite.
    pub sqlite: &'static str,
    /// Statements for PostgreSQL.
    pub postgres: &'static str,
}

/// The tables cannot be brought to what this program needs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// A newer program wrote them.
    #[error(
        "the tables of {component} have version {found}, and this program knows versions up to \
         {known}; run the newer program, or restore a backup made before it"
    )]
    Newer {
        /// Whose tables.
        component: String,
        /// Their version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The component's list of steps is no list of steps: a mistake in the program.
    #[error("component {0} has steps with other versions than 1, 2, 3 and so on, or a taken name")]
    Steps(&'static str),
    /// A restore began and did not end.
    #[error(
        "a restore of this database was broken off; restore it again, and say that what is there \
         shall be replaced"
    )]
    HalfRestored,
    /// The database refused; nothing was changed.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// What a migration did to one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// Whose tables.
    pub component: String,
    /// Their version before; 0 if there were none.
    pub from: u32,
    /// Their version now.
    pub to: u32,
}

/// A step of the outbox itself: statements for the whole, and for each day that has tables.
struct OwnStep {
    sqlite: &'static str,
    sqlite_each_day: &'static str,
    postgres: &'static str,
    postgres_each_day: &'static str,
}

const OWN: &str = "outbox";

const OWN_STEPS: [OwnStep; 2] = [
    OwnStep {
        sqlite: "
CREATE TABLE outbox_state (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  epoch INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  purged_transaction INTEGER NOT NULL,
  purged_sequence INTEGER NOT NULL,
  purged_day INTEGER NOT NULL,
  clock INTEGER NOT NULL
);
INSERT INTO outbox_state VALUES (1, random(), 0, 0, 0, -1000000, 0);
CREATE TABLE outbox_kind (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE outbox_day (day INTEGER PRIMARY KEY);
",
        sqlite_each_day: "",
        postgres: include_str!("schema/postgres_1.sql"),
        postgres_each_day: "",
    },
    // Key-value pairs of transports, beside each day's messages and dropped with them.
    OwnStep {
        sqlite: "",
        sqlite_each_day: tables::KV_SQLITE,
        postgres: include_str!("schema/postgres_2.sql"),
        postgres_each_day: "SELECT outbox_make_day({day})",
    },
];

/// Brings all tables to the versions that this program needs. The caller holds a transaction.
pub(crate) fn migrate(
    session: &mut dyn Session,
    components: &[Component],
) -> Result<Vec<Migrated>, MigrateError> {
    if session.dialect() == Dialect::Postgres {
        // Two programs that start together make the tables one after the other.
        session.query("SELECT pg_advisory_xact_lock(8461287364812)", &[])?;
        if is_half_restored(session)? {
            return Err(MigrateError::HalfRestored);
        }
    }
    session.batch(
        "CREATE TABLE IF NOT EXISTS outbox_version (
           component TEXT PRIMARY KEY, version BIGINT NOT NULL)",
    )?;
    let mut done = Vec::new();
    let mut own = |session: &mut dyn Session, index: usize| own_step(session, &OWN_STEPS[index]);
    done.extend(bring(session, OWN, OWN_STEPS.len(), &mut own)?);
    for (position, component) in components.iter().enumerate() {
        let numbered = component
            .migrations
            .iter()
            .zip(1..)
            .all(|(step, n)| step.version == n);
        let taken = component.name == OWN
            || components[..position]
                .iter()
                .any(|other| other.name == component.name);
        if !numbered || taken {
            return Err(MigrateError::Steps(component.name));
        }
        let mut step = |session: &mut dyn Session, index: usize| {
            let step = &component.migrations[index];
            session.batch(match session.dialect() {
                Dialect::Sqlite => step.sqlite,
                Dialect::Postgres => step.postgres,
            })
        };
        done.extend(bring(
            session,
            component.name,
            component.migrations.len(),
            &mut step,
        )?);
    }
    Ok(done)
}

/// The versions of all components whose tables are there.
pub(crate) fn versions(session: &mut dyn Session) -> Result<Vec<(String, i64)>, SqlError> {
    let sql = "SELECT component, version FROM outbox_version ORDER BY component";
    let rows = session.query(sql, &[])?;
    rows.iter()
        .map(|row| Ok((row.text(0)?.to_owned(), row.integer(1)?)))
        .collect()
}

/// Whether these are tables of a store, and not of a newer program.
pub(crate) fn check_known(session: &mut dyn Session) -> Result<(), MigrateError> {
    let known = i64::try_from(OWN_STEPS.len()).unwrap_or(i64::MAX);
    match versions(session)?
        .into_iter()
        .find(|(component, _)| component == OWN)
    {
        Some((_, found)) if (1..=known).contains(&found) => Ok(()),
        Some((component, found)) if found > known => Err(MigrateError::Newer {
            component,
            found,
            known,
        }),
        _ => {
            let text = "its tables are not those of an outbox";
            Err(SqlError::new(SqlErrorKind::Shape, text).into())
        }
    }
}

/// Says that a restore began: a table, which no dump of a whole store has.
pub(crate) const MARK_HALF_RESTORED: &str = "CREATE TABLE IF NOT EXISTS outbox_half_restored ()";
pub(crate) const UNMARK_HALF_RESTORED: &str = "DROP TABLE IF EXISTS outbox_half_restored";

/// Whether a restore of this database of PostgreSQL began and did not end.
pub(crate) fn is_half_restored(session: &mut dyn Session) -> Result<bool, SqlError> {
    let sql = "SELECT count(*) FROM pg_class \
               WHERE relname = 'outbox_half_restored' AND pg_table_is_visible(oid)";
    Ok(one_row(session, sql, &[])?.integer(0)? > 0)
}

/// Gives restored tables an epoch of their own, since what was published after the backup is not
/// in them, and puts their messages before all transactions of this database.
pub(crate) fn begin_new_history(session: &mut dyn Session) -> Result<(), SqlError> {
    if session.dialect() == Dialect::Sqlite {
        session.execute("UPDATE outbox_state SET epoch = random()", &[])?;
        return Ok(());
    }
    session.batch(UNMARK_HALF_RESTORED)?;
    // Days that were there before and are not in the backup.
    session.batch(include_str!("schema/postgres_drop_strays.sql"))?;
    // The numbers of another server's transactions mean nothing here.
    for day in days(session)? {
        session.execute(
            &tables::for_day("UPDATE outbox_message_{day} SET xid = 0", day),
            &[],
        )?;
    }
    session.batch(
        "UPDATE outbox_state SET purged_transaction = 0, purged_sequence = 0,
           epoch = ('x' || substr(md5(gen_random_uuid()::text), 1, 16))::bit(64)::bigint",
    )
}

/// Makes the steps that a component's tables have not seen.
fn bring(
    session: &mut dyn Session,
    component: &str,
    known: usize,
    step: &mut dyn FnMut(&mut dyn Session, usize) -> Result<(), SqlError>,
) -> Result<Option<Migrated>, MigrateError> {
    let find = "SELECT version FROM outbox_version WHERE component = ?1";
    let name = Value::from(component);
    let found = match session.query(find, std::slice::from_ref(&name))?.first() {
        Some(row) => row.integer(0)?,
        None => {
            let sql = "INSERT INTO outbox_version (component, version) VALUES (?1, 0)";
            session.execute(sql, std::slice::from_ref(&name))?;
            0
        }
    };
    let from = match usize::try_from(found) {
        Ok(from) if from <= known => from,
        _ => {
            let known = i64::try_from(known).unwrap_or(i64::MAX);
            return Err(MigrateError::Newer {
                component: component.to_owned(),
                found,
                known,
            });
        }
    };
    for index in from..known {
        step(session, index)?;
    }
    if from == known {
        return Ok(None);
    }
    let version = i64::try_from(known).unwrap_or(i64::MAX);
    let sql = "UPDATE outbox_version SET version = ?2 WHERE component = ?1";
    session.execute(sql, &[name, version.into()])?;
    let number = |version: usize| u32::try_from(version).unwrap_or(u32::MAX);
    Ok(Some(Migrated {
        component: component.to_owned(),
        from: number(from),
        to: number(known),
    }))
}

fn own_step(session: &mut dyn Session, step: &OwnStep) -> Result<(), SqlError> {
    let (whole, each_day) = match session.dialect() {
        Dialect::Sqlite => (step.sqlite, step.sqlite_each_day),
        Dialect::Postgres => (step.postgres, step.postgres_each_day),
    };
    session.batch(whole)?;
    if each_day.is_empty() {
        return Ok(());
    }
    for day in days(session)? {
        session.batch(&tables::for_day(each_day, day))?;
    }
    Ok(())
}
