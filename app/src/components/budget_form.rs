//! The part of forms that sets budgets: a list of rows, each with a unit, a limit and a period.

use latchkey_domain::api::BudgetState;
use latchkey_domain::budget::{Budget, BudgetAmount, BudgetUnit, Budgets, UsdLimit};
use latchkey_domain::limit::{Period, Tokens};
use latchkey_domain::problem::FieldError;
use leptos::prelude::*;

use super::form::FormField;
use latchkey_ui::thousands;

/// Periods in the order in which new rows propose them.
const PROPOSED: [Period; 6] =
    [Period::Month, Period::Day, Period::Week, Period::Hour, Period::Minute, Period::Total];

/// One budget as it is filled in.
#[derive(Clone, Copy)]
pub struct BudgetRow {
    /// What it counts.
    pub unit: RwSignal<BudgetUnit>,
    /// Maximum in a period.
    pub limit: FormField,
    /// Length of a period.
    pub period: RwSignal<Period>,
}

/// What is filled in, and what is wrong with it.
#[derive(Clone, Copy)]
pub struct BudgetForm {
    /// One for each budget that there can be: none is created while the form is in use, because its
    /// effects would then outlive the form.
    rows: StoredValue<Vec<BudgetRow>>,
    /// Indices of the rows in sight, in their order.
    pub shown: RwSignal<Vec<usize>>,
    /// What is wrong with the whole list.
    pub error: RwSignal<Option<String>>,
    before: StoredValue<Vec<Typed>>,
}

/// A row as text, to see whether it changes.
type Typed = (BudgetUnit, String, Period);

impl BudgetForm {
    /// A form with these budgets in it.
    pub fn of(budgets: &Budgets) -> Self {
        let budgets = budgets.as_slice();
        let row = |index: usize| {
            let budget = budgets.get(index);
            BudgetRow {
                unit: RwSignal::new(budget.map_or(BudgetUnit::Requests, |budget| budget.unit)),
                limit: FormField::new(budget.map(limit_text).unwrap_or_default()),
                period: RwSignal::new(budget.map_or(Period::Month, |budget| budget.period)),
            }
        };
        let form = Self {
            rows: StoredValue::new((0..Budgets::MAX).map(row).collect()),
            shown: RwSignal::new((0..budgets.len()).collect()),
            error: RwSignal::new(None),
            before: StoredValue::new(Vec::new()),
        };
        form.before.set_value(untrack(|| form.typed()));
        form
    }

    /// The row of that index, which keeps its place when others go.
    pub fn row(self, index: usize) -> Option<BudgetRow> {
        self.rows.with_value(|rows| rows.get(index).copied())
    }

    /// The rows in sight, tracked.
    fn in_sight(self) -> Vec<BudgetRow> {
        self.shown.with(|shown| shown.iter().filter_map(|index| self.row(*index)).collect())
    }

    fn typed(self) -> Vec<Typed> {
        let text = |row: BudgetRow| row.limit.value.with(|text| text.trim().to_owned());
        self.in_sight()
            .into_iter()
            .map(|row| (row.unit.get(), text(row), row.period.get()))
            .collect()
    }

    /// Whether the list differs from the one at first, tracked.
    pub fn is_changed(self) -> bool {
        let now = self.typed();
        self.before.with_value(|before| *before != now)
    }

    /// How many budgets there are, tracked.
    pub fn count(self) -> usize {
        self.shown.with(Vec::len)
    }

    /// Whether a budget is in dollars, tracked.
    pub fn limits_money(self) -> bool {
        self.in_sight().into_iter().any(|row| row.unit.get() == BudgetUnit::Usd)
    }

    /// Adds an empty row for a budget that the list doesn't have yet, `first` if there is a choice.
    /// Returns its index.
    pub fn add_row(self, first: BudgetUnit) -> Option<usize> {
        let known: Vec<_> = untrack(|| self.typed()).into_iter().map(|(u, _, p)| (u, p)).collect();
        let free = self
            .shown
            .with_untracked(|shown| (0..Budgets::MAX).find(|index| !shown.contains(index)))?;
        let (unit, period) = unused(first, &known);
        let row = self.row(free)?;
        row.unit.set(unit);
        row.limit.value.set(String::new());
        // It may have been removed with an error.
        row.limit.error.set(None);
        row.period.set(period);
        self.shown.update(|shown| shown.push(free));
        Some(free)
    }

    /// Takes a row out of the list.
    pub fn remove(self, index: usize) {
        self.shown.update(|shown| shown.retain(|shown| *shown != index));
        self.clear_errors();
    }

    /// Forgets what was wrong: one row's change may mend another.
    pub fn clear_errors(self) {
        self.error.set(None);
        for row in untrack(|| self.in_sight()) {
            row.limit.error.set(None);
        }
    }

    /// Whether something is wrong with it.
    pub fn is_bad(self) -> bool {
        let rows = untrack(|| self.in_sight());
        self.error.with_untracked(Option::is_some)
            || rows.into_iter().any(|row| row.limit.error.with_untracked(Option::is_some))
    }

    /// The parsed list; `None` if a row is invalid, which then shows why.
    pub fn read(self) -> Option<Budgets> {
        self.error.set(None);
        let mut kinds = Vec::new();
        let read = |row: BudgetRow| {
            let kind = (row.unit.get_untracked(), row.period.get_untracked());
            let is_second = kinds.contains(&kind);
            kinds.push(kind);
            row.limit.read(|text| {
                if is_second {
                    return Err("Another budget has this unit and period.".to_owned());
                }
                read_budget(text, kind.0, kind.1)
            })
        };
        // Each is read, so that all of them show what is wrong.
        let rows: Vec<Option<Budget>> = untrack(|| self.in_sight()).into_iter().map(read).collect();
        let budgets = rows.into_iter().collect::<Option<Vec<Budget>>>()?;
        Budgets::new(budgets).map_err(|error| self.error.set(Some(error.to_string()))).ok()
    }

    /// Says what the server found wrong, at the row that it names, else below the list.
    pub fn refuse(self, error: &FieldError) {
        let rows = untrack(|| self.in_sight());
        match place_of(&error.field).and_then(|place| rows.get(place)) {
            Some(row) => row.limit.set_error(error.message.clone()),
            None => self.error.set(Some(error.message.clone())),
        }
    }
}

/// The budgets of these states.
pub fn budgets_of(states: &[BudgetState]) -> Budgets {
    let budget =
        |state: &BudgetState| Budget { unit: state.unit, limit: state.limit, period: state.period };
    Budgets::new(states.iter().map(budget)).unwrap_or_default()
}

/// In a request, null stands for no budgets.
pub fn some_unless_empty(budgets: Budgets) -> Option<Budgets> {
    Some(budgets).filter(|budgets| !budgets.is_empty())
}

/// A unit and period that no other budget has; there are more of them than budgets.
fn unused(first: BudgetUnit, known: &[(BudgetUnit, Period)]) -> (BudgetUnit, Period) {
    let units = std::iter::once(first).chain(BudgetUnit::ALL);
    let mut kinds = units.flat_map(|unit| PROPOSED.map(|period| (unit, period)));
    kinds.find(|kind| !known.contains(kind)).unwrap_or((first, Period::Month))
}

/// Which row a field such as `budgets[0].limit` is about.
fn place_of(field: &str) -> Option<usize> {
    let (_, rest) = field.split_once('[')?;
    rest.split_once(']')?.0.parse().ok()
}

/// A limit as a person types it.
fn limit_text(budget: &Budget) -> String {
    match budget.limit {
        BudgetAmount::Count(number) => number.to_string(),
        BudgetAmount::Usd(amount) => amount.to_string(),
    }
}

fn read_budget(text: Option<String>, unit: BudgetUnit, period: Period) -> Result<Budget, String> {
    let text = text.ok_or("Enter a limit, or remove this budget.")?;
    let count = || {
        let most = thousands(Tokens::MAX);
        text.parse::<Tokens>().map_err(|_| format!("Enter a number from 1 to {most}."))
    };
    match unit {
        BudgetUnit::Requests => count().map(|limit| Budget::requests(limit, period)),
        BudgetUnit::Tokens => count().map(|limit| Budget::tokens(limit, period)),
        BudgetUnit::Usd => {
            let most = thousands(Budget::MAX_DOLLARS.into());
            let limit = text.parse::<UsdLimit>();
            limit
                .map(|limit| Budget::usd(limit, period))
                .map_err(|_| format!("Enter dollars from 0.000001 to {most}."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, unit: BudgetUnit) -> Result<String, String> {
        read_budget(Some(text.to_owned()), unit, Period::Day).map(|budget| limit_text(&budget))
    }

    #[test]
    fn budget_limit_is_read_by_its_unit() {
        assert_eq!(read("5,000,000", BudgetUnit::Tokens), Ok("5000000".to_owned()));
        assert_eq!(read("$1,000.50", BudgetUnit::Usd), Ok("1000.5".to_owned()));
        for text in ["0", "-5", "1.5", "many"] {
            assert!(read(text, BudgetUnit::Requests).unwrap_err().starts_with("Enter a number"));
        }
        for text in ["0", "-5", "0.0000001", "1e3", "1000000001"] {
            let why = read(text, BudgetUnit::Usd).unwrap_err();
            assert_eq!(why, "Enter dollars from 0.000001 to 1,000,000,000.", "{text}");
        }
        let empty = read_budget(None, BudgetUnit::Usd, Period::Day);
        assert_eq!(empty, Err("Enter a limit, or remove this budget.".to_owned()));
    }

    #[test]
    fn new_row_proposes_budget_that_is_not_there() {
        let usd = BudgetUnit::Usd;
        assert_eq!(unused(usd, &[]), (usd, Period::Month));
        assert_eq!(unused(usd, &[(usd, Period::Month)]), (usd, Period::Day));
        let all = PROPOSED.map(|period| (usd, period));
        assert_eq!(unused(usd, &all), (BudgetUnit::Requests, Period::Month));
    }

    #[test]
    fn refused_field_leads_to_its_row() {
        assert_eq!(place_of("budgets[1].limit"), Some(1));
        assert_eq!(place_of("budgets[7]"), Some(7));
        assert_eq!(place_of("budgets"), None);
    }
}
