//! Whether a client takes an answer compressed: `Accept-Encoding`.

use hyper::{HeaderMap, header};

/// Whether it takes gzip, and likes it at least as well as the plain bytes.
///
/// gzip has the weight that stands beside its name, else that of `*`, else none. The plain bytes have one only if they are named:
/// they are what is sent if nothing else may be. A weight that cannot be read is none.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut plain) = (None, None, 0.0);
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for entry in values.flat_map(|value| value.split(',')) {
        let (name, weight) = weighed(entry);
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(weight),
            "*" => any = Some(weight),
            "identity" => plain = weight,
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0.0);
    gzip > 0.0 && gzip >= plain
}

/// `gzip;q=0.5`: the name and its weight, 1 if none is said.
fn weighed(entry: &str) -> (&str, f32) {
    let mut parts = entry.split(';').map(str::trim);
    let name = parts.next().unwrap_or("");
    let said = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, said.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(values: &[&str]) -> bool {
        let pairs = values.iter().map(|value| (header::ACCEPT_ENCODING, value.parse().unwrap()));
        takes_gzip(&pairs.collect())
    }

    #[test]
    fn who_names_gzip_gets_it() {
        for values in [
            &["gzip"][..],
            &["gzip, deflate, br, zstd"],
            &["br;q=1.0, GZIP;q=0.8, *;q=0.1"],
            &["deflate", "gzip"],
            &["x-gzip"],
            &["*"],
            &["identity;q=0.5, *;q=0.5"],
            &["gzip ; Q=0.001"],
            &["identity;q=0, gzip"],
            &["gzip,,"],
        ] {
            assert!(takes(values), "{values:?}");
        }
    }

    #[test]
    fn others_get_plain_bytes() {
        for values in [
            &[][..],
            &[""],
            &["identity"],
            &["br, deflate"],
            &["gzip;q=0"],
            &["gzip;q=0.000, *"],
            &["*;q=0"],
            &["gzip;q=0.5, identity"],
            &["identity, *;q=0.5"],
            &["gzip;q=much"],
            &["gzip;q=NaN"],
            &["gzip;q=-1"],
            &["gzipped"],
        ] {
            assert!(!takes(values), "{values:?}");
        }
    }
}
