//! What the arguments name: files, folders, objects, standard input.

use std::io;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::UsageError;

/// A file to be checked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Stdin,
    Path(PathBuf),
    Object {
        bucket: String,
        key: String,
    },
    /// It cannot be one; why not.
    Unusable {
        name: String,
        /// `not_found` or `access_denied`
        code: &'static str,
        reason: String,
    },
}

impl Input {
    /// For people, and for telling formats by.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::Path(path) => path.to_string_lossy().into_owned(),
            Self::Object { bucket, key } => format!("s3://{bucket}/{key}"),
            Self::Unusable { name, .. } => name.clone(),
        }
    }

    /// The innermost part of its path that is a date, or nothing.
    pub(crate) fn folder_date(&self) -> String {
        let name = self.name();
        let mut folders = name.rsplit('/').skip(1);
        let date = |part: &&str| part.len() == 10 && part.parse::<jiff::civil::Date>().is_ok();
        folders.find(date).unwrap_or_default().to_owned()
    }
}

/// Every file that the arguments name, in their order; a folder stands for all files below it, by name, but for those
/// that a source leaves alone, too: names that begin with a dot, `_SUCCESS` and `_temporary`.
pub(crate) fn all(arguments: &[PathBuf]) -> Vec<Input> {
    arguments.iter().flat_map(|argument| of(argument)).collect()
}

/// Refuses what cannot be read as often as it is named.
pub(crate) fn check(inputs: &[Input]) -> Result<(), UsageError> {
    if inputs.iter().filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(UsageError("- stands twice; standard input can be read once".to_owned()));
    }
    Ok(())
}

fn of(argument: &Path) -> Vec<Input> {
    if argument == Path::new("-") {
        return vec![Input::Stdin];
    }
    if let Some(address) = argument.to_str().and_then(|text| text.strip_prefix("s3://")) {
        return vec![object(address)];
    }
    if !argument.is_dir() {
        return vec![Input::Path(argument.to_owned())];
    }
    let walk = WalkDir::new(argument).follow_links(true).sort_by_file_name().into_iter();
    let found: Vec<Input> = walk
        .filter_entry(|entry| entry.depth() == 0 || !is_left_alone(entry))
        .filter_map(|entry| match entry {
            Ok(entry) if entry.file_type().is_dir() => None,
            Ok(entry) if entry.file_type().is_file() => Some(Input::Path(entry.into_path())),
            // To open a pipe is to wait for its writer.
            Ok(entry) => Some(unusable(entry.path(), "not_found", "it is neither a file nor a folder")),
            Err(error) => Some(unreadable(argument, &error)),
        })
        .collect();
    if found.is_empty() {
        return vec![unusable(argument, "not_found", "the folder holds no file")];
    }
    found
}

fn unreadable(folder: &Path, error: &walkdir::Error) -> Input {
    let denied = error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    let code = if denied { "access_denied" } else { "not_found" };
    unusable(error.path().unwrap_or(folder), code, &error.to_string())
}

fn unusable(path: &Path, code: &'static str, reason: &str) -> Input {
    Input::Unusable { name: path.to_string_lossy().into_owned(), code, reason: reason.to_owned() }
}

fn object(address: &str) -> Input {
    match address.split_once('/') {
        Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() && !key.ends_with('/') => {
            Input::Object { bucket: bucket.to_owned(), key: key.to_owned() }
        }
        _ => Input::Unusable {
            name: format!("s3://{address}"),
            code: "not_found",
            reason: "it names no object: the form is s3://BUCKET/KEY".to_owned(),
        },
    }
}

fn is_left_alone(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    name.starts_with('.') || matches!(name.as_ref(), "_SUCCESS" | "_temporary")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_in_the_path_is_the_folders() {
        let date = |path: &str| Input::Path(path.into()).folder_date();
        assert_eq!(date("events/2026-11-23/a.csv"), "2026-11-23");
        assert_eq!(date("2020-01-01/2026-11-23/part/a.csv"), "2026-11-23");
        assert_eq!(date("events/2026-13-23/a.csv"), "");
        assert_eq!(date("events/2026-11-23"), "", "a file's own name is no folder");
        let object = Input::Object { bucket: "b".into(), key: "e/2026-11-23/a.csv".into() };
        assert_eq!(object.folder_date(), "2026-11-23");
    }

    #[test]
    fn folders_stand_for_the_files_below_them() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b/2.csv", "a.csv", "b/1.csv", ".hidden/x.csv", "_SUCCESS", "_temporary/0.csv", "b/.x"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found: Vec<String> = of(dir.path()).iter().map(Input::name).collect();
        let expected =
            ["a.csv", "b/1.csv", "b/2.csv"].map(|name| dir.path().join(name).display().to_string());
        assert_eq!(found, expected);
        assert!(
            matches!(of(&dir.path().join(".hidden"))[0], Input::Path(_)),
            "what is named itself is meant"
        );
    }

    #[test]
    fn an_address_needs_a_key() {
        assert_eq!(object("b/k/x"), Input::Object { bucket: "b".into(), key: "k/x".into() });
        for wrong in ["b", "b/", "/k", "b/folder/"] {
            assert!(matches!(object(wrong), Input::Unusable { .. }), "{wrong}");
        }
    }
}
