//! Any bytes of a stranger are a request to enrol or refused; what was read is written the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use link::signing_request::SigningRequest;
use wire::enrol::{EnrolAnswer, EnrolRequest};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = EnrolRequest::parse(bytes) {
        let _ = SigningRequest::parse(&request.signing_request);
        let again = request.encode().expect("it was short enough to be read");
        assert_eq!(EnrolRequest::parse(&again), Ok(request));
    }
    if let Ok(answer) = EnrolAnswer::parse(bytes)
        && let Ok(again) = answer.encode()
    {
        assert_eq!(EnrolAnswer::parse(&again), Ok(answer));
    }
    // The inner format by itself: behind a frame the fuzzer would seldom reach it.
    let _ = SigningRequest::parse(bytes);
});
