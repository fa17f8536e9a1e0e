//! Can the source be read as it is set up?

use api::registry::test_source_response::Event;
use api::registry::{TestResult, TestSourceRequest, TestSourceResponse};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};

use super::{Service, Streamed};
use crate::connection::{Answers, Report, Test};
use crate::error::CallError;
use crate::name;
use crate::store::Source;

/// More than a test has steps: whoever reads slowly holds nothing up.
const ANSWERS_AHEAD: usize = 16;

impl Service {
    pub(super) async fn test_source(
        &self,
        request: Request<TestSourceRequest>,
    ) -> Result<Streamed<TestSourceResponse>, CallError> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account_read(&request, &account).await?;
        let source = self.store.get_source(&account, &id).await?;
        self.is_complete(&source).await?;
        let slot = self.looks.begin(&account)?;
        let (answers, receiver) = mpsc::channel(ANSWERS_AHEAD);
        let service = self.clone();
        tokio::spawn(async move {
            let _slot = slot;
            let mut report = Report::new(Some(answers.clone()));
            tokio::select! {
                () = service.tell(&actor, &source, &mut report, &answers) => {}
                () = answers.closed() => service.audit_abandoned(&actor, &source).await,
            }
        });
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }

    /// Makes the test and sends its result, or why there is none.
    async fn tell(&self, actor: &str, source: &Source, report: &mut Report, answers: &Answers) {
        let told = match self.run_test(source, report).await {
            Ok(()) => self.audit_test(actor, source, report).await.map(|()| result(report)),
            Err(error) => Err(error),
        };
        let answer = told.map(|result| TestSourceResponse { event: Some(Event::Result(result)) });
        let _ = answers.send(answer.map_err(Status::from)).await;
    }

    /// Makes every step of the test; refuses with the cause and the repair of the first that failed.
    pub(super) async fn test_connection(&self, source: &Source) -> Result<Tested, CallError> {
        self.is_complete(source).await?;
        let _slot = self.looks.begin(&source.account)?;
        let mut report = Report::new(None);
        self.run_test(source, &mut report).await?;
        match report.failure() {
            None => Ok(Tested { region: report.region }),
            Some(step) => Err(CallError::Precondition {
                code: step.code.clone(),
                reason: step.summary.clone(),
                advice: step.advice.clone(),
            }),
        }
    }

    async fn run_test(&self, source: &Source, report: &mut Report) -> Result<(), CallError> {
        let account = self.store.get_account(&source.account).await?;
        let test = Test::new(self.config.clone(), self.issuer.clone(), account, source.clone());
        test.run(report).await;
        Ok(())
    }

    async fn audit_test(&self, actor: &str, source: &Source, report: &Report) -> Result<(), CallError> {
        let detail = json!({ "passed": report.failure().is_none(), "found": report.codes() });
        let subject = name::of_source(&source.account, &source.id);
        self.audit(actor, &source.account, "source.test", &subject, detail).await
    }

    async fn audit_abandoned(&self, actor: &str, source: &Source) {
        let subject = name::of_source(&source.account, &source.id);
        let detail = json!({ "abandoned": true });
        if let Err(error) = self.audit(actor, &source.account, "source.test", &subject, detail).await {
            tracing::warn!(%error, source = %source.id, "an abandoned test is not in the audit log");
        }
    }
}

/// What a test found that passed.
#[derive(Debug)]
pub(super) struct Tested {
    /// Another region than the source's, where the bucket is.
    pub(super) region: Option<String>,
}

fn result(report: &Report) -> TestResult {
    TestResult { passed: report.failure().is_none(), region: report.region.clone().unwrap_or_default() }
}
