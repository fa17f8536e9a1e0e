//! Whether the event queue can be read, where the source has one.

use api::registry::TestStepKind;
use aws_credential_types::provider::SharedCredentialsProvider;
use bucket::{EventQueue, Events, EventsError};

use super::{Finding, Report, Session, Test};
use crate::policy::Key;

impl Test {
    /// Receives once and leaves what came: files come without a queue too, so what fails here keeps no source from going
    /// live.
    pub(super) async fn events(&self, session: &Session, report: &mut Report) {
        let url = &self.source.settings.event_queue_url;
        if url.is_empty() {
            return report.skip(&[TestStepKind::Events], "the source has no event queue").await;
        }
        let location = self.location();
        let found = match EventQueue::parse(url, location.endpoint_url.as_deref()) {
            Err(error) => self.refused_by_sqs(&error),
            Ok(queue) => {
                let events = Events::open(queue, location, SharedCredentialsProvider::new(session.clone()));
                match self.within(events.probe()).await {
                    Ok(Ok(())) => Finding::passed(format!("{url} can be read")),
                    Ok(Err(error)) => self.refused_by_sqs(&error),
                    Err(late) => late,
                }
            }
        };
        report.step(TestStepKind::Events, found).await;
    }

    fn refused_by_sqs(&self, error: &EventsError) -> Finding {
        let found = Finding::warning(error.code(), error.to_string(), error.advice());
        match error {
            EventsError::AccessDenied { .. } => found.with(self.iam_policy(Key::None)),
            EventsError::KmsDenied { .. } => found.with(self.iam_policy(Key::Any)),
            _ => found,
        }
    }
}
