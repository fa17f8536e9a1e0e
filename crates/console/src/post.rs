//! Forms that were sent: their fields can be had only once they are known to be of this session.

use axum::RequestExt;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;

use crate::error::PageError;
use crate::session::{App, Session};

/// The field that holds a form's token.
pub(crate) const TOKEN: &str = "form_token";

/// A form that this session made.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) session: Session,
    pub(crate) fields: Fields,
}

/// A form's fields, in order.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// From `application/x-www-form-urlencoded`.
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The value, without spaces at its ends; empty where there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.trim())
    }

    /// True where a box of that name is ticked.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        !self.get(name).is_empty()
    }
}

impl FromRequest<App> for Posted {
    type Rejection = PageError;

    async fn from_request(mut request: Request, app: &App) -> Result<Self, PageError> {
        let session: Session = request.extract_parts_with_state(app).await?;
        let body =
            Bytes::from_request(request, app).await.map_err(|error| PageError::BadForm(error.body_text()))?;
        let fields = Fields::parse(&body);
        if !session.made_form(fields.get(TOKEN)) {
            return Err(PageError::Forged);
        }
        Ok(Self { session, fields })
    }
}
