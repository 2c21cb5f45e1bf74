//! Lets the world's players play: after each request that may have changed something and as time passes, until none of them
//! has anything to do.
//!
//! Their changes go through the doors for controllers, each over the version that was seen. It must never panic on what a
//! player does, nor swallow what it could not do: that is kept for tests to see that there is none.

use super::{
    Server, World,
    kubernetes::ApiServer,
    players::{Change, Kind, Objects, Player, Target},
};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// More rounds than any reaction takes; each round moves all environments by one step.
const ROUNDS: usize = 500;

/// Who plays.
#[derive(Clone)]
pub(super) struct Playing {
    on: Server,
    player: Arc<dyn Player>,
    /// What it watches, as kubectl writes it.
    resources: Vec<String>,
    /// The last changes, of objects and of records, that it has reacted to: as long as there are no others it has nothing
    /// to do. None: it has to look.
    seen: Option<(u64, u64)>,
    /// When it wants to look all the same.
    again: Option<Timestamp>,
}

impl Playing {
    pub(super) fn new(on: Server, player: Arc<dyn Player>) -> Self {
        let resources = player.watches().iter().map(Kind::resource).collect();
        Self { on, player, resources, seen: None, again: None }
    }

    pub(super) fn name(&self) -> &'static str {
        self.player.name()
    }
}

impl World {
    /// Lets this player play on the management cluster from now on, its webhooks included.
    pub fn play(&mut self, player: Arc<dyn Player>) {
        self.admit(Server::Kubernetes, player);
    }

    /// Lets this player play on the environments' own API server from now on; what it has to do at once is done.
    pub fn play_in_environments(&mut self, player: Arc<dyn Player>) {
        self.admit(Server::Environment, player);
        self.rest();
    }

    fn admit(&mut self, on: Server, player: Arc<dyn Player>) {
        for (kind, webhook) in player.webhooks() {
            self.cluster_mut(on).add_webhook(&kind.resource(), *webhook);
        }
        self.players.push(Playing::new(on, player));
    }

    /// What players wanted and could not do, each once: lost races excepted, there should be nothing.
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// Lets the players react until nobody changes anything. Every request that may change something ends with it; whoever
    /// changes the world past requests calls it.
    pub fn rest(&mut self) {
        let mut restless = vec![];
        for _ in 0..ROUNDS {
            restless.clear();
            for at in 0..self.players.len() {
                if self.look(at) {
                    restless.push(self.players[at].name());
                }
            }
            self.due = self.players.iter().filter_map(|playing| playing.again).min();
            if restless.is_empty() {
                return;
            }
        }
        self.refuse(format!("after {ROUNDS} rounds there is no rest for {}", restless.join(", ")));
    }

    /// One look of a player that sees all of what it watches, if there is anything new to see. Whether it changed anything.
    fn look(&mut self, at: usize) -> bool {
        let Playing { on, player, resources, seen, again } = &self.players[at];
        let (on, who, server) = (*on, player.name(), self.cluster(*on));
        let there_is = Some((server.last_change(resources), self.zone.changes()));
        if *seen == there_is && again.is_none_or(|again| again > self.now) {
            return false;
        }
        let is_served = |kind: &Kind| server.resource(&kind.api_version(), kind.kind).is_some();
        if on == Server::Environment && !self.has_machine() || !player.watches().iter().all(is_served) {
            (self.players[at].seen, self.players[at].again) = (None, None);
            return false;
        }
        let objects = resources.iter().flat_map(|resource| server.all(resource)).map(|(_, _, object)| object);
        let reaction = player.react(&Objects::new(objects, self.zone.records()), self.now);
        let again = reaction.again.filter(|again| *again > self.now);
        if let Some(past) = reaction.again.xor(again) {
            self.refuse(format!("{who} would look again at {past}, which is past"));
        }
        let (mut moved, mut done) = (false, true);
        for change in reaction.changes {
            let did = self.carry_out(on, who, &change).unwrap_or_else(|why| {
                self.refuse(format!("{who}: {why}: {change:?}"));
                false
            });
            moved |= did;
            done &= did;
        }
        self.kubernetes.settle();
        self.environment.settle();
        // What could not be done is tried again at the next look of all.
        (self.players[at].seen, self.players[at].again) = (there_is.filter(|_| done), again);
        moved
    }

    /// Whether it changed anything: not if it lost a race, or was done already.
    fn carry_out(&mut self, on: Server, who: &str, change: &Change) -> Result<bool, &'static str> {
        let server = self.cluster_mut(on);
        let is_patched = |patched: bool| if patched { Ok(true) } else { Err("it changes nothing") };
        match change {
            Change::Create(object) => create(server, who, object),
            Change::Merge(target, patch) | Change::MergeStatus(target, patch)
                if !is_fresh(server, target, patch) =>
            {
                Ok(false)
            }
            Change::Merge(Target { kind, namespace, name }, patch) => {
                is_patched(server.merge(who, &kind.resource(), namespace, name, patch))
            }
            Change::MergeStatus(Target { kind, namespace, name }, patch) => {
                is_patched(server.merge_status(who, &kind.resource(), namespace, name, patch))
            }
            Change::Delete(Target { kind, namespace, name }) => {
                Ok(server.delete_as(&kind.resource(), namespace, name))
            }
            Change::Join(_, node) => create(&mut self.environment, who, node),
            Change::Leave(_, node) => {
                let left = self.environment.delete_as("nodes", "", node);
                self.environment.settle();
                if let Some(born) = self.born.as_ref().filter(|_| !self.has_machine()) {
                    self.environment.lose_all_but(born);
                }
                Ok(left)
            }
            Change::Publish(record) => Ok(self.zone.publish(record.clone())),
            Change::Withdraw(record) => Ok(self.zone.withdraw(record)),
        }
    }

    fn refuse(&mut self, what: String) {
        if !self.refused.contains(&what) {
            self.refused.push(what);
        }
    }

    /// The API server that is meant; the other servers are none.
    pub(super) fn cluster(&self, server: Server) -> &ApiServer {
        match server {
            Server::Environment => &self.environment,
            _ => &self.kubernetes,
        }
    }

    fn cluster_mut(&mut self, server: Server) -> &mut ApiServer {
        match server {
            Server::Environment => &mut self.environment,
            _ => &mut self.kubernetes,
        }
    }
}

/// That its namespace is going is a lost race, too.
fn create(server: &mut ApiServer, who: &str, object: &Value) -> Result<bool, &'static str> {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    match server.resource(text("apiVersion"), text("kind")) {
        Some(_) => Ok(server.create_as(who, object)),
        None => Err("nobody serves that kind"),
    }
}

/// Whether the object is there as it was seen.
fn is_fresh(server: &ApiServer, target: &Target, patch: &Value) -> bool {
    let seen = &patch["metadata"]["resourceVersion"];
    let object = server.get(&target.kind.resource(), &target.namespace, &target.name);
    object.is_some_and(|object| seen.is_null() || object["metadata"]["resourceVersion"] == *seen)
}
