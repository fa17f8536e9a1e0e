//! `cortex source create`, step by step: platform; name and dataset; authorise; connect; test and make live.

use anyhow::{Context, Result};
use api::registry::{
    ActivateSourceRequest, CreateSourceRequest, DatasetType, GetSetupDocumentsRequest, Source, StaticKeys,
    UpdateSourceRequest,
};

use super::error::{ClientError, refused};
use super::prompt::Prompt;
use super::session::Session;
use super::text::dataset_word;
use super::{connection, create, dataset, setup, source};
use crate::Answer;
use crate::args::CustomerDocument;

/// A field that the registry may refuse, and that is then asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Bucket,
    Path,
    Role,
    Region,
    Endpoint,
    Keys,
    KmsKey,
}

/// What can be changed of a source whose test failed: the field and its name in the contract.
const CHANGEABLE: [(Field, &str); 6] = [
    (Field::Bucket, "bucket"),
    (Field::Path, "path"),
    (Field::Role, "role_arn"),
    (Field::Region, "region"),
    (Field::Endpoint, "endpoint_url"),
    (Field::Keys, "static_keys"),
];

/// What was answered so far.
struct Wizard {
    prompt: Prompt,
    session: Session,
    account: String,
    source: Source,
    keys: Option<StaticKeys>,
    kms_key: String,
    /// An S3-compatible store with static keys, rather than Amazon S3 with a role.
    is_compatible: bool,
}

/// Asks, creates, tests and makes live; leaves with 1 where the test failed and the source stays a draft.
pub(crate) async fn run(mut session: Session) -> Result<Answer> {
    let prompt = Prompt;
    // Standard output has the source alone; the steps are told on standard error, as people read them.
    let json = std::mem::take(&mut session.json);
    let account = match session.account(None) {
        Ok(account) => account,
        Err(_) => session.account(Some(&prompt.ask("Account id", None)?))?,
    };
    prompt.tell(&format!(
        "A new source of {account}. Ctrl-C leaves; nothing is made before step 4 is answered."
    ));
    let (source, keys) = (Source::default(), None);
    let mut wizard =
        Wizard { prompt, session, account, source, keys, kms_key: String::new(), is_compatible: false };
    wizard.platform()?;
    wizard.name_and_dataset().await?;
    wizard.authorise().await?;
    wizard.connect().await?;
    let answer = wizard.test_and_activate().await?;
    wizard.session.json = json;
    let name = wizard.source.name.clone();
    let source = source::get(&mut wizard.session, &name).await?;
    source::show(&wizard.session, Some(source))?;
    Ok(answer)
}

impl Wizard {
    fn platform(&mut self) -> Result<()> {
        self.prompt.step(1, "the platform");
        let choices = [
            ("s3", "Amazon S3: Cortex assumes a role of yours, and holds no keys"),
            ("compatible", "an S3-compatible store that the operator allows, by static keys"),
        ];
        self.is_compatible = self.prompt.choose("Where are the files", &choices)? == 1;
        Ok(())
    }

    async fn name_and_dataset(&mut self) -> Result<()> {
        self.prompt.step(2, "name and dataset");
        self.ask(Field::Name)?;
        let types = dataset::dataset_types(&mut self.session.registry).await?;
        let words: Vec<String> = types.iter().map(|one| dataset_word(one.dataset())).collect();
        let choices: Vec<(&str, &str)> =
            words.iter().zip(&types).map(|(word, one)| (word.as_str(), one.description.as_str())).collect();
        let chosen = self.prompt.choose("Dataset", &choices)?;
        let chosen = types.get(chosen).context("the registry gave no datasets")?;
        self.source.dataset = chosen.dataset;
        self.prompt.tell("");
        dataset::show(chosen, |line| self.prompt.tell(line));
        self.offer_samples(chosen).await
    }

    /// Sample files, as long as some are wanted.
    async fn offer_samples(&mut self, chosen: &DatasetType) -> Result<()> {
        while let format @ ("csv" | "tsv" | "json") =
            self.prompt.ask("Save a sample file (csv, tsv, json or none)", Some("none"))?.as_str()
        {
            let saved =
                dataset::save_sample(&mut self.session.registry, chosen.dataset(), format, None).await;
            match saved {
                Ok(Some(path)) => self.prompt.tell(&format!("  Saved as {}.", path.display())),
                Ok(None) => {}
                Err(error) => self.prompt.tell(&format!("  Not saved: {error:#}")),
            }
        }
        Ok(())
    }

    async fn authorise(&mut self) -> Result<()> {
        self.prompt.step(3, "let Cortex read the bucket");
        if self.is_compatible {
            self.ask(Field::Endpoint)?;
            return self.ask(Field::Keys);
        }
        for field in [Field::Bucket, Field::Path, Field::KmsKey] {
            self.ask(field)?;
        }
        let documents = loop {
            let request = GetSetupDocumentsRequest {
                parent: self.account.clone(),
                bucket: self.source.bucket.clone(),
                path: self.source.path.clone(),
                kms_key_arn: self.kms_key.clone(),
                ..Default::default()
            };
            match setup::documents(&mut self.session.registry, request).await {
                Ok(documents) => break documents,
                Err(error) => self.ask_again(error)?,
            }
        };
        let tell = |line: &str| self.prompt.tell(line);
        tell("\nMake a role in your AWS account with these two, or with one of the templates:\n");
        setup::show(&documents, &[CustomerDocument::IamPolicy, CustomerDocument::TrustPolicy], tell);
        if self.prompt.confirm("\nShow CloudFormation and Terraform too", false)? {
            setup::show(&documents, &[CustomerDocument::Cloudformation, CustomerDocument::Terraform], tell);
        }
        loop {
            let folder = self.prompt.ask_optional("Save all of them into a folder (empty: do not)")?;
            if folder.is_empty() {
                return Ok(());
            }
            match setup::save(&documents, folder.as_ref()) {
                Ok(saved) => {
                    saved.iter().for_each(|path| tell(&format!("  Saved as {}.", path.display())));
                    return Ok(());
                }
                Err(error) => tell(&format!("  Not saved: {error:#}")),
            }
        }
    }

    async fn connect(&mut self) -> Result<()> {
        self.prompt.step(4, "connect");
        let fields = if self.is_compatible {
            &[Field::Bucket, Field::Path][..]
        } else {
            &[Field::Bucket, Field::Path, Field::Role]
        };
        for field in fields {
            self.ask(*field)?;
        }
        // The same request again gives the same source, should an answer be lost.
        let request_id = uuid::Uuid::new_v4().to_string();
        loop {
            let request = CreateSourceRequest {
                parent: self.account.clone(),
                source: Some(self.source.clone()),
                static_keys: self.keys.clone(),
                request_id: request_id.clone(),
            };
            match self.session.registry.create_source(request).await {
                Ok(made) => {
                    self.source = made.into_inner().source.context("the registry gave no source")?;
                    self.prompt.tell(&format!("\nMade the draft {}.", self.source.name));
                    return Ok(());
                }
                Err(status) => self.ask_again(refused(status))?,
            }
        }
    }

    async fn test_and_activate(&mut self) -> Result<Answer> {
        self.prompt.step(5, "test, and make live");
        loop {
            let name = self.source.name.clone();
            let tell = |line: &str| Prompt.tell(line);
            let result = connection::stream_test(&mut self.session, name.clone(), tell).await?;
            if result.passed {
                if !self.prompt.confirm("Make the source live", true)? {
                    return Ok(Answer::Yes);
                }
                match self.session.registry.activate_source(ActivateSourceRequest { name }).await {
                    Ok(_) => return Ok(Answer::Yes),
                    Err(status) => self.prompt.tell(&format!("{:#}", refused(status))),
                }
            }
            let choices = [
                ("again", "test again, after a repair at AWS"),
                ("change", "change bucket, path or role, and test again"),
                ("leave", "leave it as a draft; `cortex source activate` makes it live later"),
            ];
            match self.prompt.choose("What now", &choices)? {
                0 => {}
                1 => self.change().await?,
                _ => return Ok(Answer::No),
            }
        }
    }

    /// Asks for what may be wrong, each with what it is now, and has the registry take it over.
    async fn change(&mut self) -> Result<()> {
        let concerns = |field: Field| match field {
            Field::Role => !self.is_compatible,
            Field::Endpoint | Field::Keys => self.is_compatible,
            _ => true,
        };
        let fields: Vec<(Field, &str)> =
            CHANGEABLE.into_iter().filter(|(field, _)| concerns(*field)).collect();
        for (field, _) in &fields {
            self.ask(*field)?;
        }
        let paths: Vec<String> = fields.iter().map(|(_, path)| (*path).to_owned()).collect();
        loop {
            // What was read may have changed meanwhile (by the test itself): no etag.
            let request = UpdateSourceRequest {
                source: Some(Source { etag: String::new(), ..self.source.clone() }),
                update_mask: Some(prost_types::FieldMask { paths: paths.clone() }),
                static_keys: self.keys.clone(),
            };
            match self.session.registry.update_source(request).await {
                Ok(updated) => {
                    self.source = updated.into_inner().source.context("the registry gave no source")?;
                    return Ok(());
                }
                Err(status) => self.ask_again(refused(status))?,
            }
        }
    }

    /// Asks again for each field that the registry refuses, with its rule; any other error ends the command.
    fn ask_again(&mut self, error: anyhow::Error) -> Result<()> {
        let fields = match error.downcast_ref::<ClientError>() {
            Some(ClientError::Refused { fields, .. }) => fields.clone(),
            _ => Vec::new(),
        };
        let known: Option<Vec<(Field, String)>> =
            fields.into_iter().map(|(field, rule)| Some((Field::named(&field)?, rule))).collect();
        match known {
            Some(known) if !known.is_empty() => {
                for (field, rule) in known {
                    self.prompt.tell(&format!("  Not taken: {rule}"));
                    self.ask(field)?;
                }
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn ask(&mut self, field: Field) -> Result<()> {
        let prompt = &self.prompt;
        let source = &mut self.source;
        let kept = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        match field {
            Field::Name => source.display_name = prompt.ask("Name of the source", None)?,
            Field::Bucket => source.bucket = prompt.ask("Bucket", kept(&source.bucket).as_deref())?,
            Field::Path => {
                let now = if source.path.is_empty() { "/" } else { &source.path };
                source.path = prompt.ask("Folder path above the YYYY-MM-DD folders", Some(now))?;
            }
            Field::Role => {
                source.role_arn = prompt.ask("ARN of the role", kept(&source.role_arn).as_deref())?;
            }
            Field::Region => {
                source.region = prompt.ask("Region (empty: it is found)", Some(&source.region))?;
            }
            Field::Endpoint => {
                source.endpoint_url =
                    prompt.ask("Address of the store, https://…", kept(&source.endpoint_url).as_deref())?;
            }
            Field::KmsKey => {
                let question = "ARN of the KMS key, if the objects are encrypted with one (empty: none)";
                self.kms_key = prompt.ask_optional(question)?;
            }
            Field::Keys => {
                let id = prompt.ask("Access key id", None)?;
                // A secret is not typed where it is echoed.
                self.keys = Some(loop {
                    let file = prompt.ask("File that holds the secret access key", None)?;
                    match create::keys(&id, file.as_ref()) {
                        Ok(keys) => break keys,
                        Err(error) => prompt.tell(&format!("  {error:#}")),
                    }
                });
            }
        }
        Ok(())
    }
}

impl Field {
    /// By its name in the contract; none for one that is not asked for.
    fn named(name: &str) -> Option<Self> {
        Some(match name.trim_start_matches("source.") {
            "display_name" => Self::Name,
            "bucket" => Self::Bucket,
            "path" => Self::Path,
            "role_arn" => Self::Role,
            "region" => Self::Region,
            "endpoint_url" => Self::Endpoint,
            "static_keys" => Self::Keys,
            "kms_key_arn" => Self::KmsKey,
            _ => return None,
        })
    }
}
