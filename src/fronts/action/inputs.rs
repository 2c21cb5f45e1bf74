//! The action's inputs, each by the name that its user gave it.
//!
//! Must never: show a value of one that may be a secret.

use crate::{domain::holder::Which, errors::UserError, settings::Environment};

/// What the workflow asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// What the event leads to.
    Auto,
    /// Look at all environments.
    Sweep,
    /// Bring one up.
    Up,
    /// Take one down.
    Down,
    /// Hand in results of tests.
    Report,
}

/// See the module. `platform`, `config` and `github-token` are settings.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    /// `command`.
    pub(crate) order: Order,
    /// `environment`.
    pub(crate) environment: Option<Which>,
    /// `junit`.
    pub(crate) junit: Option<String>,
    /// `name`.
    pub(crate) name: Option<String>,
}

const ORDERS: [(&str, Order); 5] = [
    ("auto", Order::Auto),
    ("sweep", Order::Sweep),
    ("up", Order::Up),
    ("down", Order::Down),
    ("report", Order::Report),
];
/// Characters of a report's name.
const NAME: usize = 100;

impl Inputs {
    /// As `action.yml` hands them over.
    pub(crate) fn of(environment: &Environment) -> Result<Self, UserError> {
        let wrong =
            |input: &str, why: &dyn std::fmt::Display| UserError::usage(format!("input `{input}`: {why}"));
        let given = |variable: &str| {
            Ok::<_, UserError>(environment.text(variable)?.map(str::trim).filter(|text| !text.is_empty()))
        };
        let command = given("BERTH_COMMAND")?.unwrap_or("auto");
        let order =
            ORDERS.iter().find(|(word, _)| *word == command).map(|(_, order)| *order).ok_or_else(|| {
                let known = ORDERS.map(|(word, _)| word).join(", ");
                wrong(
                    "command",
                    &format!("{:?} is none of {known}", command.chars().take(80).collect::<String>()),
                )
            })?;
        let which = given("BERTH_ENVIRONMENT")?.map(str::parse).transpose();
        let inputs = Self {
            order,
            environment: which.map_err(|why| wrong("environment", &why))?,
            junit: given("BERTH_JUNIT")?.map(str::to_owned),
            name: given("BERTH_NAME")?.map(str::to_owned),
        };
        let is_name = |name: &String| name.chars().count() <= NAME && !name.chars().any(char::is_control);
        if inputs.name.as_ref().is_some_and(|name| !is_name(name)) {
            return Err(wrong("name", &format!("a report's name is at most {NAME} printable characters")));
        }
        match order {
            Order::Report if inputs.junit.is_none() => Err(wrong(
                "junit",
                &"`command: report` needs it: the file, directory or pattern of the JUnit",
            )),
            Order::Report if inputs.name.is_none() => {
                Err(wrong("name", &"`command: report` needs it: what `tests.report` in the app file names"))
            }
            _ => Ok(inputs),
        }
    }
}
