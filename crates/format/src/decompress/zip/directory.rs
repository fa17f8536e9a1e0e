//! The central directory of a zip (APPNOTE 6.3.10, sections 4.3.12 to 4.3.16), zip64 included.
//!
//! Read here and not by a library because the number of entries and the directory's size must be known to be within
//! limits before any of it is held in memory.

use std::io::{Read, Seek, SeekFrom};

use memchr::memmem;

use super::DAMAGED;
use crate::source::Source;
use crate::{FileCode, Limits, ReadError};

/// The end record with the longest comment, and the zip64 locator before it.
const TAIL: u64 = 22 + 0xffff + 20;
/// The largest directory that is read. 10,000 entries with names of a hundred bytes take 1.5 MB.
const DIRECTORY_BYTES: u64 = 16 << 20;
/// The shortest deflate stream, which holds nothing.
const EMPTY_DEFLATED: u32 = 2;
/// Names are for messages and for telling formats by; longer ones are cut.
const NAME_BYTES: usize = 512;
/// Endings of entries that are archives themselves, known before they are read.
const ARCHIVES: [&str; 11] =
    [".zip", ".gz", ".tgz", ".zst", ".zstd", ".bz2", ".bzip2", ".tar", ".7z", ".rar", ".xz"];

pub(super) struct Directory {
    /// The entries that hold data, in order.
    pub(super) entries: Vec<Entry>,
    /// Where it begins: no entry's data reaches further.
    pub(super) begins: u64,
}

pub(super) struct Entry {
    pub(super) name: String,
    pub(super) method: Method,
    /// Position of its first byte among all entries, after decompression.
    pub(super) begins: u64,
    pub(super) size: u64,
    pub(super) compressed: u64,
    pub(super) checksum: u32,
    /// Where its local header stands in the object.
    pub(super) header: u64,
}

#[derive(Clone, Copy)]
pub(super) enum Method {
    Stored,
    Deflated,
}

/// Where the directory stands in the object.
struct Extent {
    begins: u64,
    bytes: u64,
    /// As its end states it: whole in zip64, else the lowest 16 bits.
    entries: u64,
    zip64: bool,
    /// What stands before the archive in the object, and is not counted in the archive's own offsets.
    shift: u64,
}

impl Directory {
    pub(super) fn read(source: &mut Source, limits: &Limits) -> Result<Self, ReadError> {
        let extent = find(source)?;
        if extent.bytes > DIRECTORY_BYTES {
            let bytes = extent.bytes;
            return Err(too_large(format!(
                "the directory of the zip has {bytes} bytes, more than {DIRECTORY_BYTES}"
            )));
        }
        let bytes = extent.read(source)?;
        let found = count(&bytes)?;
        if found > limits.zip_entries as u64 {
            let most = limits.zip_entries;
            return Err(too_large(format!("the zip has {found} entries, more than {most}")));
        }
        // Writers without zip64 let the number wrap, so that it is no bound of what there is.
        let stated = if extent.zip64 { found } else { found & 0xffff };
        if stated != extent.entries {
            let entries = extent.entries;
            return Err(corrupt(&format!("its directory has {found} entries, and states {entries}")));
        }
        let mut entries = Vec::new();
        let mut begins = 0_u64;
        for record in Records(&bytes).filter(|record| !record.left_alone()) {
            let entry = record.entry(begins, &extent)?;
            // Positions are offsets, which files and protocols hold in 63 bits.
            let ends = begins.checked_add(entry.size).filter(|&ends| i64::try_from(ends).is_ok());
            begins = ends.ok_or_else(|| corrupt("its sizes are impossible"))?;
            entries.push(entry);
        }
        Ok(Self { entries, begins: extent.begins })
    }
}

impl Extent {
    /// All of the directory, whose size has been found to be within the limit and the object.
    fn read(&self, source: &mut Source) -> Result<Vec<u8>, ReadError> {
        source.seek(SeekFrom::Start(self.begins)).map_err(|error| source.own(error))?;
        let mut bytes = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or_default());
        let read = source.by_ref().take(self.bytes).read_to_end(&mut bytes);
        read.map_err(|error| source.own(error))?;
        Ok(bytes)
    }
}

/// How many entries a directory has. Behind them a signature of it may stand (4.3.13), and nothing else.
fn count(directory: &[u8]) -> Result<u64, ReadError> {
    let mut records = Records(directory);
    let found = records.by_ref().count() as u64;
    let signature = records.0.strip_prefix(b"PK\x05\x05");
    let signed = signature.is_some_and(|rest| rest.len() == 2 + usize::from(u16_at(rest, 0)));
    if records.0.is_empty() || signed { Ok(found) } else { Err(corrupt("its directory is cut off")) }
}

fn find(source: &mut Source) -> Result<Extent, ReadError> {
    let length = source.seek(SeekFrom::End(0)).map_err(|error| source.own(error))?;
    let tail_begins = length.saturating_sub(TAIL);
    source.seek(SeekFrom::Start(tail_begins)).map_err(|error| source.own(error))?;
    let mut tail = Vec::new();
    let read = source.by_ref().take(TAIL).read_to_end(&mut tail);
    read.map_err(|error| source.own(error))?;

    let Some((at, end)) = end_record(&tail) else {
        return Err(ReadError::file(
            FileCode::Truncated,
            0,
            "the zip has no directory at its end",
            "upload the file again, completely",
        ));
    };
    if u16_at(end, 4) != u16_at(end, 6) {
        return Err(corrupt("it is one part of a split archive"));
    }
    let mut extent = Extent {
        begins: u64::from(u32_at(end, 16)),
        bytes: u64::from(u32_at(end, 12)),
        entries: u64::from(u16_at(end, 10)),
        zip64: false,
        shift: 0,
    };
    let mut directory_ends = tail_begins + at as u64;
    let locator = at.checked_sub(20).and_then(|from| tail.get(from..at));
    if let Some(locator) = locator.filter(|locator| locator.starts_with(b"PK\x06\x07")) {
        directory_ends = u64_at(locator, 8);
        zip64(source, directory_ends, tail_begins + at as u64 - 20, &mut extent)?;
    }
    extent.shift = extent
        .begins
        .checked_add(extent.bytes)
        .and_then(|stated| directory_ends.checked_sub(stated))
        .ok_or_else(|| corrupt("its directory is not where its end states it"))?;
    extent.begins += extent.shift;
    Ok(extent)
}

/// The last end record whose comment reaches no further than the object.
fn end_record(tail: &[u8]) -> Option<(usize, &[u8])> {
    memmem::rfind_iter(tail, b"PK\x05\x06").find_map(|at| {
        let record = tail.get(at..at + 22)?;
        (at + 22 + usize::from(u16_at(record, 20)) <= tail.len()).then_some((at, record))
    })
}

/// Replaces what does not fit the old end record by what the zip64 end record holds, which stands `at` and before `end`.
fn zip64(source: &mut Source, at: u64, end: u64, extent: &mut Extent) -> Result<(), ReadError> {
    let missing = || corrupt("its zip64 end record is missing");
    let mut record = [0; 56];
    // An object need not know of places beyond its end: a seek there may fail as if the object did.
    if at.checked_add(record.len() as u64).is_none_or(|behind| behind > end) {
        return Err(missing());
    }
    source.seek(SeekFrom::Start(at)).map_err(|error| source.own(error))?;
    if source.read_exact(&mut record).is_err() {
        return Err(source.failure().unwrap_or_else(missing));
    }
    if !record.starts_with(b"PK\x06\x06") {
        return Err(missing());
    }
    extent.zip64 = true;
    extent.entries = u64_at(&record, 32);
    extent.bytes = u64_at(&record, 40);
    extent.begins = u64_at(&record, 48);
    Ok(())
}

/// The records of a directory, up to what is none.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (record, behind) = Record::split(self.0)?;
        self.0 = behind;
        Some(record)
    }
}

/// One record of the directory.
struct Record<'a> {
    fixed: &'a [u8],
    name: &'a [u8],
    extra: &'a [u8],
}

impl<'a> Record<'a> {
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (fixed, rest) = bytes.split_at_checked(46)?;
        if !fixed.starts_with(b"PK\x01\x02") {
            return None;
        }
        let (name, rest) = rest.split_at_checked(usize::from(u16_at(fixed, 28)))?;
        let (extra, rest) = rest.split_at_checked(usize::from(u16_at(fixed, 30)))?;
        let (_comment, rest) = rest.split_at_checked(usize::from(u16_at(fixed, 32)))?;
        Some((Self { fixed, name, extra }, rest))
    }

    /// Directories, dot files, what macOS adds, and entries with nothing in them.
    fn left_alone(&self) -> bool {
        let mut parts = self.name.split(|&byte| byte == b'/' || byte == b'\\');
        self.name.ends_with(b"/") || self.is_empty() || parts.any(is_hidden)
    }

    /// True where it states no content, and takes no more bytes than that needs. One that takes more is read: its bytes
    /// tell whether it is empty indeed (some writers end an empty deflate stream with more than they must).
    fn is_empty(&self) -> bool {
        let deflated = u16_at(self.fixed, 10) == 8;
        u32_at(self.fixed, 24) == 0 && u32_at(self.fixed, 20) <= if deflated { EMPTY_DEFLATED } else { 0 }
    }

    fn entry(&self, begins: u64, extent: &Extent) -> Result<Entry, ReadError> {
        let name = String::from_utf8_lossy(&self.name[..self.name.len().min(NAME_BYTES)]).into_owned();
        let flags = u16_at(self.fixed, 8);
        let method = u16_at(self.fixed, 10);
        if flags & 1 != 0 || method == 99 {
            return Err(ReadError::file(
                FileCode::EncryptedArchive,
                begins,
                format!("`{name}` in the zip is encrypted"),
                "upload the archive without a password; S3 encrypts it at rest",
            ));
        }
        let lower = name.to_ascii_lowercase();
        if ARCHIVES.iter().any(|ending| lower.ends_with(ending)) {
            return Err(nested(&format!("`{name}` in the zip is an archive itself"), begins));
        }
        if name == "[Content_Types].xml" {
            return Err(ReadError::file(
                FileCode::UnknownFormat,
                begins,
                "the file is an Office document",
                "export the sheet as CSV (UTF-8)",
            ));
        }
        let method = match method {
            0 => Method::Stored,
            8 => Method::Deflated,
            other => {
                return Err(ReadError::file(
                    FileCode::UnknownFormat,
                    begins,
                    format!("`{name}` in the zip is compressed by method {other}, which is not read"),
                    "make the zip with deflate, the usual method",
                ));
            }
        };
        let [size, compressed, header] =
            self.sizes().ok_or_else(|| corrupt("its zip64 sizes are missing"))?;
        let header = header.checked_add(extent.shift).ok_or_else(|| corrupt("its offsets are impossible"))?;
        if header.checked_add(compressed).is_none_or(|end| end > extent.begins) {
            return Err(corrupt(&format!("`{name}` reaches beyond its directory")));
        }
        Ok(Entry { name, method, begins, size, compressed, checksum: u32_at(self.fixed, 16), header })
    }

    /// Size, compressed size and header's offset; those that do not fit 32 bits stand in the zip64 extra field, in
    /// this order.
    fn sizes(&self) -> Option<[u64; 3]> {
        let mut wide = self.extra_field(1).unwrap_or_default();
        let mut sizes = [0; 3];
        for (size, at) in sizes.iter_mut().zip([24, 20, 42]) {
            *size = u64::from(u32_at(self.fixed, at));
            if *size == u64::from(u32::MAX) {
                let (bytes, rest) = wide.split_at_checked(8)?;
                *size = u64_at(bytes, 0);
                wide = rest;
            }
        }
        Some(sizes)
    }

    fn extra_field(&self, wanted: u16) -> Option<&'a [u8]> {
        let mut rest = self.extra;
        loop {
            let (head, behind) = rest.split_at_checked(4)?;
            let (field, behind) = behind.split_at_checked(usize::from(u16_at(head, 2)))?;
            if u16_at(head, 0) == wanted {
                return Some(field);
            }
            rest = behind;
        }
    }
}

/// True for a part of a name that says that a user is not to see it; `.` and `..` are only ways to other folders.
fn is_hidden(part: &[u8]) -> bool {
    part == b"__MACOSX" || (part.starts_with(b".") && part != b"." && part != b"..")
}

pub(super) fn nested(reason: &str, position: u64) -> ReadError {
    ReadError::file(
        FileCode::NestedArchive,
        position,
        reason,
        "upload the files of the inner archive themselves",
    )
}

fn too_large(reason: String) -> ReadError {
    let advice = "split it into several archives, or upload the files themselves";
    ReadError::file(FileCode::ExpansionLimit, 0, reason, advice)
}

fn corrupt(what: &str) -> ReadError {
    ReadError::file(FileCode::CorruptArchive, 0, format!("the zip is damaged: {what}"), DAMAGED)
}

// Callers hold slices that reach far enough; a shorter one reads as zero.

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u64::from_le_bytes)
}
