//! gzip, all members of it.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use super::counted::Counted;

/// Members one after another, and zero bytes behind the last (block devices and tapes leave them), as gzip itself reads.
pub(super) struct Gzip {
    /// None at the end.
    member: Option<GzDecoder<Counted>>,
    /// What is left of the input at the end.
    rest: Option<Counted>,
}

impl Gzip {
    pub(super) fn new(input: Counted) -> Self {
        Self { member: Some(GzDecoder::new(input)), rest: None }
    }

    pub(super) fn input(&mut self) -> Option<&mut Counted> {
        self.member.as_mut().map(GzDecoder::get_mut).or(self.rest.as_mut())
    }

    /// Goes on with the next member; false where there is none.
    fn next_member(&mut self) -> io::Result<bool> {
        let Some(member) = self.member.take() else { return Ok(false) };
        let mut input = member.into_inner();
        let more = skip_zeros(&mut input);
        match more {
            Ok(true) => self.member = Some(GzDecoder::new(input)),
            Ok(false) | Err(_) => self.rest = Some(input),
        }
        more
    }
}

impl Read for Gzip {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else { return Ok(0) };
            let read = member.read(into)?;
            if read > 0 || into.is_empty() || !self.next_member()? {
                return Ok(read);
            }
        }
    }
}

/// False where nothing else follows.
fn skip_zeros(input: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Ok(false);
        }
        match bytes.iter().position(|&byte| byte != 0) {
            Some(zeros) => {
                input.consume(zeros);
                return Ok(true);
            }
            None => {
                let zeros = bytes.len();
                input.consume(zeros);
            }
        }
    }
}
