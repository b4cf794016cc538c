//! Reads the catalogues while the crate is compiled: a mistake in the data does not compile.
//!
//! The files are plain comma-separated text without quotes, one header line, fields in a fixed
//! order. Everything here is `const`: an assertion that fails is a compilation error that names
//! the rule.

use time::{Date, Month};

/// Lines of data, the header apart.
pub(super) const fn rows(csv: &str) -> usize {
    let bytes = csv.as_bytes();
    let (mut lines, mut i) = (0, 0);
    while i < bytes.len() {
        if bytes[i] == b'\n' {
            lines += 1;
        }
        i += 1;
    }
    assert!(lines > 1, "a catalogue has a header and at least one line");
    lines - 1
}

/// Fields of the header.
pub(super) const fn columns(header: &str) -> usize {
    let bytes = header.as_bytes();
    let (mut columns, mut i) = (1, 0);
    while i < bytes.len() {
        if bytes[i] == b',' {
            columns += 1;
        }
        i += 1;
    }
    columns
}

/// The fields of every line of data, after checking the header.
pub(super) const fn table<const ROWS: usize, const COLUMNS: usize>(
    csv: &'static str,
    header: &str,
) -> [[&'static str; COLUMNS]; ROWS] {
    let (first, mut rest) = cut(csv, b'\n');
    assert!(same(first, header), "the header of a catalogue changed");
    let mut table = [[""; COLUMNS]; ROWS];
    let mut row = 0;
    while row < ROWS {
        let (line, after) = cut(rest, b'\n');
        table[row] = fields(line);
        rest = after;
        row += 1;
    }
    assert!(rest.is_empty(), "a catalogue ends with its last line");
    table
}

const fn fields<const COLUMNS: usize>(line: &'static str) -> [&'static str; COLUMNS] {
    let mut fields = [""; COLUMNS];
    let (mut rest, mut column) = (line, 0);
    while column < COLUMNS {
        let (field, after) = cut(rest, b',');
        let last = column + 1 == COLUMNS;
        assert!(
            last == (field.len() == rest.len()),
            "a line has as many fields as the header"
        );
        fields[column] = field;
        rest = after;
        column += 1;
    }
    fields
}

/// What stands before the first separator and after it: all and nothing when there is none.
const fn cut(text: &'static str, separator: u8) -> (&'static str, &'static str) {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        assert!(
            bytes[i] != b'"' && bytes[i] != b'\r',
            "no quotes, Unix line ends"
        );
        if bytes[i] == separator {
            let (before, after) = text.split_at(i);
            return (before, after.split_at(1).1);
        }
        i += 1;
    }
    (text, "")
}

/// Equality of strings, which `==` does not give in `const`.
pub(super) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// A code, a label or another field that may not be empty.
pub(super) const fn required(field: &'static str) -> &'static str {
    assert!(!field.is_empty(), "a required field is empty");
    field
}

pub(super) const fn optional(field: &'static str) -> Option<&'static str> {
    if field.is_empty() { None } else { Some(field) }
}

/// A date `2025-01-01`.
#[allow(
    clippy::panic,
    reason = "evaluated by the compiler, where a panic is an error of compilation"
)]
pub(super) const fn date(field: &str) -> Date {
    let bytes = field.as_bytes();
    assert!(
        bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-',
        "a date is year-month-day"
    );
    let year = digits(bytes, 0, 4) as i32;
    let month = match digits(bytes, 5, 7) {
        1 => Month::January,
        2 => Month::February,
        3 => Month::March,
        4 => Month::April,
        5 => Month::May,
        6 => Month::June,
        7 => Month::July,
        8 => Month::August,
        9 => Month::September,
        10 => Month::October,
        11 => Month::November,
        12 => Month::December,
        _ => panic!("a month is 01 to 12"),
    };
    match Date::from_calendar_date(year, month, digits(bytes, 8, 10) as u8) {
        Ok(date) => date,
        Err(_) => panic!("a date exists in the calendar"),
    }
}

const fn digits(bytes: &[u8], from: usize, to: usize) -> u32 {
    let (mut number, mut i) = (0, from);
    while i < to {
        assert!(bytes[i].is_ascii_digit(), "a date is made of digits");
        number = number * 10 + (bytes[i] - b'0') as u32;
        i += 1;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    const GOOD: &str = "code,label,valid_to\nA,Été,\nB,x,2025-02-28\n";

    #[test]
    fn fields_are_read_in_order_empty_ones_included() {
        assert_eq!(rows(GOOD), 2);
        let table: [[&str; 3]; 2] = table(GOOD, "code,label,valid_to");
        assert_eq!(table, [["A", "Été", ""], ["B", "x", "2025-02-28"]]);
        assert_eq!(date(table[1][2]), date!(2025 - 02 - 28));
        assert_eq!(optional(table[0][2]), None);
    }

    #[test]
    fn mistakes_in_the_data_are_found() {
        fn fails<T>(read: fn() -> T) -> bool {
            std::panic::catch_unwind(read).is_err()
        }
        const HEADER: &str = "code,label,valid_to";
        assert!(fails(|| table::<2, 3>(GOOD, "code,name,valid_to")));
        assert!(fails(|| table::<2, 2>(GOOD, HEADER)));
        assert!(fails(|| table::<2, 4>(GOOD, HEADER)));
        assert!(fails(|| table::<1, 3>(GOOD, HEADER)));
        assert!(fails(|| table::<1, 1>("a\n\"b\"\n", "a")));
        assert!(fails(|| rows("a\n")));
        assert!(fails(|| required("")));
        assert!(fails(|| date("2025-02-29")));
        assert!(fails(|| date("2025-13-01")));
        assert!(fails(|| date("25/09/2025")));
    }
}
