//! Images that others made and published: whether what came is what was asked for.

use oci::{Descriptor, Digest, ImageConfig, Manifest, LAYER_TAR};

use crate::error::Error;

/// Checks that `manifest` is what `digest` names, and that it has `config` and one uncompressed layer, `layer`.
pub fn verify(
    digest: &Digest,
    manifest: &[u8],
    config: &[u8],
    layer: &Descriptor,
) -> Result<(), Error> {
    let got = Digest::of(manifest);
    expect("digest of the manifest", got.as_str(), digest.as_str())?;
    let manifest = Manifest::from_json(manifest)?;
    let got = Digest::of(config);
    let want = manifest.config.digest.as_str();
    expect("digest of the configuration", got.as_str(), want)?;
    let [named] = &manifest.layers[..] else {
        let count = manifest.layers.len().to_string();
        return expect("layers", &count, "1");
    };
    expect("mediaType of the layer", &named.media_type, LAYER_TAR)?;
    let (got, want) = (layer.digest.as_str(), named.digest.as_str());
    expect("digest of the layer", got, want)?;
    let [id] = &ImageConfig::from_json(config)?.rootfs.diff_ids[..] else {
        return expect("rootfs.diff_ids", "not one", "one");
    };
    expect("rootfs.diff_ids", id.as_str(), want)
}

fn expect(what: &'static str, got: &str, want: &str) -> Result<(), Error> {
    if got == want {
        return Ok(());
    }
    Err(Error::Published {
        what,
        got: got.to_owned(),
        want: want.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci::IMAGE_CONFIG;

    #[test]
    fn what_came_is_what_was_asked_for() {
        let of = |bytes: &[u8]| Descriptor::of(LAYER_TAR, bytes);
        let documents = |layers: Vec<Descriptor>| {
            let ids = layers.iter().map(|layer| layer.digest.clone());
            let config = ImageConfig::new("amd64", 0, ids.collect());
            let config = config.to_json().unwrap();
            let at = Descriptor::of(IMAGE_CONFIG, &config);
            (Manifest::new(at, layers).to_json().unwrap(), config)
        };
        let layer = of(b"a tar");
        let (manifest, config) = documents(vec![layer.clone()]);
        let digest = Digest::of(&manifest);
        verify(&digest, &manifest, &config, &layer).unwrap();
        let refused = |digest: &Digest, manifest: &[u8], config: &[u8], layer: &Descriptor| {
            verify(digest, manifest, config, layer)
                .unwrap_err()
                .to_string()
        };
        let other = Digest::of(b"");
        let error = refused(&other, &manifest, &config, &layer);
        assert_eq!(
            error,
            format!("digest of the manifest: got {digest}, want {other}")
        );
        let error = refused(&digest, &manifest, b"{}", &layer);
        assert!(
            error.starts_with("digest of the configuration: got "),
            "{error}"
        );
        let error = refused(&digest, &manifest, &config, &of(b"another"));
        assert!(error.starts_with("digest of the layer: got "), "{error}");
        let (two, config) = documents(vec![layer.clone(), layer.clone()]);
        let error = refused(&Digest::of(&two), &two, &config, &layer);
        assert_eq!(error, "layers: got 2, want 1");
        let packed = Descriptor::of("application/x", b"a tar");
        let (manifest, config) = documents(vec![packed]);
        let error = refused(&Digest::of(&manifest), &manifest, &config, &layer);
        assert!(
            error.starts_with("mediaType of the layer: got application/x"),
            "{error}"
        );
    }
}
