//! Update masks (AIP-134): which fields of a resource an update gives.

use nonrecours_kernel::Invalid;
use nonrecours_rpc::Check;
use prost_types::FieldMask;

/// The fields that a mask names; no mask and `*` name all of those that updates give.
pub fn touched(mask: Option<&FieldMask>, all: &[&str]) -> Vec<String> {
    match mask {
        Some(mask) if mask.paths.iter().all(|path| path != "*") => mask.paths.clone(),
        _ => all.iter().map(|field| (*field).to_owned()).collect(),
    }
}

/// Notes the fields of a mask that no update gives: `FIELD_NOT_UPDATABLE`.
pub fn refuse_others(check: &mut Check, touched: &[String], all: &[&str]) {
    for (index, field) in touched.iter().enumerate() {
        if !all.contains(&field.as_str()) {
            check.refuse(
                &format!("update_mask.paths[{index}]"),
                Invalid::new(
                    "FIELD_NOT_UPDATABLE",
                    "not a field that an update gives",
                    "Ce champ ne se modifie pas ainsi : retirez-le du masque.",
                ),
            );
        }
    }
}
