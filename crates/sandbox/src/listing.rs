//! Listing a folder as S3 lists a bucket: by key in byte order, by prefix, with a delimiter, page by page.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::folder::{self, Folder, Object, Stamp};

/// Sorts behind every key of a folder: where a page goes on whose last entry was that folder.
const BEHIND: char = char::MAX;

/// What is listed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) prefix: String,
    /// True for the delimiter `/`: folders are listed instead of what is in them.
    pub(crate) by_folder: bool,
    /// The key behind which listing starts.
    pub(crate) start: String,
    pub(crate) limit: usize,
}

/// An answer.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) objects: Vec<(String, Object)>,
    pub(crate) folders: Vec<String>,
    /// The `start` of the next page, where there is one.
    pub(crate) next: Option<String>,
    /// How long until the files that were left out, as they may be half-written, are taken for whole.
    pub(crate) settles_in: Option<Duration>,
}

/// An entry by its key; the folders' end in `/`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    key: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    File,
    /// An empty folder, as an object.
    Marker,
    /// A folder that stands for what is in it.
    Folder,
}

impl Folder {
    /// Lists a bucket. Blocks.
    pub(crate) fn list(&self, bucket: &Path, query: &Query) -> io::Result<Page> {
        let mut entries = Vec::new();
        let (base, _) = query.prefix.rsplit_once('/').unwrap_or_default();
        if let Some(dir) = below(bucket, base) {
            let base = if base.is_empty() { String::new() } else { format!("{base}/") };
            walk(&dir, &base, query, &mut entries)?;
        }
        entries.sort_unstable();
        let mut page = Page::default();
        let mut last = None;
        let mut entries = entries.into_iter().take(if query.limit == 0 { 0 } else { usize::MAX });
        for Entry { key, kind } in entries.by_ref().take(query.limit) {
            last = Some(if kind == Kind::Folder { format!("{key}{BEHIND}") } else { key.clone() });
            if kind == Kind::Folder {
                page.folders.push(key);
            } else if let Some(object) = self.object(bucket, &key, &mut page.settles_in)? {
                page.objects.push((key, object));
            }
        }
        page.next = last.filter(|_| entries.next().is_some());
        Ok(page)
    }

    /// None where the file is gone, or may be half-written.
    fn object(
        &self,
        bucket: &Path,
        key: &str,
        settles_in: &mut Option<Duration>,
    ) -> io::Result<Option<Object>> {
        let path = bucket.join(key);
        let file = match File::open(&path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Ok(Some(folder::marker(&metadata)?));
        }
        if let Some(left) = self.unsettled(&path, Stamp::of(&metadata)?) {
            *settles_in = Some(settles_in.map_or(left, |other| other.max(left)));
            return Ok(None);
        }
        match self.identify(&path, &file) {
            Err(err) if err.kind() == io::ErrorKind::ResourceBusy => Ok(None),
            object => object.map(Some),
        }
    }
}

/// The folder of a prefix, where the prefix can be one and the folder exists.
fn below(bucket: &Path, base: &str) -> Option<PathBuf> {
    let is_plain = base.is_empty() || base.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
    Some(bucket.join(base)).filter(|dir| is_plain && dir.is_dir())
}

/// Collects what lies in `dir`, whose keys begin with `base`, and matches the query.
fn walk(dir: &Path, base: &str, query: &Query, entries: &mut Vec<Entry>) -> io::Result<()> {
    let mut is_empty = true;
    for entry in dir.read_dir()? {
        let entry = entry?;
        is_empty = false;
        // A key is Unicode; a file whose name is not has none.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let mut kind = entry.file_type()?;
        if kind.is_symlink() {
            // Links to files are files; links to folders may go in circles.
            match entry.path().metadata() {
                Ok(metadata) if metadata.is_file() => kind = metadata.file_type(),
                _ => continue,
            }
        }
        if !kind.is_dir() {
            let key = format!("{base}{name}");
            if key.starts_with(&query.prefix) && key > query.start {
                entries.push(Entry { key, kind: Kind::File });
            }
            continue;
        }
        let key = format!("{base}{name}/");
        let is_behind = key > query.start || query.start.starts_with(&key);
        if !is_behind || !(key.starts_with(&query.prefix) || query.prefix.starts_with(&key)) {
            continue;
        }
        if query.by_folder && key.starts_with(&query.prefix) && key != query.prefix {
            if has_key_behind(&entry.path(), &key, &query.start)? {
                entries.push(Entry { key, kind: Kind::Folder });
            }
        } else {
            walk(&entry.path(), &key, query, entries)?;
        }
    }
    if is_empty && !base.is_empty() && base.starts_with(&query.prefix) && *base > *query.start {
        entries.push(Entry { key: base.to_owned(), kind: Kind::Marker });
    }
    Ok(())
}

/// True where a folder stands for at least one key behind `start`.
fn has_key_behind(dir: &Path, base: &str, start: &str) -> io::Result<bool> {
    if base > start {
        return Ok(true);
    }
    let all = Query { start: start.to_owned(), ..Query::default() };
    let mut entries = Vec::new();
    walk(dir, base, &all, &mut entries)?;
    Ok(!entries.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(keys: &[&str]) -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().unwrap();
        for key in keys {
            let path = root.path().join("b").join(key);
            if key.ends_with('/') {
                std::fs::create_dir_all(path).unwrap();
            } else {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, key).unwrap();
            }
        }
        let folder = Folder::new(root.path().to_owned(), Duration::ZERO);
        (root, folder)
    }

    /// All entries in order, got by pages of one.
    fn list(folder: &Folder, prefix: &str, by_folder: bool, start: &str) -> Vec<String> {
        let bucket = folder.bucket("b").unwrap();
        let mut query = Query { prefix: prefix.to_owned(), by_folder, start: start.to_owned(), limit: 1000 };
        let whole = folder.list(&bucket, &query).unwrap();
        assert_eq!(whole.next, None);
        let mut all: Vec<_> = whole.objects.into_iter().map(|(key, _)| key).chain(whole.folders).collect();
        all.sort();
        query.limit = 1;
        let mut singly = Vec::new();
        loop {
            let page = folder.list(&bucket, &query).unwrap();
            singly.extend(page.objects.into_iter().map(|(key, _)| key).chain(page.folders));
            match page.next {
                Some(next) => query.start = next,
                None => break,
            }
        }
        assert_eq!(singly, all, "page by page as at once");
        all
    }

    #[test]
    fn keys_are_in_byte_order_over_folders() {
        let (_root, folder) = folder(&["a/1", "a.csv", "a0", "a/b/2", "Z"]);
        assert_eq!(list(&folder, "", false, ""), ["Z", "a.csv", "a/1", "a/b/2", "a0"]);
        assert_eq!(list(&folder, "a/", false, "a/1"), ["a/b/2"]);
        assert_eq!(list(&folder, "a", false, "a.csv"), ["a/1", "a/b/2", "a0"]);
    }

    #[test]
    fn a_delimiter_rolls_folders_up() {
        let (_root, folder) =
            folder(&["e/x.csv", "e/2026-11-22/a", "e/2026-11-23/h/b", "e/2026-11-24/c", "f/d"]);
        assert_eq!(list(&folder, "", true, ""), ["e/", "f/"]);
        assert_eq!(list(&folder, "e", true, ""), ["e/"]);
        let all = ["e/2026-11-22/", "e/2026-11-23/", "e/2026-11-24/", "e/x.csv"];
        assert_eq!(list(&folder, "e/", true, ""), all);
        assert_eq!(list(&folder, "e/", true, "e/2026-11-23"), all[1..]);
        assert_eq!(list(&folder, "e/", true, "e/2026-11-23/"), all[1..], "a key in it is behind its name");
        assert_eq!(list(&folder, "e/", true, "e/2026-11-23/h/b"), all[2..], "no key in it is behind");
        assert_eq!(list(&folder, "e/2026-11-2", true, ""), all[..3]);
    }

    #[test]
    fn an_empty_folder_is_a_marker() {
        let (_root, folder) = folder(&["e/2026-11-22/"]);
        assert_eq!(list(&folder, "", false, ""), ["e/2026-11-22/"]);
        assert_eq!(list(&folder, "e/", true, ""), ["e/2026-11-22/"]);
        assert_eq!(list(&folder, "e/2026-11-22/", true, ""), ["e/2026-11-22/"]);
    }

    #[test]
    fn a_prefix_cannot_leave_the_bucket() {
        let (_root, folder) = folder(&["a", "../c/secret"]);
        assert_eq!(list(&folder, "../c/", false, ""), [""; 0]);
        assert_eq!(folder.path("b", "../c/secret"), None);
    }

    #[test]
    fn a_file_that_is_being_written_is_left_out() {
        let (root, _) = folder(&["a"]);
        let folder = Folder::new(root.path().to_owned(), Duration::from_secs(60));
        let query = Query { limit: 10, ..Query::default() };
        let page = folder.list(&root.path().join("b"), &query).unwrap();
        assert!(page.objects.is_empty() && page.settles_in.is_some());
        folder.note_put(&root.path().join("b/a"), "0cc1").unwrap();
        let page = folder.list(&root.path().join("b"), &query).unwrap();
        assert_eq!(page.objects[0].1.etag, "0cc1", "what was put by S3 is whole");
    }
}
