//! The pages and their files, embedded in the binary. Each file has a hash of all files in its
//! path, so that a browser may keep it for ever and still gets the new one after an upgrade.

use std::borrow::Cow;
use std::sync::LazyLock;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// Hash of all embedded files; the build that pages and heartbeats name.
pub fn build() -> &'static str {
    static BUILD: LazyLock<String> = LazyLock::new(|| {
        // FNV-1a, 64 bits: names a build, protects nothing.
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let mut names: Vec<_> = Files::iter().collect();
        names.sort();
        for name in names {
            let file = Files::get(&name).map(|file| file.data).unwrap_or_default();
            for byte in name.bytes().chain(file.iter().copied()) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        format!("{hash:016x}")
    });
    &BUILD
}

/// A static file: its content and media type.
pub fn file(name: &str) -> Option<(Cow<'static, [u8]>, &'static str)> {
    if name.ends_with(".html") {
        return None;
    }
    Some((Files::get(name)?.data, media_type(name)))
}

/// A page with the paths of its files filled in.
pub fn page(name: &str) -> Option<String> {
    let html = Files::get(&format!("{name}.html"))?.data;
    let text = String::from_utf8_lossy(&html);
    Some(
        text.replace("{{assets}}", &format!("/assets/{}", build()))
            .replace("{{build}}", build()),
    )
}

/// The start page for a screen's box, as one file. It is no part of the build: a box keeps its copy
/// over many of them.
pub fn loader() -> &'static str {
    include_str!("../loader/loader.html")
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("wav") => "audio/wav",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
