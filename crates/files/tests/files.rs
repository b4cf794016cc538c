//! Files in a folder, as services use them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::Path, path::PathBuf};

use bytes::Bytes;
use nonrecours_files::{CHUNK, Error, Files, FilesConfig, MAX_FILE, OpenError};
use nonrecours_kernel::Digest;
use tempfile::TempDir;

async fn opened() -> (TempDir, Files) {
    let folder = tempfile::tempdir().unwrap();
    // A folder that is not there yet, inside one that is not there either.
    let files = open(&folder.path().join("data/files")).await;
    (folder, files)
}

async fn open(folder: &Path) -> Files {
    Files::open(&FilesConfig::folder(folder)).await.unwrap()
}

/// Where the file of a digest is: the layout is a promise, for backups and moves.
fn on_disk(folder: &TempDir, digest: &Digest) -> PathBuf {
    let name = digest.to_string();
    let under = name.get(..2).unwrap().to_owned();
    folder.path().join("data/files").join(under).join(name)
}

/// Every file under a folder, whatever its name.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut all_files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn content(length: usize) -> Bytes {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn what_is_put_is_read_back_by_its_digest() {
    let (folder, files) = opened().await;
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 1_000_003] {
        let bytes = content(length);
        let digest = files.put(bytes.clone()).await.unwrap();
        assert_eq!(digest, Digest::of(&bytes));
        assert_eq!(files.get(&digest).await.unwrap(), bytes);
        assert!(files.exists(&digest).await.unwrap());
        assert_eq!(fs::read(on_disk(&folder, &digest)).unwrap(), bytes);
        let mut reader = files.read(&digest).await.unwrap();
        let mut read = Vec::new();
        while let Some(chunk) = reader.next().await.unwrap() {
            assert!((1..=CHUNK).contains(&chunk.len()));
            read.extend_from_slice(&chunk);
        }
        assert_eq!(read, bytes);
    }
}

#[tokio::test]
async fn the_same_bytes_are_one_file_also_when_put_at_once() {
    let (folder, files) = opened().await;
    let before = all_files(folder.path()).len();
    let bytes = content(300_000);
    let put = || {
        tokio::spawn({
            let (files, bytes) = (files.clone(), bytes.clone());
            async move { files.put(bytes).await.unwrap() }
        })
    };
    let tasks = [put(), put(), put(), put()];
    for task in tasks {
        assert_eq!(task.await.unwrap(), Digest::of(&bytes));
    }
    assert_eq!(all_files(folder.path()).len(), before + 1);
    // And by another program on the same folder.
    let other = open(&folder.path().join("data/files")).await;
    assert_eq!(other.get(&Digest::of(&bytes)).await.unwrap(), bytes);
}

#[tokio::test]
async fn what_was_never_put_is_absent() {
    let (_folder, files) = opened().await;
    let digest = Digest::of(b"never");
    assert!(!files.exists(&digest).await.unwrap());
    assert!(matches!(files.get(&digest).await, Err(Error::Absent(it)) if it == digest));
}

#[tokio::test]
async fn an_altered_file_is_damaged_until_it_is_put_again() {
    let (folder, files) = opened().await;
    let bytes = content(200_000);
    let digest = files.put(bytes.clone()).await.unwrap();
    let path = on_disk(&folder, &digest);
    let mut altered = bytes.to_vec();
    altered[150_000] ^= 1;
    let mut longer = bytes.to_vec();
    longer.push(0);
    for damaged in [altered, longer, bytes[..100].to_vec(), Vec::new()] {
        fs::write(&path, damaged).unwrap();
        assert!(matches!(files.get(&digest).await, Err(Error::Damaged(it)) if it == digest));
    }
    files.put(bytes.clone()).await.unwrap();
    assert_eq!(files.get(&digest).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_file_too_large_is_neither_kept_nor_read() {
    let (folder, files) = opened().await;
    let before = all_files(folder.path()).len();
    let bytes = Bytes::from(vec![0; MAX_FILE + 1]);
    assert!(matches!(files.put(bytes).await, Err(Error::TooLarge)));
    assert_eq!(all_files(folder.path()).len(), before);
    let digest = files.put(content(10)).await.unwrap();
    let file = fs::File::create(on_disk(&folder, &digest)).unwrap();
    file.set_len(MAX_FILE as u64 + 1).unwrap();
    assert!(matches!(files.read(&digest).await, Err(Error::Damaged(_))));
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    let refused = Files::open(&FilesConfig::folder(file.join("files"))).await;
    assert!(matches!(refused, Err(OpenError::Folder(..))));
}
