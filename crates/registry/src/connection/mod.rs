//! The connection test: can a source be read as it is set up, by Cortex alone, and do its files hold?
//!
//! **Invariants.** A role that can be assumed without the account's External ID fails the test, since any customer could
//! then have Cortex read its bucket. The test sees the role as it is now, not a session from before. It ends by a deadline,
//! and names the cause and the repair of whatever fails.

mod access;
mod contents;
mod events;
mod report;

use std::sync::Arc;
use std::time::Duration;

use api::registry::TestStepKind;
use aws_credential_types::Credentials;
use bucket::Location;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::convert;
use crate::credentials::{Issuer, session_policy};
use crate::policy::{self, Key, Reach};
use crate::store::{Account, Source};

pub(crate) use report::{Answers, Finding, Report};

/// A test ends after this long, whatever does not answer.
const DEADLINE: Duration = Duration::from_secs(60);

/// A test of one source.
pub(crate) struct Test {
    config: Arc<Config>,
    issuer: Arc<Issuer>,
    account: Account,
    source: Source,
    deadline: Instant,
    /// Stops the threads that read, once the test is dropped.
    stop: CancellationToken,
}

impl Drop for Test {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Test {
    pub(crate) fn new(config: Arc<Config>, issuer: Arc<Issuer>, account: Account, source: Source) -> Self {
        let deadline = Instant::now() + DEADLINE;
        Self { config, issuer, account, source, deadline, stop: CancellationToken::new() }
    }

    /// Makes every step.
    pub(crate) async fn run(&self, report: &mut Report) {
        let session = self.credentials(report).await;
        self.external_ids(session.is_some(), report).await;
        match session {
            Some(session) => self.contents(session, report).await,
            None => report.skip(&OF_CONTENTS, "there is no session to look with").await,
        }
    }

    /// Where the source's files lie, as far as it is known.
    fn location(&self) -> Location {
        Location::from(&convert::source_work(self.source.clone(), &self.config.platform))
    }

    fn has_role(&self) -> bool {
        !self.source.settings.role_arn.is_empty()
    }

    /// What the work gives, or that it took too long.
    async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, Finding> {
        tokio::time::timeout_at(self.deadline, work).await.map_err(|_| {
            let summary = format!("no answer within the {} seconds that a test has", DEADLINE.as_secs());
            Finding::failed("timed_out", summary, "see whether the endpoint answers, and test again")
        })
    }

    /// The trust policy that the role must have; empty where it has none, or the platform's account is not known.
    fn trust_policy(&self) -> String {
        let platform = &self.config.platform.account_id;
        if platform.is_empty() || !self.has_role() {
            return String::new();
        }
        let partition = session_policy::partition(&self.source.settings.role_arn);
        policy::trust(partition, platform, &self.account.external_id).to_json()
    }

    /// The policy that the role must have; empty where it has none.
    fn iam_policy(&self, key: Key<'_>) -> String {
        if !self.has_role() {
            return String::new();
        }
        let settings = &self.source.settings;
        let event_queue =
            session_policy::event_queue(settings, &self.config.platform).map(|queue| queue.arn());
        let reach = Reach {
            partition: session_policy::partition(&settings.role_arn),
            bucket: &settings.bucket,
            path: &settings.path,
            key,
            event_queue: event_queue.as_deref(),
        };
        policy::permissions(&reach).to_json()
    }
}

/// The steps that need a session.
const OF_CONTENTS: [TestStepKind; 6] = [
    TestStepKind::Bucket,
    TestStepKind::List,
    TestStepKind::DatedFolders,
    TestStepKind::Read,
    TestStepKind::Rows,
    TestStepKind::Events,
];

/// A session, as it was opened for the test.
type Session = Credentials;
