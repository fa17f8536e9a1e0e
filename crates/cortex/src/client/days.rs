//! What came by day, and what is still to be read.

use anyhow::Result;
use api::registry::{GetBacklogRequest, GetBacklogResponse, ListDaysRequest};
use jiff::civil::Date;

use super::error::refused;
use super::session::Session;
use super::table::{Column, Table, print_fields};
use super::text::{bytes, count, span, time};
use crate::args::SourceArgs;
use crate::print;

/// `cortex source days`
pub(crate) async fn list(given: &str, range: Option<(Date, Date)>, mut session: Session) -> Result<()> {
    let parent = session.source(given).await?;
    let (start_date, end_date) =
        range.map_or_else(Default::default, |(from, to)| (from.to_string(), to.to_string()));
    let request = ListDaysRequest { parent, start_date, end_date };
    let days = session.registry.list_days(request).await.map_err(refused)?.into_inner().days;
    if session.json {
        for day in &days {
            print(&api::to_json(day)?.to_string());
        }
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::Text("DATE"),
        Column::State("STATUS"),
        Column::Number("OBJECTS"),
        Column::Number("BYTES"),
        Column::Number("FILES"),
        Column::Number("ROWS"),
        Column::Number("ACCEPTED"),
        Column::Number("REJECTED"),
        Column::Text("FIRST CAME"),
        Column::Text("DUE"),
    ]);
    for day in days {
        table.row([
            day.date.clone(),
            day.status().as_str_name().trim_start_matches("DAY_STATUS_").to_owned(),
            count(day.objects),
            bytes(day.bytes),
            count(day.files),
            count(day.rows),
            count(day.accepted),
            count(day.rejected),
            time(day.first_arrival_time.as_ref()),
            time(day.due_time.as_ref()),
        ]);
    }
    table.print("no days yet");
    Ok(())
}

/// `cortex source backlog`
pub(crate) async fn backlog(args: SourceArgs) -> Result<()> {
    let mut session = Session::open(&args.client)?;
    let name = session.source(&args.source).await?;
    let answer =
        session.registry.get_backlog(GetBacklogRequest { name }).await.map_err(refused)?.into_inner();
    if session.json {
        print(&api::to_json(&answer)?.to_string());
        return Ok(());
    }
    print_fields([
        ("files", count(answer.files)),
        ("bytes", bytes(answer.bytes)),
        ("oldest date", answer.oldest_date.clone()),
        ("rate", rate(&answer)),
        ("time left", answer.time_left.as_ref().map_or_else(String::new, span)),
    ]);
    Ok(())
}

/// How fast files come to rest; empty where that is not known.
pub(crate) fn rate(backlog: &GetBacklogResponse) -> String {
    if backlog.files_per_second <= 0.0 {
        return String::new();
    }
    // A rate is far below 2^63, and the part behind the point does not matter.
    let bytes_per_second = bytes(backlog.bytes_per_second.max(0.0) as u64);
    format!("{:.2} files/s, {bytes_per_second}/s", backlog.files_per_second)
}
