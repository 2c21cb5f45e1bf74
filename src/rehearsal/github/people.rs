//! What happens on GitHub without us: people open, push, label, merge, close, comment, rename and delete.
//!
//! For tests and rehearsals to call. It must never be reached by a request. What names nothing that is there is an
//! error: a story about a pull request that does not exist proves nothing.

use super::{
    GitHub,
    hooks::Happening,
    sha_of,
    state::{Account, AccountKind, Head, Mergeable, Pull, PullState, Repository},
};
use std::collections::{BTreeMap, BTreeSet};

/// A pull request to be.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Who opens it.
    pub author: String,
    /// The branch with the changes.
    pub branch: String,
    /// Its commit.
    pub sha: String,
    /// The fork that the branch is in; none: the repository itself.
    pub fork: Option<String>,
    /// Not meant to be merged yet.
    pub draft: bool,
}

impl Opening {
    /// From a branch of the repository itself, ready to be merged.
    pub fn new(author: &str, branch: &str, sha: &str) -> Self {
        Self {
            author: author.to_owned(),
            branch: branch.to_owned(),
            sha: sha.to_owned(),
            fork: None,
            draft: false,
        }
    }
}

type Done<T = ()> = Result<T, String>;

impl GitHub {
    /// Makes an account, unless there is one of that name.
    pub fn add_account(&mut self, login: &str, kind: AccountKind) {
        let id = self.next_id();
        let account = Account { id, login: login.to_owned(), kind };
        self.accounts.entry(login.to_ascii_lowercase()).or_insert(account);
    }

    /// Makes a public repository, `owner/name`, with one commit on `main`; its owner is an organization if there is no
    /// account of that name yet.
    pub fn add_repository(&mut self, full_name: &str) -> Done<&mut Repository> {
        let (owner, name) = full_name.split_once('/').ok_or("a repository is owner/name")?;
        let key = full_name.to_ascii_lowercase();
        if self.repository(full_name).is_some() {
            return Err(format!("{full_name} is there already"));
        }
        self.add_account(owner, AccountKind::Organization);
        let (id, first) = (self.next_id(), sha_of(&[full_name, "main"]));
        self.names.insert(key, id);
        Ok(self.repositories.entry(id).or_insert(Repository {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            default_branch: "main".to_owned(),
            private: false,
            archived: false,
            branches: BTreeMap::from([("main".to_owned(), first.clone())]),
            collaborators: BTreeMap::new(),
            files: BTreeMap::new(),
            parent: None,
            runs: BTreeMap::new(),
            created_at: self.now,
            commits: BTreeSet::from([first]),
            labels: Vec::new(),
            pulls: BTreeMap::new(),
            comments: BTreeMap::new(),
            statuses: Vec::new(),
            checks: BTreeMap::new(),
            deployments: BTreeMap::new(),
            last_number: 0,
        }))
    }

    /// Makes a person's fork of a repository.
    pub fn fork(&mut self, full_name: &str, login: &str) -> Done<String> {
        let (parent, name) = {
            let parent = self.repository(full_name).ok_or_else(|| format!("no repository {full_name}"))?;
            (parent.id, parent.name.clone())
        };
        self.add_account(login, AccountKind::User);
        let fork = format!("{login}/{name}");
        self.add_repository(&fork)?.parent = Some(parent);
        Ok(fork)
    }

    /// From now on this pull request comes from a fork of this person's.
    pub fn comes_from(&mut self, full_name: &str, number: u64, login: &str) -> Done {
        let fork = self.fork(full_name, login)?;
        let id = self.id(&fork)?;
        let head = &mut self.pull(full_name, number)?.head;
        (head.repository, head.owner) = (Some(id), login.to_owned());
        Ok(())
    }

    /// Takes a repository away. Pull requests from it stay, and come from nowhere.
    pub fn delete(&mut self, full_name: &str) -> Done {
        let id = self.id(full_name)?;
        self.repositories.remove(&id);
        self.names.retain(|_, named| *named != id);
        for pull in self.repositories.values_mut().flat_map(|repository| repository.pulls.values_mut()) {
            if pull.head.repository == Some(id) {
                pull.head.repository = None;
            }
        }
        Ok(())
    }

    /// Gives a repository another name, or another owner. The old name leads to the new one.
    pub fn rename(&mut self, full_name: &str, to: &str) -> Done {
        let id = self.id(full_name)?;
        let (owner, name) = to.split_once('/').ok_or("a repository is owner/name")?;
        if self.repository(to).is_some() {
            return Err(format!("{to} is there already"));
        }
        self.add_account(owner, AccountKind::Organization);
        self.names.insert(to.to_ascii_lowercase(), id);
        let repository = self.change(full_name)?;
        (repository.owner, repository.name) = (owner.to_owned(), name.to_owned());
        Ok(())
    }

    /// Takes an account away: what it wrote stays, and is nobody's.
    pub fn delete_account(&mut self, login: &str) {
        self.accounts.remove(&login.to_ascii_lowercase());
        let his = |author: &Option<String>| {
            author.as_ref().is_some_and(|author| author.eq_ignore_ascii_case(login))
        };
        for repository in self.repositories.values_mut() {
            repository
                .pulls
                .values_mut()
                .filter(|pull| his(&pull.author))
                .for_each(|pull| pull.author = None);
            repository
                .comments
                .values_mut()
                .filter(|c| his(&c.author))
                .for_each(|comment| comment.author = None);
        }
    }

    fn id(&self, full_name: &str) -> Done<u64> {
        self.repository(full_name).map(|found| found.id).ok_or_else(|| format!("no repository {full_name}"))
    }

    /// A repository by its present name.
    pub fn repository(&self, full_name: &str) -> Option<&Repository> {
        let found = self.repositories.get(self.names.get(&full_name.to_ascii_lowercase())?)?;
        found.full_name().eq_ignore_ascii_case(full_name).then_some(found)
    }

    /// The same, to change what people can change of it.
    pub fn change(&mut self, full_name: &str) -> Done<&mut Repository> {
        let none = || format!("no repository {full_name}");
        let id = self.names.get(&full_name.to_ascii_lowercase()).ok_or_else(none)?;
        self.repositories.get_mut(id).ok_or_else(none)
    }

    /// A pull request, to change what has no function of its own.
    pub fn pull(&mut self, full_name: &str, number: u64) -> Done<&mut Pull> {
        let pull = self.change(full_name)?.pulls.get_mut(&number);
        pull.ok_or_else(|| format!("no pull request {full_name}#{number}"))
    }

    /// Opens a pull request to the default branch and tells its number.
    pub fn open(&mut self, full_name: &str, opening: Opening) -> Done<u64> {
        self.add_account(&opening.author, AccountKind::User);
        let (id, made, now) = (self.id(full_name)?, self.next_id(), self.now);
        let from = match &opening.fork {
            Some(fork) => self.change(fork)?,
            None => self.change(full_name)?,
        };
        let head = Head {
            branch: opening.branch.clone(),
            sha: opening.sha.clone(),
            repository: Some(from.id),
            owner: from.owner.clone(),
        };
        from.branches.insert(opening.branch.clone(), opening.sha.clone());
        from.commits.insert(opening.sha.clone());
        let repository = self.change(full_name)?;
        // The repository sees a fork's commits as refs/pull/N/head.
        repository.commits.insert(opening.sha);
        repository.last_number += 1;
        let number = repository.last_number;
        let pull = Pull {
            id: made,
            number,
            created_at: now,
            updated_at: now,
            title: opening.branch,
            body: Some(String::new()),
            author: Some(opening.author.clone()),
            head,
            base: repository.default_branch.clone(),
            state: PullState::Open,
            draft: opening.draft,
            labels: Vec::new(),
            conflicting: false,
            mergeable: Mergeable::Unknown,
            locked: false,
            files: Vec::new(),
        };
        repository.pulls.insert(number, pull);
        self.happens(id, Some(&opening.author), &Happening::Pull { action: "opened", number });
        Ok(number)
    }

    fn alter(&mut self, full_name: &str, number: u64, alter: impl FnOnce(&mut Pull)) -> Done<u64> {
        let now = self.now;
        let pull = self.pull(full_name, number)?;
        alter(pull);
        pull.updated_at = now;
        self.id(full_name)
    }

    /// Pushes a commit to the branch of a pull request.
    pub fn push(&mut self, full_name: &str, number: u64, by: &str, sha: &str) -> Done {
        let mut before = String::new();
        let mut from = (None, String::new());
        let id = self.alter(full_name, number, |pull| {
            before = std::mem::replace(&mut pull.head.sha, sha.to_owned());
            pull.mergeable = Mergeable::Unknown;
            from = (pull.head.repository, pull.head.branch.clone());
        })?;
        self.change(full_name)?.commits.insert(sha.to_owned());
        if let Some(repository) = from.0.and_then(|id| self.repositories.get_mut(&id)) {
            repository.branches.insert(from.1, sha.to_owned());
            repository.commits.insert(sha.to_owned());
        }
        // A closed pull request does not follow its branch, but neither does GitHub tell of it.
        if self.pull(full_name, number)?.is_open() {
            self.happens(id, Some(by), &Happening::Push { number, before: &before, after: sha });
        }
        Ok(())
    }

    /// Closes a pull request without merging it.
    pub fn close(&mut self, full_name: &str, number: u64, by: &str) -> Done {
        let now = self.now;
        let id = self.alter(full_name, number, |pull| pull.state = PullState::Closed(now))?;
        self.happens(id, Some(by), &Happening::Pull { action: "closed", number });
        Ok(())
    }

    /// Merges it into its base, whose commit this changes.
    pub fn merge(&mut self, full_name: &str, number: u64, by: &str) -> Done {
        let now = self.now;
        let head = self.pull(full_name, number)?.head.sha.clone();
        let sha = sha_of(&["merged", &head]);
        let merged = PullState::Merged { at: now, by: by.to_owned(), sha: sha.clone() };
        let mut base = String::new();
        let id = self.alter(full_name, number, |pull| {
            pull.state = merged;
            base.clone_from(&pull.base);
        })?;
        let repository = self.change(full_name)?;
        repository.branches.insert(base, sha.clone());
        repository.commits.insert(sha);
        self.happens(id, Some(by), &Happening::Pull { action: "closed", number });
        Ok(())
    }

    /// Opens it again. What is merged stays so.
    pub fn reopen(&mut self, full_name: &str, number: u64, by: &str) -> Done {
        if !matches!(self.pull(full_name, number)?.state, PullState::Closed(_)) {
            return Err(format!("{full_name}#{number} is not closed, or is merged"));
        }
        let id = self.alter(full_name, number, |pull| pull.state = PullState::Open)?;
        self.happens(id, Some(by), &Happening::Pull { action: "reopened", number });
        Ok(())
    }

    /// Makes it a draft, or says that it is ready.
    pub fn set_draft(&mut self, full_name: &str, number: u64, by: &str, draft: bool) -> Done {
        let id = self.alter(full_name, number, |pull| pull.draft = draft)?;
        let action = if draft { "converted_to_draft" } else { "ready_for_review" };
        self.happens(id, Some(by), &Happening::Pull { action, number });
        Ok(())
    }

    /// Puts a label on it.
    pub fn label(&mut self, full_name: &str, number: u64, by: &str, label: &str) -> Done {
        self.pull(full_name, number)?;
        let id = self.id(full_name)?;
        self.put_label(id, number, Some(by), label);
        Ok(())
    }

    /// Takes a label off.
    pub fn unlabel(&mut self, full_name: &str, number: u64, by: &str, label: &str) -> Done {
        let id = self.id(full_name)?;
        self.take_label(id, number, Some(by), label)
            .map_err(|_| format!("{full_name}#{number} has no {label}"))
    }

    /// Writes a comment on it, and tells the comment's id.
    pub fn comment(&mut self, full_name: &str, number: u64, by: &str, body: &str) -> Done<u64> {
        self.pull(full_name, number)?;
        self.add_account(by, AccountKind::User);
        let id = self.id(full_name)?;
        Ok(self.say(id, number, by, body.to_owned()))
    }

    /// Puts it into the merge queue, which asks for the checks of a branch of its own.
    pub fn enqueue(&mut self, full_name: &str, number: u64, by: &str) -> Done {
        let head = self.pull(full_name, number)?.head.sha.clone();
        let id = self.id(full_name)?;
        let sha = sha_of(&["queued", &head]);
        let branch = {
            let pull = self.pull(full_name, number)?;
            let base = pull.base.clone();
            let repository = self.change(full_name)?;
            repository.queue_branch(&base, number)
        };
        let repository = self.change(full_name)?;
        repository.commits.insert(sha.clone());
        repository.branches.insert(branch, sha.clone());
        self.happens(id, Some(by), &Happening::Queued { number, sha: &sha });
        Ok(())
    }

    /// Sends what GitHub sends to a new hook.
    pub fn ping(&mut self, full_name: &str) -> Done {
        let id = self.id(full_name)?;
        self.happens(id, None, &Happening::Ping);
        Ok(())
    }
}

impl Repository {
    /// The comments on a pull request, oldest first.
    pub fn comments(&self, number: u64) -> Vec<&super::Comment> {
        self.comments.values().filter(|comment| comment.number == number).collect()
    }

    /// All statuses ever made, oldest first.
    pub fn statuses(&self) -> &[super::Status] {
        &self.statuses
    }

    /// All check runs, oldest first.
    pub fn checks(&self) -> Vec<&super::CheckRun> {
        self.checks.values().collect()
    }

    /// All deployments, oldest first.
    pub fn deployments(&self) -> Vec<&super::Deployment> {
        self.deployments.values().collect()
    }

    /// A pull request by its number.
    pub fn pull(&self, number: u64) -> Option<&Pull> {
        self.pulls.get(&number)
    }
}
