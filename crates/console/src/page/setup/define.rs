//! Step 2: name and dataset.

use api::registry::{
    CreateSourceRequest, DatasetType, ListDatasetTypesRequest, Source, SourceState, UpdateSourceRequest,
};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use prost_types::FieldMask;
use serde::Deserialize;

use super::{Step, page, steps};
use crate::error::{PageError, Refusal};
use crate::html::{Choice, Crumb, Form, Page, choice, dataset_word, field, refusal};
use crate::page::place::{AccountPlace, Place};
use crate::page::samples::{dataset_named, dataset_slug, links};
use crate::page::source::get;
use crate::page::source::schema::columns;
use crate::post::Posted;
use crate::session::{App, Session};

/// What is filled in already.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Begun {
    #[serde(default)]
    dataset: String,
    #[serde(default)]
    name: String,
    #[serde(skip)]
    request_id: String,
}

/// `GET /accounts/{account}/new/s3`
pub(crate) async fn form(
    State(app): State<App>,
    session: Session,
    account: AccountPlace,
    Query(begun): Query<Begun>,
) -> Result<Page, PageError> {
    let types = types(&app, &session).await?;
    // The same form sent twice makes one source.
    let begun = Begun { request_id: uuid::Uuid::new_v4().to_string(), ..begun };
    Ok(new_page(&session, &account, &types, &begun, None))
}

async fn types(app: &App, session: &Session) -> Result<Vec<DatasetType>, PageError> {
    let answer = session.registry(app)?.list_dataset_types(ListDatasetTypesRequest {}).await?;
    Ok(answer.into_inner().dataset_types)
}

fn new_page(
    session: &Session,
    account: &AccountPlace,
    types: &[DatasetType],
    begun: &Begun,
    refused: Option<&Refusal>,
) -> Page {
    let action = account.href("/new/s3");
    let choices: Vec<Choice<'_>> = types
        .iter()
        .map(|one| Choice {
            value: dataset_slug(one.dataset()),
            label: &one.display_name,
            more: html! { ": " (one.description) span .sub { "Such as: " (one.example) } },
        })
        .collect();
    Page::new("Add a data source")
        .of(session, &account.account)
        .crumbs([Crumb::new("Data sources", account.href("/sources"))])
        .tabs(steps(Step::Data, None))
        .body(html! {
            h2 { "What do the files hold?" }
            (refusal(refused))
            (Form { session, action: &action }.with(html! {
                input type="hidden" name="request_id" value=(begun.request_id);
                (field("display_name", "Name", &begun.name).required().longest(200).wrong(refused)
                    .help(html! { "As you will find it again, such as “Clicks of the shop”." }).show())
                (choice("dataset", "Dataset", &begun.dataset, refused.and_then(|one| one.rule("dataset")), &choices))
                button .primary type="submit" { "Save and go on" }
                p .help { "From here on it is kept as a draft. You can leave and come back at any step." }
            }))
            h2 { "What files must look like" }
            p { "The first line names the columns. You say in the next step if yours are called otherwise, and which more you have." }
            @for one in types { (requirements(one)) }
        })
}

/// What the files of a dataset must hold, and samples of them.
fn requirements(one: &DatasetType) -> Markup {
    html! {
        details .requirements {
            summary { (one.display_name) }
            (columns(&format!("Columns of {}", one.display_name), &one.columns))
            h3 { "Sample files" }
            (links(one.dataset()))
        }
    }
}

/// `POST /accounts/{account}/new/s3`: makes the draft.
pub(crate) async fn create(
    State(app): State<App>,
    account: AccountPlace,
    posted: Posted,
) -> Result<Response, PageError> {
    let Posted { session, fields } = posted;
    let dataset = dataset_named(fields.get("dataset")).unwrap_or_default();
    let request = CreateSourceRequest {
        parent: account.name(),
        source: Some(Source {
            display_name: fields.get("display_name").to_owned(),
            dataset: dataset as i32,
            ..Source::default()
        }),
        static_keys: None,
        request_id: fields.get("request_id").to_owned(),
    };
    match session.registry(&app)?.create_source(request).await {
        Ok(made) => {
            let name = made.into_inner().source.map(|source| source.name).unwrap_or_default();
            let place =
                Place::of(&name).ok_or_else(|| PageError::Failed("the registry gave no source".into()))?;
            Ok(Redirect::to(&place.href("/setup/columns")).into_response())
        }
        Err(status) => {
            let refused = Refusal::of_form(status)?;
            let types = types(&app, &session).await?;
            let begun = Begun {
                dataset: fields.get("dataset").to_owned(),
                name: fields.get("display_name").to_owned(),
                request_id: fields.get("request_id").to_owned(),
            };
            let page = new_page(&session, &account, &types, &begun, Some(&refused));
            Ok(page.refused())
        }
    }
}

/// `GET …/setup/define`: the draft's name, once more.
pub(crate) async fn edit(
    State(app): State<App>,
    session: Session,
    place: Place,
) -> Result<Response, PageError> {
    let source = get(&mut session.registry(&app)?, &place).await?;
    if source.state() != SourceState::Draft {
        return Ok(Redirect::to(&place.href("/settings")).into_response());
    }
    let types = types(&app, &session).await?;
    Ok(edit_page(&session, &place, &source, &types, None).into_response())
}

fn edit_page(
    session: &Session,
    place: &Place,
    source: &Source,
    types: &[DatasetType],
    refused: Option<&Refusal>,
) -> Page {
    let action = place.href("/setup/define");
    let own = types.iter().find(|one| one.dataset() == source.dataset());
    page(session, place, source, Step::Data, "Data").body(html! {
        h2 { "Name and dataset" }
        (refusal(refused))
        (Form { session, action: &action }.with(html! {
            (field("display_name", "Name", &source.display_name).required().longest(200).wrong(refused).show())
            p {
                "Dataset: " strong { (dataset_word(source.dataset())) } ". A source keeps its dataset; for another, "
                a href=(place.href("/delete")) { "delete this draft" } " and begin anew."
            }
            button .primary type="submit" { "Save and go on" }
        }))
        @if let Some(own) = own { h2 { "What files must look like" } (requirements(own)) }
    })
}

/// `POST …/setup/define`
pub(crate) async fn save(
    State(app): State<App>,
    place: Place,
    posted: Posted,
) -> Result<Response, PageError> {
    let Posted { session, fields } = posted;
    let mut registry = session.registry(&app)?;
    let name = fields.get("display_name").to_owned();
    let request = UpdateSourceRequest {
        source: Some(Source { name: place.name(), display_name: name.clone(), ..Source::default() }),
        update_mask: Some(FieldMask { paths: vec!["display_name".to_owned()] }),
        static_keys: None,
    };
    match registry.update_source(request).await {
        Ok(_) => Ok(Redirect::to(&place.href("/setup/columns")).into_response()),
        Err(status) => {
            let refused = Refusal::of_form(status)?;
            let source = Source { display_name: name, ..get(&mut registry, &place).await? };
            let types = types(&app, &session).await?;
            let page = edit_page(&session, &place, &source, &types, Some(&refused));
            Ok(page.refused())
        }
    }
}
