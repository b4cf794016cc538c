//! Amounts in letters, as a French legal text writes them.
//!
//! Traditional spelling: hyphens below one hundred only and not around "et"; *vingt* and *cent*
//! take an s when multiplied and last, or when followed by *millions* or *milliards* (nouns),
//! never before *mille* (a numeral, and invariable).

use crate::Money;

const UNITS: [&str; 17] = [
    "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze",
    "douze", "treize", "quatorze", "quinze", "seize",
];
const TENS: [&str; 7] = [
    "",
    "dix",
    "vingt",
    "trente",
    "quarante",
    "cinquante",
    "soixante",
];

/// The amount in words: `onze mille cinq cents euros`, `un million d'euros`,
/// `un euro et cinquante centimes`; a negative amount begins with `moins`.
pub fn money_in_words(amount: &Money) -> String {
    let magnitude = amount.cents().unsigned_abs();
    let (euros, cents) = (magnitude / 100, magnitude % 100);
    let mut words = Vec::new();
    if euros > 0 || cents == 0 {
        words.push(format!("{} {}", number(euros), euro_noun(euros)));
    }
    if cents > 0 {
        let noun = if cents == 1 { "centime" } else { "centimes" };
        words.push(format!("{} {noun}", number(cents)));
    }
    let words = words.join(" et ");
    if amount.is_negative() {
        format!("moins {words}")
    } else {
        words
    }
}

/// *Million* and *milliard* are nouns: one says "un million d'euros" but "mille euros".
fn euro_noun(euros: u64) -> &'static str {
    match euros {
        0 | 1 => "euro",
        n if n % 1_000_000 == 0 => "d'euros",
        _ => "euros",
    }
}

fn number(n: u64) -> String {
    if n == 0 {
        return UNITS[0].to_owned();
    }
    let mut words = Vec::new();
    for (value, noun) in [(1_000_000_000, "milliard"), (1_000_000, "million")] {
        match n / value % 1_000 {
            0 => {}
            1 => words.push(format!("un {noun}")),
            count => words.push(format!("{} {noun}s", below_thousand(count, true))),
        }
    }
    match n / 1_000 % 1_000 {
        0 => {}
        1 => words.push("mille".to_owned()),
        count => words.push(format!("{} mille", below_thousand(count, false))),
    }
    match n % 1_000 {
        0 => {}
        rest => words.push(below_thousand(rest, true)),
    }
    words.join(" ")
}

/// `agrees`: nothing but a noun follows, so a final *vingt* or *cent* takes its plural.
fn below_thousand(n: u64, agrees: bool) -> String {
    let (hundreds, rest) = (n / 100, n % 100);
    let cent = match hundreds {
        0 => return below_hundred(rest, agrees),
        1 => "cent".to_owned(),
        _ if rest == 0 && agrees => format!("{} cents", unit(hundreds)),
        _ => format!("{} cent", unit(hundreds)),
    };
    if rest == 0 {
        cent
    } else {
        format!("{cent} {}", below_hundred(rest, agrees))
    }
}

fn below_hundred(n: u64, agrees: bool) -> String {
    match n {
        0..=16 => unit(n).to_owned(),
        17..=19 => format!("dix-{}", unit(n - 10)),
        71 => "soixante et onze".to_owned(),
        70..=79 => format!("soixante-{}", below_hundred(n - 60, false)),
        80 if agrees => "quatre-vingts".to_owned(),
        80 => "quatre-vingt".to_owned(),
        81..=99 => format!("quatre-vingt-{}", below_hundred(n - 80, false)),
        _ => {
            let ten = TENS[(n / 10) as usize];
            match n % 10 {
                0 => ten.to_owned(),
                1 => format!("{ten} et un"),
                digit => format!("{ten}-{}", unit(digit)),
            }
        }
    }
}

fn unit(n: u64) -> &'static str {
    UNITS[n as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(amount: &str) -> String {
        money_in_words(&Money::parse(amount).unwrap())
    }

    #[test]
    fn the_amounts_of_the_convention() {
        assert_eq!(words("11500"), "onze mille cinq cents euros");
        assert_eq!(words("9200"), "neuf mille deux cents euros");
        assert_eq!(words("2300"), "deux mille trois cents euros");
    }

    #[test]
    fn tricky_numbers() {
        for (amount, expected) in [
            ("0", "zéro euro"),
            ("1", "un euro"),
            ("16", "seize euros"),
            ("17", "dix-sept euros"),
            ("21", "vingt et un euros"),
            ("22", "vingt-deux euros"),
            ("61", "soixante et un euros"),
            ("70", "soixante-dix euros"),
            ("71", "soixante et onze euros"),
            ("77", "soixante-dix-sept euros"),
            ("80", "quatre-vingts euros"),
            ("81", "quatre-vingt-un euros"),
            ("91", "quatre-vingt-onze euros"),
            ("99", "quatre-vingt-dix-neuf euros"),
            ("100", "cent euros"),
            ("101", "cent un euros"),
            ("180", "cent quatre-vingts euros"),
            ("200", "deux cents euros"),
            ("201", "deux cent un euros"),
            ("280", "deux cent quatre-vingts euros"),
            ("1000", "mille euros"),
            ("1001", "mille un euros"),
            ("1100", "mille cent euros"),
            ("21000", "vingt et un mille euros"),
            ("80000", "quatre-vingt mille euros"),
            ("200000", "deux cent mille euros"),
            ("280080", "deux cent quatre-vingt mille quatre-vingts euros"),
            ("1000000", "un million d'euros"),
            ("1000001", "un million un euros"),
            ("2000500", "deux millions cinq cents euros"),
            ("80000000", "quatre-vingts millions d'euros"),
            ("200000000", "deux cents millions d'euros"),
            ("200001000", "deux cents millions mille euros"),
            ("1000000000", "un milliard d'euros"),
            ("2001000000", "deux milliards un million d'euros"),
        ] {
            assert_eq!(words(amount), expected, "{amount}");
        }
    }

    #[test]
    fn cents() {
        assert_eq!(words("0.01"), "un centime");
        assert_eq!(words("0.80"), "quatre-vingts centimes");
        assert_eq!(words("1.50"), "un euro et cinquante centimes");
        assert_eq!(
            words("1000000.21"),
            "un million d'euros et vingt et un centimes"
        );
        assert_eq!(words("-200.02"), "moins deux cents euros et deux centimes");
        assert_eq!(
            words("999999999.99"),
            "neuf cent quatre-vingt-dix-neuf millions neuf cent quatre-vingt-dix-neuf mille \
             neuf cent quatre-vingt-dix-neuf euros et quatre-vingt-dix-neuf centimes"
        );
    }

    /// Reads words back, as a reader would: the only way to be sure no two amounts share a text.
    fn read(words: &str) -> u64 {
        let (mut total, mut group) = (0, 0);
        for word in words.split([' ', '-']) {
            match word {
                "et" => {}
                "cent" | "cents" => group = if group == 0 { 100 } else { group * 100 },
                "mille" => (total, group) = (total + group.max(1) * 1_000, 0),
                "million" | "millions" => (total, group) = (total + group * 1_000_000, 0),
                "milliard" | "milliards" => (total, group) = (total + group * 1_000_000_000, 0),
                "vingt" | "vingts" if group % 100 == 4 => group += 76,
                word => {
                    let unit = UNITS.iter().position(|u| *u == word);
                    let ten = TENS.iter().position(|t| *t == word).map(|t| t * 10);
                    group += unit.or(ten).unwrap() as u64;
                }
            }
        }
        total + group
    }

    proptest! {
        #[test]
        fn words_read_back_as_the_number(n in 0..=999_999_999_999_u64) {
            prop_assert_eq!(read(&number(n)), n);
        }
    }

    #[test]
    fn every_small_number_reads_back() {
        for n in 0..=10_000 {
            assert_eq!(read(&number(n)), n);
        }
    }
}
