//! An AWS that nobody here wrote: moto's server, with S3, SQS, STS and IAM, refusing what a policy does not allow.

use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::python::{Python, packages};
use crate::server::{Server, accepts, free_port};

/// Pinned: what the tests rely on was seen with these.
const PACKAGES: [&str; 4] =
    ["moto[iam,s3,sqs,sts]==5.2.5", "boto3==1.44.8", "flask==3.1.3", "flask-cors==6.0.5"];
/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Makes calls to AWS by boto3, one a line.
const CALLS: &str = include_str!("calls.py");
/// The one account that there is.
const ACCOUNT: &str = "123456789012";

/// A running server, and what sets it up: calls as an administrator, who may do everything.
///
/// It enforces IAM: a caller needs a key that it made and a policy that allows the call, a session its token, and a role
/// is given to the exact ARN in its trust policy. A wrong External ID is refused; a missing one is not, nor does it heed
/// resources, conditions other than the External ID, or session policies.
#[derive(Debug)]
pub struct Moto {
    endpoint: String,
    admin: Mutex<Python>,
    server: Server,
    _dir: TempDir,
}

/// The keys of a user.
#[derive(Debug, Clone)]
pub struct MotoUser {
    /// `arn:aws:iam::ACCOUNT:user/NAME`
    pub arn: String,
    /// `AKIA…`
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
}

impl Moto {
    /// Starts a server of its own on a free port; its packages come from PyPI at the first use.
    pub fn start() -> Result<Self> {
        let packages = packages("moto", &PACKAGES)?;
        let dir = tempfile::Builder::new().prefix("cortex-moto-").tempdir()?;
        let port = free_port()?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &packages).env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        let mut server = Server::start("moto", &command, dir.path())?;
        server.wait(PATIENCE, |_| accepts(port))?;
        let script = dir.path().join("calls.py");
        std::fs::write(&script, CALLS)?;
        let mut calls = Command::new("python3");
        calls.env("PYTHONPATH", &packages).arg(&script).arg(&endpoint);
        let admin = Mutex::new(Python::run(calls)?);
        let moto = Self { endpoint, admin, server, _dir: dir };
        let admin =
            moto.user("administrator", json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]))?;
        moto.ask(&json!({ "enforce": { "access_key": admin.access_key, "secret_key": admin.secret_key } }))?;
        Ok(moto)
    }

    /// `http://HOST:PORT` of all its services.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// True while its process is there.
    pub fn is_running(&self) -> bool {
        self.server.is_running()
    }

    /// A user who may do what the statements (an array) allow, and his keys.
    pub fn user(&self, name: &str, statements: Value) -> Result<MotoUser> {
        self.iam("create_user", json!({ "UserName": name }))?;
        let policy = document(&statements);
        let arguments = json!({ "UserName": name, "PolicyName": "rights", "PolicyDocument": policy });
        self.iam("put_user_policy", arguments)?;
        let made = self.iam("create_access_key", json!({ "UserName": name }))?;
        let part =
            |part: &str| made["AccessKey"][part].as_str().map(str::to_owned).context("a key lacks a part");
        Ok(MotoUser {
            arn: format!("arn:aws:iam::{ACCOUNT}:user/{name}"),
            access_key: part("AccessKeyId")?,
            secret_key: part("SecretAccessKey")?,
        })
    }

    /// A user who may assume any role: a platform's identity.
    pub fn platform(&self, name: &str) -> Result<MotoUser> {
        self.user(name, json!([{ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*" }]))
    }

    /// A role for one principal with an External ID, which may do what the statements (an array) allow; gives its ARN.
    pub fn role(&self, name: &str, principal: &str, external_id: &str, statements: Value) -> Result<String> {
        let trust = document(&json!([{
            "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "sts:AssumeRole",
            "Condition": { "StringEquals": { "sts:ExternalId": external_id } }
        }]));
        self.iam("create_role", json!({ "RoleName": name, "AssumeRolePolicyDocument": trust }))?;
        self.allow(name, statements)?;
        Ok(format!("arn:aws:iam::{ACCOUNT}:role/{name}"))
    }

    /// Changes what a role may do.
    pub fn allow(&self, role: &str, statements: Value) -> Result<()> {
        let policy = document(&statements);
        let arguments = json!({ "RoleName": role, "PolicyName": "rights", "PolicyDocument": policy });
        self.iam("put_role_policy", arguments).map(drop)
    }

    /// A bucket in `us-east-1`, or in the region that is given.
    pub fn bucket(&self, name: &str, region: Option<&str>) -> Result<()> {
        let mut arguments = json!({ "Bucket": name });
        if let Some(region) = region {
            arguments["CreateBucketConfiguration"] = json!({ "LocationConstraint": region });
        }
        self.ask(
            &json!({ "service": "s3", "call": "create_bucket", "arguments": arguments, "region": region }),
        )
        .map(drop)
    }

    /// Puts an object.
    pub fn put(&self, bucket: &str, key: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let body = BASE64_STANDARD.encode(content);
        let arguments = json!({ "Bucket": bucket, "Key": key });
        self.ask(&json!({ "service": "s3", "call": "put_object", "arguments": arguments, "body": body }))
            .map(drop)
    }

    /// A queue; gives its URL.
    pub fn queue(&self, name: &str) -> Result<String> {
        let made = self.sqs("create_queue", json!({ "QueueName": name }))?;
        Ok(made["QueueUrl"].as_str().context("a queue without URL")?.to_owned())
    }

    /// Deletes a queue by its URL.
    pub fn delete_queue(&self, url: &str) -> Result<()> {
        self.sqs("delete_queue", json!({ "QueueUrl": url })).map(drop)
    }

    /// Puts a message into a queue, by its URL.
    pub fn send(&self, url: &str, body: &str) -> Result<()> {
        self.sqs("send_message", json!({ "QueueUrl": url, "MessageBody": body })).map(drop)
    }

    /// How many messages a queue has, those that someone has received and not deleted among them.
    pub fn messages(&self, url: &str) -> Result<u64> {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let told = self.sqs("get_queue_attributes", json!({ "QueueUrl": url, "AttributeNames": names }))?;
        let numbers =
            names.map(|name| told["Attributes"][name].as_str().and_then(|text| text.parse::<u64>().ok()));
        numbers.into_iter().sum::<Option<u64>>().context("a queue without numbers")
    }

    /// Lets a bucket tell a queue, by its name, of every object that is created.
    pub fn notify(&self, bucket: &str, queue: &str) -> Result<()> {
        let queue = json!({
            "QueueArn": format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}"), "Events": ["s3:ObjectCreated:*"]
        });
        let arguments =
            json!({ "Bucket": bucket, "NotificationConfiguration": { "QueueConfigurations": [queue] } });
        let call = "put_bucket_notification_configuration";
        self.ask(&json!({ "service": "s3", "call": call, "arguments": arguments })).map(drop)
    }

    fn iam(&self, call: &str, arguments: Value) -> Result<Value> {
        self.ask(&json!({ "service": "iam", "call": call, "arguments": arguments }))
    }

    fn sqs(&self, call: &str, arguments: Value) -> Result<Value> {
        self.ask(&json!({ "service": "sqs", "call": call, "arguments": arguments }))
    }

    fn ask(&self, question: &Value) -> Result<Value> {
        let mut admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer: Value = serde_json::from_str(&admin.ask(&question.to_string())?)?;
        if let Some(error) = answer["error"].as_str() {
            bail!("moto refuses {}: {error}", question["call"]);
        }
        Ok(answer["answer"].take())
    }
}

fn document(statements: &Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}
