//! The Prometheus text format, version 0.0.4, read strictly, and its conventions for names.

use std::collections::{BTreeMap, BTreeSet};

/// A metric with all its samples.
#[derive(Debug, Clone, Default)]
pub struct Family {
    pub kind: String,
    pub help: String,
    pub samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// Reads a text, or says what is wrong with it.
pub fn parse(text: &str) -> Result<BTreeMap<String, Family>, String> {
    let body = text.strip_suffix('\n').ok_or("the last line does not end in LF")?;
    let mut families = BTreeMap::<String, Family>::new();
    let mut current = String::new();
    let mut seen = BTreeSet::new();
    for line in body.split('\n') {
        let wrong = |why: &str| format!("{why}: {line:?}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or_else(|| wrong("no words"))?;
            let family = Family { help: unescaped(help, false).ok_or_else(|| wrong("a bad escape"))?, ..Family::default() };
            if !is_name(name) || families.insert(name.to_owned(), family).is_some() {
                return Err(wrong("no name, or one that was there already"));
            }
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong("no type"))?;
            let family = families.get_mut(name).filter(|family| family.kind.is_empty() && name == current);
            let is_kind = ["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind);
            family.filter(|_| is_kind).ok_or_else(|| wrong("a type that is none, or not behind its HELP"))?.kind = kind.to_owned();
        } else {
            let (series, value) = line.rsplit_once(' ').ok_or_else(|| wrong("no value"))?;
            let (name, labels) = match series.split_once('{') {
                None => (series, BTreeMap::new()),
                Some((name, rest)) => {
                    let labels = rest.strip_suffix('}').ok_or_else(|| wrong("no end of the labels"))?;
                    (name, self::labels(labels).ok_or_else(|| wrong("bad labels"))?)
                }
            };
            let family = families.get_mut(name).filter(|family| name == current && !family.kind.is_empty());
            let family = family.ok_or_else(|| wrong("a sample that does not stand behind its TYPE"))?;
            if !seen.insert(series.to_owned()) {
                return Err(wrong("twice"));
            }
            family.samples.push(Sample { labels, value: value.parse().map_err(|_| wrong("no number"))? });
        }
    }
    match families.iter().find(|(_, family)| family.kind.is_empty()) {
        Some((name, _)) => Err(format!("{name} has no type")),
        None => Ok(families),
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b))
}

/// `a="b",c="d"`.
fn labels(text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, behind) = rest.split_once("=\"")?;
        let mut end = None;
        let mut is_escaped = false;
        for (at, c) in behind.char_indices() {
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '"' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let value = unescaped(&behind[..end?], true)?;
        if !is_name(name) || name.contains(':') || name.starts_with("__") || labels.insert(name.to_owned(), value).is_some() {
            return None;
        }
        rest = &behind[end? + 1..];
        rest = match rest.strip_prefix(',') {
            Some(more) if !more.is_empty() => more,
            Some(_) => return None,
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(labels)
}

fn unescaped(text: &str, has_quotes: bool) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                'n' => '\n',
                '"' if has_quotes => '"',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

#[test]
fn what_is_wrong_is_found() {
    let good = "# HELP a_total b\\n.\n# TYPE a_total counter\na_total{x=\"1\\\\\\\"\\n\",y=\"\"} 1\na_total{x=\"2\"} 1e3\n";
    let samples = &parse(good).unwrap()["a_total"].samples;
    assert_eq!((samples.len(), samples[0].labels["x"].as_str(), samples[1].value), (2, "1\\\"\n", 1000.0));
    for bad in [
        "a 1\n",
        "# HELP a b\na 1\n",
        "# HELP a b\n# TYPE a number\na 1\n",
        "# HELP a b\n# TYPE a gauge\na 1\na 2\n",
        "# HELP a b\n# TYPE a gauge\na{} 1 2\n",
        "# HELP a b\n# TYPE a gauge\na{b=\"\\q\"} 1\n",
        "# HELP a b\n# TYPE a gauge\na{b=\"c\",} 1\n",
        "# HELP a b\n# TYPE a gauge\na{b=\"c\"d=\"e\"} 1\n",
        "# HELP a b\n# TYPE a gauge\na x\n",
        "# HELP a b\n# TYPE a gauge\na 1",
        "# HELP a b\n# TYPE a gauge\n# HELP c d\n# TYPE c gauge\na 1\n",
        "# HELP a b\n# TYPE a gauge\n# HELP a b\n# TYPE a gauge\n",
        "# HELP 1a b\n# TYPE 1a gauge\n1a 1\n",
        "# HELP a b\n# TYPE a gauge\n\na 1\n",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}
