//! What pages are made of.

mod calendar;
mod chart;
mod form;
mod layout;
mod table;
mod text;
mod words;

pub(crate) use calendar::calendar;
pub(crate) use chart::{Bar, daily, sparkline};
pub(crate) use form::{Choice, Form, choice, field, refusal};
pub(crate) use layout::{Crumb, Notice, Page, alert, empty, pager};
pub(crate) use table::{Cell, Row, Table, head, row};
pub(crate) use text::{at, brief, bytes, cell, count, date_of, local_time, share, value};
pub(crate) use words::{
    constant, dataset_word, day_status, file_state, file_state_badge, is_running, source_state_badge,
};
