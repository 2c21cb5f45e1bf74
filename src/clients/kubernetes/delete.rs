//! Deleting one object: exactly the one that was seen, as it was seen, and only if it is ours by its labels.
//!
//! Must never: delete by name alone; take a conflict for a deletion.

use super::{Denial, Seen, failed::Failed, object::Owner, observe::requests, request, write::Writer};
use anyhow::Result;
use kube::{
    api::{DeleteParams, Preconditions},
    core::response::reason,
};
use serde_json::Value;

/// What becomes of what an object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependents {
    /// They go first: when the object is gone, so are they.
    First,
    /// They are collected some time after the object is gone.
    Later,
}

/// What a delete came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// It is not there.
    Absent,
    /// It goes, or will once what holds it lets go: a later look sees it absent.
    UnderWay,
    /// It is not ours, and was left alone: why.
    Foreign(String),
}

impl Writer<'_> {
    /// Deletes what was seen. A conflict means that it has changed since: look again.
    pub async fn delete(&self, seen: &Seen, dependents: Dependents) -> Result<Deletion> {
        let Some(object) = seen.object() else { return Ok(Deletion::Absent) };
        let doing = || format!("delete {}", seen.name());
        match object.owner(&self.environment) {
            Owner::Own(mark) => {
                self.stands_among([mark.clone()]).await?;
                self.outranks(&mark, &doing).map_err(|failed| self.kubernetes.unwritten(vec![failed]))?;
            }
            Owner::Nobody => return Ok(Deletion::Foreign("it carries no mark of berth".to_owned())),
            Owner::Foreign(why) => return Ok(Deletion::Foreign(why)),
        }
        self.delete_anyones(seen, dependents).await
    }

    /// The same, whoever has made it: only for what is within an environment's own cluster, which is ours as a whole.
    pub async fn delete_anyones(&self, seen: &Seen, dependents: Dependents) -> Result<Deletion> {
        let (Some(object), Some(look)) = (seen.object(), &seen.look) else { return Ok(Deletion::Absent) };
        let doing = || format!("delete {}", seen.name());
        if object.is_ending() {
            return Ok(Deletion::UnderWay);
        }
        let params = match dependents {
            Dependents::First => DeleteParams::foreground(),
            Dependents::Later => DeleteParams::background(),
        };
        let exactly = Preconditions {
            uid: Some(object.uid().to_owned()),
            resource_version: Some(object.version().to_owned()),
        };
        let name = &seen.name().name;
        let asked = requests(&look.served, seen.name().namespace.as_deref())
            .delete(name, &params.preconditions(exactly));
        // The object itself while something holds it, else a Status: either way it is on its way.
        match request::<Value>(&self.kubernetes.client, asked, self.kubernetes.limit).await {
            Ok(answer) if answer["metadata"]["uid"] == object.uid() || is_success(&answer) => {
                Ok(Deletion::UnderWay)
            }
            Ok(_) => {
                let garbled = Denial::garbled("the answer is neither the object nor a Status of Kubernetes");
                Err(self.kubernetes.unwritten(vec![Failed::new(doing(), garbled)]))
            }
            Err(denial) if denial.says(reason::NOT_FOUND, &look.served.resource, name) => {
                Ok(Deletion::Absent)
            }
            Err(denial) => Err(self.kubernetes.unwritten(vec![Failed::new(doing(), denial)])),
        }
    }
}

fn is_success(answer: &Value) -> bool {
    answer["kind"] == "Status" && answer["status"] == "Success"
}
