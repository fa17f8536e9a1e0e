use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// What lies in a bucket.
#[derive(Debug)]
pub(super) struct Contents {
    /// With a slash at its end; empty for the bucket's root.
    root: String,
    /// By name with a slash at its end: so they are in the order of their keys.
    folders: BTreeMap<String, Folder>,
    /// Scattered so far, so that no two have a name.
    scattered: u64,
}

#[derive(Debug, Default, Clone)]
struct Folder {
    objects: u64,
    /// Names in between.
    between: BTreeSet<String>,
    /// By name, how often the object was overwritten.
    versions: BTreeMap<String, u64>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) key: String,
    /// 32 hexadecimal digits.
    pub(super) etag: String,
    pub(super) size: u64,
}

/// A page, as `ListObjectsV2` answers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) objects: Vec<Object>,
    pub(super) folders: Vec<String>,
    /// Where the next one begins: everything up to it was in a page.
    pub(super) next: Option<String>,
}

impl Contents {
    pub(super) fn new(path: &str, folders: impl IntoIterator<Item = String>, objects: u64) -> Self {
        let root = if path.is_empty() { String::new() } else { format!("{path}/") };
        let folder = Folder { objects, ..Folder::default() };
        let folders = folders.into_iter().map(|name| (format!("{name}/"), folder.clone())).collect();
        Self { root, folders, scattered: 0 }
    }

    pub(super) fn append(&mut self, folder: &str, objects: u64) {
        self.folders.entry(format!("{folder}/")).or_default().objects += objects;
    }

    pub(super) fn scatter(&mut self, folder: &str, objects: u64) {
        let into = self.folders.entry(format!("{folder}/")).or_default();
        for n in 0..objects {
            self.scattered += 1;
            // A hyphen sorts before a dot: before the object of that number.
            let place = stem(n * into.objects.max(1) / objects);
            into.between.insert(format!("{place}-{:08}.csv", self.scattered));
        }
    }

    pub(super) fn overwrite(&mut self, folder: &str, number: u64) {
        let into = self.folders.entry(format!("{folder}/")).or_default();
        *into.versions.entry(name(number)).or_default() += 1;
    }

    /// At most `limit` keys, or folders, that sort behind `after`.
    pub(super) fn page(&self, prefix: &str, by_folder: bool, after: &str, limit: usize) -> Page {
        let mut page = Page::default();
        let mut last = None;
        let from = Bound::Included(self.first_folder(prefix.max(after)));
        for (folder_name, folder) in self.folders.range::<str, _>((from, Bound::Unbounded)) {
            let below = format!("{}{folder_name}", self.root);
            if !below.starts_with(prefix) && !prefix.starts_with(&below) {
                break;
            }
            let next = format!("{}0", below.trim_end_matches('/'));
            if next.as_str() <= after || folder.is_empty() {
                continue;
            }
            if by_folder && prefix == self.root {
                if page.folders.len() == limit {
                    page.next = last;
                    return page;
                }
                page.folders.push(below);
                last = Some(next);
            } else {
                let behind = after.strip_prefix(&below).unwrap_or_default();
                for name in folder.names_behind(behind) {
                    let key = format!("{below}{name}");
                    if !key.starts_with(prefix) {
                        continue;
                    }
                    if page.objects.len() == limit {
                        page.next = last;
                        return page;
                    }
                    page.objects.push(object(key.clone(), folder.version(&name)));
                    last = Some(key);
                }
            }
        }
        page
    }

    /// The name from which on folders hold `key`, or what sorts behind it.
    fn first_folder<'k>(&self, key: &'k str) -> &'k str {
        let name = key.strip_prefix(&self.root).unwrap_or_default();
        name.find('/').map_or(name, |slash| &name[..=slash])
    }
}

impl Folder {
    fn is_empty(&self) -> bool {
        self.objects == 0 && self.between.is_empty()
    }

    fn version(&self, name: &str) -> u64 {
        self.versions.get(name).copied().unwrap_or_default()
    }

    /// The number of the first object whose name sorts behind `behind`.
    fn first_behind(&self, behind: &str) -> u64 {
        let (mut low, mut high) = (0, self.objects);
        while low < high {
            let middle = low + (high - low) / 2;
            if name(middle).as_str() <= behind { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn names_behind(&self, behind: &str) -> impl Iterator<Item = String> {
        let mut numbered = (self.first_behind(behind)..self.objects).map(name).peekable();
        let from = (Bound::Excluded(behind.to_owned()), Bound::Unbounded);
        let mut between = self.between.range::<String, _>(from).peekable();
        std::iter::from_fn(move || {
            let first = match (numbered.peek(), between.peek()) {
                (Some(a), Some(b)) => a < *b,
                (a, _) => a.is_some(),
            };
            if first { numbered.next() } else { between.next().cloned() }
        })
    }
}

fn stem(number: u64) -> String {
    format!("part-{number:010}")
}

fn name(number: u64) -> String {
    format!("{}.csv", stem(number))
}

/// Size and ETag from FNV-1a over the key, stretched to the length of an MD5.
fn object(key: String, version: u64) -> Object {
    let hash = |start: u64| {
        let bytes = key.bytes().chain(version.to_le_bytes());
        bytes.fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let (first, second) = (hash(0xcbf2_9ce4_8422_2325), hash(0x9e37_79b9_7f4a_7c15));
    Object { etag: format!("{first:016x}{second:016x}"), size: 1 + first % (1 << 20), key }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        let days = ["2026-11-01", "2026-11-02", "2026-11-03"].map(str::to_owned);
        Contents::new("e", days, 25)
    }

    /// All keys, page by page.
    fn walk(contents: &Contents, prefix: &str, after: &str, limit: usize) -> (Vec<String>, usize) {
        let (mut keys, mut pages, mut after) = (Vec::new(), 0, after.to_owned());
        loop {
            let page = contents.page(prefix, false, &after, limit);
            pages += 1;
            keys.extend(page.objects.into_iter().map(|object| object.key));
            match page.next {
                Some(next) => after = next,
                None => return (keys, pages),
            }
        }
    }

    #[test]
    fn every_key_comes_once_in_order_however_it_is_paged() {
        let mut contents = contents();
        contents.scatter("2026-11-02", 7);
        contents.append("2026-11-02", 3);
        for limit in [1, 4, 35, 1000] {
            let (keys, pages) = walk(&contents, "e/2026-11-02/", "", limit);
            assert_eq!(keys.len(), 35);
            assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
            assert_eq!(pages, 35_usize.div_ceil(limit));
        }
        assert_eq!(walk(&contents, "e/", "", 10).0.len(), 85);
        assert_eq!(walk(&contents, "e/2026-11-02/", "e/2026-11-02/part-0000000026.csv", 10).0.len(), 1);
    }

    #[test]
    fn folders_come_from_a_bound_on_and_by_pages() {
        let contents = contents();
        assert_eq!(contents.page("e/", true, "e/2026-11-02", 10).folders, ["e/2026-11-02/", "e/2026-11-03/"]);
        let first = contents.page("e/", true, "", 2);
        assert_eq!(first.folders, ["e/2026-11-01/", "e/2026-11-02/"]);
        assert_eq!(contents.page("e/", true, &first.next.unwrap(), 2).folders, ["e/2026-11-03/"]);
    }

    #[test]
    fn folders_are_in_the_order_of_their_keys() {
        // A hyphen sorts before a slash.
        let mut contents = contents();
        contents.append("2026", 5);
        for limit in [2, 10, 1000] {
            let (keys, _) = walk(&contents, "e/", "", limit);
            assert!(keys.len() == 80 && keys.is_sorted_by(|a, b| a < b), "{keys:?}");
        }
        assert_eq!(contents.page("e/", true, "e/2026-11-030", 10).folders, ["e/2026/"]);
    }

    #[test]
    fn an_overwritten_object_has_another_etag() {
        let mut contents = contents();
        let key = "e/2026-11-02/part-0000000003.csv";
        let etag = |contents: &Contents| contents.page(key, false, "", 10).objects[0].etag.clone();
        let before = etag(&contents);
        contents.overwrite("2026-11-02", 3);
        assert_ne!(etag(&contents), before);
    }
}
