//! All files of a source, by state, date and key.

use api::registry::{FileState, ListFilesRequest};
use axum::extract::{Query, State};
use maud::html;
use serde::Deserialize;

use super::live::table;
use super::{get, page};
use crate::error::{PageError, Refusal};
use crate::html::{Page, empty, field, file_state, pager, refusal};
use crate::page::place::Place;
use crate::session::{App, Session};

const SHOWN: i32 = 50;

/// Which files.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    state: String,
    #[serde(default)]
    date: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    page: String,
}

const STATES: [FileState; 8] = [
    FileState::Discovered,
    FileState::Published,
    FileState::Claimed,
    FileState::Accepted,
    FileState::AcceptedWithRejections,
    FileState::Rejected,
    FileState::Incomplete,
    FileState::Superseded,
];

fn word(state: FileState) -> &'static str {
    state.as_str_name().trim_start_matches("FILE_STATE_")
}

/// Text as a filter takes it.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Wanted {
    fn filter(&self) -> String {
        let mut parts = Vec::new();
        if let Some(state) = STATES.iter().find(|state| word(**state) == self.state) {
            parts.push(format!("state = {}", word(*state)));
        }
        if !self.date.trim().is_empty() {
            parts.push(format!("date = {}", quoted(self.date.trim())));
        }
        if !self.key.is_empty() {
            parts.push(format!("object_key : {}", quoted(&self.key)));
        }
        parts.join(" AND ")
    }
}

/// `GET …/files`
pub(crate) async fn list(
    State(app): State<App>,
    session: Session,
    place: Place,
    Query(wanted): Query<Wanted>,
) -> Result<Page, PageError> {
    let mut registry = session.registry(&app)?;
    let source = get(&mut registry, &place).await?;
    let filter = wanted.filter();
    let request = ListFilesRequest {
        parent: place.name(),
        page_size: SHOWN,
        page_token: wanted.page.clone(),
        filter: filter.clone(),
    };
    let (files, next, refused) = match registry.list_files(request).await {
        Ok(answer) => {
            let answer = answer.into_inner();
            (answer.files, answer.next_page_token, None)
        }
        Err(status) => (Vec::new(), String::new(), Some(Refusal::of_form(status)?)),
    };
    let path = place.href("/files");
    let folder = match source.path.as_str() {
        "" => "2026-11-23/".to_owned(),
        path => format!("{path}/2026-11-23/"),
    };
    Ok(page(&session, &place, &source, "/files", "Files").body(html! {
        h2 { "Files" }
        (refusal(refused.as_ref()))
        form .filter method="get" action=(path) {
            div .field {
                label for="state" { "Outcome" }
                select id="state" name="state" {
                    option value="" { "Any" }
                    @for state in STATES {
                        option value=(word(state)) selected[word(state) == wanted.state] { (file_state(state)) }
                    }
                }
            }
            (field("date", "Date of the folder", &wanted.date).kind("date").show())
            (field("key", "Key begins with", &wanted.key).placeholder(&folder).show())
            button type="submit" { "Show" }
        }
        @if files.is_empty() && refused.is_none() {
            (empty(html! {
                @if filter.is_empty() {
                    p { "No file has been found yet. Upload one into a dated folder of the bucket." }
                } @else {
                    p { "No file is like that." }
                    p { a href=(path) { "Show all files" } }
                }
            }))
        } @else if refused.is_none() {
            (table(&place, &files, "Files"))
        }
        (pager(&path, &[("state", &wanted.state), ("date", &wanted.date), ("key", &wanted.key)], &wanted.page, &next))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_becomes_a_filter_that_it_cannot_leave() {
        let wanted = Wanted {
            state: "REJECTED".into(),
            date: " 2026-11-23 ".into(),
            key: "a\" AND state = \"X\\".into(),
            page: String::new(),
        };
        let expected = r#"state = REJECTED AND date = "2026-11-23" AND object_key : "a\" AND state = \"X\\""#;
        assert_eq!(wanted.filter(), expected);
        assert_eq!(Wanted { state: "NONSENSE".into(), ..Wanted::default() }.filter(), "");
    }
}
