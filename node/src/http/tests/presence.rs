//! Lists of zones and access points.

use std::sync::Arc;

use outbox::{Message, Publish as _, Store, StoreConfig};

use super::caller::Running;
use super::office;
use crate::names::Names;
use crate::presence::{COMPONENT, Orders};

#[tokio::test]
async fn a_list_that_stays_the_same_is_not_sent_again_but_its_cursor_is() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::sqlite(folder.path().join("outbox.sqlite"));
    let store = Store::open(config, &[COMPONENT]).unwrap();
    let orders = Orders::new(Arc::new(Names::default()), &[]);
    let (state, ..) = office();
    let node = Running::start(state.with_presence(store.clone(), orders)).await;
    for list in ["zones", "aps"] {
        let path = format!("/api/v1/sites/office/{list}");
        let first = node.get(&path, "").await;
        let cursor = first.headers["messages-cursor"].clone();
        assert_eq!(first.json()["cursor"], cursor.as_str());
        let message = Message::new(
            "site.owner".parse().unwrap(),
            "/api/v1/sites/office".parse().unwrap(),
        );
        store.transact(move |tx| tx.publish(&message)).unwrap();
        let known = format!("if-none-match: {}\r\n", first.headers["etag"]);
        let again = node.get(&path, &known).await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_ne!(again.headers["messages-cursor"], cursor);
        let whole = node.get(&path, "").await;
        assert_eq!(whole.headers["etag"], first.headers["etag"]);
        let moved = whole.json()["cursor"].as_str().unwrap().to_owned();
        assert_eq!(again.headers["messages-cursor"], moved);
    }
    node.stop().await;
}
