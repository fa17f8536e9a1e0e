//! Sign-in at an OpenID Connect provider: the same settings for the registry, which says what is open to whom, and for the
//! console, where people sign in.

use crate::settings::{Settings, SettingsError};
use crate::tls;

/// Which provider, and as which client; none where no issuer is set.
fn provider(settings: &Settings) -> Result<Option<oidc::Config>, SettingsError> {
    let Some(issuer) = &settings.oidc_issuer else { return Ok(None) };
    let ca = settings.oidc_ca_file.as_deref().map(|path| tls::certificates("oidc_ca_file", path));
    Ok(Some(oidc::Config {
        issuer: issuer.clone(),
        client_id: settings.oidc_client_id()?.to_owned(),
        ca: ca.transpose()?,
    }))
}

/// The registry's side.
pub(crate) fn registry(settings: &Settings) -> Result<Option<registry::SignIn>, SettingsError> {
    Ok(provider(settings)?.map(|provider| registry::SignIn {
        provider,
        claim: settings.oidc_claim.clone(),
        accounts: settings.oidc_accounts.clone(),
    }))
}

/// The console's side.
pub(crate) fn console(settings: &Settings) -> Result<Option<console::ProviderSignIn>, SettingsError> {
    let Some(provider) = provider(settings)? else { return Ok(None) };
    if !settings.oidc_scopes.iter().any(|scope| scope == "openid") {
        let reason = "`openid` must be among them: without it the provider gives no ID token".to_owned();
        return Err(SettingsError::Value { name: "oidc_scopes".to_owned(), reason });
    }
    let secret = settings.oidc_client_secret()?;
    Ok(Some(console::ProviderSignIn {
        provider,
        secret: secret.map(|secret| oidc::ClientSecret::new(secret.reveal())),
        name: settings.oidc_name.clone(),
        scopes: settings.oidc_scopes.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let flags = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Settings::load(None, std::iter::empty(), &flags.collect::<BTreeMap<_, _>>()).unwrap()
    }

    #[test]
    fn both_sides_have_the_same_provider_and_the_secret_is_shown_nowhere() {
        assert!(registry(&settings(&[])).unwrap().is_none() && console(&settings(&[])).unwrap().is_none());
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, "hush\n").unwrap();
        let set = settings(&[
            ("oidc_issuer", "https://id.example"),
            ("oidc_client_id", "cortex"),
            ("oidc_client_secret_file", file.to_str().unwrap()),
            ("oidc_accounts", "Shop Team=shop other:read-only, auditors=shop:read-only"),
        ]);
        let (registry, console) = (registry(&set).unwrap().unwrap(), console(&set).unwrap().unwrap());
        assert_eq!(registry.accounts["Shop Team"], "shop other:read-only");
        assert_eq!(
            (registry.claim.as_str(), registry.provider.issuer.as_str()),
            ("groups", "https://id.example")
        );
        assert_eq!((console.provider.client_id.as_str(), console.scopes.len()), ("cortex", 3));
        assert!(console.secret.is_some() && !format!("{console:?}{set:?}").contains("hush"));
    }

    #[test]
    fn what_is_lacking_is_named() {
        let issuer = ("oidc_issuer", "https://id.example");
        let error = registry(&settings(&[issuer])).unwrap_err().to_string();
        assert!(error.contains("oidc_client_id"), "{error}");
        let set = settings(&[issuer, ("oidc_client_id", "cortex"), ("oidc_scopes", "profile")]);
        assert!(console(&set).unwrap_err().to_string().contains("oidc_scopes"));
    }
}
