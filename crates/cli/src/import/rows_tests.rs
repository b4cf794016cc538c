use std::io::Write as _;

use super::*;

fn csv(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn cells(bytes: &[u8]) -> Vec<Vec<String>> {
    let layout = Layout::standard().unwrap();
    let file = csv(bytes);
    let input = open(file.path(), &layout, None).unwrap();
    input
        .rows
        .map(|row| {
            row.unwrap()
                .cells
                .iter()
                .map(|cell| cell.text().into_owned())
                .collect()
        })
        .collect()
}

const TEXT: &str = "Référence;Lieu;Commune;Date;Canal;Personnes rencontrées\n\
                    S-1;\"Cité des Métiers ; accueil\";Écurie;06/10/2025;Téléphone;3\n;;\nS-2;CCAS\n";

#[test]
fn text_is_read_in_the_encodings_of_spreadsheets() {
    let (windows, _, _) = WINDOWS_1252.encode(TEXT);
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend(
        TEXT.replace(';', "\t")
            .encode_utf16()
            .flat_map(u16::to_le_bytes),
    );
    let with_mark = format!("\u{feff}{TEXT}");
    for (name, bytes) in [
        ("utf-8", TEXT.as_bytes()),
        ("mark", with_mark.as_bytes()),
        ("windows", &windows),
    ] {
        let read = cells(bytes);
        assert_eq!(read.len(), 2, "{name}");
        assert_eq!(
            read[0][1..3],
            ["Cité des Métiers ; accueil", "Écurie"],
            "{name}"
        );
        assert_eq!(read[1], ["S-2", "CCAS"], "{name}");
    }
    assert_eq!(cells(&utf16)[0][2..4], ["Écurie", "06/10/2025"]);
    let commas = TEXT.replace(" ; accueil", " , accueil").replace(';', ",");
    assert_eq!(cells(commas.as_bytes())[0][4], "Téléphone");
}

#[test]
fn letters_cut_by_a_chunk_are_still_letters() {
    let long = format!("{TEXT}S-3;{};Arras\n", "é".repeat(2 * CHUNK));
    let mut file = csv(long.as_bytes()).into_file();
    file.rewind().unwrap();
    assert_eq!(survey(&mut file).unwrap(), (UTF_8, 5));
    let mut cut = csv("aé".as_bytes().split_last().unwrap().1).into_file();
    cut.rewind().unwrap();
    assert_eq!(survey(&mut cut).unwrap().0, WINDOWS_1252);
}

#[test]
fn files_that_are_none_are_refused_with_what_to_do() {
    let layout = Layout::standard().unwrap();
    let refused = |suffix: &str, bytes: &[u8]| {
        let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
        file.write_all(bytes).unwrap();
        format!("{:#}", open(file.path(), &layout, None).err().unwrap())
    };
    assert!(refused(".xlsx", b"PK\x03\x04 broken").contains("n'est pas un classeur"));
    assert!(refused(".xls", b"x").contains("enregistrez le fichier en .xlsx"));
    assert!(refused(".csv", b"").contains("vide"));
    assert!(refused(".csv", b"a;b\n1;2\n").contains("--sheet"));
    let missing = open(Path::new("/nowhere/x.csv"), &layout, None)
        .err()
        .unwrap();
    assert!(missing.to_string().contains("/nowhere/x.csv"));
}
