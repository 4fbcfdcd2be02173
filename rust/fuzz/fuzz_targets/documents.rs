//! JSON documents: OCI configurations and manifests, deployments. What is taken is written and read again.
#![no_main]

use deployment::Deployment;
use libfuzzer_sys::fuzz_target;
use oci::{ImageConfig, Manifest};

fuzz_target!(|data: &[u8]| {
    if let Ok(config) = ImageConfig::from_json(data) {
        let json = config.to_json().expect("it was read");
        assert_eq!(
            ImageConfig::from_json(&json)
                .expect("it was written")
                .to_json()
                .expect("it was read"),
            json
        );
    }
    if let Ok(manifest) = Manifest::from_json(data) {
        let json = manifest.to_json().expect("it was read");
        assert_eq!(
            Manifest::from_json(&json)
                .expect("it was written")
                .to_json()
                .expect("it was read"),
            json
        );
    }
    if let Ok(document) = Deployment::parse(data) {
        let json = document.to_json().expect("it was read");
        assert_eq!(
            Deployment::parse(json.as_bytes())
                .expect("it was written")
                .to_json()
                .expect("it was read"),
            json
        );
    }
});
