//! What a connection test found, step by step, and to whom it is told meanwhile.

use std::time::Instant;

use api::registry::test_source_response::Event;
use api::registry::{TestSourceResponse, TestStep, TestStepKind, TestStepStatus};
use tokio::sync::mpsc;
use tonic::Status;

/// What a step found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    status: TestStepStatus,
    code: String,
    summary: String,
    advice: String,
    document: String,
}

impl Finding {
    pub(crate) fn passed(summary: impl Into<String>) -> Self {
        Self::of(TestStepStatus::Passed, "", summary.into(), "")
    }

    pub(crate) fn warning(code: &str, summary: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::of(TestStepStatus::Warning, code, summary.into(), advice)
    }

    pub(crate) fn failed(code: &str, summary: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::of(TestStepStatus::Failed, code, summary.into(), advice)
    }

    pub(crate) fn skipped(summary: impl Into<String>) -> Self {
        Self::of(TestStepStatus::Skipped, "", summary.into(), "")
    }

    /// With a document to paste.
    pub(crate) fn with(mut self, document: String) -> Self {
        self.document = document;
        self
    }

    fn of(status: TestStepStatus, code: &str, summary: String, advice: impl Into<String>) -> Self {
        let code = code.to_owned();
        Self { status, code, summary, advice: advice.into(), document: String::new() }
    }
}

pub(crate) type Answers = mpsc::Sender<Result<TestSourceResponse, Status>>;

/// The steps so far.
#[derive(Debug)]
pub(crate) struct Report {
    steps: Vec<TestStep>,
    /// Another region than the source's, where the bucket was found to be.
    pub(crate) region: Option<String>,
    since: Instant,
    told: Option<Answers>,
}

impl Report {
    /// Tells each step as it ends, where there is someone to tell.
    pub(crate) fn new(told: Option<Answers>) -> Self {
        Self { steps: Vec::new(), region: None, since: Instant::now(), told }
    }

    /// A step has ended; false where it failed.
    pub(crate) async fn step(&mut self, kind: TestStepKind, found: Finding) -> bool {
        let elapsed = self.since.elapsed();
        self.since = Instant::now();
        let failed = found.status == TestStepStatus::Failed;
        let step = TestStep {
            kind: kind as i32,
            status: found.status as i32,
            code: found.code,
            summary: found.summary,
            advice: found.advice,
            document: found.document,
            elapsed: prost_types::Duration::try_from(elapsed).ok(),
        };
        if let Some(told) = &self.told {
            // Whoever has gone away stops the test by that.
            let _ = told.send(Ok(TestSourceResponse { event: Some(Event::Step(step.clone())) })).await;
        }
        self.steps.push(step);
        !failed
    }

    /// The steps that cannot be made for what an earlier one found.
    pub(crate) async fn skip(&mut self, kinds: &[TestStepKind], why: &str) {
        for kind in kinds {
            self.step(*kind, Finding::skipped(why)).await;
        }
    }

    /// The first step that failed.
    pub(crate) fn failure(&self) -> Option<&TestStep> {
        self.steps.iter().find(|step| step.status() == TestStepStatus::Failed)
    }

    /// What was found, by code, for the audit log.
    pub(crate) fn codes(&self) -> Vec<&str> {
        self.steps.iter().map(|step| step.code.as_str()).filter(|code| !code.is_empty()).collect()
    }
}
