//! A file that a browser sends: written to a temporary file as it comes, never held whole.

use axum::RequestExt;
use axum::extract::{FromRequest, Multipart, Request};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use crate::config::Upload;
use crate::error::PageError;
use crate::post::TOKEN;
use crate::session::{App, Session};

/// Bytes of a field that is no file.
const MAX_FIELD: usize = 64 << 10;

/// A form with a file, which this session made.
pub(crate) struct Uploaded {
    pub(crate) session: Session,
    fields: Vec<(String, String)>,
    file: Option<Stored>,
}

/// The file; removed when this is dropped.
pub(crate) struct Stored {
    name: String,
    size: u64,
    file: NamedTempFile,
}

impl Stored {
    /// As the tools take it.
    pub(crate) fn upload(&self) -> Upload<'_> {
        Upload { name: &self.name, path: self.file.path(), size: self.size }
    }
}

impl Uploaded {
    /// The value of a field; empty where there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// The file, where one was chosen.
    pub(crate) fn take_file(&mut self) -> Option<Stored> {
        self.file.take()
    }
}

impl FromRequest<App> for Uploaded {
    type Rejection = PageError;

    async fn from_request(mut request: Request, app: &App) -> Result<Self, PageError> {
        let session: Session = request.extract_parts_with_state(app).await?;
        let mut form = Multipart::from_request(request, app)
            .await
            .map_err(|error| PageError::BadForm(error.body_text()))?;
        let bad = |error: axum::extract::multipart::MultipartError| PageError::BadForm(error.body_text());
        let (mut fields, mut file) = (Vec::new(), None);
        let mut is_own = false;
        while let Some(mut field) = form.next_field().await.map_err(bad)? {
            let name = field.name().unwrap_or_default().to_owned();
            if let Some(file_name) = field.file_name().map(str::to_owned) {
                // The token stands before the file: a stranger's bytes are not written anywhere.
                if !is_own {
                    return Err(PageError::Forged);
                }
                if !file_name.is_empty() && file.is_none() {
                    file = Some(store(&mut field, file_name, app.config.max_upload_bytes).await?);
                }
                continue;
            }
            let mut value = Vec::new();
            while let Some(part) = field.chunk().await.map_err(bad)? {
                if value.len() + part.len() > MAX_FIELD {
                    return Err(PageError::BadForm(format!("the field {name} is too long")));
                }
                value.extend_from_slice(&part);
            }
            let value = String::from_utf8_lossy(&value).into_owned();
            is_own |= name == TOKEN && session.made_form(&value);
            fields.push((name, value));
        }
        if !is_own {
            return Err(PageError::Forged);
        }
        Ok(Self { session, fields, file })
    }
}

/// Writes the file out; one that is larger than `most` is refused where it passes that.
async fn store(
    field: &mut axum::extract::multipart::Field<'_>,
    name: String,
    most: u64,
) -> Result<Stored, PageError> {
    let failed = |error: std::io::Error| PageError::Failed(format!("the upload cannot be kept: {error}"));
    let file = tokio::task::spawn_blocking(NamedTempFile::new)
        .await
        .map_err(|error| PageError::Failed(error.to_string()))?
        .map_err(failed)?;
    let mut out = tokio::fs::File::from_std(file.reopen().map_err(failed)?);
    let mut size = 0_u64;
    while let Some(part) = field.chunk().await.map_err(|error| PageError::BadForm(error.body_text()))? {
        size += part.len() as u64;
        if size > most {
            return Err(PageError::TooLarge { most });
        }
        out.write_all(&part).await.map_err(failed)?;
    }
    out.flush().await.map_err(failed)?;
    // Some browsers send a path, or what another system takes for one.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    Ok(Stored { name, size, file })
}
