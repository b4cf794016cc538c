//! Where PostgreSQL's programs are on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;

/// The oldest major version the suite supports.
pub const MIN_MAJOR_VERSION: u32 = 15;

/// Where Debian and its derivatives put one folder per major version.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";

/// Finds the folder that holds `initdb` and `postgres`.
///
/// A configured folder is used or refused, never silently replaced. Without one: the highest version
/// of Debian's folder, then the first folder of the `PATH` that holds them.
///
/// # Errors
/// [`Error::BinariesUnusable`] for a configured folder that will not do, [`Error::BinariesNotFound`]
/// when nothing is configured and nothing is found.
pub fn find_binaries(configured: Option<&Path>) -> Result<PathBuf, Error> {
    if let Some(path) = configured {
        return match usable(path) {
            Ok(_) => Ok(path.to_owned()),
            Err(problem) => Err(Error::BinariesUnusable {
                path: path.to_owned(),
                problem,
            }),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    find_in(Path::new(DEBIAN_FOLDER), std::env::split_paths(&path)).ok_or(Error::BinariesNotFound)
}

fn find_in(debian: &Path, path: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let versions = std::fs::read_dir(debian)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    versions
        .filter_map(|bin| Some((usable(&bin).ok()?, bin)))
        .max_by_key(|(version, _)| *version)
        .map(|(_, bin)| bin)
        .or_else(|| path.into_iter().find(|bin| usable(bin).is_ok()))
}

/// The major version in `bin`, or what is wrong with it.
fn usable(bin: &Path) -> Result<u32, String> {
    for program in ["initdb", "postgres"] {
        if !bin.join(program).is_file() {
            return Err(format!("no program '{program}' in it"));
        }
    }
    let output = Command::new(bin.join("postgres"))
        .arg("--version")
        .output()
        .map_err(|error| format!("'postgres --version' does not run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = major_version(&text)
        .ok_or_else(|| format!("'postgres --version' says '{}'", text.trim()))?;
    if version < MIN_MAJOR_VERSION {
        return Err(format!("it is version {version}"));
    }
    Ok(version)
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian …)`, `17devel` and `18beta1` alike.
fn major_version(text: &str) -> Option<u32> {
    let version = text.split_whitespace().nth(2)?;
    let digits = version.find(|c: char| !c.is_ascii_digit());
    version.get(..digits.unwrap_or(version.len()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder with two programs that answer `--version` as the given version would.
    fn installation(at: &Path, version: &str) {
        std::fs::create_dir_all(at).unwrap();
        for program in ["initdb", "postgres"] {
            let file = at.join(program);
            let script = format!("#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n");
            std::fs::write(&file, script).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn the_highest_supported_version_of_debian_comes_before_the_path() {
        let root = tempfile::tempdir().unwrap();
        let debian = root.path().join("debian");
        let on_path = root.path().join("usr/bin");
        installation(&debian.join("9.6/bin"), "9.6.24");
        installation(&debian.join("15/bin"), "15.18 (Debian 15.18-0+deb12u1)");
        installation(&debian.join("16/bin"), "16.2");
        installation(&on_path, "18beta1");

        let path = || [root.path().join("absent"), on_path.clone()].into_iter();
        assert_eq!(find_in(&debian, path()), Some(debian.join("16/bin")));
        assert_eq!(
            find_in(&root.path().join("none"), path()),
            Some(on_path.clone())
        );
        assert_eq!(find_in(&root.path().join("none"), std::iter::empty()), None);
    }

    #[test]
    fn a_configured_folder_is_never_silently_replaced() {
        let root = tempfile::tempdir().unwrap();
        let missing = find_binaries(Some(&root.path().join("absent"))).unwrap_err();
        assert!(
            missing.to_string().contains("no program 'initdb'"),
            "{missing}"
        );

        installation(root.path(), "14.9");
        let old = find_binaries(Some(root.path())).unwrap_err();
        assert!(old.to_string().contains("it is version 14"), "{old}");

        installation(root.path(), "17devel");
        assert_eq!(find_binaries(Some(root.path())).unwrap(), root.path());
    }

    #[test]
    fn nothing_found_names_the_remedy_in_both_languages() {
        let message = Error::BinariesNotFound.to_string();
        assert!(message.contains("run script/bootstrap"), "{message}");
        assert!(message.contains("lancez script/bootstrap"), "{message}");
    }
}
