//! Whatever comes, a reader answers: items or one fault, never a panic.

use proptest::prelude::*;

use crate::reader::read;

const SAMPLES: [&str; 3] = [
    include_str!("samples/pain.002.xml"),
    include_str!("samples/camt.053.xml"),
    include_str!("samples/camt.054.xml"),
];

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }

    #[test]
    fn any_markup(parts in prop::collection::vec("(<[a-zA-Z:]{1,9}|>|/>|</|&[a-z]{0,4};|\"|=| |[0-9.]{1,4}|<!--|-->|<!\\[CDATA\\[|\\]\\]>)", 0..60)) {
        let _ = read(parts.concat().as_bytes());
    }

    #[test]
    fn a_sample_cut_or_changed(
        sample in 0_usize..3,
        cut: prop::sample::Index,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = SAMPLES[sample].as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let whole = read(&bytes).is_ok();
        let cut = cut.index(bytes.len());
        bytes.truncate(cut);
        // What ends too early is never taken for whole.
        let end = SAMPLES[sample].rfind("</Document").unwrap();
        prop_assert!(read(&bytes).is_err() || cut > end || !whole);
    }
}
