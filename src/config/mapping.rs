//! How lines become events, as it is said.
#![allow(clippy::doc_markdown, reason = "the help is plain text")]

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{ConfigError, invalid, time_within, value};
use crate::expression::{self, Case};
use crate::mapping::field::Field;
use crate::mapping::grouping::Rule;
use crate::mapping::{EventType, Format, Mapping, Parts, cri, json};
use crate::shaping::Shaping;

/// After so much silence nothing more is waited for, where nobody says otherwise.
const WAIT: Duration = Duration::from_millis(500);

/// The bounds of `--multiline-wait`: nobody waits longer for a line that is there.
const MULTILINE_WAIT: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(60));

/// What is said of mapping.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct MappingLayer {
    /// What a line is: text, json (an object), cri (as in /var/log/pods), null (text that ends in NUL), sse (the input is an event stream) [default: text]
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub format: Option<FormatName>,

    /// The field that holds the type of the event: NAME, or OBJECT.NAME [default: none]
    #[arg(long, value_name = "FIELD", value_parser = field)]
    pub event_type_field: Option<Field>,

    /// The field that becomes the event, if the line has it [default: the whole line; log for cri]
    #[arg(long, value_name = "FIELD", value_parser = field)]
    pub data_field: Option<Field>,

    /// The fields that become the event, as a JSON object of nothing else: A,B,C [default: all]
    #[arg(long, value_name = "FIELDS", value_parser = field, value_delimiter = ',')]
    pub only_fields: Vec<Field>,

    /// indent: lines that begin with a space or a tab go on with the one before, so that a stack trace is one event [default: off]
    #[arg(long, value_name = "RULE", value_enum, hide_possible_values = true)]
    pub multiline: Option<MultilineName>,

    /// Lines that do not match go on with the one before: '^\d{4}-' [default: off]
    #[arg(long, value_name = "REGEX")]
    pub multiline_start: Option<String>,

    /// Silence after which lines that could go on are an event [default: 500ms]
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub multiline_wait: Option<Duration>,
}

/// What a line is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// An event as it stands.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// As container runtimes write them.
    Cri,
    /// Text that ends in NUL.
    Null,
    /// The input is an event stream.
    Sse,
}

/// What goes on with the line before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MultilineName {
    /// What is indented.
    Indent,
}

fn field(text: &str) -> Result<Field, String> {
    text.parse().map_err(|error: crate::mapping::field::BadField| error.to_string())
}

impl MappingLayer {
    /// These words, and where they say nothing those of `below`. Who says a format of his own says with it what its fields are, and who says what goes
    /// on with the line before says all of that.
    pub(super) fn over(self, below: &Self) -> Self {
        let (of_fields, of_groups) = (self.format.is_none(), self.multiline.is_none() && self.multiline_start.is_none());
        let fields = if of_fields { below.clone() } else { Self::default() };
        let groups = if of_groups { below.clone() } else { Self::default() };
        Self {
            format: self.format.or(fields.format),
            event_type_field: self.event_type_field.or(fields.event_type_field),
            data_field: self.data_field.or(fields.data_field),
            only_fields: if self.only_fields.is_empty() { fields.only_fields } else { self.only_fields },
            multiline: self.multiline.or(groups.multiline),
            multiline_start: self.multiline_start.or(groups.multiline_start),
            multiline_wait: self.multiline_wait.or(below.multiline_wait),
        }
    }

    /// What it means, with the type of every event, and where events are shaped so.
    pub(super) fn check(&self, event_type: Option<&EventType>, shaping: &Shaping) -> Result<Arc<Mapping>, ConfigError> {
        let format = self.format.unwrap_or_default();
        self.refuse_unused(format)?;
        let wait = self.multiline_wait.unwrap_or(WAIT);
        Ok(Arc::new(Mapping {
            event_type: event_type.cloned(),
            format: match format {
                FormatName::Text => Format::Text,
                FormatName::Null => Format::Null,
                FormatName::Sse => Format::EventStream,
                FormatName::Json => Format::Json(json::Fields::new(self.event_type_field.clone(), self.data()?)),
                FormatName::Cri => Format::Cri(self.cri()?),
            },
            grouping: self.grouping()?,
            wait: time_within("--multiline-wait", wait, MULTILINE_WAIT)?,
            parts: if shaping.redaction.is_some() { Parts::Awaited } else { Parts::GivenUp },
        }))
    }

    /// Options that say something of what there is not.
    fn refuse_unused(&self, format: FormatName) -> Result<(), ConfigError> {
        let has_fields = matches!(format, FormatName::Json | FormatName::Cri);
        let of_fields = [
            ("--event-type-field", self.event_type_field.is_some()),
            ("--data-field", self.data_field.is_some()),
            ("--only-fields", !self.only_fields.is_empty()),
        ];
        if let Some((name, _)) = of_fields.into_iter().find(|(_, is_said)| *is_said && !has_fields) {
            return Err(invalid(format!("{name} is about the fields of lines, and these have none"), "--format json, or cri"));
        }
        let is_grouped = self.multiline.is_some() || self.multiline_start.is_some();
        if is_grouped && matches!(format, FormatName::Null | FormatName::Sse) {
            return Err(invalid("--multiline puts lines together, and these records are whole", "leave it out"));
        }
        if self.multiline_wait.is_some() && !is_grouped && format != FormatName::Cri {
            return Err(invalid(
                "--multiline-wait waits for lines that go on, and none does",
                "--multiline indent, or leave it out",
            ));
        }
        Ok(())
    }

    /// What becomes the data.
    fn data(&self) -> Result<json::Data, ConfigError> {
        match (&self.data_field, &self.only_fields[..]) {
            (Some(_), [_, ..]) => Err(invalid("--data-field and --only-fields both say what the event is", "say one of them")),
            (_, fields) if fields.len() >= json::MOST_FIELDS => {
                Err(invalid("--only-fields names too many fields", format!("it takes less than {}", json::MOST_FIELDS)))
            }
            (Some(field), []) => Ok(json::Data::Of(field.clone())),
            (None, []) => Ok(json::Data::Whole),
            (None, fields) => Ok(json::Data::Only(fields.to_vec())),
        }
    }

    fn cri(&self) -> Result<cri::Fields, ConfigError> {
        let fields = cri::Fields::new(self.event_type_field.as_ref(), &self.data()?);
        fields.ok_or_else(|| invalid("lines of --format cri have the fields time, stream and log alone", "name one of these"))
    }

    fn grouping(&self) -> Result<Option<Rule>, ConfigError> {
        match (self.multiline, &self.multiline_start) {
            (Some(_), Some(_)) => Err(invalid("--multiline and --multiline-start both say what goes on", "say one of them")),
            (Some(MultilineName::Indent), None) => Ok(Some(Rule::Indent)),
            (None, Some(text)) => {
                Ok(Some(Rule::Start(super::shaping::expressed("--multiline-start", expression::compile(text, Case::Counts))?)))
            }
            (None, None) => Ok(None),
        }
    }
}
