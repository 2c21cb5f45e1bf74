//! The apply of an operator bundle beside `kubectl apply --server-side`, on one API server, as whole processes.

use super::{
    bundle::{OBJECTS, as_yaml, bundle},
    cost::{self, Cost, Measured, of_process},
    harness::{control_plane::ControlPlane, keeper},
};
use std::path::{Path, PathBuf};

const ROUNDS: usize = 7;

pub(crate) async fn measure(plane: &ControlPlane) -> Vec<Measured> {
    let directory = keeper::directory("apply");
    // Each applies bundles of its own, so that each finds nothing of them.
    let file = &|who: &str, round: usize| -> PathBuf {
        let name = format!("{who}-{round}");
        let path = directory.join(format!("{name}.yaml"));
        if !path.exists() {
            keeper::file(&directory, &format!("{name}.yaml"), &as_yaml(&bundle(&name)));
        }
        path
    };
    let berth = |generation| move |round| apply(plane, &file("berth", round), generation);
    let kubectl = |round| {
        let mut command = keeper::command("kubectl");
        command.arg("--kubeconfig").arg(&plane.kubeconfig).env("HOME", &plane.directory);
        of_process(command.args(["apply", "--server-side", "--filename"]).arg(file("kubectl", round)))
    };
    let what = |how: &str| format!("apply of {OBJECTS} objects, {how}");
    vec![
        Measured::pairs(&what("all new"), ROUNDS, berth(1), kubectl),
        Measured::pairs(&what("as they are, again by the same run"), ROUNDS, berth(1), kubectl),
        Measured::pairs(&what("as they are, by a newer run, which marks each"), ROUNDS, berth(2), kubectl),
    ]
}

fn apply(plane: &ControlPlane, bundle: &Path, generation: u32) -> Cost {
    let mut part = cost::program(std::env::current_exe().unwrap());
    let part = part.args(["part", "apply"]).arg(&plane.kubeconfig).arg(bundle);
    of_process(part.arg(generation.to_string()))
}
