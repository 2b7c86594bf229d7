//! What the forms for keys share: name, expiry and limits, parsed by the same types as on the
//! server, with each error at its field.

use std::time::Duration;

use latchkey_domain::api::{ApiKey, KeyDefaults, KeyPatch};
use latchkey_domain::key::KeyKind;
use latchkey_domain::limit::{AllowList, Cidr, Rpm};
use latchkey_domain::name::Name;
use latchkey_domain::problem::{ErrorCode, FieldError};
use latchkey_domain::time::Timestamp;
use leptos::prelude::*;

use super::attribute_form::{AttributeForm, Attributes};
use super::limit_form::{LimitForm, TokenLimits, limit_text, read_limit};
use crate::api::ApiError;
use crate::components::form::{FormField, Submission, refusal};
use latchkey_ui::field::focus_first_bad;
use latchkey_ui::segmented::Segment;

/// What the expiry can be chosen to be.
pub const EXPIRIES: &[Segment] = &[
    Segment::new(NEVER, "Never"),
    Segment::new("30", "30 days"),
    Segment::new("90", "90 days"),
    Segment::new(CUSTOM, "Custom"),
];
/// The key works until it is revoked.
pub const NEVER: &str = "never";
/// The key works until the end of a day.
pub const CUSTOM: &str = "custom";

const DAY: Duration = Duration::from_hours(24);

/// What is filled in, and what came of it.
#[derive(Clone, Copy)]
pub struct KeyForm {
    /// Name of the key.
    pub name: FormField,
    /// Selected expiry, one of [`EXPIRIES`].
    pub expiry: RwSignal<&'static str>,
    /// The last day, if the expiry is [`CUSTOM`], as `2026-08-12`.
    pub last_day: FormField,
    /// Maximum requests per minute.
    pub rpm: FormField,
    /// Networks, one a line.
    pub networks: FormField,
    /// Budgets, and what limits tokens, calls and models on forms that have it.
    pub limits: LimitForm,
    /// Whose key it is and what it may do.
    pub attributes: AttributeForm,
    /// Whether the advanced fields are in sight.
    pub advanced: RwSignal<bool>,
    /// State of the form's request.
    pub submission: Submission,
    /// The expiry that the key has.
    before: StoredValue<Option<Timestamp>>,
}

/// What a form says, every part of it in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// Name of the key.
    pub name: Name,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// Maximum requests per minute.
    pub rpm: Option<Rpm>,
    /// The networks that it may be used from.
    pub allowed_cidrs: Option<AllowList<Cidr>>,
    /// Budgets, and what limits tokens, calls and models.
    pub limits: TokenLimits,
    /// Whose key it is and what it may do.
    pub attributes: Attributes,
}

impl Filled {
    /// What differs from `key`; `None` if nothing does.
    pub fn changes(self, key: &ApiKey) -> Option<KeyPatch> {
        let patch = KeyPatch {
            name: (self.name.as_str() != key.name).then_some(self.name),
            expires_at: (self.expires_at != key.expires_at).then_some(self.expires_at),
            rpm: (self.rpm != key.rpm).then_some(self.rpm),
            allowed_cidrs: (self.allowed_cidrs != key.allowed_cidrs).then_some(self.allowed_cidrs),
            ..KeyPatch::default()
        };
        let patch = self.limits.changes(key, patch);
        let patch = self.attributes.changes(key, patch);
        (patch != KeyPatch::default()).then_some(patch)
    }
}

impl KeyForm {
    /// An empty form: a key without limits that never expires.
    pub fn empty() -> Self {
        Self::with(&KeyDefaults::default())
    }

    /// A form for a new key that never expires, with the limits that its project gives new keys.
    pub fn with(defaults: &KeyDefaults) -> Self {
        Self {
            name: FormField::new(String::new()),
            expiry: RwSignal::new(NEVER),
            last_day: FormField::new(String::new()),
            rpm: FormField::new(limit_text(defaults.rpm)),
            networks: FormField::new(lines(defaults.allowed_cidrs.as_ref())),
            limits: LimitForm::of(&TokenLimits::of_defaults(defaults)),
            attributes: AttributeForm::of(&Attributes::default()),
            advanced: RwSignal::new(false),
            submission: Submission::new(),
            before: StoredValue::new(None),
        }
    }

    /// A form with what a key is.
    pub fn of(key: &ApiKey) -> Self {
        let is_advanced = key.rpm.is_some() || !key.budgets.is_empty();
        Self {
            name: FormField::new(key.name.clone()),
            expiry: RwSignal::new(if key.expires_at.is_some() { CUSTOM } else { NEVER }),
            last_day: FormField::new(key.expires_at.map(day_of).unwrap_or_default()),
            rpm: FormField::new(limit_text(key.rpm)),
            networks: FormField::new(lines(key.allowed_cidrs.as_ref())),
            limits: LimitForm::of(&TokenLimits::of(key)),
            attributes: AttributeForm::of(&Attributes::of(key)),
            advanced: RwSignal::new(
                is_advanced && key.kind != KeyKind::Inference || key.allowed_cidrs.is_some(),
            ),
            before: StoredValue::new(key.expires_at),
            ..Self::empty()
        }
    }

    /// The parsed form at `now`; `None` if a field is invalid, which then shows why.
    pub fn read(self, now: Timestamp) -> Option<Filled> {
        let name = self.name.read(|text| {
            text.unwrap_or_default().parse::<Name>().map_err(|error| error.to_string())
        });
        let rpm = self.rpm.read(read_limit);
        let networks = self.networks.read(read_networks);
        let limits = self.limits.read();
        let attributes = self.attributes.read();
        let expires_at = self.last_day.value.with_untracked(|day| {
            end_of(self.expiry.get_untracked(), day, self.before.get_value(), now)
        });
        if let Err(message) = &expires_at {
            self.last_day.set_error(message.as_str());
        }
        if rpm.is_none() || networks.is_none() || self.limits.budgets.is_bad() {
            self.advanced.set(true);
        }
        // The field may have been invalid before, so move focus to it.
        focus_first_bad();
        Some(Filled {
            name: name?,
            expires_at: expires_at.ok()?,
            rpm: rpm?,
            allowed_cidrs: networks?,
            limits: limits?,
            attributes: attributes?,
        })
    }

    /// When the key would stop working if the form were sent at `now`, tracked.
    ///
    /// # Errors
    /// There is no day, or it is over.
    pub fn ends_at(self, now: Timestamp) -> Result<Option<Timestamp>, String> {
        self.last_day.value.with(|day| end_of(self.expiry.get(), day, self.before.get_value(), now))
    }

    /// Whether closing the form would lose something that was written.
    pub fn is_dirty(self) -> Signal<bool> {
        let entries = [self.name, self.last_day, self.rpm, self.networks];
        let all = move || entries.into_iter().chain(self.limits.entries());
        Signal::derive(move || {
            let budgets = self.limits.budgets.is_changed();
            budgets || all().any(FormField::is_changed) || self.attributes.is_changed()
        })
    }

    /// The advanced fields of a form for keys of that kind in a line, tracked.
    pub fn advanced_in_words(self, kind: KeyKind) -> String {
        let rpm = self.rpm.value.with(|text| text.trim().to_owned());
        let rate = if rpm.is_empty() { "none".to_owned() } else { format!("{rpm} rpm") };
        let networks = self.networks.value.with(|text| words(text).count());
        let addresses = match networks {
            0 => "any".to_owned(),
            1 => "1 network".to_owned(),
            count => format!("{count} networks"),
        };
        match kind {
            KeyKind::Inference => format!("Allowed addresses: {addresses}."),
            KeyKind::Api | KeyKind::Service => {
                let budgets = match self.limits.budgets.count() {
                    0 => String::new(),
                    count => format!(" Budgets: {count}."),
                };
                format!("Rate limit: {rate}.{budgets} Allowed addresses: {addresses}.")
            }
        }
    }

    /// Says why the server refused: at the fields that it names, else above them. `failed` is what
    /// to say where it gives no reason that a person could act on.
    pub fn refuse(self, error: &ApiError, failed: &str) {
        if self.submission.busy.try_set(false).is_some() {
            return;
        }
        if error.is(ErrorCode::NameTaken) {
            let name = self.name.text().unwrap_or_default();
            self.name.set_error(format!("This project already has a key named “{name}”."));
        } else {
            let why = refusal(error, failed, |error| self.refuse_field(error));
            self.submission.refusal.set(why);
        }
    }

    /// Whether the form has the field, which then says what is wrong.
    fn refuse_field(self, error: &FieldError) -> bool {
        let root = error.field.split(['.', '[']).next().unwrap_or_default();
        let entry = match root {
            "name" => self.name,
            "rpm" => self.rpm,
            "allowed_cidrs" => self.networks,
            "expires_at" => self.last_day,
            _ if self.limits.refuse_field(error) || self.attributes.refuse_field(error) => {
                if self.limits.budgets.is_bad() {
                    self.advanced.set(true);
                }
                focus_first_bad();
                return true;
            }
            _ => return false,
        };
        if root == "expires_at" && self.expiry.get_untracked() != CUSTOM {
            return false;
        }
        if matches!(root, "rpm" | "allowed_cidrs") {
            self.advanced.set(true);
        }
        entry.set_error(error.message.clone());
        focus_first_bad();
        true
    }
}

/// Networks as the form shows them, one a line.
pub fn lines(networks: Option<&AllowList<Cidr>>) -> String {
    let all = networks.map(AllowList::as_slice).unwrap_or_default();
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// When a key stops working by that choice, for a key that so far stops at `before`.
fn end_of(
    choice: &str,
    last_day: &str,
    before: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, String> {
    match choice {
        NEVER => Ok(None),
        // An unchanged day keeps its exact time, not the end of that day.
        CUSTOM if before.is_some_and(|before| day_of(before) == last_day) => Ok(before),
        CUSTOM => {
            let end = end_of_day(last_day).filter(|end| *end > now);
            end.map(Some).ok_or_else(|| "Choose a date in the future.".to_owned())
        }
        days => Ok(days.parse().ok().map(|days: u32| now + DAY * days)),
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';', '\n', '\r', '\t', ' ']).filter(|word| !word.is_empty())
}

/// Reads networks on lines or between commas, or nothing.
pub(crate) fn read_networks(text: Option<String>) -> Result<Option<AllowList<Cidr>>, String> {
    let Some(text) = text else { return Ok(None) };
    let network = |word: &str| {
        word.parse::<Cidr>().map_err(|error| format!("“{word}” isn’t a network. {error}"))
    };
    let networks = words(&text).map(network).collect::<Result<Vec<_>, _>>()?;
    AllowList::new(networks).map(Some).map_err(|error| error.to_string())
}

/// The day of a point in time, in UTC, as a date field writes it.
fn day_of(time: Timestamp) -> String {
    time.to_string().split('T').next().unwrap_or_default().to_owned()
}

/// The last second of a day, in UTC.
fn end_of_day(day: &str) -> Option<Timestamp> {
    Timestamp::parse(&format!("{day}T23:59:59Z")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::sample;

    #[test]
    fn an_rpm_is_a_number_or_nothing() {
        let read_rpm = read_limit::<{ Rpm::MAX }>;
        assert_eq!(read_rpm(None), Ok(None));
        assert_eq!(read_rpm(Some("600".into())), Ok(Some(Rpm::new(600).unwrap())));
        for text in ["0", "-1", "many", "1.5", "1000000001"] {
            let refused = read_rpm(Some(text.into()));
            assert_eq!(refused, Err("Enter a number from 1 to 1,000,000,000.".into()), "{text}");
        }
    }

    #[test]
    fn networks_stand_on_lines_or_between_commas() {
        let read = |text: &str| read_networks(Some(text.into()));
        let both = read("203.0.113.0/24\n2001:db8::1").unwrap().unwrap();
        assert_eq!(both.as_slice().len(), 2);
        assert_eq!(read("203.0.113.0/24, 2001:db8::1"), Ok(Some(both)));
        assert_eq!(read_networks(None), Ok(None));
        let refused = read("10.0.0.0/8 10.0.0.0/33").unwrap_err();
        assert!(refused.starts_with("“10.0.0.0/33” isn’t a network."), "{refused}");
    }

    #[test]
    fn a_key_works_to_the_end_of_its_last_day() {
        let end = end_of_day("2026-08-12").unwrap();
        assert_eq!(end.to_string(), "2026-08-12T23:59:59.000Z");
        assert_eq!(day_of(end), "2026-08-12");
        assert_eq!(end_of_day(""), None);
        assert_eq!(end_of_day("12026-08-12"), None);
    }

    #[test]
    fn an_expiry_lies_ahead_unless_it_stays_as_it_was() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let now = at("2026-05-14T14:32:00Z");
        let custom = |day: &str, before| end_of(CUSTOM, day, before, now);
        assert_eq!(end_of(NEVER, "", None, now), Ok(None));
        assert_eq!(end_of("90", "", None, now), Ok(Some(at("2026-08-12T14:32:00Z"))));
        assert_eq!(custom("2026-05-14", None), Ok(Some(at("2026-05-14T23:59:59Z"))));
        for day in ["", "2026-05-13", "2026-02-30"] {
            assert_eq!(custom(day, None), Err("Choose a date in the future.".into()), "{day}");
        }
        let over = at("2026-05-03T08:00:00Z");
        assert_eq!(custom("2026-05-03", Some(over)), Ok(Some(over)));
        assert!(custom("2026-05-04", Some(over)).is_err());
    }

    #[test]
    fn only_what_differs_is_sent() {
        let fields = serde_json::json!({ "kind": "api", "name": "Web checkout", "rpm": 600 });
        let key = sample::key(&fields);
        let same = Filled {
            name: "Web checkout".parse().unwrap(),
            expires_at: None,
            rpm: key.rpm,
            allowed_cidrs: None,
            limits: TokenLimits::default(),
            attributes: Attributes::default(),
        };
        assert_eq!(same.clone().changes(&key), None);
        let patch = Filled { rpm: None, ..same }.changes(&key).unwrap();
        assert_eq!(serde_json::to_string(&patch).unwrap(), r#"{"rpm":null}"#);
    }
}
