//! The characters of SEPA files: the basic Latin set that every bank accepts.

/// Marks on letters: the letter without, and those with one.
const MARKED: [(&str, &str); 26] = [
    ("A", "ÀÁÂÃÄÅ"),
    ("AE", "Æ"),
    ("C", "Ç"),
    ("D", "Ð"),
    ("E", "ÈÉÊË"),
    ("I", "ÌÍÎÏ"),
    ("N", "Ñ"),
    ("O", "ÒÓÔÕÖØ"),
    ("OE", "Œ"),
    ("S", "Š"),
    ("U", "ÙÚÛÜ"),
    ("Y", "ÝŸ"),
    ("Z", "Ž"),
    ("a", "àáâãäå"),
    ("ae", "æ"),
    ("c", "ç"),
    ("e", "èéêë"),
    ("i", "ìíîï"),
    ("n", "ñ"),
    ("o", "òóôõöø"),
    ("oe", "œ"),
    ("s", "š"),
    ("ss", "ß"),
    ("u", "ùúûü"),
    ("y", "ýÿ"),
    ("z", "ž"),
];

/// The text in the characters that SEPA files are made of (`a-z A-Z 0-9 / - ? : ( ) . , ' +` and the space), at most so many of
/// them: letters without their marks, curved signs as the straight ones, `&` as `+`, `€` as `EUR`, all else as a dot. Neither
/// begins nor ends with a slash or has two together, which banks read as something else.
pub fn latin(text: &str, most: usize) -> String {
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' => written.push(character),
            '-' | '?' | ':' | '(' | ')' | '.' | ',' | '\'' | '+' => written.push(character),
            '/' if written.ends_with('/') || written.is_empty() => {}
            '/' => written.push('/'),
            '&' => written.push('+'),
            '€' => written.push_str("EUR"),
            '_' | '‐' | '‑' | '–' | '—' => written.push('-'),
            '"' | '’' | '‘' | '«' | '»' | '“' | '”' => written.push('\''),
            '\u{300}'..='\u{36f}' => {}
            _ if character.is_whitespace() => {
                if !written.ends_with(' ') {
                    written.push(' ');
                }
            }
            _ => {
                let marked = MARKED.iter().find(|(_, all)| all.contains(character));
                written.push_str(marked.map_or(".", |(plain, _)| plain));
            }
        }
    }
    let cut: String = written.trim().chars().take(most).collect();
    cut.trim_end_matches(['/', ' ']).to_owned()
}
