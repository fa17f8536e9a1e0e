//! A bar on a terminal, nothing in a pipe.

use std::io::{self, IsTerminal};
use std::time::Duration;

use format::Object;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far the file in hand is read.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn begin() -> Self {
        if !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        let shape = "{prefix}{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(shape) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// The file that comes next.
    pub(crate) fn file(&self, number: usize, of: usize, name: &str) {
        if of > 1 {
            self.0.set_prefix(format!("{number}/{of} "));
        }
        let shown: String = name.chars().rev().take(40).collect();
        self.0.set_message(shown.chars().rev().filter(|c| !c.is_control()).collect::<String>());
    }

    /// The object, read under the bar's eyes.
    pub(crate) fn watch(&self, object: Box<dyn Object>, size: u64) -> Box<dyn Object> {
        if self.0.is_hidden() {
            return object;
        }
        self.0.set_length(size);
        self.0.set_position(0);
        self.0.reset_eta();
        self.0.enable_steady_tick(Duration::from_millis(500));
        Box::new(self.0.wrap_read(object))
    }

    /// Writes without the bar in between.
    pub(crate) fn pause<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }

    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}
