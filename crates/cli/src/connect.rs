//! Which server a command talks to. Nearest first: an argument, a profile that was named, the
//! environment, the default profile, the server on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use evoke_client::Client;
use evoke_model::suggest;
use serde::Deserialize;

use crate::args::ServerArgs;
use crate::failure::{Failure, Outcome};

const URL_DEFAULT: &str = "http://127.0.0.1:8090";

/// The user's config file: `evoke/config.toml` in the user's folder for settings.
#[derive(Deserialize, Debug, Default, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// The profile that is used when none is named.
    default: Option<String>,
    profiles: BTreeMap<String, Profile>,
}

/// A server and the key for it.
#[derive(Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct Profile {
    url: String,
    api_key: Option<String>,
}

/// What the environment says.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    url: Option<String>,
    api_key: Option<String>,
    profile: Option<String>,
    config: Option<PathBuf>,
}

impl Environment {
    /// Reads it.
    pub(crate) fn read() -> Self {
        let var = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let folder = var("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| var("HOME").map(|home| Path::new(&home).join(".config")));
        Self {
            url: var("EVOKE_URL"),
            api_key: var("EVOKE_API_KEY"),
            profile: var("EVOKE_PROFILE"),
            config: folder.map(|folder| folder.join("evoke").join("config.toml")),
        }
    }
}

/// The client for the server that is meant.
pub(crate) fn client(args: &ServerArgs, environment: &Environment) -> Outcome<Client> {
    let (url, key) = resolve(args, environment)?;
    Ok(Client::new(&url, key.as_deref())?)
}

fn resolve(args: &ServerArgs, environment: &Environment) -> Outcome<(String, Option<String>)> {
    let own_key = args.api_key.clone().or_else(|| environment.api_key.clone());
    let named = args.profile.as_ref().or(match (&args.url, &environment.url) {
        (None, None) => environment.profile.as_ref(),
        _ => None,
    });
    // A profile's key goes to the profile's server and to no other.
    if let Some(url) = &args.url {
        return Ok((url.clone(), own_key));
    }
    if let Some(name) = named {
        let config = load(environment.config.as_deref())?;
        let profile = find(&config, name, environment.config.as_deref())?;
        return Ok((profile.url, args.api_key.clone().or(profile.api_key).or(own_key)));
    }
    if let Some(url) = &environment.url {
        return Ok((url.clone(), own_key));
    }
    let config = load(environment.config.as_deref())?;
    match &config.default {
        Some(name) => {
            let profile = find(&config, name, environment.config.as_deref())?;
            Ok((profile.url, own_key.or(profile.api_key)))
        }
        None => Ok((URL_DEFAULT.to_owned(), own_key)),
    }
}

fn load(file: Option<&Path>) -> Outcome<Config> {
    let Some(file) = file else { return Ok(Config::default()) };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => return Err(Failure::mistake(format!("read {}: {error}", file.display()))),
    };
    let wrong = |error: toml::de::Error| {
        Failure::mistake(format!("{}: {}", file.display(), error.message()))
    };
    toml::from_str(&text).map_err(wrong)
}

fn find(config: &Config, name: &str, file: Option<&Path>) -> Outcome<Profile> {
    config.profiles.get(name).cloned().ok_or_else(|| {
        let place = file.map_or_else(String::new, |file| format!(" in {}", file.display()));
        let failure = Failure::mistake(format!("there is no profile {name:?}{place}"));
        if config.profiles.is_empty() {
            return failure.hint("make one: [profiles.NAME] with url and api_key");
        }
        let known = config.profiles.keys().map(String::as_str);
        failure.hint(suggest::did_you_mean(name, known))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "default = 'local'\n[profiles.local]\nurl = 'http://local'\n\
        [profiles.prod]\nurl = 'https://prod'\napi_key = 'evk_prod'\n";

    fn environment(folder: &Path, text: &str) -> Environment {
        let config = folder.join("config.toml");
        std::fs::write(&config, text).unwrap();
        Environment { config: Some(config), ..Environment::default() }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_nearest_wins_and_a_key_goes_only_to_its_server() {
        let folder = tempfile::tempdir().unwrap();
        let plain = environment(folder.path(), CONFIG);
        let set = Environment {
            url: some("http://env"),
            api_key: some("evk_env"),
            ..environment(folder.path(), CONFIG)
        };
        let args = |url: Option<&str>, key: Option<&str>, profile: Option<&str>| ServerArgs {
            url: url.map(str::to_owned),
            api_key: key.map(str::to_owned),
            profile: profile.map(str::to_owned),
        };
        for (args, environment, url, key) in [
            (args(None, None, None), &plain, "http://local", None),
            (args(None, None, Some("prod")), &plain, "https://prod", some("evk_prod")),
            (args(None, None, Some("prod")), &set, "https://prod", some("evk_prod")),
            (args(None, Some("k"), Some("prod")), &set, "https://prod", some("k")),
            (args(Some("http://x"), None, Some("prod")), &plain, "http://x", None),
            (args(Some("http://x"), None, None), &set, "http://x", some("evk_env")),
            (args(None, None, None), &set, "http://env", some("evk_env")),
        ] {
            let found = resolve(&args, environment).unwrap();
            assert_eq!(found, (url.to_owned(), key), "{args:?}");
        }
        let nothing = Environment::default();
        let found = resolve(&args(None, None, None), &nothing).unwrap();
        assert_eq!(found, (URL_DEFAULT.to_owned(), None));
    }

    #[test]
    fn a_slip_is_told_with_the_right_name() {
        let folder = tempfile::tempdir().unwrap();
        let args = ServerArgs { profile: some("prdo"), ..ServerArgs::default() };
        let failure = resolve(&args, &environment(folder.path(), CONFIG)).unwrap_err();
        assert_eq!(failure.hint.as_deref(), Some("did you mean \"prod\"?"));
        let wrong = environment(folder.path(), "defualt = 'x'");
        assert!(resolve(&args, &wrong).unwrap_err().message.contains("defualt"));
    }
}
