//! The address of a payee, taken apart for the accountant's file.

use nonrecours_pes::{Address, MAX_ADDRESS_LINE};

/// Digits of a post code.
const POST_CODE: usize = 5;

/// Street, post code and city of an address written as one text, e.g. `Place de la Mairie – 62217 Dainville`. Nothing when
/// it has no post code followed by a city, or a part is longer than its element: the file then gives no address.
pub fn postal(text: &str) -> Option<Address> {
    let is_code = |word: &str| word.len() == POST_CODE && word.bytes().all(|b| b.is_ascii_digit());
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().rposition(|word| is_code(word))?;
    let city = words.split_off(at + 1).join(" ");
    let post_code = words.pop()?.to_owned();
    let street = words.join(" ");
    let street = street
        .trim_end_matches([',', '-', '–', '—', ' '])
        .to_owned();
    let city = city.trim_end_matches(['.', ',', ' ']).to_owned();
    let fits = |part: &str| !part.is_empty() && part.chars().count() <= MAX_ADDRESS_LINE;
    let whole = fits(&street) && fits(&city);
    whole.then_some(Address {
        street,
        post_code,
        city,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_at_its_post_code() {
        let parts = |text| {
            let address = postal(text)?;
            Some([address.street, address.post_code, address.city].join("|"))
        };
        for text in [
            "Place de la Mairie – 62217 Dainville",
            "Place de la Mairie, 62217 Dainville.",
            "Place de la Mairie\n62217  Dainville",
        ] {
            let expected = "Place de la Mairie|62217|Dainville";
            assert_eq!(parts(text).as_deref(), Some(expected), "{text}");
        }
        let cedex = parts("146 Allée du Bastion de la Reine, CS 10345, 62026 ARRAS CEDEX");
        assert_eq!(cedex, None, "the street is longer than its element");
        let cedex = parts("146 Allée du Bastion, 62026 ARRAS CEDEX");
        let expected = "146 Allée du Bastion|62026|ARRAS CEDEX";
        assert_eq!(cedex.as_deref(), Some(expected));
        for text in [
            "",
            "Dainville",
            "62217",
            "Place de la Mairie 62217",
            "62217 Dainville",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
