//! `berth plan`: what an event leads to, offline: the intent, the steps in their order, and the objects of the provider.
//!
//! It reads nothing but files: what is there already, and what the pull request is by now, only a run can tell. Must never:
//! reach anything.

use crate::{
    cli::Output,
    clients::{child::Surroundings, kubernetes::Clusters},
    clock::Clock,
    domain::{
        claim::{ObjectName, ProviderKind, Removal, Wish},
        event::{Heard, hear},
        holder::Holder,
        names::HeadSha,
        payload::{Payload, Standing},
        plan::{Direction, Plan, Spec},
        scope::{Commit, Scope, Target},
        yaml,
    },
    errors::{Exit, UserError},
    fronts::command::{Answer, shown},
    mask::Mask,
    providers::capi_k3s,
    settings::{ProviderSettings, Settings, Sources},
    steps::{self, Tools, tests::Shown},
};
use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::{Value, json};
use std::{fs, path::Path, sync::Arc};

#[derive(Serialize)]
struct Planned {
    environment: String,
    name: String,
    intent: Direction,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_sha: Option<HeadSha>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    steps: Vec<String>,
    objects: Vec<ObjectName>,
}

/// What is no event of one pull request, or leads to nothing: which that is, in words.
fn led_to(heard: &Heard, output: Output) -> Result<Answer> {
    let leads_to = match heard {
        Heard::Pull(happened) => format!("{} is looked at", happened.of),
        Heard::Group { holder, .. } => {
            format!("{holder} gets an environment as long as the queue has its branch")
        }
        Heard::Asked { which, wish: Wish::Up } => {
            format!("{} is looked at, as if it had been opened", which.name())
        }
        Heard::Asked { which, wish: Wish::Down } => format!("{} is removed", which.name()),
        Heard::Spoken(spoken) => match &spoken.command {
            Ok(command) => format!("{} is told {command:?}, if who says it may write there", spoken.on),
            Err(not_understood) => not_understood.to_string(),
        },
        Heard::Sweep => "every claim is looked at".to_owned(),
        Heard::ByHand => "what the inputs `command` and `environment` say is done".to_owned(),
        Heard::Nothing { why } => why.clone(),
    };
    let told = json!({ "leads_to": leads_to });
    Ok(Answer {
        data: shown(output, &told, || format!("{leads_to}\n"))?,
        said: String::new(),
        end: Ok(Exit::Done),
    })
}

/// Steps that are only named need nothing.
fn no_tools() -> Tools {
    Tools {
        kubeconfig: None,
        mask: Mask::default(),
        vault: None,
        dns: None,
        registries: None,
        surroundings: Surroundings::of(|_| None),
        shown: Shown::Plain(Arc::new(|_| {})),
        rehearsed: None,
        clock: Clock::system(),
    }
}

/// Plans.
pub(crate) fn plan(file: &Path, event: &str, sources: &Sources<'_>, output: Output) -> Result<Answer> {
    let settings = Settings::load(sources)?;
    let wrong = || UserError::usage(format!("{} cannot be planned for", file.display()));
    let body = fs::read(file).with_context(wrong)?;
    let payload = Payload::parse(event, &body).map_err(anyhow::Error::from).with_context(wrong)?;
    let heard = hear(event, &payload, &settings.github.dispatch).map_err(UserError::usage)?;
    let (Payload::PullRequest(pull), Heard::Pull(_)) = (payload, &heard) else {
        return led_to(&heard, output);
    };
    let (provider, ProviderSettings::CapiK3s(of)) = settings.provider()?;
    let holder = Holder::PullRequest(pull.of.clone());
    let hosts = super::engine::hosts_of(&settings)(&holder)?;
    let (intent, target) = match pull.standing {
        Standing::Open | Standing::Draft => {
            let head = Some(pull.head.clone());
            (Direction::Up, Target::Up(Commit { merge: head.clone(), head }))
        }
        Standing::Closed | Standing::Merged => (Direction::Down, Target::Down),
    };
    let (_, pool) = settings.pool(Some(&of.pool))?;
    let scope = Scope {
        name: holder.name(),
        // Which it will be, only the pool knows.
        addresses: pool.layout.blocks().next(),
        removal: Removal {
            provider: ProviderKind::CapiK3s,
            context: None,
            objects: Vec::new(),
            elsewhere: Vec::new(),
            hosts: hosts.all().cloned().collect(),
        },
        holder,
        hosts,
        target,
    };
    let nowhere = Arc::new(Clusters::listed(Vec::new(), "plan", Clock::system()));
    let specs: Vec<Spec> =
        steps::all(&settings, Some(of), no_tools(), nowhere, None).iter().map(|step| step.spec()).collect();
    let plan = Plan::new(intent, &specs, |_| true)
        .map_err(|wrong| anyhow::anyhow!("the steps form no plan: {wrong}"))?;
    let objects: Vec<Value> = capi_k3s::objects(of, &scope)?;
    let planned = Planned {
        environment: scope.holder.to_string(),
        name: scope.name.to_string(),
        intent,
        head_sha: scope.head().cloned(),
        url: scope.url(),
        steps: plan.steps().map(|step| step.to_string()).collect(),
        objects: objects.iter().map(ObjectName::of).collect(),
    };
    if output == Output::Yaml {
        return Ok(Answer { data: yaml::text(&objects), said: String::new(), end: Ok(Exit::Done) });
    }
    let data = shown(output, &planned, || {
        let what = match intent {
            Direction::Up => "an environment is wanted",
            Direction::Down => "none is wanted: its grace begins, then it goes",
        };
        let at = planned.head_sha.as_ref().map_or(String::new(), |head| format!(" at {}", head.short()));
        let url = planned.url.as_ref().map_or(String::new(), |url| format!("\nurl      {url}"));
        let objects: Vec<String> = planned.objects.iter().map(ToString::to_string).collect();
        format!(
            "{}{at}, provider {provider}: {what}\nname     {}{url}\nsteps    {}\nobjects  {}\n",
            planned.environment,
            planned.name,
            planned.steps.join(", "),
            objects.join("\n         ")
        )
    })?;
    Ok(Answer { data, said: String::new(), end: Ok(Exit::Done) })
}
