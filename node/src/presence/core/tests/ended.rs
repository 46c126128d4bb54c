//! Clients that end: who opts out, who is erased, and what is still told of them.

use super::*;

pub(super) fn who_opts_out_or_is_erased_is_gone_and_told_so(place: &Place) {
    let mut rig = Rig::new(place);
    rig.stand_all(&[(1, 5.0), (2, 5.0)], 8);
    rig.told();
    assert!(rig.core.handle_end(0, 1, EndReason::OptedOut));
    assert!(rig.core.handle_end(0, 2, EndReason::Erased));
    assert!(rig.core.handle_end(0, 3, EndReason::OptedOut));
    // Late fixes change nothing.
    rig.stand_all(&[(1, 5.0), (2, 5.0)], 8);
    let told = [
        "zone.left /zones/west/clients/0000000000000001",
        "zone.occupancy /zones/west",
        "client.optout /clients/0000000000000001",
        "zone.left /zones/west/clients/0000000000000002",
        "client.erased /clients/0000000000000002",
        "client.optout /clients/0000000000000003",
    ];
    assert_eq!(rig.told(), told);
    assert_eq!(rig.occupancy()["west"], 0);
    let visit = rig.visit("west", "0000000000000002");
    assert_eq!(visit.reason.as_deref(), Some("erased"));
    assert_eq!(rig.client("0000000000000001"), "opted_out");
    // Agents repeat opt-outs; who asks for another erasure gets one.
    rig.now_us += SECOND;
    rig.core.handle_tick(rig.now_us);
    rig.core.handle_end(0, 1, EndReason::OptedOut);
    rig.core.handle_end(0, 2, EndReason::Erased);
    rig.settle();
    assert_eq!(rig.told(), ["client.erased /clients/0000000000000002"]);
    // Erased and still heard after a while: a new visit.
    rig.now_us += 200 * SECOND;
    rig.stand(2, 5.0, 8);
    assert_eq!(
        rig.told(),
        ["zone.entered /zones/west/clients/0000000000000002"]
    );
    assert_eq!(rig.client("0000000000000002"), "here");
}

pub(super) fn who_opted_out_is_not_told_again_before_the_key_rotates(place: &Place) {
    let mut rig = Rig::new(place);
    rig.stand(1, 5.0, 8);
    rig.core.handle_end(0, 1, EndReason::OptedOut);
    rig.settle();
    rig.told();
    // An agent whose list is older goes on to tell of it.
    rig.now_us += 300 * SECOND;
    rig.stand(1, 5.0, 8);
    assert_eq!(rig.told(), [""; 0]);
    // It learns of it late; an erasure lets nobody in either.
    rig.core.handle_end(0, 1, EndReason::OptedOut);
    rig.settle();
    assert_eq!(rig.told(), [""; 0]);
    rig.core.handle_end(0, 1, EndReason::Erased);
    rig.now_us += 300 * SECOND;
    rig.stand(1, 5.0, 8);
    assert_eq!(rig.told(), ["client.erased /clients/0000000000000001"]);
    assert_eq!(rig.published().len(), 0);
    // Nor does a restart.
    rig.core.handle_end(0, 2, EndReason::OptedOut);
    rig.settle();
    rig.told();
    rig.restart(HALL, KeyId(7));
    rig.stand(2, 5.0, 8);
    assert_eq!(rig.told(), [""; 0]);
    assert_eq!(rig.client("0000000000000002"), "opted_out");
    rig.core.handle_end(0, 2, EndReason::OptedOut);
    assert!(
        rig.core.truth(0).is_empty(),
        "an agent's next session tells"
    );
    rig.core.handle_rotation(0, KeyId(9));
    rig.settle();
    rig.now_us += 300 * SECOND;
    rig.stand(2, 5.0, 8);
    assert_eq!(rig.core.held, 0);
    assert_eq!(rig.published(), rig.core.truth(0));
    assert_eq!(rig.published().len(), 1);
}

pub(super) fn who_ended_stays_away_until_the_store_knows(place: &Place) {
    let mut rig = Rig::new(place);
    rig.stand(1, 5.0, 8);
    rig.core.handle_end(0, 1, EndReason::Erased);
    for _ in 0..300 {
        rig.now_us += SECOND;
        let sent_at_us = rig.now_us;
        let fix = SentFix {
            sent_at_us,
            ..sent(1, 5.0, 0)
        };
        rig.core.handle_fixes([fix]);
        rig.core.handle_tick(rig.now_us);
        // Whatever else there is, is written.
        let is_end = |key: &Key| matches!(key, Key::End { .. });
        let fate = |key: &Key| match is_end(key) {
            true => Fate::Again,
            false => Fate::Done,
        };
        rig.round(fate, false);
    }
    assert!(rig.core.truth(0).is_empty());
    rig.settle();
    assert_eq!(rig.published(), rig.core.truth(0));
    rig.stand(1, 5.0, 8);
    assert_eq!(rig.published().len(), 1);
    assert_eq!(rig.published(), rig.core.truth(0));
}
