//! Step 2, the columns: the dataset's own, by which header each is read, and the customer's, typed in or proposed from files.

use api::registry::{
    AdditionalColumns, Column, ColumnSeen, ColumnType, GetSourceRequest, ListDatasetTypesRequest,
    ProposeSourceSchemaRequest, Schema, SetSourceSchemaRequest, Source, SourceState,
};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::{Step, is_complete, page};
use crate::error::{PageError, Refusal, sentence};
use crate::html::{Form, Notice, Page, Row, Table, alert, bytes, constant, count, head, refusal, row, value};
use crate::page::check::file_input;
use crate::page::place::Place;
use crate::page::source::get;
use crate::post::{Fields, Posted};
use crate::session::{App, Session};
use crate::upload::Uploaded;

/// Empty lines for columns to come.
const EMPTY: usize = 3;
/// Lines that a form may have: as many as a header may have columns.
const MOST: usize = 4_096;

const TYPES: [ColumnType; 6] = [
    ColumnType::String,
    ColumnType::Integer,
    ColumnType::Number,
    ColumnType::Boolean,
    ColumnType::Timestamp,
    ColumnType::StringList,
];
const ADDITIONAL: [(AdditionalColumns, &str); 3] = [
    (AdditionalColumns::Keep, "Keep them as they are"),
    (AdditionalColumns::Ignore, "Leave them out"),
    (AdditionalColumns::Reject, "Reject rows that have them"),
];

/// What the page shows besides the form.
#[derive(Default)]
struct Shown<'a> {
    refused: Option<&'a Refusal>,
    /// Of a proposal: what was seen of each column.
    seen: Option<Vec<ColumnSeen>>,
    /// The change breaks what was accepted; it may be made all the same.
    is_breaking: bool,
    more: usize,
}

/// `GET …/setup/columns`
pub(crate) async fn form(State(app): State<App>, session: Session, place: Place) -> Result<Page, PageError> {
    let source = get(&mut session.registry(&app)?, &place).await?;
    let schema = source.schema.clone().unwrap_or_default();
    body(&app, &session, &place, &source, &schema, &Shown::default()).await
}

/// `POST …/setup/columns`
pub(crate) async fn save(
    State(app): State<App>,
    place: Place,
    posted: Posted,
) -> Result<Response, PageError> {
    let Posted { session, fields } = posted;
    let mut registry = session.registry(&app)?;
    let source = get(&mut registry, &place).await?;
    let schema = read(&fields, &source);
    if fields.get("action") == "more" {
        let shown = Shown { more: EMPTY, ..Shown::default() };
        return Ok(body(&app, &session, &place, &source, &schema, &shown).await?.into_response());
    }
    let is_draft = source.state() == SourceState::Draft;
    let request = SetSourceSchemaRequest {
        name: place.name(),
        schema: Some(schema.clone()),
        etag: fields.get("etag").to_owned(),
        // A draft has accepted nothing yet.
        allow_breaking: is_draft || fields.is_set("allow_breaking"),
    };
    match registry.set_source_schema(request).await {
        Ok(_) if is_draft => Ok(Redirect::to(&place.href("/setup/authorise")).into_response()),
        Ok(_) => Ok(Notice::Saved.shown_at(&place.href("/schema")).into_response()),
        Err(status) => {
            let is_breaking = status.code() == tonic::Code::FailedPrecondition;
            let refused = Refusal::of_form(status)?;
            let shown = Shown { refused: Some(&refused), is_breaking, ..Shown::default() };
            let page = body(&app, &session, &place, &source, &schema, &shown).await?;
            Ok(page.refused())
        }
    }
}

/// `POST …/setup/propose`: from a file that the browser sends.
pub(crate) async fn propose_from_file(
    State(app): State<App>,
    place: Place,
    mut uploaded: Uploaded,
) -> Result<Response, PageError> {
    let session = uploaded.session.clone();
    let source = get(&mut session.registry(&app)?, &place).await?;
    let (dataset, tools) = (source.dataset(), app.config.tools);
    let proposed = match uploaded.take_file() {
        None => Err("no file was chosen; choose one, then have its columns proposed".to_owned()),
        Some(stored) => tokio::task::spawn_blocking(move || (tools.propose)(&stored.upload(), dataset))
            .await
            .map_err(|error| PageError::Failed(error.to_string()))?,
    };
    match proposed {
        Ok(answer) => {
            let schema = answer.schema.unwrap_or_default();
            let shown = Shown { seen: Some(answer.columns), ..Shown::default() };
            Ok(body(&app, &session, &place, &source, &schema, &shown).await?.into_response())
        }
        Err(reason) => unproposed(&app, &session, &place, &source, sentence(&reason)).await,
    }
}

/// `POST …/setup/propose-from-bucket`
pub(crate) async fn propose_from_bucket(
    State(app): State<App>,
    place: Place,
    posted: Posted,
) -> Result<Response, PageError> {
    let session = posted.session;
    let mut registry = session.registry(&app)?;
    let source = get(&mut registry, &place).await?;
    let request = ProposeSourceSchemaRequest { name: place.name(), object_keys: Vec::new() };
    match registry.propose_source_schema(request).await {
        Ok(answer) => {
            let answer = answer.into_inner();
            let schema = answer.schema.unwrap_or_default();
            let shown = Shown { seen: Some(answer.columns), ..Shown::default() };
            Ok(body(&app, &session, &place, &source, &schema, &shown).await?.into_response())
        }
        Err(status) => {
            let refused = Refusal::of_form(status)?;
            unproposed(&app, &session, &place, &source, refused.reason).await
        }
    }
}

async fn unproposed(
    app: &App,
    session: &Session,
    place: &Place,
    source: &Source,
    reason: String,
) -> Result<Response, PageError> {
    let refused = Refusal { reason, fields: Vec::new() };
    let shown = Shown { refused: Some(&refused), ..Shown::default() };
    let schema = source.schema.clone().unwrap_or_default();
    let page = body(app, session, place, source, &schema, &shown).await?;
    Ok(page.refused())
}

/// The schema that the form says; a line without a name and a header is none.
fn read(fields: &Fields, source: &Source) -> Schema {
    let lines = fields.get("lines").parse().unwrap_or(0).min(MOST);
    let columns = (0..lines).filter_map(|line| {
        let text = |field: &str| fields.get(&format!("{field}-{line}")).to_owned();
        let (name, from) = (text("name"), text("from"));
        if name.is_empty() && from.is_empty() {
            return None;
        }
        // A header alone names the column too.
        let name = if name.is_empty() { from.clone() } else { name };
        let from = if from == name { String::new() } else { from };
        let of = TYPES.into_iter().find(|of| constant_of(*of) == text("type")).unwrap_or_default();
        let is_timestamp = of == ColumnType::Timestamp;
        Some(Column {
            name,
            from,
            r#type: of as i32,
            required: fields.is_set(&format!("required-{line}")),
            sensitive: fields.is_set(&format!("sensitive-{line}")),
            format: if is_timestamp { text("format") } else { String::new() },
            time_zone: if is_timestamp { text("time_zone") } else { String::new() },
            description: String::new(),
        })
    });
    let additional = ADDITIONAL
        .into_iter()
        .map(|(one, _)| one)
        .find(|one| additional_word(*one) == fields.get("additional_columns"))
        .unwrap_or(AdditionalColumns::Keep);
    Schema {
        dataset: source.dataset,
        version: 0,
        columns: columns.collect(),
        additional_columns: additional as i32,
    }
}

fn constant_of(of: ColumnType) -> String {
    constant(of.as_str_name(), "COLUMN_TYPE_")
}

fn additional_word(of: AdditionalColumns) -> String {
    constant(of.as_str_name(), "ADDITIONAL_COLUMNS_")
}

async fn body(
    app: &App,
    session: &Session,
    place: &Place,
    source: &Source,
    schema: &Schema,
    shown: &Shown<'_>,
) -> Result<Page, PageError> {
    let mut registry = session.registry(app)?;
    let types = registry.list_dataset_types(ListDatasetTypesRequest {}).await?.into_inner().dataset_types;
    let own = types.into_iter().find(|one| one.dataset() == source.dataset()).map(|one| one.columns);
    let own = own.unwrap_or_default();
    // The etag of now: a proposal leaves time for someone else.
    let request = GetSourceRequest { name: place.name() };
    let etag =
        registry.get_source(request).await?.into_inner().source.map(|source| source.etag).unwrap_or_default();
    let (save, propose) = (place.href("/setup/columns"), place.href("/setup/propose"));
    let from_bucket = place.href("/setup/propose-from-bucket");
    let is_draft = source.state() == SourceState::Draft;
    Ok(page(session, place, source, Step::Data, "Columns").script("drop.js").body(html! {
        h2 { "Columns" }
        p {
            "A column of your file that is not named here is kept as text. Name those whose type matters, that must never be \
             empty, or that hold personal data."
        }
        (refusal(shown.refused))
        @if let Some(seen) = &shown.seen {
            (alert("good", html! { p { "These columns were proposed from your files. Nothing is saved yet: look them over, then save." } }))
            (notes(seen))
        }
        section .propose aria-labelledby="propose" {
            h3 id="propose" { "Have them proposed" }
            (Form { session, action: &propose }.with_file(html! {
                div .field.drop data-drop {
                    label for="file" { "From a sample file on this computer" }
                    p .help id="file-help" {
                        "At most " (bytes(app.config.max_upload_bytes)) ". It is looked at and thrown away; nothing is handed on."
                    }
                    (file_input(app.config.max_upload_bytes))
                }
                button type="submit" { "Propose columns from this file" }
            }))
            @if is_complete(source) {
                (Form { session, action: &from_bucket }.button("", "Propose columns from the bucket"))
            } @else {
                p .help { "They can be proposed from the bucket too, once it is connected: come back to this step then." }
            }
        }
        (Form { session, action: &save }.with(html! {
            input type="hidden" name="etag" value=(etag);
            (lines(&own, schema, shown.more))
            div .field {
                label for="additional_columns" { "Columns that are not named here" }
                select id="additional_columns" name="additional_columns" {
                    @for (one, words) in ADDITIONAL {
                        option value=(additional_word(one)) selected[one == schema.additional_columns()] { (words) }
                    }
                }
            }
            @if shown.is_breaking && !is_draft {
                div .box {
                    input type="checkbox" id="allow_breaking" name="allow_breaking" value="yes";
                    label for="allow_breaking" { "Save it all the same: I know that rows accepted until now may be rejected from now on." }
                }
            }
            div .actions {
                button .primary type="submit" name="action" value="save" {
                    @if is_draft { "Save and go on" } @else { "Save as a new version" }
                }
                button type="submit" name="action" value="more" formnovalidate { "More lines" }
            }
        }))
    }))
}

/// A line a column: the dataset's own first, whose name and type are given.
fn lines(own: &[Column], schema: &Schema, more: usize) -> Markup {
    let is_own = |column: &Column| own.iter().any(|one| one.name == column.name);
    let current = |one: &Column| schema.columns.iter().find(|column| column.name == one.name).cloned();
    let first: Vec<(Column, bool)> = own
        .iter()
        .map(|one| {
            (
                Column {
                    description: one.description.clone(),
                    ..current(one).unwrap_or_else(|| one.clone())
                },
                true,
            )
        })
        .collect();
    let customers =
        schema.columns.iter().filter(|column| !is_own(column)).map(|column| (column.clone(), false));
    let empty = (0..EMPTY + more).map(|_| (Column::default(), false));
    let lines: Vec<(Column, bool)> = first.into_iter().chain(customers).chain(empty).take(MOST).collect();
    let heads = [
        head("Column"),
        head("Header in the file"),
        head("Type"),
        head("Date format"),
        head("Required"),
        head("Sensitive"),
    ];
    html! {
        input type="hidden" name="lines" value=(lines.len());
        (Table::new("Columns", heads).class("edit-columns").rows(
            lines.iter().enumerate().map(|(number, (column, is_own))| line(number, column, *is_own, own))
        ))
        p .help {
            "Header: only where it differs from the column's name. Date format: only for dates such as 31/12/2026, as "
            code { "%d/%m/%Y" } ". Sensitive: masked wherever Cortex shows data."
        }
    }
}

fn line(number: usize, column: &Column, is_own: bool, own: &[Column]) -> Row {
    let named = |field: &str| format!("{field}-{number}");
    let which = if column.name.is_empty() {
        format!("of line {}", number + 1)
    } else {
        format!("of {}", column.name)
    };
    let must = own.iter().any(|one| one.name == column.name && one.required);
    row([
        html! {
            @if is_own {
                input type="hidden" name=(named("name")) value=(column.name);
                strong { (value(&column.name)) }
                @if !column.description.is_empty() { p .sub { (column.description) } }
            } @else {
                input type="text" name=(named("name")) value=(column.name) aria-label={ "Name " (which) } autocomplete="off";
            }
        },
        html! {
            input type="text" name=(named("from")) value=(column.from) placeholder=(column.name)
                aria-label={ "Header in the file " (which) } autocomplete="off";
        },
        html! {
            @if is_own {
                input type="hidden" name=(named("type")) value=(constant_of(column.r#type()));
                (constant_of(column.r#type()))
            } @else {
                select name=(named("type")) aria-label={ "Type " (which) } {
                    @for of in TYPES { option selected[of == column.r#type()] { (constant_of(of)) } }
                }
            }
        },
        html! {
            @if !is_own || column.r#type() == ColumnType::Timestamp {
                input .short type="text" name=(named("format")) value=(column.format) aria-label={ "Date format " (which) }
                    autocomplete="off";
                input type="hidden" name=(named("time_zone")) value=(column.time_zone);
            }
        },
        html! {
            @if must {
                input type="hidden" name=(named("required")) value="yes";
                "Always"
            } @else {
                input type="checkbox" name=(named("required")) value="yes" checked[column.required] aria-label={ "Required " (which) };
            }
        },
        html! {
            input type="checkbox" name=(named("sensitive")) value="yes" checked[column.sensitive] aria-label={ "Sensitive " (which) };
        },
    ])
}

/// What was seen of the columns that were looked at.
fn notes(seen: &[ColumnSeen]) -> Markup {
    let heads = [head("Column"), head("Rows").number(), head("Empty").number(), head("To know")];
    let lines = seen.iter().map(|one| {
        row([
            value(&one.name),
            html! { (count(one.rows)) },
            html! { (count(one.empty)) },
            html! { @if !one.note.is_empty() { (value(&sentence(&one.note))) } },
        ])
    });
    html! {
        details .seen open[seen.iter().any(|one| !one.note.is_empty())] {
            summary { "What was seen in them" }
            (Table::new("What was seen", heads).titled().rows(lines))
        }
    }
}

#[cfg(test)]
mod tests {
    use api::registry::Dataset;

    use super::*;

    #[test]
    fn a_form_becomes_the_schema_that_it_shows() {
        let form = "lines=5&name-0=user_id&type-0=string&from-0=customer&required-0=yes\
            &name-1=price&type-1=number&from-1=price&sensitive-1=yes&format-1=%25d\
            &name-2=&from-2=Seen+At&type-2=timestamp&format-2=%25d%2F%25m%2F%25Y\
            &name-3=&from-3=&type-3=string&additional_columns=reject&name-9=beyond";
        let source = Source { dataset: Dataset::Events as i32, ..Source::default() };
        let schema = read(&Fields::parse(form.as_bytes()), &source);
        let names: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["user_id", "price", "Seen At"]);
        assert_eq!(schema.additional_columns(), AdditionalColumns::Reject);
        let [user, price, seen] = &schema.columns[..] else { panic!("{schema:?}") };
        assert_eq!((user.from.as_str(), user.required), ("customer", true));
        assert_eq!((price.from.as_str(), price.format.as_str(), price.sensitive), ("", "", true));
        assert_eq!((seen.r#type(), seen.format.as_str()), (ColumnType::Timestamp, "%d/%m/%Y"));
    }
}
