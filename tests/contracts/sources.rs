//! The files of the repository, as the tests read them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Every file under a folder with one of these extensions; none when there is no such folder.
pub fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut queue = vec![folder.to_owned()];
    while let Some(folder) = queue.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                queue.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The code under a folder, without its comments and without its unit tests (which stand last in a file).
pub fn code(folder: &Path) -> String {
    let read = |path: PathBuf| {
        let text = without_comments(&fs::read_to_string(path).unwrap());
        let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
        text[..end].to_owned()
    };
    let is_tests = |path: &PathBuf| path.file_name().is_some_and(|name| name == "tests.rs");
    files(folder, &["rs"])
        .into_iter()
        .filter(|path| !is_tests(path))
        .map(read)
        .collect()
}

/// The tests under a folder, without their comments, and what they compare with. These rules themselves do not count.
pub fn tests(folder: &Path) -> String {
    let own = root().join("tests/contracts");
    files(folder, &["rs", "snap", "json"])
        .into_iter()
        .filter(|path| !path.starts_with(&own))
        .map(|path| without_comments(&fs::read_to_string(path).unwrap()))
        .collect()
}

fn without_comments(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[test]
fn comments_are_no_code() {
    let text = "let a = 1;\n    // let b = 2;\n/// c\nlet d = \"http://e\";\n";
    assert_eq!(
        without_comments(text),
        "let a = 1;\nlet d = \"http://e\";\n"
    );
}
