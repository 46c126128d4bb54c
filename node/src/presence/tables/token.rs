//! Consumers whose tokens are valid, and those whose tokens were revoked.

use outbox::Tx;

use super::{WriteError, column, tell};
use crate::presence::paths;

/// Compares the tokens that there are, each with its consumer, with those that there were.
pub(super) fn compare(
    tx: &mut Tx<'_>,
    tokens: &[(String, String)],
    at_us: u64,
) -> Result<(), WriteError> {
    let sql =
        "SELECT consumer, token FROM presence_consumer WHERE state = 'valid' ORDER BY consumer";
    let mut known = Vec::new();
    for row in tx.query(sql, &[])? {
        known.push((row.text(0)?.to_owned(), row.text(1)?.to_owned()));
    }
    for (consumer, _) in known.iter().filter(|one| !tokens.contains(one)) {
        tx.execute(
            "UPDATE presence_consumer SET state = 'revoked', since_us = ?2, version = version + 1 \
             WHERE consumer = ?1",
            &[consumer.as_str().into(), column(at_us).into()],
        )?;
        tell(tx, "token.revoked", paths::consumer(consumer)?)?;
    }
    for (consumer, token) in tokens.iter().filter(|one| !known.contains(one)) {
        tx.execute(
            "INSERT INTO presence_consumer (consumer, token, state, since_us, version) \
             VALUES (?1, ?2, 'valid', ?3, 1) ON CONFLICT (consumer) DO UPDATE SET \
             token = excluded.token, state = 'valid', since_us = excluded.since_us, \
             version = presence_consumer.version + 1",
            &[
                consumer.as_str().into(),
                token.as_str().into(),
                column(at_us).into(),
            ],
        )?;
    }
    Ok(())
}
