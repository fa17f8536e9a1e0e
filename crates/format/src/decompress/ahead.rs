//! Decompression on a thread of its own, ahead of the reader.
//!
//! Blocks go round: the thread fills them, the reader uses them up and gives them back. There are so many and no more, so
//! that the thread waits for a reader that is slower, and nothing is allocated on the way. What ends a document comes
//! behind the bytes before it, as it does without the thread.
//!
//! The thread ends by itself behind the last document, and where the reader is dropped: at once where it waits for a block,
//! else with the block in hand, for which it may have to wait for the object.

use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::Document;
use super::decompressor::{BLOCK, Block, Decompressor};
use crate::ReadError;

/// Blocks on their way there and back, the reader's own among them.
const BLOCKS: usize = 4;
/// Room of a block, in bytes: a multiple of what is decompressed at once. Handing over costs some microseconds.
const ROOM: usize = 4 * BLOCK;

/// What the thread hands over, in the order of the object.
enum Piece {
    /// The next document, none behind the last one.
    Document(Result<Option<Document>, ReadError>),
    /// Of the document before it, to its end.
    Block(Block),
}

/// The reader's side of the thread.
pub(super) struct Ahead {
    pieces: Receiver<Piece>,
    used: SyncSender<Block>,
    /// None once it has ended, and told why.
    thread: Option<JoinHandle<()>>,
    /// Behind the last document.
    finished: bool,
}

impl Ahead {
    /// A thread that waits for what it is to decompress, in a document that is open; and the reader's block.
    pub(super) fn start() -> io::Result<(Self, SyncSender<Box<Decompressor>>, Block)> {
        let (begin, begun) = sync_channel::<Box<Decompressor>>(1);
        let (used, blocks) = sync_channel(BLOCKS);
        // Each document is followed by a block at least, so that only the blocks are waited for.
        let (sender, pieces) = sync_channel(2 * BLOCKS + 1);
        let thread = Builder::new().name("decompress".to_owned()).spawn(move || {
            if let Ok(decompressor) = begun.recv() {
                run(*decompressor, &blocks, &sender);
            }
        })?;
        for _ in 1..BLOCKS {
            give_back(&used, Block::with_room(ROOM));
        }
        let ahead = Self { pieces, used, thread: Some(thread), finished: false };
        Ok((ahead, begin, Block::with_room(ROOM)))
    }

    /// Changes a block that is used up for the next one of the open document.
    pub(super) fn next_block(&mut self, block: &mut Block) -> Result<(), ReadError> {
        match self.piece()? {
            Piece::Block(next) => {
                give_back(&self.used, std::mem::replace(block, next));
                Ok(())
            }
            Piece::Document(_) => Err(gone()),
        }
    }

    /// Goes on to the next document; what is left of the open one is passed over.
    pub(super) fn next_document(&mut self) -> Result<Option<Document>, ReadError> {
        while !self.finished {
            match self.piece()? {
                Piece::Block(block) => give_back(&self.used, block),
                Piece::Document(document) => {
                    self.finished = matches!(document, Ok(None));
                    return document;
                }
            }
        }
        Ok(None)
    }

    fn piece(&mut self) -> Result<Piece, ReadError> {
        self.pieces.recv().map_err(|_| match self.thread.take().map(JoinHandle::join) {
            // As if it had happened here, where it would have without the thread.
            Some(Err(panic)) => resume_unwind(panic),
            _ => gone(),
        })
    }
}

/// Where the thread is gone there is no one to fill it.
fn give_back(used: &SyncSender<Block>, block: Block) {
    let _ = used.send(block);
}

fn gone() -> ReadError {
    ReadError::Io(io::Error::other("the thread that decompresses it has ended"))
}

/// From the open document to the last one, or until the reader is gone.
fn run(mut decompressor: Decompressor, blocks: &Receiver<Block>, pieces: &SyncSender<Piece>) {
    loop {
        loop {
            let Ok(mut block) = blocks.recv() else { return };
            block.clear();
            while !block.is_full() && !block.ends() {
                decompressor.fill(&mut block);
            }
            let ends = block.ends();
            if pieces.send(Piece::Block(block)).is_err() {
                return;
            }
            if ends {
                break;
            }
        }
        let document = decompressor.next_document();
        let is_last = !matches!(document, Ok(Some(_)));
        if pieces.send(Piece::Document(document)).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io::{Cursor, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::Limits;
    use crate::decompress::coded::Coded;
    use crate::source::Source;

    /// Of a gzip that fills so many blocks, opened.
    fn decompressor(blocks: usize) -> Decompressor {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        for _ in 0..blocks {
            encoder.write_all(&[0; ROOM]).unwrap();
        }
        let object = Cursor::new(encoder.finish().unwrap());
        let coded = Coded::gzip(Source::new(Box::new(object)));
        let mut decompressor = Decompressor::coded(coded, "x", &Limits::default());
        decompressor.next_document().unwrap().unwrap();
        decompressor
    }

    #[test]
    fn it_ends_where_it_waits_for_a_block_and_the_reader_is_gone() {
        let (used, blocks) = sync_channel(BLOCKS);
        let (sender, _pieces) = sync_channel(BLOCKS);
        drop(used);
        run(decompressor(2), &blocks, &sender);
    }

    #[test]
    fn the_same_few_blocks_go_round() {
        let (mut ahead, begin, mut block) = Ahead::start().unwrap();
        begin.send(Box::new(decompressor(100))).unwrap();
        let (mut seen, mut bytes) = (HashSet::new(), 0);
        while !block.ends() {
            ahead.next_block(&mut block).unwrap();
            seen.insert(block.number);
            bytes += block.len();
        }
        assert_eq!(bytes, 100 * ROOM);
        assert!(seen.len() <= BLOCKS, "{}", seen.len());
        assert!(ahead.next_document().unwrap().is_none());
        assert!(ahead.next_document().unwrap().is_none(), "and so it stays");
    }
}
