//! Child processes of the code under review: what they are given, how they end, and what they cannot do to us.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use berth::{
    clients::child::{self, Command, End, Ended, KEPT, Stream, Surroundings},
    clock::Clock,
};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

/// Every variable is set, to what must never be seen; but `PATH` is this process' own.
fn everything(name: &str) -> Option<OsString> {
    Some(if name == "PATH" { path() } else { format!("canary-{name}").into() })
}

#[allow(clippy::disallowed_methods, reason = "a test needs the real programs")]
pub(crate) fn path() -> OsString {
    std::env::var_os("PATH").unwrap()
}

fn sh<'a>(script: &str, directory: &'a Path) -> Command<'a> {
    Command {
        program: PathBuf::from("/bin/sh"),
        arguments: vec!["-c".into(), script.into()],
        directory,
        variables: vec![],
        limit: Duration::from_secs(60),
    }
}

async fn run(command: &Command<'_>) -> Ended {
    child::run(command, &Surroundings::of(everything), &Clock::system(), &mut |_, _| {}).await.unwrap()
}

fn out(ended: &Ended) -> String {
    String::from_utf8(ended.out.bytes.clone()).unwrap()
}

/// Whether it runs. What nobody has collected yet does not.
fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// A signal is on its way for some moments.
fn dies(pid: &str) -> bool {
    (0..1_000_000).any(|_| {
        std::thread::yield_now();
        !is_alive(pid)
    })
}

// ---- what it is given ----

#[tokio::test]
async fn a_child_gets_the_named_variables_and_no_other() {
    let mut command = sh("env", Path::new("/"));
    command.variables = vec![("BERTH_URL", "https://pr-1".into())];
    let ended = run(&command).await;
    let names: BTreeSet<String> =
        out(&ended).lines().map(|line| line.split('=').next().unwrap().to_owned()).collect();
    // The last three are the shell's own.
    let allowed = [
        "PATH",
        "HOME",
        "TMPDIR",
        "BERTH_CHILD",
        "BERTH_URL",
        "LANG",
        "LC_ALL",
        "TZ",
        "CI",
        "RUNNER_TRACKING_ID",
        "PWD",
        "SHLVL",
        "_",
    ];
    let strange: Vec<_> = names.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?}");
    for given in &allowed[..10] {
        assert!(names.contains(*given), "{given} is not in {names:?}");
    }
}

#[tokio::test]
async fn its_home_is_empty_and_gone_afterwards() {
    let ended = run(&sh("echo $HOME; echo $TMPDIR; ls -A $HOME $TMPDIR | grep -v :", Path::new("/"))).await;
    let said = out(&ended);
    let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines.iter().all(|directory| !Path::new(directory).exists()), "{said}");
}

#[tokio::test]
async fn no_shell_reads_its_arguments() {
    let mut command = sh("", Path::new("/"));
    command.arguments =
        ["-c", "printf '%s|' \"$@\"", "name", "$(id) `id`", "* ; id", "\"'"].map(Into::into).into();
    assert_eq!(out(&run(&command).await), "$(id) `id`|* ; id|\"'|");
}

#[tokio::test]
async fn it_has_nothing_to_read() {
    assert_eq!(out(&run(&sh("cat; echo end", Path::new("/"))).await), "end\n");
}

#[test]
fn a_program_is_never_found_in_a_relative_directory() {
    let found = |path: &str, program: &str| {
        Surroundings::of(|name| (name == "PATH").then(|| path.into())).find(program)
    };
    assert_eq!(found("/bin", "sh"), Some("/bin/sh".into()));
    // The working directory of the suite has a directory `src` and a program `tests/run`.
    assert!(Path::new("tests/run").exists());
    assert_eq!(found("tests::.", "run"), None);
    assert_eq!(found("/usr", "bin"), None, "a directory is no program");
    assert_eq!(found("/etc", "passwd"), None, "nobody may run it");
}

#[tokio::test]
async fn what_cannot_be_run_is_named() {
    let mut command = sh("", Path::new("/"));
    command.program = "/nowhere/kustomize".into();
    let surroundings = Surroundings::of(everything);
    let error = child::run(&command, &surroundings, &Clock::system(), &mut |_, _| {}).await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/kustomize"), "{error}");
    assert_eq!(berth::errors::exit(&error).code(), 1);
}

// ---- what it says ----

#[tokio::test]
async fn each_line_is_told_with_its_stream_and_the_end_is_told_whole() {
    let (mut told, script) = (Vec::new(), "echo one; echo two >&2; printf three; exit 7");
    let command = sh(script, Path::new("/"));
    let surroundings = Surroundings::of(everything);
    let ended = child::run(&command, &surroundings, &Clock::system(), &mut |stream, line| {
        told.push((stream == Stream::Err, line.to_owned()));
    })
    .await
    .unwrap();
    told.sort();
    assert_eq!(told, [(false, "one".into()), (false, "three".into()), (true, "two".into())]);
    assert_eq!((out(&ended).as_str(), ended.end.to_string()), ("one\nthree", "ended with 7".to_owned()));
    assert!(!ended.end.is_success() && ended.out.is_whole());
}

#[tokio::test]
async fn a_flood_is_heard_to_its_end_and_not_kept() {
    let (mut told, mut last) = (0, String::new());
    let command = sh("head -c 20000000 /dev/zero | tr '\\0' 'x'", Path::new("/"));
    let surroundings = Surroundings::of(everything);
    let ended = child::run(&command, &surroundings, &Clock::system(), &mut |_, line| {
        told += line.len();
        last = line.to_owned();
    })
    .await
    .unwrap();
    assert_eq!((ended.out.total, ended.out.bytes.len()), (20_000_000, KEPT));
    assert!(!ended.out.is_whole() && ended.end.is_success());
    assert_eq!(last, "(more than 16 MiB: the rest is not shown)");
    assert_eq!(told, KEPT + last.len());
}

// ---- its end ----

#[tokio::test]
async fn what_it_leaves_running_ends_with_it_and_holds_nobody_up() {
    let ended = run(&sh("sleep 1000 & echo $!", Path::new("/"))).await;
    assert!(ended.end.is_success());
    assert!(dies(&out(&ended)));
}

#[tokio::test]
async fn what_leaves_its_group_ends_with_it_too() {
    // A daemon: another session, nobody's child, and the pipe in its hands.
    let script = "(setsid sh -c 'echo $$ >$TMPDIR/pid; exec sleep 1000' &)
                  until [ -s $TMPDIR/pid ]; do :; done; cat $TMPDIR/pid";
    let ended = run(&sh(script, Path::new("/"))).await;
    let pid = out(&ended);
    assert!(!pid.trim().is_empty(), "it has said its number");
    assert!(dies(&pid));
}

#[tokio::test]
async fn it_is_killed_with_all_that_is_its_own_when_its_time_is_over() {
    let clock = Clock::stepped("2026-01-05T12:00:00Z".parse().unwrap());
    let command = sh("trap '' TERM INT HUP; sleep 1000 & echo $!; wait", Path::new("/"));
    let surroundings = Surroundings::of(everything);
    let ended = child::run(&command, &surroundings, &clock, &mut |_, _| {
        clock.advance(jiff::SignedDuration::from_secs(60));
    })
    .await
    .unwrap();
    assert_eq!(ended.end, End::Late);
    assert!(dies(&out(&ended)));
}

#[tokio::test]
async fn it_is_killed_with_all_that_is_its_own_when_nobody_waits_any_more() {
    let command = sh("echo $$; sleep 1000 & echo $!; wait", Path::new("/"));
    let surroundings = Surroundings::of(everything);
    let (pids, clock) = (Arc::new(Mutex::new(Vec::new())), Clock::system());
    let two = tokio::sync::Notify::new();
    let mut tell = |_, line: &str| {
        let mut pids = pids.lock().unwrap();
        pids.push(line.to_owned());
        if pids.len() == 2 {
            two.notify_one();
        }
    };
    tokio::select! {
        _ = child::run(&command, &surroundings, &clock, &mut tell) => panic!("it does not end by itself"),
        () = two.notified() => {}
    }
    for pid in &*pids.lock().unwrap() {
        assert!(dies(pid), "{pid}");
    }
}

// ---- what it cannot do to us ----

const CANARY: &str = "BERTH_TEST_CANARY";

/// This test is three processes: itself; one that is started with a secret, and seals itself or not; and its child.
#[test]
#[allow(clippy::disallowed_methods, reason = "it is about the environment of a process")]
fn a_child_cannot_read_what_its_sealed_parent_was_started_with() {
    if let Ok(what) = std::env::var(CANARY) {
        if what.starts_with("sealed") {
            child::seal().unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let script = "tr '\\0' '\\n' < /proc/$PPID/environ | grep CANARY; grep NoNewPrivs /proc/self/status; \
                      head -c 1 /proc/$PPID/maps >/dev/null && echo memory";
        let ended = runtime.block_on(run(&sh(script, Path::new("/"))));
        println!("{}", out(&ended));
        return;
    }
    let parent = |what: &str| {
        let name = "child::a_child_cannot_read_what_its_sealed_parent_was_started_with";
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let ran = command.args(["--exact", name, "--nocapture"]).env(CANARY, format!("{what}-hvs.secret"));
        String::from_utf8(ran.output().unwrap().stdout).unwrap()
    };
    // Else the kernel here tells nothing in any case, and this proves nothing.
    let open = parent("open");
    assert!(open.contains("open-hvs.secret") && open.contains("memory"), "{open}");
    let sealed = parent("sealed");
    assert!(!sealed.contains("hvs.secret") && !sealed.contains("memory"), "{sealed}");
    assert!(sealed.contains("NoNewPrivs:\t1"), "{sealed}");
}
