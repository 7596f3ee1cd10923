//! The `resource` processor.

use crate::config::document::{Entry, Section, hint};
use crate::interface::Level;
use crate::processors::resource::{Action, Keys, Mode, Origin, Source, Target, from_json};
use crate::resource::Value;

/// The actions in their order. `include_metadata` is the receiver's.
pub(crate) fn read_actions(entry: &Entry<'_>, include_metadata: bool) -> Vec<Action> {
    let mut section = entry.section();
    let attributes = section.take("attributes");
    section.close();
    let actions = attributes.list();
    if actions.is_empty() {
        attributes.fault("is missing: a list of actions, each with `key` and `action`");
    }
    actions.iter().filter_map(|action| read_action(action, include_metadata)).collect()
}

fn read_action(entry: &Entry<'_>, include_metadata: bool) -> Option<Action> {
    let mut section = entry.section();
    let action = section.take("action");
    let name = action.filled_text().map(|name| name.to_ascii_lowercase());
    // Where the action is not known, nothing can be said of its keys.
    let Some(name) = name else {
        if !action.is_filled() {
            action.fault(format!("is missing: one of {}", ACTIONS.join(", ")));
        }
        return None;
    };
    let mut fields = Fields::take(&mut section, entry);
    section.close();
    let read = match name.as_str() {
        "insert" => fields.write(Mode::Insert, include_metadata),
        "update" => fields.write(Mode::Update, include_metadata),
        "upsert" => fields.write(Mode::Upsert, include_metadata),
        "delete" => fields.keys().map(Action::Delete),
        "hash" => fields.keys().map(Action::Hash),
        "extract" => fields.extract(),
        "convert" => fields.convert(),
        other => {
            let hint = hint(other, ACTIONS.iter().copied());
            action.fault(format!("`{other}` is none of {}{hint}", ACTIONS.join(", ")));
            return None;
        }
    };
    fields.refuse_rest(&name);
    read
}

/// The keys that an action may have. Each is taken once; what is left at the end the action does not use.
struct Fields<'d> {
    action: Entry<'d>,
    key: Entry<'d>,
    /// `value` where it is null.
    empty_value: Option<Entry<'d>>,
    value: Option<Entry<'d>>,
    from_attribute: Option<Entry<'d>>,
    from_context: Option<Entry<'d>>,
    default_value: Option<Entry<'d>>,
    pattern: Option<Entry<'d>>,
    converted_type: Option<Entry<'d>>,
}

impl<'d> Fields<'d> {
    fn take(section: &mut Section<'d>, action: &Entry<'d>) -> Self {
        let key = section.take("key");
        let [value, default_value] = ["value", "default_value"].map(|name| section.take(name));
        let written_empty = value.is_present() && value.value().is_none();
        // A text may be meant to be empty where it is the value, and nowhere else.
        let has_value = |entry: &Entry<'_>| entry.value().is_some();
        let mut given = |name| Some(section.take(name)).filter(Entry::is_filled);
        Self {
            action: action.clone(),
            key,
            empty_value: written_empty.then(|| value.clone()),
            value: Some(value).filter(has_value),
            from_attribute: given("from_attribute"),
            from_context: given("from_context"),
            default_value: Some(default_value).filter(has_value),
            pattern: given("pattern"),
            converted_type: given("converted_type"),
        }
    }

    fn required_key(&self) -> Option<String> {
        let key = self.key.filled_text();
        if key.is_none() {
            self.key.fault("is missing: the attribute that the action is about");
        }
        key
    }

    /// insert, update, upsert.
    fn write(&mut self, mode: Mode, include_metadata: bool) -> Option<Action> {
        let key = self.required_key();
        let value = self.value.take();
        let from_attribute = self.from_attribute.take();
        let from_context = self.from_context.take();
        let default_value = self.default_value.take();
        let origin = match (value, from_attribute, from_context) {
            (Some(entry), None, None) => read_value(&entry).map(Origin::Value),
            (None, Some(entry), None) => entry.text().map(Origin::Attribute),
            (None, None, Some(entry)) => read_context(&entry, include_metadata),
            (None, None, None) if default_value.is_some() => Some(Origin::Nothing),
            (None, None, None) => {
                let known = "value, from_attribute, from_context or default_value";
                match &self.empty_value {
                    Some(value) => value.fault(EMPTY_VALUE),
                    None => self.action.fault(format!("has nothing to write: give it {known}")),
                }
                None
            }
            _ => {
                self.action.fault("has several of value, from_attribute and from_context: keep one");
                None
            }
        };
        let default = match default_value {
            Some(entry) => Some(read_value(&entry)?),
            None => None,
        };
        Some(Action::Write { mode, key: key?, source: Source { origin: origin?, default } })
    }

    /// delete, hash.
    fn keys(&mut self) -> Option<Keys> {
        let key = self.key.filled_text();
        let pattern = self.pattern.take();
        if key.is_none() && pattern.is_none() {
            self.key.fault("is missing: give `key`, or `pattern` for the keys that it matches");
            return None;
        }
        Some(Keys { key, pattern: pattern.and_then(|entry| entry.pattern(str::to_owned)) })
    }

    fn extract(&mut self) -> Option<Action> {
        let key = self.required_key();
        let Some(entry) = self.pattern.take() else {
            self.action
                .child("pattern", None)
                .fault("is missing: a pattern with named groups such as (?P<name>.*)");
            return None;
        };
        let pattern = entry.pattern(str::to_owned)?;
        let names: Vec<_> = pattern.capture_names().skip(1).map(|name| name.map(str::to_owned)).collect();
        let count = names.len();
        let names: Vec<_> = names.into_iter().flatten().collect();
        if names.is_empty() || names.len() < count {
            entry.fault(
                "every group must have a name, and there must be one: write (?P<name>...), or (?:...)",
            );
            return None;
        }
        Some(Action::Extract { key: key?, pattern, names })
    }

    fn convert(&mut self) -> Option<Action> {
        let key = self.required_key();
        let targets = [("int", Target::Int), ("double", Target::Double), ("string", Target::String)];
        let Some(entry) = self.converted_type.take() else {
            self.action.child("converted_type", None).fault("is missing: int, double or string");
            return None;
        };
        let target = entry.choice(&targets)?;
        Some(Action::Convert { key: key?, target })
    }

    /// The Collector does not start either where an action has a key that it does not use.
    fn refuse_rest(self, name: &str) {
        let rest = [
            self.value,
            self.from_attribute,
            self.from_context,
            self.default_value,
            self.pattern,
            self.converted_type,
        ];
        for entry in rest.into_iter().flatten() {
            entry.fault(format!("`{name}` does not use this key: remove it"));
        }
    }
}

fn read_value(entry: &Entry<'_>) -> Option<Value<'static>> {
    let Some(json) = entry.value() else {
        entry.fault(EMPTY_VALUE);
        return None;
    };
    from_json(json).map_err(|fault| entry.fault(fault)).ok()
}

fn read_context(entry: &Entry<'_>, include_metadata: bool) -> Option<Origin> {
    let text = entry.text()?;
    if text == "client.address" {
        return Some(Origin::ClientAddress);
    }
    if text.starts_with("auth.") {
        entry.no_effect("podstamp tells actions nothing of who has authenticated, so there is never a value");
        return Some(Origin::Nothing);
    }
    let header = text.strip_prefix("metadata.").unwrap_or(&text);
    if !include_metadata {
        let message =
            "there is never a value: set include_metadata: true under receivers.otlp.protocols.http";
        entry.notice(Level::Warning, "config-metadata", message);
    }
    Some(Origin::Metadata(header.to_ascii_lowercase()))
}

const EMPTY_VALUE: &str = "is empty, which is no value (an unset variable?): write \"\" for an empty text";

const ACTIONS: &[&str] = &["insert", "update", "upsert", "delete", "hash", "extract", "convert"];
