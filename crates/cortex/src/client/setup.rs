//! `cortex source setup`: what a customer pastes into AWS.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use api::client::Registry;
use api::registry::{GetSetupDocumentsRequest, GetSetupDocumentsResponse};

use super::dataset::write_new;
use super::error::refused;
use super::session::Session;
use super::source;
use crate::args::{CustomerDocument, SetupArgs};
use crate::print;

/// Each document: which, its file, and what it is.
const DOCUMENTS: [(CustomerDocument, &str, &str); 5] = [
    (CustomerDocument::IamPolicy, "iam-policy.json", "What Cortex may do (IAM policy)"),
    (CustomerDocument::TrustPolicy, "trust-policy.json", "Who may assume the role (trust policy)"),
    (CustomerDocument::Cloudformation, "cortex-role.yaml", "Both as CloudFormation"),
    (CustomerDocument::Terraform, "cortex-role.tf", "Both as Terraform"),
    (CustomerDocument::AwsCli, "cortex-role.sh", "Both by the AWS command line"),
];

/// `cortex source setup`
pub(crate) async fn run(args: SetupArgs) -> Result<()> {
    let mut session = Session::open(&args.client)?;
    let mut request = GetSetupDocumentsRequest {
        bucket: args.bucket.clone().unwrap_or_default(),
        path: args.path.clone(),
        kms_key_arn: args.kms_key_arn.clone(),
        role_name: args.role_name.clone(),
        event_queue_arn: args.event_queue_arn.clone(),
        partition: args.partition.clone(),
        parent: String::new(),
    };
    match &args.source {
        Some(given) => {
            let name = session.source(given).await?;
            let source = source::get(&mut session, &name).await?;
            request.parent = name.split("/sources/").next().unwrap_or_default().to_owned();
            request.bucket = source.bucket;
            request.path = source.path;
            if request.event_queue_arn.is_empty() {
                request.event_queue_arn = queue_arn(&source.event_queue_url, &request.partition);
            }
        }
        None => request.parent = session.account(None)?,
    }
    let documents = documents(&mut session.registry, request).await?;
    if session.json {
        print(&api::to_json(&documents)?.to_string());
    } else if let Some(which) = args.document {
        print(text(&documents, which));
    } else if let Some(folder) = &args.out {
        for path in save(&documents, folder)? {
            print(&path.display().to_string());
        }
    } else {
        show(&documents, &DOCUMENTS.map(|(which, ..)| which), print);
    }
    Ok(())
}

/// The documents for a bucket and a path.
pub(crate) async fn documents(
    registry: &mut Registry,
    request: GetSetupDocumentsRequest,
) -> Result<GetSetupDocumentsResponse> {
    Ok(registry.get_setup_documents(request).await.map_err(refused)?.into_inner())
}

/// Tells some of the documents, with what the role must demand.
pub(crate) fn show(documents: &GetSetupDocumentsResponse, which: &[CustomerDocument], line: impl Fn(&str)) {
    line(&format!("Cortex's AWS account  {}", documents.platform_account_id));
    line(&format!("External ID           {}", documents.external_id));
    for (document, _, title) in DOCUMENTS.iter().filter(|(document, ..)| which.contains(document)) {
        line(&format!("\n{title}:\n\n{}", text(documents, *document)));
    }
}

/// Saves every document into a folder, which is made if absent; a file that is there stays as it is.
pub(crate) fn save(documents: &GetSetupDocumentsResponse, folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut saved = Vec::new();
    for (which, file, _) in DOCUMENTS {
        let path = folder.join(file);
        write_new(&path, text(documents, which).as_bytes())?;
        saved.push(path);
    }
    Ok(saved)
}

fn text(documents: &GetSetupDocumentsResponse, which: CustomerDocument) -> &str {
    match which {
        CustomerDocument::IamPolicy => &documents.iam_policy,
        CustomerDocument::TrustPolicy => &documents.trust_policy,
        CustomerDocument::Cloudformation => &documents.cloudformation,
        CustomerDocument::Terraform => &documents.terraform,
        CustomerDocument::AwsCli => &documents.aws_cli,
    }
}

/// The ARN of `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`; empty where the address is not of that form.
fn queue_arn(url: &str, partition: &str) -> String {
    let parts = || {
        let (host, path) = url.strip_prefix("https://sqs.")?.split_once('/')?;
        let (region, _) = host.split_once('.')?;
        let (account, name) = path.split_once('/')?;
        Some(format!("arn:{partition}:sqs:{region}:{account}:{name}"))
    };
    parts().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_queue_is_that_of_its_address() {
        let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/arrivals";
        assert_eq!(queue_arn(url, "aws"), "arn:aws:sqs:eu-west-1:111122223333:arrivals");
        assert_eq!(queue_arn("", "aws"), "");
    }
}
