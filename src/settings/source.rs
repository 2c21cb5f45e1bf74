//! What is applied to an environment: manifests, a kustomization, a chart or an Application of Argo CD.
//!
//! Must never: read what it names; let an app file name what is outside of its checkout.

use super::{
    app_values::{ChartRepository, Release, Values},
    defaults,
    file::{At, SourceLayer},
    layers::{Found, Layers, Owner, Place, Sourced, found},
    placeholders::Names,
    values::{FilePath, Namespace, Word},
    variables,
};
use crate::errors::UserError;
use serde_json::{Map, Value};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// What is applied, and where that was said.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// `platform.yaml:30:7`, for messages.
    pub place: String,
    /// Which of its forms it has.
    pub form: Form,
    /// The checkout, if it comes with the code under review: what is read for it lies in there, wherever links lead.
    pub checkout: Option<PathBuf>,
}

/// The forms of a source. Paths can be opened as they are.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// A file with manifests, or a directory of such.
    Manifests(PathBuf),
    /// A directory with a kustomization.
    Kustomize(PathBuf),
    /// A chart of Helm.
    Chart(Box<Chart>),
    /// A file with an Application of Argo CD.
    ArgoCd(PathBuf),
}

/// A chart of Helm.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Where it comes from.
    pub from: ChartFrom,
    /// Which version; none is the newest.
    pub version: Option<String>,
    /// What its release is called.
    pub release: Release,
    /// The namespace of its release.
    pub namespace: Namespace,
    /// Its values, with their placeholders.
    pub values: Map<String, Value>,
    /// Files with values, the weakest first; `values` win over them.
    pub values_files: Vec<PathBuf>,
}

/// Where a chart comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum ChartFrom {
    /// From a repository, by its name there.
    Repository {
        /// The repository's address.
        repo: ChartRepository,
        /// The chart's name.
        name: String,
    },
    /// From a registry of images: `oci://…`.
    Registry(String),
    /// From a directory.
    Directory(PathBuf),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Manifests,
    Kustomize,
    Chart,
    ArgoCd,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Manifests => "manifests",
            Kind::Kustomize => "kustomize",
            Kind::Chart => "chart",
            Kind::ArgoCd => "argo-cd",
        })
    }
}

fn kinds(source: &SourceLayer) -> Vec<At<Kind>> {
    let kinds = [
        source.manifests.as_ref().map(|at| at.mark(Kind::Manifests)),
        source.kustomize.as_ref().map(|at| at.mark(Kind::Kustomize)),
        source.chart.as_ref().map(|at| at.mark(Kind::Chart)),
        source.argo_cd.as_ref().map(|at| at.mark(Kind::ArgoCd)),
    ];
    kinds.into_iter().flatten().collect()
}

/// Where the keys of one source are looked up.
enum Keys<'a> {
    /// In one item of a list.
    Item(&'a Sourced, &'a SourceLayer),
    /// In `deploy`, where sources that are at least as strong as the one that chose its kind are asked: the version of
    /// another's chart is nothing to this one.
    Deploy(&'a Layers, Place<'a>),
}

impl<'a> Keys<'a> {
    fn get<T>(&self, pick: fn(&SourceLayer) -> Option<&At<T>>) -> Option<Found<'a, T>> {
        match *self {
            Self::Item(sourced, layer) => pick(layer).map(|at| found(sourced, at)),
            Self::Deploy(layers, chooser) => layers.find_among(
                |origin| origin >= chooser.origin(),
                |layer| pick(&layer.deploy.as_ref()?.value.source),
            ),
        }
    }
}

/// The sources of a list; `what` is the list's name.
pub(super) fn list(
    list: Option<Found<'_, Vec<At<SourceLayer>>>>,
    what: &str,
    names: &Names,
) -> Result<Vec<Source>, UserError> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let sources = list.value.iter().enumerate().map(|(n, item)| {
        let what = format!("{what}[{n}]");
        let here = list.beside(item);
        let keys = Keys::Item(list.place.source(), &item.value);
        match kinds(&item.value)[..] {
            [ref kind] => resolve(&keys, kind.value, here.place, &what, names),
            [] => {
                Err(here.wrong(format!("`{what}` has none of `manifests`, `kustomize`, `chart`, `argo-cd`")))
            }
            [ref one, ref other, ..] => Err(list.beside(other).wrong(format!(
                "`{what}` takes one of its kinds, and here are both `{}` and `{}`",
                one.value, other.value
            ))),
        }
    });
    sources.collect()
}

/// What `deploy` deploys; none if nobody says it.
pub(super) fn deploy(layers: &Layers, names: &Names) -> Result<Option<Source>, UserError> {
    let kinds = |layer: &super::file::Layer| {
        layer.deploy.as_ref().map(|deploy| kinds(&deploy.value.source)).unwrap_or_default()
    };
    match layers.choice("deploy", (Owner::App, variables::NONE), kinds)? {
        Some((kind, place)) => resolve(&Keys::Deploy(layers, place), kind, place, "deploy", names).map(Some),
        None => match layers.own(|layer| layer.deploy.as_ref()) {
            Some(lone) => {
                Err(lone.wrong("`deploy` has none of `manifests`, `kustomize`, `chart`, `argo-cd`"))
            }
            None => Ok(None),
        },
    }
}

fn resolve(
    keys: &Keys<'_>,
    kind: Kind,
    place: Place<'_>,
    what: &str,
    names: &Names,
) -> Result<Source, UserError> {
    let path = |pick: fn(&SourceLayer) -> Option<&At<FilePath>>| {
        let path = keys.get(pick).expect("the kind was chosen by this key");
        path.place.file(&path.value.0)
    };
    if kind != Kind::Chart {
        only_for_charts(keys, kind)?;
    }
    let form = match kind {
        Kind::Manifests => Form::Manifests(path(|s| s.manifests.as_ref())?),
        Kind::Kustomize => Form::Kustomize(path(|s| s.kustomize.as_ref())?),
        Kind::ArgoCd => Form::ArgoCd(path(|s| s.argo_cd.as_ref())?),
        Kind::Chart => Form::Chart(Box::new(chart(keys, what, names)?)),
    };
    Ok(Source { place: place.to_string(), form, checkout: place.checkout().map(Path::to_owned) })
}

fn only_for_charts(keys: &Keys<'_>, kind: Kind) -> Result<(), UserError> {
    let stray = [
        keys.get(|s| s.repo.as_ref()).map(|f| ("repo", f.place)),
        keys.get(|s| s.version.as_ref()).map(|f| ("version", f.place)),
        keys.get(|s| s.release.as_ref()).map(|f| ("release", f.place)),
        keys.get(|s| s.values.as_ref()).map(|f| ("values", f.place)),
        keys.get(|s| s.values_files.as_ref()).map(|f| ("values-files", f.place)),
        // That of `deploy` is also where objects go that name none.
        keys.get(|s| s.namespace.as_ref())
            .filter(|_| matches!(keys, Keys::Item(..)))
            .map(|f| ("namespace", f.place)),
    ];
    match stray.into_iter().flatten().next() {
        Some((key, place)) => {
            Err(place.wrong(format!("`{key}` is for `chart`, and this source is `{kind}`")))
        }
        None => Ok(()),
    }
}

fn chart(keys: &Keys<'_>, what: &str, names: &Names) -> Result<Chart, UserError> {
    let chart = keys.get(|s| s.chart.as_ref()).expect("the kind was chosen by this key");
    let repo = keys.get(|s| s.repo.as_ref());
    let known = defaults::KNOWN_CHARTS.iter().find(|known| repo.is_none() && known.name == chart.value.0);
    let from = match (known, repo) {
        (Some(known), _) => ChartFrom::Repository {
            repo: known.repo.parse().expect("an address of ours"),
            name: known.name.to_owned(),
        },
        (None, repo) => from(chart, repo)?,
    };
    let mut values = match keys.get(|s| s.values.as_ref()) {
        Some(found) => {
            let Values(values) = found.value;
            names.check(&found, &format!("{what}.values"), &Value::Object(values.clone()))?;
            values.clone()
        }
        None => Map::new(),
    };
    if let Some(Value::Object(own)) = known.map(defaults::KnownChart::values) {
        own.into_iter().for_each(|(key, value)| {
            values.entry(key).or_insert(value);
        });
    }
    let files = keys.get(|s| s.values_files.as_ref());
    let files = files.iter().flat_map(|found| found.value.iter().map(|file| found.place.file(&file.0)));
    let release = match (keys.get(|s| s.release.as_ref()), known) {
        (Some(release), _) => release.value.clone(),
        (None, Some(known)) => known.release(),
        (None, None) => {
            let name = chart.value.0.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let lacking = "the release cannot be called like this chart; say its `release`";
            name.parse().map_err(|_| chart.wrong(lacking))?
        }
    };
    let namespace = keys.get(|s| s.namespace.as_ref()).map(|found| found.value.clone());
    Ok(Chart {
        from,
        version: keys
            .get(|s| s.version.as_ref())
            .map(|found| found.value.0.clone())
            .or_else(|| known.map(|known| known.version.to_owned())),
        release,
        namespace: match (namespace, known) {
            (Some(namespace), _) => namespace,
            (None, Some(known)) => known.namespace.parse().expect("a namespace of ours"),
            (None, None) => defaults::deploy_namespace(),
        },
        values,
        values_files: files.collect::<Result<_, _>>()?,
    })
}

fn from(chart: Found<'_, Word>, repo: Option<Found<'_, ChartRepository>>) -> Result<ChartFrom, UserError> {
    let text = &chart.value.0;
    match (text.strip_prefix("oci://"), repo) {
        (Some(_), Some(repo)) => Err(repo.wrong("a chart of `oci://` has no `repo`")),
        (Some(_), None) => Ok(ChartFrom::Registry(text.clone())),
        (None, Some(repo)) => match text.contains('/') {
            true => Err(chart.wrong("`chart` is the chart's name in `repo`, not a path")),
            false => Ok(ChartFrom::Repository { repo: repo.value.clone(), name: text.clone() }),
        },
        (None, None) if text.contains("://") => {
            Err(chart.wrong("`chart` is a directory, a name in `repo`, or begins with oci://"))
        }
        (None, None) => Ok(ChartFrom::Directory(chart.place.file(text.as_ref())?)),
    }
}

/// Whether two sources are one chart, whatever its version.
pub(super) fn is_same_chart(one: &Source, other: &Source) -> bool {
    match (&one.form, &other.form) {
        (Form::Chart(one), Form::Chart(other)) => one.from == other.from,
        _ => false,
    }
}

/// The operator of PostgreSQL as a source, for those that did not name it.
pub(super) fn cloudnative_pg(place: String) -> Source {
    let known = defaults::KNOWN_CHARTS.iter().find(|known| known.name == defaults::CLOUDNATIVE_PG);
    let known = known.expect("it is in the list");
    let from = ChartFrom::Repository {
        repo: known.repo.parse().expect("an address of ours"),
        name: known.name.to_owned(),
    };
    let chart = Chart {
        from,
        version: Some(known.version.to_owned()),
        release: known.release(),
        namespace: known.namespace.parse().expect("a namespace of ours"),
        values: Map::new(),
        values_files: Vec::new(),
    };
    Source { place, form: Form::Chart(Box::new(chart)), checkout: None }
}
