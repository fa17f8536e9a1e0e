//! The product's sample files: to look at, and to download.

use api::registry::{Dataset, FileFormat, GetSampleFileRequest, GetSampleFileResponse};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header;
use maud::{Markup, html};

use super::setup::authorise::document;
use crate::error::PageError;
use crate::html::{Page, dataset_word};
use crate::session::{App, Session};

/// In addresses.
const DATASETS: [(&str, Dataset); 4] = [
    ("events", Dataset::Events),
    ("attributes", Dataset::Attributes),
    ("items", Dataset::Items),
    ("id-mappings", Dataset::IdMappings),
];
const FORMATS: [(&str, FileFormat); 3] =
    [("csv", FileFormat::Csv), ("tsv", FileFormat::Tsv), ("json", FileFormat::Json)];

/// A dataset as addresses and forms name it.
pub(crate) fn dataset_slug(dataset: Dataset) -> &'static str {
    DATASETS.iter().find(|(_, one)| *one == dataset).map_or("", |(name, _)| name)
}

/// The dataset of such a name.
pub(crate) fn dataset_named(name: &str) -> Option<Dataset> {
    DATASETS.iter().find(|(known, _)| *known == name).map(|(_, dataset)| *dataset)
}

/// Links to a dataset's sample files.
pub(crate) fn links(dataset: Dataset) -> Markup {
    let name = dataset_slug(dataset);
    html! {
        ul .samples {
            @for (extension, _) in FORMATS {
                li {
                    a href=(format!("/samples/{name}.{extension}/view")) { "View " (name) "." (extension) } " · "
                    a href=(format!("/samples/{name}.{extension}")) download { "Download " span .unseen { (name) "." (extension) } }
                }
            }
        }
    }
}

/// `GET /samples/{file}`
pub(crate) async fn download(
    State(app): State<App>,
    session: Session,
    Path(file): Path<String>,
) -> Result<Response, PageError> {
    let (_, sample) = sample(&app, &session, &file).await?;
    // Never opened by the browser as a page of ours, whatever stands in it.
    let headers = [
        (header::CONTENT_TYPE, sample.content_type),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", sample.file_name)),
    ];
    Ok((headers, sample.content).into_response())
}

/// `GET /samples/{file}/view`
pub(crate) async fn view(
    State(app): State<App>,
    session: Session,
    Path(file): Path<String>,
) -> Result<Page, PageError> {
    let (dataset, sample) = sample(&app, &session, &file).await?;
    let text = String::from_utf8_lossy(&sample.content).into_owned();
    let account = session.account.clone().unwrap_or_default();
    Ok(Page::new(format!("Sample file {}", sample.file_name)).of(&session, &account).body(html! {
        p { "What a file of the dataset " (dataset_word(dataset)) " may look like." }
        p { a .button href=(format!("/samples/{file}")) download { "Download" } }
        (document(&sample.file_name, "sample", &text))
    }))
}

async fn sample(
    app: &App,
    session: &Session,
    file: &str,
) -> Result<(Dataset, GetSampleFileResponse), PageError> {
    let (name, extension) = file.rsplit_once('.').ok_or(PageError::NotFound)?;
    let dataset = dataset_named(name).ok_or(PageError::NotFound)?;
    let (_, format) = FORMATS.iter().find(|(known, _)| *known == extension).ok_or(PageError::NotFound)?;
    let request = GetSampleFileRequest { dataset: dataset as i32, format: *format as i32 };
    Ok((dataset, session.registry(app)?.get_sample_file(request).await?.into_inner()))
}
