//! Forms: every field has its label, its help, and what is wrong with it, told to screen readers too.

use maud::{Markup, html};

use crate::error::Refusal;
use crate::post::TOKEN;
use crate::session::Session;

/// A form that is sent to `action`.
#[derive(Debug)]
pub(crate) struct Form<'a> {
    pub(crate) session: &'a Session,
    pub(crate) action: &'a str,
}

impl Form<'_> {
    /// With these fields.
    pub(crate) fn with(&self, fields: Markup) -> Markup {
        html! {
            form method="post" action=(self.action) {
                (self.token())
                (fields)
            }
        }
    }

    /// One that sends a file.
    pub(crate) fn with_file(&self, fields: Markup) -> Markup {
        html! {
            form method="post" action=(self.action) enctype="multipart/form-data" {
                (self.token())
                (fields)
            }
        }
    }

    /// A button alone.
    pub(crate) fn button(&self, class: &str, words: &str) -> Markup {
        self.with(html! { button type="submit" class=(class) { (words) } })
    }

    fn token(&self) -> Markup {
        html! { input type="hidden" name=(TOKEN) value=(self.session.form_token()); }
    }
}

/// A line of text that is asked for.
#[derive(Debug, Default)]
pub(crate) struct Field<'a> {
    name: &'a str,
    label: &'a str,
    value: &'a str,
    help: Option<Markup>,
    wrong: Option<String>,
    required: bool,
    pattern: Option<(&'static str, &'static str)>,
    longest: Option<u32>,
    placeholder: &'a str,
    kind: &'a str,
}

/// A field of a form, with its value.
pub(crate) fn field<'a>(name: &'a str, label: &'a str, value: &'a str) -> Field<'a> {
    Field { name, label, value, kind: "text", ..Field::default() }
}

impl<'a> Field<'a> {
    pub(crate) fn help(mut self, help: Markup) -> Self {
        self.help = Some(help);
        self
    }

    /// What the registry said of it.
    pub(crate) fn wrong(mut self, refusal: Option<&Refusal>) -> Self {
        self.wrong = refusal.and_then(|refusal| refusal.rule(self.name)).map(crate::error::sentence);
        self
    }

    pub(crate) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// A regular expression of browsers, and its rule in words; told as one types.
    pub(crate) fn pattern(mut self, pattern: &'static str, rule: &'static str) -> Self {
        self.pattern = Some((pattern, rule));
        self
    }

    pub(crate) fn longest(mut self, characters: u32) -> Self {
        self.longest = Some(characters);
        self
    }

    pub(crate) fn placeholder(mut self, text: &'a str) -> Self {
        self.placeholder = text;
        self
    }

    /// Another type than text.
    pub(crate) fn kind(mut self, kind: &'a str) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) fn show(self) -> Markup {
        let help = format!("{}-help", self.name);
        let wrong = format!("{}-wrong", self.name);
        let described = format!("{help} {wrong}");
        html! {
            div .field {
                label for=(self.name) {
                    (self.label) @if !self.required { " " span .optional { "(optional)" } }
                }
                @if let Some(text) = &self.help { p .help id=(help) { (text) } }
                input type=(self.kind) id=(self.name) name=(self.name) value=(self.value)
                    aria-describedby=(if self.help.is_some() { &described } else { &wrong })
                    aria-invalid=[self.wrong.is_some().then_some("true")]
                    required[self.required]
                    pattern=[self.pattern.map(|(pattern, _)| pattern)]
                    data-rule=[self.pattern.map(|(_, rule)| rule)]
                    maxlength=[self.longest]
                    placeholder=[(!self.placeholder.is_empty()).then_some(self.placeholder)]
                    autocomplete="off" autocapitalize="off" spellcheck="false";
                p .wrong id=(wrong) aria-live="polite" { @if let Some(text) = &self.wrong { (text) } }
            }
        }
    }
}

/// One of a choice: its value, its label, and more about it.
#[derive(Debug)]
pub(crate) struct Choice<'a> {
    pub(crate) value: &'a str,
    pub(crate) label: &'a str,
    pub(crate) more: Markup,
}

/// One of several, by radio buttons.
pub(crate) fn choice(
    name: &str,
    legend: &str,
    chosen: &str,
    wrong: Option<&str>,
    choices: &[Choice<'_>],
) -> Markup {
    html! {
        fieldset .choice {
            legend { (legend) }
            @if let Some(rule) = wrong { p .wrong { (crate::error::sentence(rule)) } }
            @for one in choices {
                @let id = format!("{name}-{}", one.value);
                div .option {
                    input type="radio" id=(id) name=(name) value=(one.value) checked[one.value == chosen] required;
                    label for=(id) { strong { (one.label) } (one.more) }
                }
            }
        }
    }
}

/// What was refused, above the form.
pub(crate) fn refusal(refusal: Option<&Refusal>) -> Markup {
    let Some(refusal) = refusal else { return html! {} };
    super::alert(
        "bad",
        html! {
            @if refusal.fields.is_empty() {
                p { (refusal.reason) }
            } @else {
                p { "Not saved yet; look at:" }
                ul { @for (_, rule) in &refusal.fields { li { (crate::error::sentence(rule)) } } }
            }
        },
    )
}
