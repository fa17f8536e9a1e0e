//! What is odd in a file and refuses nothing: counted by code, with the first of each in a column. Memory is bounded.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use format::Place;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::shown::cut;
use crate::timestamp::{Instant, UnixUnit};

/// Clocks differ: a timestamp counts as in the future only where it is so far ahead, in seconds.
const CLOCK_SKEW: i64 = 5 * 60;
/// Days between an event and its folder's date that are not worth a word.
const NEAR_DAYS: i64 = 31;
/// Subjects whose value is remembered: 16 bytes each, and as much again while the table grows.
const MOST_SUBJECTS: usize = 400_000;
/// Examples that are kept.
const MOST_EXAMPLES: usize = 20;
const DAY: i64 = 86_400;

/// The kinds of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WarningCode {
    /// A dataset's own timestamp is more than 5 minutes after the time of reading.
    TimestampInFuture,
    /// Digits in another Unix unit than the first ones of the column.
    TimestampUnitDiffers,
    /// An event is more than 31 days from the date of its file's folder.
    DateFarFromFolder,
    /// One original id with two mapped ids in a file.
    ConflictingMapping,
    /// A column that the source's last file did not have.
    ColumnAppeared,
    /// A column of the source's last file that this one has not.
    ColumnVanished,
}

impl WarningCode {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::TimestampInFuture,
        Self::TimestampUnitDiffers,
        Self::DateFarFromFolder,
        Self::ConflictingMapping,
        Self::ColumnAppeared,
        Self::ColumnVanished,
    ];

    /// The code, as in the documentation and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TimestampInFuture => "timestamp_in_future",
            Self::TimestampUnitDiffers => "timestamp_unit_differs",
            Self::DateFarFromFolder => "date_far_from_folder",
            Self::ConflictingMapping => "conflicting_mapping",
            Self::ColumnAppeared => "column_appeared",
            Self::ColumnVanished => "column_vanished",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::TimestampInFuture => "look at the unit and at the time zone",
            Self::TimestampUnitDiffers => "write the whole column in one unit",
            Self::DateFarFromFolder => {
                "nothing, if the file brings old events on purpose; else look at the dates"
            }
            Self::ConflictingMapping => "map each original id to one id",
            Self::ColumnAppeared => "add it to the source's schema, where it is to have a type",
            Self::ColumnVanished => "see whether the export still writes it",
        }
    }
}

/// The first warning of a code in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What it is.
    pub code: WarningCode,
    /// The column as the schema names it, or the file where the schema does not; cut at 100 characters.
    pub column: String,
    /// In plain words.
    pub reason: String,
    /// What to do.
    pub advice: &'static str,
    /// The row; row 0 where the file as a whole is meant.
    pub at: Place,
}

/// Looks at accepted rows.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Seconds since the Unix epoch; none where the time of reading is not known.
    now: Option<i64>,
    folder: Option<Folder>,
    /// By column of the schema: the unit of its first digits.
    units: Vec<Option<UnixUnit>>,
    /// Hash of a subject to that of its value.
    values: HashMap<u64, u64>,
    /// What the row in hand has.
    found: Vec<Found>,
    examples: Vec<Warning>,
}

/// The dated folder that the file stands in.
#[derive(Debug)]
struct Folder {
    date: Date,
    /// Its midnight in UTC, seconds since the Unix epoch.
    begins: i64,
    /// The seconds of the days that are near.
    near: Range<i64>,
}

#[derive(Debug)]
struct Found {
    code: WarningCode,
    column: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    Time(Instant),
    Unit { rule: UnixUnit, found: UnixUnit },
    Subject,
}

impl Watch {
    /// `now` in seconds since the Unix epoch; `folder_date` as `YYYY-MM-DD`, anything else where there is none.
    pub(crate) fn new(now: i64, folder_date: &str) -> Self {
        Self { now: Some(now), folder: Folder::parse(folder_date), ..Self::default() }
    }

    /// The row that is looked at next has nothing yet.
    pub(crate) fn begin_row(&mut self) {
        self.found.clear();
    }

    /// A timestamp of the dataset's own: when the thing itself happened, where `dates_event`.
    pub(crate) fn own_time(&mut self, column: usize, at: Instant, dates_event: bool) {
        if self.now.is_some_and(|now| at.seconds > now.saturating_add(CLOCK_SKEW)) {
            self.found.push(Found { code: WarningCode::TimestampInFuture, column, what: What::Time(at) });
        }
        if dates_event && self.folder.as_ref().is_some_and(|folder| !folder.near.contains(&at.seconds)) {
            self.found.push(Found { code: WarningCode::DateFarFromFolder, column, what: What::Time(at) });
        }
    }

    /// Digits that were taken as a time in that unit.
    pub(crate) fn unit(&mut self, column: usize, found: UnixUnit) {
        if self.units.len() <= column {
            self.units.resize(column + 1, None);
        }
        let rule = *self.units[column].get_or_insert(found);
        if rule != found {
            let what = What::Unit { rule, found };
            self.found.push(Found { code: WarningCode::TimestampUnitDiffers, column, what });
        }
    }

    /// The value of a column that should be the same in all rows of a subject. Beyond so many subjects new ones are not
    /// remembered, so that memory is bounded: what is found is true, but not all is found.
    pub(crate) fn value_of(&mut self, subject: &[u8], column: usize, value: u64) {
        let subject = hash(subject);
        match self.values.get(&subject) {
            Some(before) if *before != value => {
                self.found.push(Found { code: WarningCode::ConflictingMapping, column, what: What::Subject });
            }
            Some(_) => {}
            None if self.values.len() < MOST_SUBJECTS => {
                self.values.insert(subject, value);
            }
            None => {}
        }
    }

    /// The row in hand is accepted: what was found in it counts, and is given to `count`.
    pub(crate) fn accept<'a>(
        &mut self,
        at: Place,
        subject: &[u8],
        name: impl Fn(usize) -> &'a str,
        mut count: impl FnMut(WarningCode),
    ) {
        if self.found.is_empty() {
            return;
        }
        for found in std::mem::take(&mut self.found) {
            count(found.code);
            let column = name(found.column);
            if self.is_first(found.code, column) {
                let reason = self.reason(&found, subject);
                self.keep(found.code, column.to_owned(), reason, at);
            }
        }
    }

    /// A column came or went since the source's last file.
    pub(crate) fn column(&mut self, code: WarningCode, column: &str) {
        let reason = match code {
            WarningCode::ColumnAppeared => "the source's last file did not have the column",
            _ => "the source's last file had the column, this one has not",
        };
        let column = cut(column);
        if self.is_first(code, &column) {
            self.keep(code, column.into_owned(), reason.to_owned(), Place::default());
        }
    }

    pub(crate) fn examples(&self) -> &[Warning] {
        &self.examples
    }

    fn is_first(&self, code: WarningCode, column: &str) -> bool {
        self.examples.len() < MOST_EXAMPLES
            && !self.examples.iter().any(|one| one.code == code && one.column == column)
    }

    fn keep(&mut self, code: WarningCode, column: String, reason: String, at: Place) {
        self.examples.push(Warning { code, column, reason, advice: code.advice(), at });
    }

    fn reason(&self, found: &Found, subject: &[u8]) -> String {
        match &found.what {
            What::Time(at) if found.code == WarningCode::DateFarFromFolder => {
                let days = self.days_from_folder(*at).unwrap_or_default();
                let side = if days > 0 { "after" } else { "before" };
                let folder = self.folder.as_ref().map(|folder| folder.date.to_string()).unwrap_or_default();
                format!("{} is {} days {side} the folder's date {folder}", shown(*at), days.abs())
            }
            What::Time(at) => {
                let now = Instant { seconds: self.now.unwrap_or_default(), nanos: 0 };
                format!("{} is after the time of reading, {}", shown(*at), shown(now))
            }
            What::Unit { rule, found } => {
                format!("the value is in {}, the column's first one was in {}", found.name(), rule.name())
            }
            What::Subject => {
                let subject = String::from_utf8_lossy(subject);
                format!("{:?} has another value in an earlier row of the file", cut(&subject))
            }
        }
    }

    fn days_from_folder(&self, at: Instant) -> Option<i64> {
        Some((at.seconds - self.folder.as_ref()?.begins).div_euclid(DAY))
    }
}

impl Folder {
    fn parse(date: &str) -> Option<Self> {
        let date: Date = date.parse().ok()?;
        let begins = date.at(0, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).ok()?.timestamp().as_second();
        let near = begins - NEAR_DAYS * DAY..begins + (NEAR_DAYS + 1) * DAY;
        Some(Self { date, begins, near })
    }
}

/// One that stands in no file and costs eight bytes; equal for equal bytes in every run.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn shown(at: Instant) -> String {
    Timestamp::new(at.seconds, at.nanos).map(|at| at.to_string()).unwrap_or_default()
}
