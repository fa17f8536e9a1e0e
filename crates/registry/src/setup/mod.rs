//! What a customer pastes into AWS: the role that lets Cortex read a bucket, in the notations that people use.
//!
//! Every document is rendered from one tree ([`Node`]), so that they cannot come to differ, and what customers give is
//! checked before and quoted by the notation's own rules.

mod aws_cli;
mod cloudformation;
mod terraform;

use api::registry::{GetSetupDocumentsRequest, GetSetupDocumentsResponse};

use crate::error::{CallError, Violation};
use crate::policy::{self, Key, Node, Reach};
use crate::validate::{self, is_word};

/// The role's name where the customer gives none.
const ROLE_NAME: &str = "cortex-s3-source";
/// The name of the policy within the role.
const POLICY_NAME: &str = "cortex-read-source";

/// What the documents are made for; holds only what was checked.
#[derive(Debug)]
pub(crate) struct Setup {
    partition: String,
    bucket: String,
    path: String,
    kms_key_arn: Option<String>,
    role_name: String,
    event_queue_arn: Option<String>,
}

/// The role, ready to be rendered.
struct Role<'a> {
    name: &'a str,
    permissions: Node,
    trust: Node,
}

impl Setup {
    /// Checks what the client sent; every broken rule is named.
    pub(crate) fn from_request(request: GetSetupDocumentsRequest) -> Result<Self, CallError> {
        let mut broken = Vec::new();
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        let set = |text: String| (!text.is_empty()).then_some(text);
        let setup = Self {
            partition: or(request.partition, "aws"),
            bucket: request.bucket,
            path: request.path.trim_matches('/').to_owned(),
            kms_key_arn: set(request.kms_key_arn),
            role_name: or(request.role_name, ROLE_NAME),
            event_queue_arn: set(request.event_queue_arn),
        };
        validate::check_bucket("bucket", &setup.bucket, &mut broken);
        validate::check_path("path", &setup.path, &mut broken);
        if setup.path.contains("{{") {
            broken.push(Violation::new("path", "must not hold '{{', which CloudFormation would resolve"));
        }
        setup.check_names(&mut broken);
        if broken.is_empty() { Ok(setup) } else { Err(CallError::Invalid(broken)) }
    }

    fn check_names(&self, broken: &mut Vec<Violation>) {
        if !["aws", "aws-cn", "aws-us-gov"].contains(&self.partition.as_str()) {
            broken.push(Violation::new("partition", "one of aws, aws-cn, aws-us-gov"));
        }
        if self.role_name.len() > 64
            || self.role_name.contains('/')
            || !validate::is_role_name(&self.role_name)
        {
            let rule = "a role's name has 1 to 64 letters, digits or any of +=,.@-_";
            broken.push(Violation::new("role_name", rule));
        }
        if let Some(arn) = &self.kms_key_arn
            && !is_arn(arn, &self.partition, "kms", |resource| {
                resource.strip_prefix("key/").is_some_and(is_word)
            })
        {
            let rule = format!(
                "{arn:?} must be arn:{}:kms:REGION:ACCOUNT:key/ID; an alias says nothing in a policy",
                self.partition
            );
            broken.push(Violation::new("kms_key_arn", rule));
        }
        if let Some(arn) = &self.event_queue_arn
            && !is_arn(arn, &self.partition, "sqs", |name| {
                is_word(name.strip_suffix(".fifo").unwrap_or(name))
            })
        {
            let rule = format!("{arn:?} must be arn:{}:sqs:REGION:ACCOUNT:NAME", self.partition);
            broken.push(Violation::new("event_queue_arn", rule));
        }
    }

    /// The documents, for a role that trusts this account of the platform with this External ID.
    pub(crate) fn documents(&self, platform_account: &str, external_id: &str) -> GetSetupDocumentsResponse {
        let role = Role {
            name: &self.role_name,
            permissions: policy::permissions(&Reach {
                partition: &self.partition,
                bucket: &self.bucket,
                path: &self.path,
                key: self.kms_key_arn.as_deref().map_or(Key::None, Key::Arn),
                event_queue: self.event_queue_arn.as_deref(),
            }),
            trust: policy::trust(&self.partition, platform_account, external_id),
        };
        GetSetupDocumentsResponse {
            platform_account_id: platform_account.to_owned(),
            external_id: external_id.to_owned(),
            iam_policy: role.permissions.to_json(),
            trust_policy: role.trust.to_json(),
            cloudformation: cloudformation::template(&role),
            terraform: terraform::module(&role),
            aws_cli: aws_cli::script(&role),
        }
    }
}

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE` with a resource that passes.
fn is_arn(arn: &str, partition: &str, service: &str, is_resource: impl Fn(&str) -> bool) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", of, at, region, account, resource] => {
            *of == partition
                && *at == service
                && is_word(region)
                && validate::is_aws_account(account)
                && is_resource(resource)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
