//! Who may call.

use prost_reflect::Value;

use crate::contract::{assert_kept, methods, option};

#[test]
fn every_rpc_of_follow_up_says_whether_it_is_journalled() {
    let silent = methods().into_iter().filter(|method| {
        let access = option(method.options(), "nonrecours.common.v1.access");
        let declared = access.as_ref().and_then(Value::as_message).map(|access| {
            let declared = access.get_field_by_name("personal_data").unwrap();
            declared.as_enum_number()
        });
        let of_persons = method.parent_service().package_name() == "nonrecours.followup.v1";
        // Elsewhere it would promise entries that nobody makes.
        of_persons == matches!(declared, None | Some(Some(0)))
    });
    assert_kept(
        "Every rpc of follow-up, and no other, declares personal_data in nonrecours.common.v1.access",
        silent.map(|method| method.full_name().to_owned()),
    );
}

#[test]
fn every_rpc_declares_who_may_call_it() {
    let undeclared = methods().into_iter().filter(|method| {
        let access = option(method.options(), "nonrecours.common.v1.access");
        let roles = access.as_ref().and_then(Value::as_message).map(|access| {
            let roles = access.get_field_by_name("roles").unwrap();
            let roles = roles.as_list().unwrap();
            // 0 is ROLE_UNSPECIFIED, which nobody has.
            roles
                .iter()
                .filter(|role| role.as_enum_number() != Some(0))
                .count()
        });
        roles.unwrap_or_default() == 0
    });
    assert_kept(
        "Every rpc has the option nonrecours.common.v1.access with at least one role",
        undeclared.map(|method| method.full_name().to_owned()),
    );
}
