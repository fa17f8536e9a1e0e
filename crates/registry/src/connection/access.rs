//! Who may assume the role: Cortex with the account's External ID, and no one else.

use api::registry::TestStepKind;

use super::{Finding, Report, Session, Test};
use crate::credentials::{By, CredentialsError, Issuer};

impl Test {
    /// Opens the source; a session where that works.
    pub(super) async fn credentials(&self, report: &mut Report) -> Option<Session> {
        let opened = self.within(self.issuer.open(&self.source)).await;
        let (session, found) = match opened {
            Ok(Ok((session, by))) => (Some(session), self.opened(by)),
            Ok(Err(error)) => (None, self.refused(&error)),
            Err(late) => (None, late),
        };
        report.step(TestStepKind::Credentials, found).await;
        session
    }

    fn opened(&self, by: By) -> Finding {
        let role = &self.source.settings.role_arn;
        match by {
            By::StaticKeys => Finding::passed("the static keys were opened"),
            By::ExternalId => Finding::passed(format!("{role} was assumed with the account's External ID")),
            By::PreviousExternalId(until) => Finding::warning(
                "previous_external_id",
                format!("{role} still demands the account's previous External ID, which holds until {until}"),
                "put the new External ID into the role's trust policy before then",
            )
            .with(self.trust_policy()),
        }
    }

    fn refused(&self, error: &CredentialsError) -> Finding {
        let found = Finding::failed(error.code(), error.to_string(), error.advice());
        match error {
            CredentialsError::AssumeRole { .. } => found.with(self.trust_policy()),
            _ => found,
        }
    }

    /// The role must be closed to whoever does not know the External ID.
    pub(super) async fn external_ids(&self, opened: bool, report: &mut Report) {
        let kinds = [TestStepKind::NoExternalId, TestStepKind::WrongExternalId];
        if !self.has_role() {
            return report.skip(&kinds, "static keys have no External ID").await;
        }
        if !opened {
            return report.skip(&kinds, "the role cannot be assumed at all").await;
        }
        let wrong = Issuer::wrong_external_id();
        let without = self.closed_to(
            None,
            "external_id_not_demanded",
            "without an External ID",
            "demand the account's External ID in the role's trust policy",
        );
        report.step(TestStepKind::NoExternalId, without.await).await;
        let with_wrong = self.closed_to(
            Some(&wrong),
            "any_external_id_accepted",
            "with a wrong External ID",
            "have the role's trust policy demand the account's External ID by StringEquals",
        );
        report.step(TestStepKind::WrongExternalId, with_wrong.await).await;
    }

    async fn closed_to(&self, external_id: Option<&str>, code: &str, how: &str, advice: &str) -> Finding {
        let role = &self.source.settings.role_arn;
        match self.within(self.issuer.is_assumable(&self.source, external_id)).await {
            Ok(Ok(false)) => Finding::passed(format!("{role} cannot be assumed {how}")),
            Ok(Ok(true)) => {
                let summary = format!(
                    "{role} can be assumed {how}, so that anyone at the platform who knows its name could have its \
                     files read"
                );
                Finding::failed(code, summary, advice).with(self.trust_policy())
            }
            Ok(Err(error)) => self.refused(&error),
            Err(late) => late,
        }
    }
}
