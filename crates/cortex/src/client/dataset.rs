//! `cortex dataset …`

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use api::client::Registry;
use api::registry::{
    Column as SchemaColumn, Dataset, DatasetType, FileFormat, GetSampleFileRequest, ListDatasetTypesRequest,
};

use super::error::refused;
use super::session::Session;
use super::table::{Column, Table};
use super::text::{constant, dataset_of, dataset_word};
use crate::args::DatasetCommand;
use crate::{UsageError, print};

/// `cortex dataset …`
pub(crate) async fn run(command: DatasetCommand) -> Result<()> {
    match command {
        DatasetCommand::List { client } => {
            let mut session = Session::open(&client)?;
            for dataset in dataset_types(&mut session.registry).await? {
                if session.json {
                    print(&api::to_json(&dataset)?.to_string());
                } else {
                    show(&dataset, print);
                    print("");
                }
            }
            Ok(())
        }
        DatasetCommand::SampleFile { dataset, format, out, client } => {
            let dataset = wanted(&dataset)?;
            let mut session = Session::open(&client)?;
            let saved = save_sample(&mut session.registry, dataset, &format, out).await?;
            if let Some(path) = saved {
                print(&path.display().to_string());
            }
            Ok(())
        }
    }
}

/// The dataset that a word names.
pub(crate) fn wanted(word: &str) -> Result<Dataset, UsageError> {
    dataset_of(word).ok_or_else(|| {
        UsageError(format!("dataset {word:?}: there are events, attributes, items and id-mappings"))
    })
}

/// Every dataset.
pub(crate) async fn dataset_types(registry: &mut Registry) -> Result<Vec<DatasetType>> {
    let answer = registry.list_dataset_types(ListDatasetTypesRequest {}).await.map_err(refused)?;
    Ok(answer.into_inner().dataset_types)
}

/// What a dataset is, and which columns it has.
pub(crate) fn show(dataset: &DatasetType, line: impl Fn(&str)) {
    line(&format!("{} ({})", dataset.display_name, dataset_word(dataset.dataset())));
    line(&format!("  {}", dataset.description));
    if !dataset.example.is_empty() {
        line(&format!("  Such as: {}", dataset.example));
    }
    for column in columns(&dataset.columns).render(None, false).lines() {
        line(&format!("  {column}"));
    }
}

/// Columns of a schema as a table.
pub(crate) fn columns(columns: &[SchemaColumn]) -> Table {
    let mut table = Table::new(&[
        Column::Text("COLUMN"),
        Column::Text("TYPE"),
        Column::Text("NEEDED"),
        Column::Text("WHAT IT IS"),
    ]);
    for column in columns {
        let kind = column.r#type().as_str_name().trim_start_matches("COLUMN_TYPE_").to_ascii_lowercase();
        let mut what = vec![column.description.clone()];
        if !column.from.is_empty() && column.from != column.name {
            what.push(format!("header {:?}", column.from));
        }
        for (label, value) in [("format", &column.format), ("zone", &column.time_zone)] {
            if !value.is_empty() {
                what.push(format!("{label} {value}"));
            }
        }
        if column.sensitive {
            what.push("sensitive".to_owned());
        }
        what.retain(|part| !part.is_empty());
        let needed = if column.required { "required" } else { "" };
        table.row([column.name.clone(), kind, needed.to_owned(), what.join("; ")]);
    }
    table
}

/// Saves a sample file; a file that is there stays as it is. None where it went to standard output.
pub(crate) async fn save_sample(
    registry: &mut Registry,
    dataset: Dataset,
    format: &str,
    out: Option<PathBuf>,
) -> Result<Option<PathBuf>> {
    let format = FileFormat::from_str_name(&format!("FILE_FORMAT_{}", constant(format))).unwrap_or_default();
    let request = GetSampleFileRequest { dataset: dataset as i32, format: format as i32 };
    let file = registry.get_sample_file(request).await.map_err(refused)?.into_inner();
    match out {
        Some(path) if path == Path::new("-") => {
            std::io::stdout().write_all(&file.content).context("standard output")?;
            Ok(None)
        }
        out => {
            // The registry names the file, not the folder.
            let name = file.file_name.rsplit('/').next().filter(|name| !name.is_empty() && *name != "..");
            let path = match out {
                Some(path) => path,
                None => PathBuf::from(name.context("the registry gave no file name")?),
            };
            write_new(&path, &file.content)?;
            Ok(Some(path))
        }
    }
}

/// Writes a file that is not there yet.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(content)).with_context(|| path.display().to_string())
}
