//! The few expressions that an action of ours may use: one value of one context.

use std::collections::BTreeMap;

type Named = BTreeMap<String, String>;

/// What `${{ }}` can see.
#[derive(Default)]
pub(super) struct Contexts {
    pub(super) github: Named,
    pub(super) inputs: Named,
    pub(super) job: Named,
    pub(super) steps: BTreeMap<String, Named>,
}

impl Contexts {
    /// The text with its expressions replaced by what they stand for.
    pub(super) fn evaluate(&self, text: &str) -> String {
        let mut parts = text.split("${{");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (expression, rest) = part.split_once("}}").expect("an expression ends");
            whole.push_str(&self.value(expression.trim()));
            whole.push_str(rest);
        }
        whole
    }

    fn value(&self, expression: &str) -> String {
        let known = match expression.split('.').collect::<Vec<_>>()[..] {
            ["github", name] => self.github.get(name),
            ["inputs", name] => self.inputs.get(name),
            ["job", name] => self.job.get(name),
            // A step that has not said it, or has not run, has said nothing.
            ["steps", id, "outputs", name] => {
                return self.steps.get(id).and_then(|said| said.get(name)).cloned().unwrap_or_default();
            }
            _ => None,
        };
        known.unwrap_or_else(|| panic!("`{expression}` is not known here")).clone()
    }
}
