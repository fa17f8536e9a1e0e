//! The frame of every page.

use axum::response::{Html, IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::{DOCTYPE, Markup, html};

use crate::assets;
use crate::post::TOKEN;
use crate::session::Session;

/// A link on the way to where the page is.
#[derive(Debug, Clone)]
pub(crate) struct Crumb {
    pub(crate) words: String,
    pub(crate) href: String,
}

impl Crumb {
    pub(crate) fn new(words: impl Into<String>, href: impl Into<String>) -> Self {
        Self { words: words.into(), href: href.into() }
    }
}

/// A page to be.
#[derive(Debug, Default)]
pub(crate) struct Page {
    title: String,
    heading: Option<Markup>,
    crumbs: Vec<Crumb>,
    /// The account that is looked at, where there is a session.
    account: Option<String>,
    session: Option<Session>,
    scripts: Vec<&'static str>,
    notice: Option<Notice>,
    tabs: Option<Markup>,
    body: Option<Markup>,
}

impl Page {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Of who is signed in, looking at this account.
    pub(crate) fn of(mut self, session: &Session, account: &str) -> Self {
        self.session = Some(session.clone());
        self.account = (!account.is_empty()).then(|| account.to_owned());
        self
    }

    /// The heading, where it is more than the title.
    pub(crate) fn heading(mut self, heading: Markup) -> Self {
        self.heading = Some(heading);
        self
    }

    /// What leads here.
    pub(crate) fn crumbs(mut self, crumbs: impl IntoIterator<Item = Crumb>) -> Self {
        self.crumbs.extend(crumbs);
        self
    }

    /// A static script that the page needs besides.
    pub(crate) fn script(mut self, name: &'static str) -> Self {
        self.scripts.push(name);
        self
    }

    /// What was just done.
    pub(crate) fn notice(mut self, notice: Option<Notice>) -> Self {
        self.notice = notice;
        self
    }

    /// Between heading and body.
    pub(crate) fn tabs(mut self, tabs: Markup) -> Self {
        self.tabs = Some(tabs);
        self
    }

    pub(crate) fn body(mut self, body: Markup) -> Self {
        self.body = Some(body);
        self
    }

    /// The form again, with what is wrong with it.
    pub(crate) fn refused(self) -> Response {
        (StatusCode::UNPROCESSABLE_ENTITY, self).into_response()
    }

    /// All of it.
    pub(crate) fn render(self) -> String {
        let (start, end) = self.halves();
        start + &end
    }

    /// What stands before and behind something that comes piece by piece at the body's end.
    pub(crate) fn halves(self) -> (String, String) {
        let start = html! {
            (DOCTYPE)
            // The root element's end stands in the other half.
            (maud::PreEscaped("<html lang=\"en\">"))
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (self.title) " · Cortex" }
                link rel="stylesheet" href=(assets::url("console.css"));
                link rel="icon" href=(assets::url("icon.svg")) type="image/svg+xml";
                script type="module" src=(assets::url("page.js")) {}
                @for script in &self.scripts { script type="module" src=(assets::url(script)) {} }
            }
            (maud::PreEscaped("<body>"))
            a .skip href="#main" { "To the content" }
            (self.header())
            (maud::PreEscaped("<main id=\"main\" tabindex=\"-1\">"))
            @if !self.crumbs.is_empty() {
                nav .crumbs aria-label="You are here" {
                    ol { @for crumb in &self.crumbs { li { a href=(crumb.href) { (crumb.words) } } } }
                }
            }
            @match &self.heading { Some(heading) => (heading), None => h1 { (self.title) } }
            @if let Some(tabs) = &self.tabs { (tabs) }
            @if let Some(notice) = self.notice { (alert("good", html! { p { (notice.words()) } })) }
            @if let Some(body) = &self.body { (body) }
        };
        let end = "</main><footer class=\"foot\"><p>Cortex S3 sources. Times without scripts are UTC.</p></footer></body></html>";
        (start.into_string(), end.to_owned())
    }

    fn header(&self) -> Markup {
        html! {
            header .top {
                a .brand href="/" { img src=(assets::url("icon.svg")) alt="" width="24" height="24"; "Cortex" }
                @if let Some(session) = &self.session {
                    nav aria-label="Console" {
                        @if let Some(account) = &self.account {
                            a href=(format!("/accounts/{account}/sources")) { "Data sources" }
                            a href=(format!("/accounts/{account}/check")) { "Check a file" }
                        }
                        @if session.account.is_none() { a href="/accounts" { "Accounts" } }
                    }
                    div .who {
                        @if let Some(account) = &self.account { span { "Account " (account) } }
                        @if session.is_read_only { span .badge.quiet { "Read only" } }
                        form method="post" action="/sign-out" {
                            input type="hidden" name=(TOKEN) value=(session.form_token());
                            button .plain type="submit" { "Sign out" }
                        }
                    }
                }
            }
        }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        Html(self.render()).into_response()
    }
}

/// What was done before this page: named in its address, said in words that stand here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    Saved,
    Activated,
    Paused,
    Resumed,
    Deleted,
    Undeleted,
    Reprocessed,
    Proposed,
}

impl Notice {
    const ALL: [(Self, &'static str, &'static str); 8] = [
        (Self::Saved, "saved", "Saved."),
        (Self::Activated, "activated", "The source is live: files are picked up from now on."),
        (
            Self::Paused,
            "paused",
            "The source is paused: what is queued is still read, nothing new is looked for.",
        ),
        (Self::Resumed, "resumed", "The source is live again."),
        (
            Self::Deleted,
            "deleted",
            "The source is deleted. It can be brought back for some days: choose “Deleted” above the list.",
        ),
        (Self::Undeleted, "undeleted", "The source is back, paused. Resume it to look for files again."),
        (Self::Reprocessed, "reprocessed", "It is read again from its start."),
        (
            Self::Proposed,
            "proposed",
            "These columns were proposed from your files. Look them over, then save.",
        ),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(notice, ..)| *notice)
    }

    /// In an address.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(notice, ..)| *notice == self).map_or("", |(_, name, _)| name)
    }

    /// Leads to a page that says so.
    pub(crate) fn shown_at(self, path: &str) -> Redirect {
        Redirect::to(&format!("{path}?done={}", self.name()))
    }

    fn words(self) -> &'static str {
        Self::ALL.iter().find(|(notice, ..)| *notice == self).map_or("", |(.., words)| words)
    }
}

/// Something to be noticed: `good`, `warn` or `bad`.
pub(crate) fn alert(kind: &str, content: Markup) -> Markup {
    let role = if kind == "bad" { "alert" } else { "status" };
    html! { div class={ "alert " (kind) } role=(role) { (content) } }
}

/// Where there is nothing yet: what to do next.
pub(crate) fn empty(content: Markup) -> Markup {
    html! { div .empty { (content) } }
}

/// To the next page of a list, and to its first.
pub(crate) fn pager(path: &str, query: &[(&str, &str)], page: &str, next: &str) -> Markup {
    if page.is_empty() && next.is_empty() {
        return html! {};
    }
    let link = |token: &str| {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(query.iter().filter(|(_, value)| !value.is_empty()));
        if !token.is_empty() {
            text.append_pair("page", token);
        }
        format!("{path}?{}", text.finish())
    };
    html! {
        nav .pager aria-label="Pages" {
            @if !page.is_empty() { a href=(link("")) rel="first" { "To the first page" } }
            @if !next.is_empty() { a href=(link(next)) rel="next" { "Older" } }
        }
    }
}
