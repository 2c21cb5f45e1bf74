//! What a pod asks for by name and is not there: ConfigMaps and Secrets, of its containers and of its volumes.

use super::super::{
    Kind, Objects,
    objects::{SECRET, list, namespace, text, yes},
};
use super::{CONFIG_MAP, play};
use serde_json::Value;

/// What keeps a container from being made, in the kubelet's words.
pub(super) fn of_container(objects: &Objects<'_>, pod: &Value, container: &Value) -> Option<String> {
    if play::word(pod) == play::MISSING_CONFIG {
        return Some("secret \"missing-config\" not found".to_owned());
    }
    let find = |kind: Kind, name: &str| objects.get(kind, namespace(pod), name);
    let whole = list(container, "/envFrom").iter().find_map(|from| {
        [("/secretRef", SECRET), ("/configMapRef", CONFIG_MAP)].into_iter().find_map(|(place, kind)| {
            let asked = from.pointer(place).filter(|asked| !yes(asked, "/optional"))?;
            let name = text(asked, "/name");
            find(kind, name).is_none().then(|| absent(kind, name))
        })
    });
    whole.or_else(|| {
        list(container, "/env").iter().find_map(|variable| {
            [("/valueFrom/secretKeyRef", SECRET), ("/valueFrom/configMapKeyRef", CONFIG_MAP)]
                .into_iter()
                .find_map(|(place, kind)| {
                    let asked = variable.pointer(place).filter(|asked| !yes(asked, "/optional"))?;
                    let (name, key) = (text(asked, "/name"), text(asked, "/key"));
                    let Some(object) = find(kind, name) else { return Some(absent(kind, name)) };
                    let there =
                        ["data", "binaryData", "stringData"].iter().any(|part| !object[*part][key].is_null());
                    let place = format!("{} {}/{name}", kind.kind, namespace(pod));
                    (!there).then(|| format!("couldn't find key {key} in {place}"))
                })
        })
    })
}

/// The volume that cannot be mounted, and why not.
pub(super) fn of_volumes(objects: &Objects<'_>, pod: &Value) -> Option<String> {
    list(pod, "/spec/volumes").iter().find_map(|volume| {
        let places = [("/secret", "/secretName", SECRET), ("/configMap", "/name", CONFIG_MAP)];
        places.into_iter().find_map(|(place, field, kind)| {
            let asked = volume.pointer(place).filter(|asked| !yes(asked, "/optional"))?;
            let name = text(asked, field);
            if objects.get(kind, namespace(pod), name).is_some() {
                return None;
            }
            let volume = text(volume, "/name");
            Some(format!("MountVolume.SetUp failed for volume \"{volume}\" : {}", absent(kind, name)))
        })
    })
}

fn absent(kind: Kind, name: &str) -> String {
    format!("{} \"{name}\" not found", kind.kind.to_lowercase())
}
