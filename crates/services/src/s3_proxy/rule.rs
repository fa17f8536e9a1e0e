//! Which answers are broken, and how.

use std::time::Duration;

use super::asked::Asked;

/// An operation of S3, told by method and query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// An object's bytes, or a range of them.
    GetObject,
    /// An object's headers.
    HeadObject,
    /// One page of a listing (`list-type=2`).
    ListObjectsV2,
    /// Every request, whatever it asks.
    Any,
}

/// Requests that a rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Their operation.
    pub operation: Operation,
    /// What their key holds, or their prefix where they list; unencoded. None fits all.
    pub part: Option<String>,
}

impl Match {
    /// The operation's requests whose key, or prefix, holds this part.
    pub fn part(operation: Operation, part: &str) -> Self {
        Self { operation, part: Some(part.to_owned()) }
    }
}

impl From<Operation> for Match {
    /// All of the operation's requests.
    fn from(operation: Operation) -> Self {
        Self { operation, part: None }
    }
}

/// What is done to an answer. Offsets count the bytes of this answer's body from 0, also where it is a range.
///
/// Where an answer has no body since HEAD asks, [`ResetAfter`](Self::ResetAfter), [`ShortBody`](Self::ShortBody) and
/// [`SilenceAfter`](Self::SilenceAfter) close the connection in place of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum S3Fault {
    /// Answers with an S3 error, without asking the upstream.
    Status {
        /// HTTP status, 300 to 599.
        status: u16,
        /// S3's code for it: `InternalError` (500), `SlowDown` (503), `AccessDenied` (403), `NoSuchKey` (404),
        /// `ExpiredToken` (400).
        code: &'static str,
    },
    /// Resets the connection after so many bytes. A client that reads slowly may see fewer.
    ResetAfter(u64),
    /// Closes the connection in due form after so many bytes, though the head announced more.
    ShortBody(u64),
    /// Sends so many bytes, then nothing, then closes the connection.
    SilenceAfter {
        /// Bytes that come.
        bytes: u64,
        /// How long nothing comes.
        lasting: Duration,
    },
    /// Flips the lowest bit of the byte at this offset.
    AlterByte(u64),
    /// Puts the objects of the previous page in front of this page's, which stay, as does the way to the next page. Only
    /// for a page of [`Operation::ListObjectsV2`] that continues another.
    RepeatPage,
    /// Leaves out the first so many objects of a page. Only for [`Operation::ListObjectsV2`].
    SkipKeys(u32),
    /// Waits for so long before it asks the upstream.
    Delay(Duration),
}

impl S3Fault {
    /// The variant's name, under which it is counted.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "Status",
            Self::ResetAfter(_) => "ResetAfter",
            Self::ShortBody(_) => "ShortBody",
            Self::SilenceAfter { .. } => "SilenceAfter",
            Self::AlterByte(_) => "AlterByte",
            Self::RepeatPage => "RepeatPage",
            Self::SkipKeys(_) => "SkipKeys",
            Self::Delay(_) => "Delay",
        }
    }

    /// True where the request's answer is of the kind that the fault needs.
    fn suits(&self, asked: &Asked) -> bool {
        let lists = asked.operation == Some(Operation::ListObjectsV2);
        match self {
            Self::RepeatPage => lists && asked.token.is_some(),
            Self::SkipKeys(_) => lists,
            _ => true,
        }
    }
}

/// The rules in the order they were made.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    matcher: Match,
    left: u32,
    fault: S3Fault,
}

impl Rules {
    pub(super) fn add(&mut self, matcher: Match, times: u32, fault: S3Fault) {
        self.0.push(Rule { matcher, left: times, fault });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault for a request, by the first rule that fits and has times left.
    pub(super) fn take(&mut self, asked: &Asked) -> Option<S3Fault> {
        let fits = |rule: &&mut Rule| {
            let Match { operation, part } = &rule.matcher;
            rule.left > 0
                && (*operation == Operation::Any || asked.operation == Some(*operation))
                && part.as_ref().is_none_or(|part| asked.key.contains(part))
                && rule.fault.suits(asked)
        };
        let rule = self.0.iter_mut().find(fits)?;
        rule.left -= 1;
        Some(rule.fault.clone())
    }
}
