//! Questions, answered by lines of standard input: from a person at a terminal, or from a pipe.

use std::io::{BufRead, Write};

use anyhow::Result;

use crate::UsageError;
use crate::validate::report::printable;

/// Asks on standard error, so that standard output is the command's outcome alone.
#[derive(Debug, Default)]
pub(crate) struct Prompt;

impl Prompt {
    /// A line that is told.
    pub(crate) fn tell(&self, line: &str) {
        // No one left to tell is noticed by the next question.
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    /// A title of a step.
    pub(crate) fn step(&self, number: usize, title: &str) {
        let title = format!("Step {number} of 5: {title}");
        let style = terminal::Style::new().for_stderr().bold();
        self.tell(&format!("\n{}", style.apply_to(title)));
    }

    /// An answer; the default where the line is empty. Asked again while there is neither.
    pub(crate) fn ask(&self, question: &str, default: Option<&str>) -> Result<String> {
        loop {
            let answer = self.line(question, default)?;
            match (answer.as_str(), default) {
                ("", None) => self.tell("  This needs an answer."),
                ("", Some(default)) => return Ok(default.to_owned()),
                _ => return Ok(answer),
            }
        }
    }

    /// An answer that may be empty.
    pub(crate) fn ask_optional(&self, question: &str) -> Result<String> {
        self.line(question, Some(""))
    }

    /// Yes or no.
    pub(crate) fn confirm(&self, question: &str, default: bool) -> Result<bool> {
        let choices = if default { "Y/n" } else { "y/N" };
        loop {
            match self.line(&format!("{question} ({choices})"), Some(""))?.to_ascii_lowercase().as_str() {
                "" => return Ok(default),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.tell("  Answer y or n."),
            }
        }
    }

    /// One of some choices, by number or by word; the position of the one that is chosen.
    pub(crate) fn choose(&self, question: &str, choices: &[(&str, &str)]) -> Result<usize> {
        for (position, (word, what)) in choices.iter().enumerate() {
            self.tell(&format!("  {}  {word:<14} {what}", position + 1));
        }
        loop {
            let answer = self.ask(question, Some("1"))?.to_ascii_lowercase();
            let by_word = choices.iter().position(|(word, _)| *word == answer);
            let by_number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            match by_word.or(by_number).filter(|position| *position < choices.len()) {
                Some(position) => return Ok(position),
                None => self.tell(&format!("  Answer 1 to {}, or the word.", choices.len())),
            }
        }
    }

    fn line(&self, question: &str, default: Option<&str>) -> Result<String> {
        let default = match default {
            Some("") | None => String::new(),
            Some(default) => format!(" [{}]", printable(default)),
        };
        let mut out = std::io::stderr();
        write!(out, "{question}{default}: ")?;
        out.flush()?;
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            self.tell("");
            return Err(UsageError(format!("standard input ended before {question:?} was answered")).into());
        }
        Ok(line.trim().to_owned())
    }
}
