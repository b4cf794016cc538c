//! Where files are kept, from the command line or the environment.

use std::{fs, io, path::PathBuf};

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use crate::OpenError;

/// Where files are kept unless told otherwise.
pub const DEFAULT_LOCATION: &str = "/var/lib/nonrecours/files";
/// Region that requests to an S3 store are signed for unless told otherwise; most stores but Amazon's own ignore it.
pub const DEFAULT_S3_REGION: &str = "us-east-1";

/// Settings of the store of files.
#[derive(Args, Clone, Debug)]
pub struct FilesConfig {
    /// Where files are kept: a folder, or s3://bucket/prefix.
    #[arg(long, env = "FILES_LOCATION", default_value = DEFAULT_LOCATION)]
    pub files_location: String,
    /// Address of the S3 store; none: Amazon's, of the region.
    #[arg(long, env = "FILES_S3_ENDPOINT")]
    pub files_s3_endpoint: Option<String>,
    /// Region of the S3 store.
    #[arg(long, env = "FILES_S3_REGION", default_value = DEFAULT_S3_REGION)]
    pub files_s3_region: String,
    /// Access key of the S3 store, or @/path of a file that holds it.
    #[arg(long, env = "FILES_S3_ACCESS_KEY_ID", hide_env_values = true)]
    pub files_s3_access_key_id: Option<SecretString>,
    /// Its secret, or @/path of a file that holds it.
    #[arg(long, env = "FILES_S3_SECRET_ACCESS_KEY", hide_env_values = true)]
    pub files_s3_secret_access_key: Option<SecretString>,
}

/// A location as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Folder(PathBuf),
    S3 { bucket: String, prefix: String },
}

impl FilesConfig {
    /// In a folder.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            files_location: folder.into().to_string_lossy().into_owned(),
            files_s3_endpoint: None,
            files_s3_region: DEFAULT_S3_REGION.to_owned(),
            files_s3_access_key_id: None,
            files_s3_secret_access_key: None,
        }
    }

    pub(crate) fn location(&self) -> Result<Location, OpenError> {
        let location = self.files_location.as_str();
        let refused = || OpenError::Location(location.to_owned());
        match location.split_once("://") {
            Some(("s3", place)) => {
                let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
                if bucket.is_empty() {
                    return Err(refused());
                }
                Ok(Location::S3 {
                    bucket: bucket.to_owned(),
                    prefix: prefix.trim_matches('/').to_owned(),
                })
            }
            Some(_) => Err(refused()),
            None if location.is_empty() => Err(refused()),
            None => Ok(Location::Folder(PathBuf::from(location))),
        }
    }
}

/// The value of a secret that must be set; one that begins with `@` names the file that holds it, as secrets are mounted.
pub(crate) fn secret(
    setting: &'static str,
    value: Option<&SecretString>,
) -> Result<String, OpenError> {
    let value = value.ok_or(OpenError::Missing(setting))?.expose_secret();
    let value = match value.strip_prefix('@') {
        Some(path) => read(path).map_err(|cause| OpenError::Secret(setting, cause))?,
        None => value.to_owned(),
    };
    if value.is_empty() {
        return Err(OpenError::Missing(setting));
    }
    Ok(value)
}

fn read(path: &str) -> io::Result<String> {
    Ok(fs::read_to_string(path)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        files: FilesConfig,
    }

    fn location(text: &str) -> Result<Location, OpenError> {
        Command::parse_from(["test", "--files-location", text])
            .files
            .location()
    }

    #[test]
    fn a_folder_or_a_bucket_with_its_prefix() {
        let folder = |path: &str| Location::Folder(PathBuf::from(path));
        let s3 = |bucket: &str, prefix: &str| Location::S3 {
            bucket: bucket.into(),
            prefix: prefix.into(),
        };
        for (text, expected) in [
            ("/srv/files", folder("/srv/files")),
            ("files", folder("files")),
            ("s3://pieces", s3("pieces", "")),
            ("s3://pieces/", s3("pieces", "")),
            ("s3://pieces/arras/2025/", s3("pieces", "arras/2025")),
        ] {
            assert_eq!(location(text).unwrap(), expected);
        }
        for wrong in [
            "",
            "s3://",
            "s3:///prefix",
            "https://store/bucket",
            "gs://bucket",
        ] {
            assert!(
                matches!(location(wrong), Err(OpenError::Location(_))),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_secret_is_given_or_in_a_file_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "hushed\n").unwrap();
        let given = |value: String| secret("SETTING", Some(&SecretString::from(value)));
        assert_eq!(given("hushed".into()).unwrap(), "hushed");
        assert_eq!(given(format!("@{}", path.display())).unwrap(), "hushed");
        let absent = given("@/nowhere/at/all".into());
        assert!(matches!(absent, Err(OpenError::Secret("SETTING", _))));
        for none in [secret("SETTING", None), given(String::new())] {
            assert!(matches!(none, Err(OpenError::Missing("SETTING"))));
        }
        let config = Command::parse_from(["test", "--files-s3-secret-access-key", "hushed"]).files;
        assert!(!format!("{config:?}").contains("hushed"));
    }
}
