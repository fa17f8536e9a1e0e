//! Can a source be read, and what would reading it give?

use anyhow::{Context, Result};
use api::registry::{
    PreviewSourceRequest, PreviewSourceResponse, TestResult, TestSourceRequest, TestStep, TestStepStatus,
    test_source_response::Event,
};

use super::error::refused;
use super::files::row_errors;
use super::session::Session;
use super::table::coloured;
use super::text::{bytes, count, problem};
use crate::args::{PreviewArgs, SourceArgs};
use crate::validate::report::printable;
use crate::{Answer, print};

/// `cortex source test`
pub(crate) async fn test(args: SourceArgs) -> Result<Answer> {
    let mut session = Session::open(&args.client)?;
    let name = session.source(&args.source).await?;
    let result = stream_test(&mut session, name, print).await?;
    Ok(if result.passed { Answer::Yes } else { Answer::No })
}

/// Tests a source, and tells each step as it ends.
pub(crate) async fn stream_test(
    session: &mut Session,
    name: String,
    line: impl Fn(&str),
) -> Result<TestResult> {
    let mut answers =
        session.registry.test_source(TestSourceRequest { name }).await.map_err(refused)?.into_inner();
    let mut result = None;
    while let Some(answer) = answers.message().await.map_err(refused)? {
        if session.json {
            line(&api::to_json(&answer)?.to_string());
        }
        match answer.event {
            Some(Event::Step(step)) if !session.json => tell_step(&step, &line),
            Some(Event::Result(ended)) => {
                if !session.json {
                    tell_result(&ended, &line);
                }
                result = Some(ended);
            }
            _ => {}
        }
    }
    result.context("the test was broken off: the registry gave no result; try again")
}

fn tell_step(step: &TestStep, line: impl Fn(&str)) {
    let status = step.status().as_str_name().trim_start_matches("TEST_STEP_STATUS_");
    let kind = step.kind().as_str_name().trim_start_matches("TEST_STEP_KIND_").to_ascii_lowercase();
    let kind = kind.replace('_', " ");
    let found = match step.code.as_str() {
        "" => step.summary.clone(),
        code => format!("[{code}] {}", step.summary),
    };
    let gap = " ".repeat(8_usize.saturating_sub(status.len()));
    line(format!("{}{gap} {kind:<18} {}", coloured(status), printable(&found)).trim_end());
    if !step.advice.is_empty() && step.status() != TestStepStatus::Passed {
        line(&format!("{:28}{}", "", printable(&step.advice)));
    }
    for part in step.document.lines() {
        line(&format!("{:28}{}", "", printable(part)));
    }
}

fn tell_result(result: &TestResult, line: impl Fn(&str)) {
    if !result.region.is_empty() {
        line(&format!("The bucket is in {}; activation takes that over.", printable(&result.region)));
    }
    line(if result.passed { "The test passed." } else { "The test failed." });
}

/// `cortex source preview`
pub(crate) async fn preview(args: PreviewArgs) -> Result<Answer> {
    let mut session = Session::open(&args.client)?;
    let name = session.source(&args.source).await?;
    let request = PreviewSourceRequest {
        name,
        object_keys: args.keys,
        max_files: args.max_files,
        max_rows: args.max_rows,
        max_records: args.max_records,
    };
    let mut files = session.registry.preview_source(request).await.map_err(refused)?.into_inner();
    let mut answer = Answer::Yes;
    let mut seen = 0;
    while let Some(file) = files.message().await.map_err(refused)? {
        seen += 1;
        if file.rejected > 0 || file.problem.is_some() {
            answer = Answer::No;
        }
        if session.json {
            print(&api::to_json(&file)?.to_string());
        } else {
            show_preview(&file);
        }
    }
    if seen == 0 && !session.json {
        print("no files in dated folders to look at");
    }
    Ok(answer)
}

fn show_preview(file: &PreviewSourceResponse) {
    let compression = match file.compression.as_str() {
        "" | "none" => String::new(),
        compression => format!(" in {compression}"),
    };
    print(&printable(&format!("{}: {}{compression}, {}", file.object_key, file.format, bytes(file.size))));
    let part = if file.complete { "" } else { " of those read" };
    print(&format!(
        "  {} rows{part}: {} accepted, {} rejected",
        count(file.rows),
        count(file.accepted),
        count(file.rejected)
    ));
    if let Some(why) = &file.problem {
        print(&printable(&format!("  {}", problem(why))));
    }
    let mut codes: Vec<_> = file.rejections.iter().collect();
    codes.sort();
    for (code, rows) in codes {
        print(&format!("  {:>10}  {code}", count(*rows)));
    }
    for warning in &file.warnings {
        print(&printable(&format!("  warning [{}] {} {}", warning.code, warning.column, warning.reason)));
    }
    if !file.errors.is_empty() {
        row_errors(&file.errors).print("");
    }
    for record in &file.records {
        print(&printable(&format!("  {}", record.raw.trim_end())));
        print(&printable(&format!("    → {}", record.json)));
    }
    print("");
}
