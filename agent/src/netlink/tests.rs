use proptest::prelude::*;

use super::*;

#[test]
fn what_is_written_is_read() {
    let mut bytes = Vec::new();
    let mut request = Request::new(&mut bytes, 28, DUMP, 77, 17);
    request.add_u32(3, 0x0102_0304);
    request.add_text(4, "wlan0");
    let nest = request.begin(21);
    request.add(7, &[0xc4]);
    let inner = request.begin(25);
    request.add(0, &[0xc5]);
    request.end(inner);
    request.end(nest);
    request.add(9, &[]);
    let bytes = request.finish();
    assert_eq!(bytes.len() % 4, 0);
    assert_eq!(bytes[..4], (bytes.len() as u32).to_ne_bytes());
    assert_eq!(bytes[6..8], 0x0301u16.to_ne_bytes());

    let mut messages = Messages::new(bytes);
    let message = messages.next().expect("a message");
    assert!(message.sequence == 77 && messages.next().is_none());
    let Answer::Row {
        family: 28,
        command: 17,
        attributes,
    } = message.answer
    else {
        panic!("{message:?}");
    };
    let find = |kind| attributes.find(kind);
    assert_eq!(find(3).and_then(|one| one.u32()), Some(0x0102_0304));
    assert_eq!(find(4).and_then(|one| one.text()), Some("wlan0"));
    let info = find(21).expect("a nest").nested();
    assert_eq!(info.find(7).and_then(|one| one.i8()), Some(-60));
    let chain = info.find(25).expect("a nest").nested().next();
    assert_eq!(chain.and_then(|one| one.i8()), Some(-59));
    assert!(find(9).is_some_and(|one| one.value.is_empty() && one.u8().is_none()));
    assert_eq!(attributes.count(), 4);
}

/// A message of the kernel's own: type, flags, body.
fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([9u32.to_ne_bytes(), [0; 4]].concat());
    bytes.extend(body);
    bytes
}

#[test]
fn ends_errors_and_interruptions_are_told() {
    let done = |bytes: &[u8]| match Messages::new(bytes).next().expect("a message").answer {
        Answer::Done(result) => result,
        other => panic!("{other:?}"),
    };
    assert_eq!(done(&message(3, 2, &0i32.to_ne_bytes())), Ok(()));
    assert_eq!(done(&message(3, 2, &(-4i32).to_ne_bytes())), Err(4));
    assert_eq!(done(&message(2, 0, &0i32.to_ne_bytes())), Ok(()));
    assert_eq!(done(&message(2, 0, &(-19i32).to_ne_bytes())), Err(19));
    assert_eq!(done(&message(2, 0, &i32::MIN.to_ne_bytes())), Err(i32::MAX));
    assert_eq!(done(&message(3, 2, &[])), Ok(()));
    let overrun = message(4, 0, &[]);
    let answer = Messages::new(&overrun).next().expect("a message").answer;
    assert!(matches!(answer, Answer::Overrun));
    let row = message(28, 0x10, &[7, 1, 0, 0]);
    assert!(Messages::new(&row).next().expect("a message").interrupted);
    let short = message(28, 0, &[7]);
    let answer = Messages::new(&short).next().expect("a message").answer;
    assert!(matches!(answer, Answer::Nothing));
}

#[test]
fn several_messages_are_walked_from_any_place() {
    let bytes = [message(28, 0, &[1, 0, 0, 0]), message(3, 0, &[0; 4])].concat();
    let mut all = Messages::new(&bytes);
    all.next();
    let rest = Messages::from(&bytes, all.at());
    assert_eq!((rest.count(), Messages::new(&bytes).count()), (1, 2));
    assert_eq!(Messages::from(&bytes, usize::MAX).count(), 0);
}

#[test]
fn what_contradicts_itself_ends_the_walk() {
    for len in [0u32, 15, 21, u32::MAX] {
        let mut bytes = message(28, 0, &[1, 0, 0, 0]);
        bytes[..4].copy_from_slice(&len.to_ne_bytes());
        assert_eq!(Messages::new(&bytes).count(), 0, "{len}");
    }
    for len in [0u16, 3, 9, u16::MAX] {
        let bytes = [&len.to_ne_bytes()[..], &[1, 0], &[0; 4]].concat();
        assert_eq!(Attributes::new(&bytes).count(), 0, "{len}");
    }
}

#[test]
fn values_are_not_shown() {
    let bytes = [&10u16.to_ne_bytes()[..], &[6, 0], &[0xab; 6], &[0, 0]].concat();
    let shown = format!("{:?}", Attributes::new(&bytes));
    assert!(!shown.contains("171") && !shown.contains("ab"), "{shown}");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for message in Messages::new(&bytes) {
            if let Answer::Row { attributes, .. } = message.answer {
                for one in attributes {
                    let numbers = (one.u8(), one.u16(), one.u32(), one.u64(), one.i64(), one.i32());
                    prop_assert!(numbers.3.is_none() || numbers.0.is_some());
                    prop_assert!(one.text().is_none_or(|text| text.len() <= one.value.len()));
                    prop_assert!(one.nested().count() <= one.value.len());
                }
            }
        }
    }
}
