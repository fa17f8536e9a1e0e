//! `cortex health`: asks the role on this machine how it is, for images that have no HTTP client.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::args::HealthArgs;
use crate::{Answer, UNREACHABLE, load, print};

/// How long the role may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// Bytes of an answer that are read.
const MOST_BYTES: usize = 64 * 1024;

/// Prints what the role answers: yes where it says 200, no where it says otherwise; unreachable where it says nothing.
pub(crate) async fn run(args: HealthArgs) -> Result<ExitCode> {
    let address = load(&args.role)?.http_address()?;
    let path = if args.live { "healthz" } else { "readyz" };
    let url: Uri = format!("http://{address}/{path}").parse().context("the role's address")?;
    let answer = match tokio::time::timeout(PATIENCE, ask(url.clone())).await {
        Ok(answer) => answer,
        Err(_) => Err(anyhow::anyhow!("no answer within {} s", PATIENCE.as_secs())),
    };
    match answer {
        Ok((answer, said)) => {
            print(&said);
            Ok(answer.into())
        }
        Err(error) => {
            eprintln!("cortex: {url}: {error:#}; does the role run, with this http_listen?");
            Ok(ExitCode::from(UNREACHABLE))
        }
    }
}

async fn ask(url: Uri) -> Result<(Answer, String)> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.get(url).await?;
    let answer = if response.status().is_success() { Answer::Yes } else { Answer::No };
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
    Ok((answer, String::from_utf8_lossy(&body).into_owned()))
}
