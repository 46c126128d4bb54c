//! Whatever is heard, and whatever the node grants.

use proptest::prelude::*;

use super::*;

/// What an observation is made of: client, radio, milliseconds since the last, has a range.
fn any_observations() -> impl Strategy<Value = Vec<(u64, u8, u64, bool)>> {
    let client = prop_oneof![3 => 0_u64..6, 2 => 0_u64..200];
    prop::collection::vec(
        (client, 0_u8..3, 0_u64..3, prop::bool::weighted(0.05)),
        0..1_500,
    )
}

/// What is heard in one round: of one kind, each client once, or anything.
fn any_list() -> impl Strategy<Value = Vec<Observation>> {
    let level = || prop::option::of(-127_i8..=127);
    let reading = (level(), level(), any::<u8>(), 0_u8..8, any::<bool>());
    let one = (0_u64..400, 0_u8..3, reading, prop::bool::weighted(0.05));
    (prop::collection::vec(one, 0..400), any::<bool>()).prop_map(|(list, plain)| {
        let list = (0..)
            .zip(list)
            .map(|(number, (client, radio, reading, ranges))| {
                let (rssi_dbm, noise_dbm, channel, kind, associated) = reading;
                let range = Range {
                    distance_mm: i32::from(channel) - 9,
                    deviation_mm: (channel > 99).then_some(7),
                };
                Observation {
                    client: ClientId(if plain { number } else { client }),
                    radio: if plain { 1 } else { radio },
                    rssi_dbm,
                    noise_dbm,
                    channel,
                    kind: if plain {
                        Kind::Data
                    } else {
                        Kind::from_code(kind)
                    },
                    associated,
                    randomised: !associated,
                    range: (ranges && !plain).then_some(range),
                    ..heard(0, 0)
                }
            });
        list.collect()
    })
}

proptest! {
    #[test]
    fn clients_are_spread_as_evenly_as_they_can_be(
        input in any_observations(),
        bytes in limits::DATAGRAM_BYTES_MIN..1_500,
    ) {
        let mut batcher = connected(BatcherLimits {
            burst_batches_max: limits::BURST_BATCHES_MAX,
            hold: Duration::ZERO,
            ..BatcherLimits::default()
        });
        batcher.handle_datagram_bytes_max(bytes);
        for (client, radio, _, ranges) in &input {
            let range = ranges.then_some(Range { distance_mm: 5, deviation_mm: None });
            batcher.handle_observation(Observation { radio: *radio, range, ..heard(*client, START_US) });
        }
        let batches = poll_all(&mut batcher, START_US);
        for radio in 0..3 {
            let of_radio: Vec<_> = batches.iter().filter(|(h, _)| h.radio == radio).collect();
            let mut in_all = HashMap::new();
            for (_, observations) in &of_radio {
                for (client, count) in count_by_client(observations) {
                    *in_all.entry(client).or_insert(0) += count;
                }
            }
            for (_, observations) in &of_radio {
                let counts = count_by_client(observations);
                let most = counts.values().copied().max().unwrap_or(0);
                if most <= observations.len().div_ceil(2) {
                    prop_assert_eq!(neighbours(observations), 0);
                }
                for (client, count) in counts {
                    prop_assert!(count <= in_all[&client].div_ceil(of_radio.len()));
                }
            }
        }
        prop_assert_eq!(batcher.counters().observations_sent, input.len() as u64);
    }

    #[test]
    fn clients_with_and_without_short_ids_are_spread_alike(
        input in any_observations(),
        bytes in limits::DATAGRAM_BYTES_MIN..1_500,
        granted in 0_u32..150,
        refuse_every in 1_usize..5,
    ) {
        let mut batcher = connected(BatcherLimits {
            burst_batches_max: limits::BURST_BATCHES_MAX,
            hold: Duration::ZERO,
            ..BatcherLimits::default()
        });
        batcher.handle_datagram_bytes_max(bytes);
        batcher.handle_short_ids(granted, START_US);
        let mut known = Known::default();
        let mut sent = 0;
        for round in 0..5 {
            let now_us = START_US + round * 300_000;
            for (client, radio, _, ranges) in &input {
                let range = ranges.then_some(Range { distance_mm: 5, deviation_mm: None });
                batcher.handle_observation(Observation { radio: *radio, range, ..heard(*client, now_us) });
            }
            let batches = known.poll_all(&mut batcher, now_us);
            known.define(&mut batcher, now_us, refuse_every);
            sent += batches.iter().map(|(_, parts)| parts.concat().len()).sum::<usize>();
            for radio in 0..3 {
                let of_radio: Vec<_> = batches.iter().filter(|(h, _)| h.radio == radio).collect();
                let all: Vec<_> = of_radio.iter().flat_map(|(_, parts)| parts.concat()).collect();
                let in_all = count_by_client(&all);
                for (_, parts) in &of_radio {
                    for (client, count) in count_by_client(&parts.concat()) {
                        prop_assert!(count <= in_all[&client].div_ceil(of_radio.len()));
                        let in_parts = parts.iter().filter(|part| part.iter().any(|o| o.client == client));
                        prop_assert_eq!(in_parts.count(), 1, "one kind of id in a burst");
                    }
                    for part in parts {
                        let most = count_by_client(part).into_values().max().unwrap_or(0);
                        if most <= part.len().div_ceil(2) {
                            prop_assert_eq!(neighbours(part), 0);
                        }
                    }
                }
            }
        }
        prop_assert_eq!(sent, 5 * input.len());
    }

    #[test]
    fn what_leaves_is_what_was_heard(
        lists in prop::collection::vec(any_list(), 1..5),
        granted in 0_u32..150,
        bytes in limits::DATAGRAM_BYTES_MIN..1_500,
        late in prop_oneof![9 => Just(0), 1 => Just(6_000_000)],
    ) {
        let mut batcher = connected(BatcherLimits { age_max: Duration::from_secs(60), ..BatcherLimits::default() });
        batcher.handle_short_ids(granted, START_US);
        let mut known = Known::default();
        let mut expected = Vec::new();
        let mut got = Vec::new();
        for (round, list) in (0..).zip(lists) {
            let now_us = START_US + round * 8_000_000;
            for (step, observation) in (0..).zip(list) {
                let heard_at_us = now_us - 1_000 * (step % 7);
                let observation = Observation { heard_at_us, ..observation };
                batcher.handle_observation(observation);
                expected.push(observation);
            }
            batcher.handle_flush();
            // The path shrinks while a burst is on its way, which may take long.
            let mut datagram = Vec::new();
            if let Some(rows) = batcher.poll_batch(now_us, &mut datagram) {
                let batch = batch::decode(&datagram).expect("our own batch");
                prop_assert_eq!(batch.len(), rows);
                got.extend(batch.resolved(|id| Some(known.clients[&id])));
            }
            batcher.handle_datagram_bytes_max(bytes);
            let batches = known.poll_all(&mut batcher, now_us + late);
            got.extend(batches.into_iter().flat_map(|(_, parts)| parts.concat()));
            known.define(&mut batcher, now_us, usize::MAX);
            batcher.handle_datagram_bytes_max(limits::DATAGRAM_BYTES_MAX);
        }
        let in_order = |observations: &mut Vec<Observation>| {
            observations.sort_by_key(|o| (o.client, o.heard_at_us, o.radio, format!("{o:?}")));
        };
        in_order(&mut expected);
        in_order(&mut got);
        prop_assert_eq!(got, expected);
        assert_books_close(&batcher);
    }

    /// A radio that hops, in the worst case between any two frames.
    #[test]
    fn channels_and_noise_may_change_with_every_row(
        clients in prop_oneof![1_u64..20, 500_u64..900],
        airs in prop_oneof![Just(2_u32), Just(3), Just(60_000)],
        dwell in prop_oneof![Just(1_u32), 1_u32..50],
        radios in 1_u8..3,
        granted in prop_oneof![Just(0), Just(1_000_u32)],
        bytes in limits::DATAGRAM_BYTES_MIN..1_500,
    ) {
        let mut batcher = connected(BatcherLimits { hold: Duration::ZERO, ..BatcherLimits::default() });
        batcher.handle_datagram_bytes_max(bytes);
        batcher.handle_short_ids(granted, START_US);
        let mut known = Known::default();
        let allowed = bytes.min(limits::DATAGRAM_BYTES_MAX);
        for round in 0..4 {
            let now_us = START_US + round * 300_000;
            let heard: Vec<_> = (0..3_000_u32)
                .map(|number| {
                    let air = number / dwell % airs;
                    Observation {
                        radio: (number % u32::from(radios)) as u8,
                        channel: air as u8,
                        noise_dbm: (air > 1).then_some((air >> 8) as i8 / 2),
                        ..heard(u64::from(number) * 7 % clients, now_us)
                    }
                })
                .collect();
            batcher.handle_observations(heard.iter().copied());
            let batches = known.poll_all(&mut batcher, now_us);
            known.define(&mut batcher, now_us, usize::MAX);
            let mut got: Vec<Observation> = Vec::new();
            let mut first = batches.first().map_or(0, |(header, _)| header.first_observation);
            let mut thin = 0;
            for (header, parts) in &batches {
                let [full, short] = parts.each_ref().map(Vec::len);
                // An entry of the air for each row at worst.
                let fit = (allowed - 60) / (12 + 4);
                thin += usize::from(full + short < fit / 2);
                prop_assert_eq!(header.first_observation, first);
                first += (full + short) as u64;
                got.extend(parts.concat());
            }
            // The last burst of a round may be thin for each radio.
            prop_assert!(thin <= 2 * usize::from(radios), "{} of {}", thin, batches.len());
            let in_order = |observations: &mut Vec<Observation>| {
                observations.sort_by_key(|o| (o.client, o.channel, o.noise_dbm, o.radio));
            };
            let mut expected = heard;
            in_order(&mut expected);
            in_order(&mut got);
            prop_assert_eq!(got, expected);
        }
        assert_books_close(&batcher);
    }

    #[test]
    fn clients_are_spread_whatever_the_channel(
        input in any_observations(),
        channels in prop::collection::vec(0_u8..4, 1..50),
    ) {
        let mut batcher = connected(BatcherLimits {
            burst_batches_max: limits::BURST_BATCHES_MAX,
            hold: Duration::ZERO,
            ..BatcherLimits::default()
        });
        for ((client, radio, _, _), channel) in input.iter().zip(channels.iter().cycle()) {
            let channel = *channel;
            batcher.handle_observation(Observation { radio: *radio, channel, ..heard(*client, START_US) });
        }
        let mut datagram = Vec::new();
        let mut batches = Vec::new();
        while batcher.poll_batch(START_US, &mut datagram).is_some() {
            let batch = batch::decode(&datagram).expect("our own batch");
            prop_assert!(batch.airs.len() <= 4, "gathered by channel");
            batches.push((batch.header.radio, batch.observations().collect::<Vec<_>>()));
        }
        for radio in 0..3 {
            let of_radio: Vec<_> = batches.iter().filter(|(of, _)| *of == radio).collect();
            let all: Vec<_> = of_radio.iter().flat_map(|(_, heard)| heard.clone()).collect();
            let in_all = count_by_client(&all);
            for (_, heard) in &of_radio {
                for (client, count) in count_by_client(heard) {
                    prop_assert!(count <= in_all[&client].div_ceil(of_radio.len()));
                }
            }
        }
        prop_assert_eq!(batcher.counters().observations_sent, input.len() as u64);
    }

    #[test]
    fn every_observation_is_waiting_sent_or_dropped(
        input in any_observations(),
        queue_observations_max in 1_usize..600,
        disconnect_every in 1_usize..200,
        granted in 0_u32..20,
        bytes in limits::DATAGRAM_BYTES_MIN..1_500,
    ) {
        let limits = BatcherLimits { queue_observations_max, ..BatcherLimits::default() };
        let mut batcher = Batcher::new(limits);
        let mut datagram = Vec::new();
        let mut now_us = START_US;
        let (mut offered, mut connected) = (0, false);
        for (i, (client, radio, ms, _)) in input.iter().enumerate() {
            now_us += ms * 7_000;
            if i % disconnect_every == 0 {
                connected = !connected;
                if connected {
                    offered += batcher.close_books().observations_offered;
                    batcher.handle_connected(Session(i as u64), now_us);
                    batcher.handle_short_ids(granted, now_us);
                    batcher.handle_datagram_bytes_max(bytes);
                } else {
                    batcher.handle_disconnected(0, 0);
                }
            }
            batcher.handle_observation(Observation { radio: *radio, ..heard(*client, now_us) });
            prop_assert!(batcher.waiting() <= queue_observations_max);
            // Every third round the transport has no room.
            while i % 3 != 0 && batcher.poll_batch(now_us, &mut datagram).is_some() {
                prop_assert!(datagram.len() <= bytes);
                Known::default().define(&mut batcher, now_us, 3);
            }
            assert_books_close(&batcher);
        }
        batcher.handle_give_up();
        prop_assert_eq!(offered + batcher.close_books().observations_offered, input.len() as u64);
    }

    #[test]
    fn nothing_waits_beyond_its_deadline_while_there_is_room(input in any_observations()) {
        let mut batcher = connected(BatcherLimits::default());
        let mut now_us = START_US;
        for (client, radio, ms, _) in &input {
            let next_us = now_us + ms * 40_000;
            while let Some(due_us) = batcher.poll_timeout().filter(|due_us| *due_us <= next_us) {
                let due_us = due_us.max(now_us);
                for (_, observations) in poll_all(&mut batcher, due_us) {
                    for observation in observations {
                        prop_assert!(due_us - observation.heard_at_us <= 250_000 + 1_000);
                    }
                }
            }
            now_us = next_us;
            batcher.handle_observation(Observation { radio: *radio, ..heard(*client, now_us) });
        }
    }
}
