//! Certificates, keys, requests and lists of signatures: any text.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(certificate) = signing::Certificate::parse(data) {
        let _ = signing::public_key(&certificate);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = signing::PrivateKey::parse(text);
    if let Ok(request) = signing::Request::parse(text) {
        assert_eq!(
            signing::Request::parse(&request.to_json()).unwrap(),
            request
        );
    }
    if let Ok(list) = signing::Signatures::parse(text) {
        assert_eq!(signing::Signatures::parse(&list.to_json()).unwrap(), list);
    }
});
