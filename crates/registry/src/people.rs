//! People who are signed in at an OpenID Connect provider, and the accounts that are open to them.

use std::collections::BTreeMap;

use oidc::{Claims, Provider, TokenError};

use crate::config::SignIn;
use crate::error::{CallError, RegistryError};
use crate::name::is_account_id;
use crate::store::{AccountId, Scope};

/// Before an account's id, in the values of a claim that name accounts themselves.
const PREFIX: &str = "cortex:";
/// Behind it, where one may look only.
const READ_ONLY: &str = ":read-only";

/// Knows people by their tokens.
#[derive(Debug)]
pub(crate) struct People {
    provider: Provider,
    rules: Rules,
}

/// Someone, and what is open to them.
#[derive(Debug)]
pub(crate) struct Person {
    /// The provider's name for them, which is never another's.
    pub(crate) subject: String,
    /// None of them need exist.
    pub(crate) accounts: BTreeMap<AccountId, Scope>,
}

impl People {
    /// An error names the setting that cannot be used.
    pub(crate) fn new(settings: &SignIn) -> Result<Self, RegistryError> {
        Ok(Self { rules: Rules::new(settings)?, provider: Provider::new(settings.provider.clone())? })
    }

    /// Whose token it is.
    pub(crate) async fn person(&self, token: &str) -> Result<Person, CallError> {
        let claims = self.provider.verify(token).await.map_err(|error| match error {
            TokenError::Refused(why) => CallError::SignIn(why),
            TokenError::Unavailable(reason) => {
                tracing::warn!(reason, "the identity provider cannot be asked");
                CallError::Provider
            }
        })?;
        Ok(Person { subject: claims.subject().to_owned(), accounts: self.rules.accounts(&claims) })
    }
}

/// Which claim opens what.
#[derive(Debug)]
struct Rules {
    claim: String,
    /// Empty where the values themselves name accounts.
    mapped: BTreeMap<String, Vec<(AccountId, Scope)>>,
}

impl Rules {
    fn new(settings: &SignIn) -> Result<Self, RegistryError> {
        let wrong = |value: &str, one: &str| RegistryError::Setting {
            name: "oidc_accounts",
            reason: format!(
                "{one:?}, which {value:?} opens, is no account; give accounts' ids separated by spaces, each with \
                 {READ_ONLY:?} behind it where one may look only"
            ),
        };
        let mut mapped = BTreeMap::new();
        for (value, opens) in &settings.accounts {
            let parts = opens.split_whitespace().map(|one| opened(one).ok_or_else(|| wrong(value, one)));
            let parts = parts.collect::<Result<Vec<_>, _>>()?;
            if parts.is_empty() {
                return Err(wrong(value, opens));
            }
            mapped.insert(value.clone(), parts);
        }
        Ok(Self { claim: settings.claim.clone(), mapped })
    }

    /// What is open to whom these claims are of. Of two ways into one account the wider holds.
    fn accounts(&self, claims: &Claims) -> BTreeMap<AccountId, Scope> {
        self.of_values(claims.values(&self.claim))
    }

    fn of_values(&self, values: Vec<&str>) -> BTreeMap<AccountId, Scope> {
        let mut open: BTreeMap<AccountId, Scope> = BTreeMap::new();
        let mut add = |(account, scope): (AccountId, Scope)| {
            let held = open.entry(account).or_insert(scope);
            if scope == Scope::ReadWrite {
                *held = scope;
            }
        };
        for value in values {
            // A table of groups is the whole of it: names that people give to groups at the provider open nothing beside it.
            if self.mapped.is_empty() {
                value.strip_prefix(PREFIX).and_then(opened).into_iter().for_each(&mut add);
            } else {
                self.mapped.get(value).into_iter().flatten().cloned().for_each(&mut add);
            }
        }
        open
    }
}

/// `ACCOUNT` or `ACCOUNT:read-only`
fn opened(text: &str) -> Option<(AccountId, Scope)> {
    let (id, scope) = match text.strip_suffix(READ_ONLY) {
        Some(id) => (id, Scope::ReadOnly),
        None => (text, Scope::ReadWrite),
    };
    is_account_id(id).then(|| (AccountId::from(id), scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(accounts: &[(&str, &str)]) -> Result<Rules, RegistryError> {
        Rules::new(&SignIn {
            provider: oidc::Config { issuer: String::new(), client_id: String::new(), ca: None },
            claim: "groups".to_owned(),
            accounts: accounts
                .iter()
                .map(|(value, opens)| ((*value).to_owned(), (*opens).to_owned()))
                .collect(),
        })
    }

    fn open(rules: &Rules, values: &[&str]) -> Vec<(String, Scope)> {
        let open = rules.of_values(values.to_vec());
        open.into_iter().map(|(account, scope)| (account.to_string(), scope)).collect()
    }

    #[test]
    fn values_name_accounts_and_nothing_else_does() {
        let rules = rules(&[]).unwrap();
        let found = open(&rules, &["staff", "cortex:shop", "cortex:other:read-only"]);
        assert_eq!(found, [("other".to_owned(), Scope::ReadOnly), ("shop".to_owned(), Scope::ReadWrite)]);
        for nothing in
            ["shop", "cortex:", "cortex:*", "Cortex:shop", "cortex:shop/../other", "cortex:shop:read-write"]
        {
            assert_eq!(open(&rules, &[nothing]), [], "{nothing}");
        }
    }

    #[test]
    fn of_two_ways_into_an_account_the_wider_holds() {
        let rules = rules(&[]).unwrap();
        for both in [["cortex:shop", "cortex:shop:read-only"], ["cortex:shop:read-only", "cortex:shop"]] {
            assert_eq!(open(&rules, &both), [("shop".to_owned(), Scope::ReadWrite)]);
        }
    }

    #[test]
    fn a_table_is_the_whole_of_it() {
        let rules = rules(&[("Shop Team", "shop"), ("auditors", "shop:read-only other:read-only")]).unwrap();
        assert_eq!(open(&rules, &["Shop Team"]), [("shop".to_owned(), Scope::ReadWrite)]);
        let found = open(&rules, &["auditors"]);
        assert_eq!(found, [("other".to_owned(), Scope::ReadOnly), ("shop".to_owned(), Scope::ReadOnly)]);
        assert_eq!(open(&rules, &["cortex:shop", "shop", "shop team"]), []);
        for wrong in ["", " ", "Shop!", "shop,other"] {
            let error = self::rules(&[("team", wrong)]).unwrap_err().to_string();
            assert!(error.contains("oidc_accounts"), "{error}");
        }
    }
}
