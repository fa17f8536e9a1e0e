//! Profiles: registries that are known by name, in `~/.config/cortex/config.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::session::read_secret;
use super::table::{Column, Table, print_fields};
use crate::args::{ProfileCommand, ProfileSetArgs};
use crate::settings::Secret;
use crate::{UsageError, print};

/// The configuration file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profiles {
    /// The profile in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

/// A registry, and what opens it. Its Debug output does not hold the token.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// The registry's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) registry_url: Option<String>,
    /// File that holds the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_file: Option<PathBuf>,
    /// The token itself: plain text, since this is what is written to the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// The CA of the registry's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) registry_ca_file: Option<PathBuf>,
    /// The certificate that is shown to the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) registry_client_cert_file: Option<PathBuf>,
    /// Its private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) registry_client_key_file: Option<PathBuf>,
    /// The account of commands that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").field("registry_url", &self.registry_url).finish_non_exhaustive()
    }
}

impl Profile {
    /// The token, if the profile has one.
    pub(crate) fn token(&self) -> Result<Option<Secret>> {
        match (&self.token, &self.token_file) {
            (Some(token), _) => Ok(Some(Secret::new(token.trim()))),
            (None, Some(file)) => read_secret(file).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Each field by its name, the token masked.
    fn shown(&self) -> Vec<(&'static str, String)> {
        let path =
            |path: &Option<PathBuf>| path.as_ref().map_or(String::new(), |path| path.display().to_string());
        let token = self.token.as_ref().map_or("", |_| "(masked)").to_owned();
        vec![
            ("registry_url", self.registry_url.clone().unwrap_or_default()),
            ("account", self.account.clone().unwrap_or_default()),
            ("token_file", path(&self.token_file)),
            ("token", token),
            ("registry_ca_file", path(&self.registry_ca_file)),
            ("registry_client_cert_file", path(&self.registry_client_cert_file)),
            ("registry_client_key_file", path(&self.registry_client_key_file)),
        ]
    }

    fn json(&self, name: &str, is_current: bool) -> serde_json::Value {
        let mut json = json!({ "name": name, "current": is_current });
        for (field, value) in self.shown().into_iter().filter(|(_, value)| !value.is_empty()) {
            json[field] = value.into();
        }
        json
    }
}

impl Profiles {
    /// Those of the configuration file; none where there is none. A file that holds a token must be its owner's alone.
    pub(crate) fn read() -> Result<Self> {
        let Some(path) = path() else { return Ok(Self::default()) };
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            read => read.with_context(|| path.display().to_string())?,
        };
        // The parser's words quote the line that is wrong, which may be that of a token.
        let profiles: Self = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            UsageError(format!("{}: line {line}: {}", path.display(), error.message()))
        })?;
        let mode = std::fs::metadata(&path)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 && profiles.profiles.values().any(|profile| profile.token.is_some()) {
            return Err(UsageError(format!(
                "{} holds a token and others may read it (mode {mode:o}); chmod 600 it, or keep the token in a file \
                 of its own (token_file)",
                path.display()
            ))
            .into());
        }
        Ok(profiles)
    }

    /// The profile of that name, or else the one in use.
    pub(crate) fn chosen(mut self, name: Option<&str>) -> Result<Option<Profile>> {
        let Some(name) = name.map(str::to_owned).or(self.current.take()) else { return Ok(None) };
        match self.profiles.remove(&name) {
            Some(profile) => Ok(Some(profile)),
            None => Err(unknown(&name).into()),
        }
    }

    fn write(&self) -> Result<PathBuf> {
        let path = path().ok_or_else(|| UsageError("neither XDG_CONFIG_HOME nor HOME is set".into()))?;
        let partial = path.with_extension("toml.partial");
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        // One left by a run that was cut off may have another mode.
        let _ = std::fs::remove_file(&partial);
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .and_then(|mut file| {
                file.write_all(toml::to_string(self).map_err(std::io::Error::other)?.as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&partial, &path))
            .with_context(|| path.display().to_string())?;
        Ok(path)
    }
}

/// `cortex profile …`
pub(crate) fn run(command: ProfileCommand) -> Result<()> {
    match command {
        ProfileCommand::List { json } => list(json),
        ProfileCommand::Set(args) => set(args),
        ProfileCommand::Use { name } => {
            let mut profiles = Profiles::read()?;
            if !profiles.profiles.contains_key(&name) {
                return Err(unknown(&name).into());
            }
            profiles.current = Some(name);
            profiles.write().map(|_| ())
        }
        ProfileCommand::Show { name, json } => {
            let profiles = Profiles::read()?;
            let current = profiles.current.clone();
            let Some(name) = name.or_else(|| current.clone()) else {
                return Err(
                    UsageError("no profile is in use; `cortex profile use NAME` chooses one".into()).into()
                );
            };
            let profile = profiles.profiles.get(&name).ok_or_else(|| unknown(&name))?;
            if json {
                print(&profile.json(&name, current.as_ref() == Some(&name)).to_string());
            } else {
                print_fields(std::iter::once(("name", name.clone())).chain(profile.shown()));
            }
            Ok(())
        }
    }
}

fn list(json: bool) -> Result<()> {
    let profiles = Profiles::read()?;
    let is_current = |name: &str| profiles.current.as_deref() == Some(name);
    if json {
        for (name, profile) in &profiles.profiles {
            print(&profile.json(name, is_current(name)).to_string());
        }
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::Text(""),
        Column::Text("NAME"),
        Column::Text("ACCOUNT"),
        Column::Text("REGISTRY"),
    ]);
    for (name, profile) in &profiles.profiles {
        let mark = if is_current(name) { "*" } else { "" };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        table.row([mark.to_owned(), name.clone(), text(&profile.account), text(&profile.registry_url)]);
    }
    table.print("no profiles yet; `cortex profile set NAME --registry-url URL --token-file FILE` makes one");
    Ok(())
}

/// What is given is changed, and the rest stays. The first profile is in use at once.
fn set(args: ProfileSetArgs) -> Result<()> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if args.name.is_empty() || !args.name.chars().all(is_name) {
        return Err(UsageError(format!("profile {:?}: a name is of a-z, 0-9, '-' and '_'", args.name)).into());
    }
    let mut profiles = Profiles::read()?;
    let profile = profiles.profiles.entry(args.name.clone()).or_default();
    // Given from anywhere, read from anywhere else.
    let file = |given: Option<PathBuf>| given.map(std::path::absolute).transpose();
    profile.registry_url = args.registry_url.or(profile.registry_url.take());
    profile.account = args.account.or(profile.account.take());
    profile.registry_ca_file = file(args.registry_ca_file)?.or(profile.registry_ca_file.take());
    profile.registry_client_cert_file =
        file(args.registry_client_cert_file)?.or(profile.registry_client_cert_file.take());
    profile.registry_client_key_file =
        file(args.registry_client_key_file)?.or(profile.registry_client_key_file.take());
    if let Some(token_file) = file(args.token_file)? {
        profile.token_file = Some(token_file);
        profile.token = None;
    }
    if args.token_stdin {
        let token = std::io::read_to_string(std::io::stdin()).context("standard input")?;
        if token.trim().is_empty() {
            return Err(UsageError("--token-stdin: standard input is empty".into()).into());
        }
        profile.token = Some(token.trim().to_owned());
        profile.token_file = None;
    }
    if profiles.current.is_none() {
        profiles.current = Some(args.name);
    }
    profiles.write().map(|_| ())
}

fn unknown(name: &str) -> UsageError {
    UsageError(format!("there is no profile {name:?}; `cortex profile list` shows those that there are"))
}

fn path() -> Option<PathBuf> {
    let folder = |variable| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(config.join("cortex").join("config.toml"))
}
