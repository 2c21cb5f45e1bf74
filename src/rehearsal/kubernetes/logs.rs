//! What containers have said: a pod's `/log`.
//!
//! What they say stands in an annotation of the pod; whether they could have said anything, in its status, which is not
//! this server's to write. It must never have a log of a container that has not run.

use super::super::{Reply, Request};
use super::refusal::{self, Cause, Refusal};
use super::target::Target;
use super::{ApiServer, Key};
use serde_json::Value;

/// As the kubelets of the world know it.
const SAID: &str = "play.berth.dev/log";

impl ApiServer {
    /// None if the request asks for something else.
    pub(super) fn logs(&self, request: &Request, user: &str) -> Option<Result<Reply, Refusal>> {
        let [pods @ .., subresource] = request.path.as_slice() else { return None };
        if subresource != "log" || request.method != "GET" {
            return None;
        }
        let target = Target::of(pods, &self.kinds).ok()?;
        let is_pod = target.kind.plural == "pods" && target.kind.group.is_empty() && !target.status;
        let name = target.name.as_deref().filter(|_| is_pod)?;
        Some(self.log(request, user, &target, name))
    }

    fn log(&self, request: &Request, user: &str, target: &Target, name: &str) -> Result<Reply, Refusal> {
        let denied = |(verb, resource): &(String, String)| {
            matches!(verb.as_str(), "*" | "get") && matches!(resource.as_str(), "*" | "pods/log")
        };
        if self.denials.iter().any(denied) {
            return Err(refusal::forbidden(target, user, "get"));
        }
        let key: Key = target.key(name);
        let pod = self.objects.get(&key).ok_or_else(|| refusal::not_found(target, name))?;
        let tail = number(request, name, "tailLines", 0)?;
        let limit = number(request, name, "limitBytes", 1)?;
        let is_set =
            |option: &str| request.query.get(option).is_some_and(|v| !matches!(v.as_str(), "false" | "0"));
        if is_set("follow") {
            return Err(refusal::bad_request("nobody follows logs in the embedded world"));
        }
        let container = container(pod, name, request.query.get("container").map_or("", String::as_str))?;
        // A pod that no node has yet has no log, and nobody who could say so.
        if pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty) {
            return Ok(Reply::Headed(204, vec![], Value::Null));
        }
        has_run(pod, name, container, is_set("previous"))?;
        let said = match pod["metadata"]["annotations"][SAID].as_str() {
            Some(said) => said.to_owned(),
            None => format!("container {container} of pod {name} runs"),
        };
        let mut lines: Vec<&str> = said.lines().collect();
        if let Some(tail) = tail {
            lines.drain(..lines.len().saturating_sub(tail));
        }
        let mut text: String = lines.iter().flat_map(|line| [*line, "\n"]).collect();
        if let Some(limit) = limit {
            let whole = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(whole.unwrap_or(0));
        }
        Ok(Reply::Text(200, text.into()))
    }
}

fn number(request: &Request, pod: &str, option: &str, least: i64) -> Result<Option<usize>, Refusal> {
    let Some(text) = request.query.get(option) else { return Ok(None) };
    let number: i64 = text
        .parse()
        .map_err(|_| refusal::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))?;
    let message = match least {
        0 => format!("Invalid value: {number}: must be greater than or equal to 0"),
        _ => format!("Invalid value: {number}: must be greater than 0"),
    };
    let cause = [Cause::new("FieldValueInvalid", option, message)];
    let refused = || refusal::invalid("PodLogOptions", "", pod, &cause);
    if number < least {
        return Err(refused());
    }
    Ok(Some(usize::try_from(number).map_err(|_| refused())?))
}

/// The container that is meant.
fn container<'a>(pod: &'a Value, name: &str, asked: &'a str) -> Result<&'a str, Refusal> {
    let names = |list: &str| -> Vec<&'a str> {
        let containers = pod["spec"][list].as_array().into_iter().flatten();
        containers.filter_map(|container| container["name"].as_str()).collect()
    };
    let (main, before) = (names("containers"), names("initContainers"));
    match (asked, main.as_slice()) {
        ("", [only]) => Ok(only),
        ("", _) => {
            let among = [before.as_slice(), main.as_slice()].concat().join(" ");
            let message =
                format!("a container name must be specified for pod {name}, choose one of: [{among}]");
            Err(refusal::bad_request(message))
        }
        (asked, _) if main.contains(&asked) || before.contains(&asked) => Ok(asked),
        (asked, _) => Err(refusal::bad_request(format!("container {asked} is not valid for pod {name}"))),
    }
}

/// The kubelet's word on a container that has not.
fn has_run(pod: &Value, name: &str, container: &str, previous: bool) -> Result<(), Refusal> {
    let lists = ["containerStatuses", "initContainerStatuses"];
    let all = lists.iter().filter_map(|list| pod["status"][*list].as_array()).flatten();
    let status = all.into_iter().find(|status| status["name"] == container).unwrap_or(&Value::Null);
    let ended_before = status["lastState"]["terminated"].is_object();
    let said = match status["state"]["waiting"]["reason"].as_str() {
        _ if previous && ended_before => return Ok(()),
        _ if previous => format!("previous terminated container {container:?} in pod {name:?} not found"),
        _ if ended_before
            || ["running", "terminated"].iter().any(|state| status["state"][*state].is_object()) =>
        {
            return Ok(());
        }
        Some("ErrImagePull") => {
            format!("container {container:?} in pod {name:?} is waiting to start: image can't be pulled")
        }
        Some("ImagePullBackOff") => {
            format!(
                "container {container:?} in pod {name:?} is waiting to start: trying and failing to pull image"
            )
        }
        Some(reason) => format!("container {container:?} in pod {name:?} is waiting to start: {reason}"),
        None => format!("container {container:?} in pod {name:?} is not available"),
    };
    Err(refusal::bad_request(said))
}
