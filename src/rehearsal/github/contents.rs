//! A repository's files, at a branch or commit.

use super::{Answer, Call, GitHub, ok, page::escaped_path, refusal, sha_of};
use serde_json::{Value, json};

/// GitHub gives the content of a larger file only as it is, which is not spoken here.
const LARGEST: usize = 1 << 20;
const MOST_ENTRIES: usize = 1000;
const LINE: usize = 60;

/// With a line break after each 60 characters and at the end, as GitHub sends it.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (i, three) in bytes.chunks(3).enumerate() {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let sextet = (bits >> (18 - 6 * at)) & 63;
            // Three bytes are four letters, and each byte less is one of them padded.
            text.push(if at <= three.len() { char::from(ALPHABET[sextet as usize]) } else { '=' });
        }
        if (i + 1) * 4 % LINE == 0 {
            text.push('\n');
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

impl GitHub {
    pub(super) fn read_path(&self, call: &Call<'_>, id: u64, path: &[&str]) -> Answer {
        let repository = &self.repositories[&id];
        let reference = call.query("ref").filter(|reference| !reference.is_empty());
        let branch = reference.unwrap_or(&repository.default_branch);
        let Some(sha) = repository.commit(branch) else {
            return Err(refusal::nothing_at(format!("No commit found for the ref {branch}")));
        };
        let path = path.join("/");
        let show = self.show(call);
        let (url, html) = (show.url(repository), format!("https://github.com/{}", repository.full_name()));
        let raw = format!("https://raw.githubusercontent.com/{}/{sha}", repository.full_name());
        let entry = |kind: &str, path: &str, size: usize| {
            let git = format!(
                "{url}/git/{}/{}",
                if kind == "dir" { "trees" } else { "blobs" },
                sha_of(&[sha, path])
            );
            let (within, at) = (escaped_path(path), escaped_path(branch));
            let own = format!("{url}/contents/{within}?ref={at}");
            let page = format!("{html}/{}/{at}/{within}", if kind == "dir" { "tree" } else { "blob" });
            json!({
                "type": kind, "size": size, "name": path.rsplit('/').next(), "path": path, "url": own,
                "sha": sha_of(&[sha, path]), "git_url": git, "html_url": page,
                "download_url": (kind == "file").then(|| format!("{raw}/{within}")),
                "_links": { "self": own, "git": git, "html": page },
            })
        };
        let nothing = std::collections::BTreeMap::new();
        let files = repository.files.get(sha).unwrap_or(&nothing);
        if let Some(content) = files.get(&path) {
            let mut shown = entry("file", &path, content.len());
            let small = content.len() <= LARGEST;
            shown["content"] = json!(if small { base64(content) } else { String::new() });
            shown["encoding"] = json!(if small { "base64" } else { "none" });
            return ok(shown);
        }
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut listed: Vec<Value> = Vec::new();
        for (file, content) in files {
            let Some(rest) = file.strip_prefix(&below) else { continue };
            let shown = match rest.split_once('/') {
                None => entry("file", file, content.len()),
                Some((directory, _)) => entry("dir", &format!("{below}{directory}"), 0),
            };
            if listed.last() != Some(&shown) {
                listed.push(shown);
            }
        }
        // Of a longer directory it shows the beginning, and does not say so.
        listed.truncate(MOST_ENTRIES);
        // A root is there even if nobody has said what is in it.
        if listed.is_empty() && !path.is_empty() { Err(refusal::not_found()) } else { ok(listed.into()) }
    }
}
