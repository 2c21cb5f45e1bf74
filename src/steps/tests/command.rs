//! Tests as a program beside berth, with the environment's own kubeconfig and none of our credentials.

use super::{Tested, report};
use crate::{
    clients::{
        child::{self, Command},
        files,
    },
    domain::{junit, results::Results},
    errors::{Exit, UserError},
    providers::{Access, Inside},
    steps::Context,
};
use anyhow::{Context as _, Result};
use secrecy::ExposeSecret as _;
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

impl Tested {
    pub(super) async fn command(
        &self,
        cx: &Context<'_>,
        (command, directory, junit): (&[String], &Path, &Path),
        called: &str,
    ) -> Result<Results> {
        let access = match cx.provider.inside(cx.scope).await? {
            Inside::Open(access) => access,
            Inside::NotYet(_) | Inside::Gone => return Err(crate::steps::gone(cx.scope)),
        };
        let [program, arguments @ ..] = command else {
            return Err(UserError::new(Exit::Failed, "`tests.command` names no program").into());
        };
        let directory = &fs::canonicalize(directory).with_context(|| {
            UserError::new(Exit::Failed, format!("the directory {} cannot be read", directory.display()))
        })?;
        let found = self.program(program, directory)?;
        forget(junit)?;
        let room = files::private_directory()?;
        let command = Command {
            program: found,
            arguments: arguments.iter().map(Into::into).collect(),
            directory,
            variables: variables(cx, &access, room.path())?,
            limit: self.limit(),
        };
        let ended = {
            let lines = self.shown.begin()?;
            let mut tell = |_, line: &str| lines.line(line);
            child::run(&command, &self.surroundings, cx.clock, &mut tell).await?
        };
        let results = match read(junit)? {
            Some(report) => report::results(&report, called),
            None => report::failed(
                called,
                &format!("{program} {}, and left no JUnit in {}", ended.end, junit.display()),
            ),
        };
        Ok(match ended.end.is_success() {
            true => results,
            false => {
                let why = format!("{program} {}, though no test of its report failed", ended.end);
                report::ended_badly(results, &why)
            }
        })
    }

    /// One with a slash is relative to where it runs.
    fn program(&self, program: &str, directory: &Path) -> Result<PathBuf> {
        if program.contains('/') {
            return Ok(directory.join(program));
        }
        self.surroundings.find(program).with_context(|| {
            UserError::new(Exit::Failed, format!("`tests.command`: {program} is not on the PATH"))
                .hint("install it in a step before, or give its path")
        })
    }
}

/// What tests need to know of the environment. What is not known is not set.
fn variables(cx: &Context<'_>, access: &Access, room: &Path) -> Result<Vec<(&'static str, OsString)>> {
    let kubeconfig = room.join("kubeconfig");
    let own = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(&kubeconfig);
    let written = own().and_then(|mut file| file.write_all(access.kubeconfig.expose_secret().as_bytes()));
    written.context("write the kubeconfig for the tests")?;
    let scope = cx.scope;
    let mut all = vec![("KUBECONFIG", kubeconfig.into()), ("BERTH_NAME", scope.name.to_string().into())];
    let known = [
        ("BERTH_URL", scope.url()),
        ("BERTH_HOST", scope.hosts.main.as_ref().map(ToString::to_string)),
        ("BERTH_ADDRESS", scope.addresses.map(|block| block.vip().to_string())),
        ("BERTH_HEAD_SHA", scope.head().map(ToString::to_string)),
    ];
    all.extend(known.into_iter().filter_map(|(name, value)| Some((name, value?.into()))));
    Ok(all)
}

/// Whatever lies there is from before.
fn forget(junit: &Path) -> Result<()> {
    match fs::remove_file(junit) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
        Err(error) => Err(error).with_context(|| {
            UserError::new(Exit::Failed, format!("an old {} cannot be removed", junit.display()))
                .hint("`tests.junit` names the file that the tests write")
        }),
    }
}

/// `None`: there is none. Only a file is one: a link may lead to what is nobody's business.
fn read(junit: &Path) -> Result<Option<Vec<u8>>> {
    if !fs::symlink_metadata(junit).is_ok_and(|found| found.is_file()) {
        return Ok(None);
    }
    let wrong = || UserError::new(Exit::Failed, format!("{} cannot be read", junit.display()));
    let mut report = Vec::new();
    // One byte more than may be read tells that it is too much.
    let most = junit::BYTES as u64 + 1;
    File::open(junit).with_context(wrong)?.take(most).read_to_end(&mut report).with_context(wrong)?;
    Ok(Some(report))
}
