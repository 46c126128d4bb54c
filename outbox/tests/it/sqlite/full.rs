//! Less free space than the headroom. A disk that is really full is tried by the test `small_disk`.

use outbox::{Intake, Place, Publish as _, Store, StoreConfig, TransactError};

use crate::support::{NOON, config, from_oldest, messages};

#[test]
fn less_free_space_than_the_headroom_refuses_visibly_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Sqlite(folder.path().join("messages.db"));
    let made = messages(2);
    let store = Store::open(config(&place), &[]).unwrap();
    crate::support::publish(&store, &made[..1]);
    assert_eq!(store.health().intake, Intake::Open);
    store.close();
    let store = Store::open(
        StoreConfig {
            headroom_bytes: u64::MAX / 2,
            ..config(&place)
        },
        &[],
    )
    .unwrap();
    let message = made[1].clone();
    let refused = store.transact(move |tx| tx.publish(&message));
    assert!(matches!(refused, Err(TransactError::Full)), "{refused:?}");
    let health = store.health();
    assert_eq!((health.intake, health.commits_full), (Intake::Full, 1));
    assert_eq!(from_oldest(&store), made[..1]);
    assert!(store.purge(NOON).is_ok());
}
