//! Lists that come in pages, whole or not at all.
//!
//! Between two pages something may go, and what follows then moves up, past the reader. So all pages but the last are read
//! once more: what has not changed until the last one was read was whole at that time. Must never: follow a link, which
//! may lead anywhere; give a part for the whole.

use super::{
    GitHub,
    request::{Answer, Asked},
};
use crate::clients::Failure;
use reqwest::Url;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What GitHub gives at most.
const FULL: usize = 100;
/// Four times what GitHub lets a conversation have.
const MOST: usize = 100;

struct Page<T> {
    items: Vec<T>,
    /// Its number, where there is one after this.
    last: Option<usize>,
    has_next: bool,
}

impl GitHub {
    /// All of a list, whose items are told apart by `id`.
    pub(super) async fn all<T: DeserializeOwned, Id: Ord>(
        &self,
        mut asked: Asked<'_>,
        id: fn(&T) -> Id,
    ) -> Result<Vec<T>, Failure> {
        let ids = |items: &[T]| items.iter().map(id).collect::<Vec<_>>();
        let (mut pages, mut last) = (Vec::<Vec<T>>::new(), 1);
        loop {
            asked.page = Some(pages.len() + 1);
            let page: Page<T> = self.page(&asked).await?;
            last = last.max(page.last.unwrap_or(1));
            // A link that was lost on the way must not be the end of the list.
            let goes_on = page.has_next || page.items.len() >= FULL;
            pages.push(page.items);
            if !goes_on {
                break;
            }
            if pages.len() >= MOST {
                return Err(self.garbled(&asked, "its list has no end"));
            }
        }
        let changed = "it changed while it was read, page by page";
        // An empty page that another one leads to has lost what was on it, be it to somebody on the way.
        if pages.len() < last || last > 1 && pages[last - 1].is_empty() {
            return Err(self.garbled(&asked, changed));
        }
        for number in 1..pages.len() {
            asked.page = Some(number);
            if ids(&self.page(&asked).await?.items) != ids(&pages[number - 1]) {
                return Err(self.garbled(&asked, changed));
            }
        }
        let all: Vec<T> = pages.into_iter().flatten().collect();
        if ids(&all).into_iter().collect::<BTreeSet<_>>().len() != all.len() {
            return Err(self.garbled(&asked, changed));
        }
        Ok(all)
    }

    async fn page<T: DeserializeOwned>(&self, asked: &Asked<'_>) -> Result<Page<T>, Failure> {
        let answer = self.send(asked).await?;
        let items = match asked.within {
            None => self.understand(asked, &answer)?,
            Some(key) => {
                let mut whole: BTreeMap<String, Value> = self.understand(asked, &answer)?;
                let items = whole.remove(key).and_then(|items| serde_json::from_value(items).ok());
                items.ok_or_else(|| self.garbled(asked, &format!("its answer has no {key} that we know")))?
            }
        };
        let (next, last) = (linked(&answer, "next"), linked(&answer, "last"));
        Ok(Page { items, last, has_next: next.is_some() })
    }
}

/// Which page a link leads to.
fn linked(answer: &Answer, rel: &str) -> Option<usize> {
    let wanted = format!("rel=\"{rel}\"");
    let link = answer.header("link")?.split(", <").find(|link| link.ends_with(&wanted))?;
    let url = Url::parse(link.trim_start_matches('<').split('>').next()?).ok()?;
    url.query_pairs().find(|(key, _)| key == "page")?.1.parse().ok()
}
