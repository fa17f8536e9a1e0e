//! Whether two names are those of one file.

use std::fs::{File, Metadata};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A regular file, whatever it is called: `x`, `./x` and a link to it are one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// By device and inode.
    There(u64, u64),
    /// It would be made: its name in a folder that is there.
    Absent(PathBuf),
}

impl Identity {
    /// None for what is no regular file, such as a pipe or `/dev/null`: nothing in it can be lost.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        if let Ok(metadata) = path.metadata() {
            return Self::of_metadata(&metadata);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some(Self::Absent(folder.join(path.file_name()?)))
    }

    /// Of what is open already, as standard input and output are.
    pub(crate) fn of_open(descriptor: &impl AsFd) -> Option<Self> {
        let file = File::from(descriptor.as_fd().try_clone_to_owned().ok()?);
        Self::of_metadata(&file.metadata().ok()?)
    }

    fn of_metadata(metadata: &Metadata) -> Option<Self> {
        metadata.is_file().then(|| Self::There(metadata.dev(), metadata.ino()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_by_all_its_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir(path("d")).unwrap();
        std::fs::write(path("a"), "").unwrap();
        std::fs::hard_link(path("a"), path("hard")).unwrap();
        std::os::unix::fs::symlink(path("a"), path("soft")).unwrap();
        let of = |name: &str| Identity::of(&path(name));
        for same in ["./a", "d/../a", "hard", "soft"] {
            assert_eq!(of(same), of("a"), "{same}");
        }
        assert_eq!(of("d/../absent"), of("absent"));
        assert_ne!(of("absent"), of("d/absent"));
        assert_eq!(Identity::of_open(&File::open(path("soft")).unwrap()), of("a"));
        assert_eq!(Identity::of(Path::new("/dev/null")), None);
        assert_eq!(of("d"), None);
    }
}
