//! The few static files, compiled in. Their addresses hold their hash, so that browsers keep them for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use sha2::{Digest, Sha256};

/// A static file.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    url: String,
}

macro_rules! assets {
    ($($name:literal: $content_type:literal),+ $(,)?) => {
        vec![$(asset($name, $content_type, include_bytes!(concat!("../assets/", $name)))),+]
    };
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    assets! {
        "console.css": "text/css; charset=utf-8",
        "icon.svg": "image/svg+xml",
        "page.js": "text/javascript; charset=utf-8",
        "fields.js": "text/javascript; charset=utf-8",
        "live.js": "text/javascript; charset=utf-8",
        "drop.js": "text/javascript; charset=utf-8",
    }
});

fn asset(name: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let digest = Sha256::digest(bytes);
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    Asset { name, content_type, bytes, url: format!("/static/{stem}.{hash}.{extension}") }
}

/// The address of a static file; the page's own where there is no such file.
pub(crate) fn url(name: &str) -> &'static str {
    ASSETS.iter().find(|one| one.name == name).map_or("", |one| &one.url)
}

/// `GET /static/{file}`
pub(crate) async fn serve(Path(file): Path<String>) -> Response {
    let found = ASSETS.iter().find(|one| one.url.strip_prefix("/static/") == Some(file.as_str()));
    match found {
        Some(asset) => {
            let headers = [
                (header::CONTENT_TYPE, asset.content_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ];
            (headers, asset.bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_changes_with_the_content_and_every_file_has_one() {
        let url = |bytes| asset("a.js", "text/javascript", bytes).url;
        assert_ne!(url(b"1"), url(b"2"));
        for name in ["console.css", "icon.svg", "page.js", "fields.js", "live.js", "drop.js"] {
            assert!(super::url(name).starts_with("/static/"), "{name}");
        }
    }
}
