//! The fuzz targets for a moment: each on its corpus, and on what becomes of it when it is changed at random, the same in
//! every run. `fuzz/README.md` says how they run for hours.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail"
)]

#[path = "../../fuzz/src/lib.rs"]
mod entries;

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use nonrecours_cli::import::template;

/// How often each target is called with something that was changed at random.
const ROUNDS: usize = 300;
/// Changes made at once, at most.
const MAX_CHANGES: u64 = 6;
/// Longest piece that is cut, doubled or taken from another seed.
const MAX_PIECE: u64 = 64;
/// What parsers stumble over.
const PIECES: [&[u8]; 20] = [
    b"<",
    b">",
    b"/>",
    b"&",
    b"\"",
    b"&#x0;",
    b"<![CDATA[",
    b"<!--",
    b"<!DOCTYPE",
    b"]]>",
    b"\0",
    b"\xff",
    b"\xc3",
    b";",
    b"\r\n",
    b"-",
    b".",
    b"/",
    b"9999999999999999999",
    "é\u{a0}".as_bytes(),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Files to begin with: those of the corpus, and good ones that are somewhere else.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut folders = vec![root().join("fuzz/corpus").join(target)];
    if target == "bank_files" {
        folders.push(root().join("crates/sepa/tests/it/samples"));
    }
    let mut files: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .map(|file| file.unwrap().path())
        .collect();
    // The order of a folder is nobody's promise.
    files.sort();
    let mut seeds: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    if target == "import_xlsx" {
        let folder = tempfile::tempdir().unwrap();
        let workbook = folder.path().join("template.xlsx");
        template::write(None, &workbook).unwrap();
        seeds.push(fs::read(workbook).unwrap());
    }
    assert!(!seeds.is_empty(), "{target} has no corpus");
    seeds
}

/// Numbers that are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        usize::try_from(drawn % bound.max(1)).unwrap()
    }

    fn place(&mut self, bytes: &[u8]) -> usize {
        self.below(bytes.len() as u64 + 1)
    }
}

/// A seed changed in a few places.
fn changed(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let pick = |random: &mut Random| &seeds[random.below(seeds.len() as u64)];
    let mut bytes = pick(random).clone();
    for _ in 0..=random.below(MAX_CHANGES) {
        let at = random.place(&bytes);
        let end = (at + 1 + random.below(MAX_PIECE)).min(bytes.len());
        match random.below(6) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.below(256) as u8;
                }
            }
            1 => {
                bytes.drain(at..end);
            }
            2 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(end..end, again);
            }
            3 => {
                let piece = PIECES[random.below(PIECES.len() as u64)];
                bytes.splice(at..at, piece.iter().copied());
            }
            4 => bytes.truncate(at),
            _ => {
                let other = pick(random);
                let from = random.place(other);
                let to = (from + random.below(MAX_PIECE)).min(other.len());
                let piece = other[from..to].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

#[test]
fn every_target_holds_on_its_corpus_and_on_what_becomes_of_it() {
    for (name, target) in entries::TARGETS {
        let seeds = seeds(name);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let made = (0..ROUNDS).map(|_| changed(&seeds, &mut random));
        for bytes in seeds.iter().cloned().chain(made) {
            let held = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
            assert!(
                held.is_ok(),
                "{name} does not hold on {:?}",
                bytes.escape_ascii().to_string()
            );
        }
    }
}

#[test]
fn every_entry_is_a_program_of_its_own() {
    let programs: BTreeSet<String> = fs::read_dir(root().join("fuzz/fuzz_targets"))
        .unwrap()
        .map(|file| {
            file.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let entries: BTreeSet<String> = entries::TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(programs, entries);
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for name in entries {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is in no manifest"
        );
    }
}
