use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn field(name: &str) -> Field {
    name.parse().unwrap()
}

fn record(kind: Option<&str>, data: Data, line: &str) -> Option<(Kind<'static>, String)> {
    let fields = Fields::new(kind.map(field), data);
    let record = fields.record(line)?;
    Some((record.kind.into_owned(), String::from_utf8_lossy(&record.data).into_owned()))
}

fn data(name: &str, line: &str) -> Option<String> {
    record(None, Data::Of(field(name)), line).map(|(_, data)| data)
}

fn kind(line: &str) -> Kind<'static> {
    record(Some("level"), Data::Whole, line).unwrap().0
}

fn named(kind: &'static str) -> Kind<'static> {
    Kind::Named(kind.into())
}

#[test]
fn what_docker_writes_is_the_line_itself() {
    let line = r#"{"log":"a \"line\"\t€\n","stream":"stderr","time":"2026-11-21T10:00:00Z"}"#;
    assert_eq!(data("log", line).unwrap(), "a \"line\"\t€");
    assert_eq!(record(Some("stream"), Data::Of(field("log")), line).unwrap().0, named("stderr"));
    assert_eq!(data("log", r#"{"log":"\r\n"}"#).unwrap(), "");
    assert_eq!(data("log", r#"{"log":"a\n\n"}"#).unwrap(), "a\n");
}

#[test]
fn values_are_given_as_they_are_written() {
    for (value, shown) in [
        ("1.50e3", "1.50e3"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("true", "true"),
        ("null", "null"),
        (r#"{ "a" : [1, "x"] }"#, r#"{ "a" : [1, "x"] }"#),
        (r#""""#, ""),
        (r#""\u0041\u00e4""#, "Aä"),
        (r#""\ud83d\ude00""#, "😀"),
    ] {
        assert_eq!(data("msg", &format!(r#"{{"other":[{{"msg":0}}],"msg": {value} }}"#)).as_deref(), Some(shown), "{value}");
    }
    let half = data("msg", r#"{"msg":"a\ud800b"}"#).unwrap();
    assert!(half.starts_with('a') && half.ends_with('b') && half.contains('\u{FFFD}'), "{half:?}");
}

#[test]
fn a_line_without_the_field_is_as_it_is() {
    assert_eq!(data("log", r#"{"msg":1}"#).unwrap(), r#"{"msg":1}"#);
    for no_object in ["", "plain", "[1]", "1", "\"log\"", "{", r#"{"log":1}x"#, r#"{"log":1,}"#, "{'log':1}", r#"{"a":"b" "c":1}"#]
    {
        assert_eq!(data("log", no_object), None, "{no_object}");
    }
    assert_eq!(data("log", " {\"log\":\"x\"}\r").unwrap(), "x");
}

#[test]
fn types_are_what_can_be_one() {
    assert_eq!(kind(r#"{"level":"warn"}"#), named("warn"));
    assert_eq!(kind(r#"{"level":30}"#), named("30"));
    assert_eq!(kind(r#"{"level":false}"#), named("false"));
    assert_eq!(kind(r#"{"level":"w\u0061rn"}"#), named("warn"));
    assert_eq!((kind(r#"{"level":null}"#), kind("{}")), (Kind::Usual, Kind::Usual));
    for refused in
        [r#""""#, r#""a\nb""#, r#""a\rb""#, r#""\u0000""#, r#""gap""#, r#""message""#, r#""g\u0061p""#, "[]", "{}", r#""\ud800""#]
    {
        assert_eq!(kind(&format!(r#"{{"level":{refused}}}"#)), Kind::Refused, "{refused}");
    }
}

#[test]
fn names_reach_into_objects_unless_they_stand_as_they_are() {
    let line = r#"{"a":{"b":{"c":1},"b.c":2,"x":9},"a.x":3}"#;
    assert_eq!(data("a.x", line).as_deref(), Some("3"));
    assert_eq!(data("a.b.c", line).as_deref(), Some("2"));
    assert_eq!(data("a.b", line).as_deref(), Some(r#"{"c":1}"#));
    assert_eq!(data("a.b.d", line).as_deref(), Some(line));
    assert_eq!(data("a.b", r#"{"a":1}"#).as_deref(), Some(r#"{"a":1}"#));
    assert!("".parse::<Field>().is_err() && ".".repeat(40).parse::<Field>().is_err());
    assert_eq!(data(".", r#"{".":1}"#).as_deref(), Some("1"));
}

#[test]
fn only_the_fields_that_were_asked_for_are_shown() {
    let only = |names: &[&str], line: &str| record(None, Data::Only(names.iter().map(|name| field(name)).collect()), line);
    let line = r#"{"a": 1.0,"b":"\u0041","c":{"d":[ ]},"secret":"x"}"#;
    assert_eq!(only(&["c.d", "b", "a", "none"], line).unwrap().1, r#"{"c.d":[ ],"b":"\u0041","a":1.0}"#);
    assert_eq!(only(&["none"], line).unwrap().1, "{}");
    assert_eq!(only(&["q\"uote"], r#"{"q\"uote":1}"#).unwrap().1, r#"{"q\"uote":1}"#);
}

#[test]
fn the_last_of_two_counts() {
    assert_eq!(data("a", r#"{"a":1,"a":2}"#).as_deref(), Some("2"));
}

#[test]
fn documents_may_be_large_and_deep() {
    let large = format!(r#"{{"x":"{}","log":"{}\n"}}"#, "y".repeat(5 << 20), "z\\t".repeat(2 << 20));
    assert_eq!(data("log", &large).unwrap().len(), 4 << 20);
    let depth = 100_000;
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!(r#"{{"deep":{}1{},"log":"x"}}"#, open.repeat(depth), close.repeat(depth));
        assert_eq!(data("log", &deep).as_deref(), Some("x"));
        assert_eq!(data("deep", &deep).map(|deep| deep.len()), Some(deep.len() - r#"{"deep":,"log":"x"}"#.len()));
        assert_eq!(data("deep.a.a.b", &deep).map(|data| data.len()), Some(deep.len()), "as it is");
        let unclosed = format!(r#"{{"deep":{}"#, open.repeat(depth));
        assert_eq!(data("log", &unclosed), None);
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
        "[ab\"\\\\\n\u{1}€{}:,.]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key(), inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    "a|b|a\\.b|\"|[ab€\n]{0,3}"
}

/// By the words of the manual, on a tree.
fn model<'v>(name: &str, value: &'v Value) -> Option<&'v Value> {
    let object = value.as_object()?;
    object.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        model(rest, object.get(first)?)
    })
}

proptest! {
    #[test]
    fn what_is_found_is_what_a_tree_would_hold(
        object in proptest::collection::btree_map(key(), value(), 0..6),
        is_pretty: bool,
        name in "a|b|a\\.b|a\\.a\\.b|b\\.a",
    ) {
        let value = Value::Object(object.into_iter().collect());
        let line = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let found = data(&name, &line).unwrap();
        match model(&name, &value) {
            None => prop_assert_eq!(found, &*line),
            Some(Value::String(text)) => prop_assert_eq!(found, text.strip_suffix('\n').map_or(&**text, |text| text.strip_suffix('\r').unwrap_or(text))),
            Some(other) => prop_assert_eq!(&serde_json::from_str::<Value>(&found).unwrap(), other),
        }
        let only = record(None, Data::Only(vec![field("b"), field(&name)]), &line).unwrap().1;
        let only: BTreeMap<String, Value> = serde_json::from_str(&only).unwrap();
        for name in ["b", &name] {
            prop_assert_eq!(only.get(name), model(name, &value));
        }
    }

    #[test]
    fn what_is_an_object_is_what_the_oracle_says(
        object in proptest::collection::btree_map(key(), value(), 0..4),
        edits in proptest::collection::vec((0..200_usize, "[{}\\[\\]\",:0-9eE+.a \n]{0,2}"), 0..3),
    ) {
        let mut line = serde_json::to_string(&Value::Object(object.into_iter().collect())).unwrap();
        for (at, text) in edits {
            let at = (0..=at.min(line.len())).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
            let end = (at..=(at + text.len()).min(line.len())).find(|end| line.is_char_boundary(*end) && *end > at).unwrap_or(at);
            line.replace_range(at..end, &text);
        }
        let oracle = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(&line);
        let found = data("no such", &line);
        prop_assert_eq!(found.is_some(), oracle.is_ok(), "{}: {:?}", line, oracle.err());
        prop_assert!(found.is_none_or(|found| found == line));
    }
}
