//! What arrived by day, and what is still to be read.

use std::collections::BTreeMap;
use std::time::Duration;

use api::registry::{
    Day, DayStatus, GetBacklogRequest, GetBacklogResponse, ListDaysRequest, ListDaysResponse,
};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use tonic::Request;

use super::{Service, date};
use crate::convert::timestamp;
use crate::error::CallError;
use crate::name;
use crate::rhythm::{Arrivals, LOOKED_AT};
use crate::store;

const SHOWN_DAYS: i64 = 30;
const MOST_DAYS: i64 = 400;
/// What a backlog's rate is measured over.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);

impl Service {
    pub(super) async fn list_days(
        &self,
        request: Request<ListDaysRequest>,
    ) -> Result<ListDaysResponse, CallError> {
        let (account, id) = name::source("parent", &request.get_ref().parent)?;
        self.auth.account_read(&request, &account).await?;
        let request = request.into_inner();
        let now = Timestamp::now();
        let (first, last) = range(&request, now)?;
        let source = self.store.get_source(&account, &id).await?;
        let found = self.store.list_days(&account, &id, first, last).await?;
        let found: BTreeMap<Date, store::Day> = found.into_iter().map(|day| (day.date, day)).collect();
        let arrivals = Arrivals::new(self.store.arrivals(&id, first.saturating_sub(LOOKED_AT.days())).await?);
        // A day before the source was there is only shown where something came for it.
        let made = source.created.to_zoned_datetime(TimeZone::UTC).date();
        let days = first.series(1.day()).take_while(|day| *day <= last);
        let mut days: Vec<Day> = days
            .filter(|day| *day >= made || found.contains_key(day))
            .map(|day| shown(day, found.get(&day), arrivals.due(day), now))
            .collect();
        days.reverse();
        Ok(ListDaysResponse { days })
    }

    pub(super) async fn get_backlog(
        &self,
        request: Request<GetBacklogRequest>,
    ) -> Result<GetBacklogResponse, CallError> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        self.auth.account_read(&request, &account).await?;
        let backlog = self.store.backlog(&account, &id, WINDOW, Timestamp::now()).await?;
        let rate = |count: u64| if backlog.seconds > 0.0 { count as f64 / backlog.seconds } else { 0.0 };
        let (files_per_second, bytes_per_second) =
            (rate(backlog.finished_files), rate(backlog.finished_bytes));
        // By bytes, and by files where those are small: whichever takes longer.
        let left = |count: u64, rate: f64| if rate > 0.0 { count as f64 / rate } else { 0.0 };
        let seconds = left(backlog.files, files_per_second).max(left(backlog.bytes, bytes_per_second));
        let known = backlog.files > 0 && files_per_second > 0.0;
        Ok(GetBacklogResponse {
            files: backlog.files,
            bytes: backlog.bytes,
            oldest_date: backlog.oldest_date,
            files_per_second,
            bytes_per_second,
            time_left: Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|_| known)
                .and_then(|left| left.try_into().ok()),
        })
    }
}

/// The days that are asked for.
fn range(request: &ListDaysRequest, now: Timestamp) -> Result<(Date, Date), CallError> {
    let today = now.to_zoned_datetime(TimeZone::UTC).date();
    let last = match request.end_date.as_str() {
        "" => today,
        text => date("end_date", text)?,
    };
    let first = match request.start_date.as_str() {
        "" => last.saturating_sub((SHOWN_DAYS - 1).days()),
        text => date("start_date", text)?,
    };
    if first > last {
        return Err(CallError::invalid("start_date", "must not be behind end_date"));
    }
    if first < last.saturating_sub((MOST_DAYS - 1).days()) {
        return Err(CallError::invalid("start_date", format!("at most {MOST_DAYS} days in one call")));
    }
    Ok((first, last))
}

fn shown(date: Date, found: Option<&store::Day>, due: Option<Timestamp>, now: Timestamp) -> Day {
    let first = found.and_then(|day| day.first_arrived_at);
    let status = match (first, due) {
        (_, None) => DayStatus::Unscheduled,
        (Some(first), Some(due)) if first > due => DayStatus::Late,
        (Some(_), Some(_)) => DayStatus::OnTime,
        (None, Some(due)) if due < now => DayStatus::Missing,
        (None, Some(_)) => DayStatus::Expected,
    };
    let mut day = Day {
        date: date.to_string(),
        status: status as i32,
        due_time: due.map(timestamp),
        first_arrival_time: first.map(timestamp),
        ..Day::default()
    };
    if let Some(found) = found {
        day.objects = found.objects;
        day.bytes = found.bytes;
        day.files = found.files;
        day.rows = found.rows;
        day.accepted = found.accepted;
        day.rejected = found.rejected;
        day.last_arrival_time = found.last_arrived_at.map(timestamp);
    }
    day
}
