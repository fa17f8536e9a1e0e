//! Reads that do not depend on how the object answers them.

use std::io::{self, Read};

/// Fills each read, but for the last one.
///
/// A decoder that meets damage drops what it had decoded in the same call. Where its calls depend on the bytes alone, so
/// do the rows in front of the damage, however the object was read and whatever row reading began at.
pub(super) struct Whole<R>(R);

impl<R: Read> Whole<R> {
    pub(super) fn new(input: R) -> Self {
        Self(input)
    }

    pub(super) fn get_mut(&mut self) -> &mut R {
        &mut self.0
    }

    pub(super) fn into_inner(self) -> R {
        self.0
    }
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            match self.0.read(&mut into[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(filled)
    }
}
