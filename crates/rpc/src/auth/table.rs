//! Which roles each rpc asks for, and which answers are journalled, as the contract declares it
//! (`nonrecours.common.v1.access`).

use std::{
    collections::{BTreeSet, HashMap},
    sync::LazyLock,
};

use nonrecours_contracts::common;
use nonrecours_kernel::Role;
use prost_reflect::{DescriptorPool, MethodDescriptor, Value};

use crate::rules::POOL;

/// Packages whose rpcs are ours.
const OURS: &str = "nonrecours.";

/// The method option that declares who may call.
const OPTION: &str = "nonrecours.common.v1.access";

/// For each rpc of the suite, by its path `/nonrecours.<service>.v1.<Service>/<Method>`, the roles of which one is
/// needed. An rpc that declares none has an empty set: nobody may call it.
pub fn access_table() -> &'static HashMap<String, BTreeSet<Role>> {
    static TABLE: LazyLock<HashMap<String, BTreeSet<Role>>> = LazyLock::new(|| table(&POOL));
    &TABLE
}

fn table(pool: &DescriptorPool) -> HashMap<String, BTreeSet<Role>> {
    pool.services()
        .filter(|service| service.full_name().starts_with(OURS))
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|method| {
            let service = method.parent_service().full_name();
            (format!("/{service}/{}", method.name()), roles(&method))
        })
        .collect()
}

/// The rpcs that answer at once with personal data, by their path: such an answer leaves only once the journal of accesses
/// has an entry of it. A stream answers message by message, and its handler keeps the entries.
pub fn journalled_table() -> &'static BTreeSet<String> {
    static TABLE: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let services = POOL.services();
        services
            .filter(|service| service.full_name().starts_with(OURS))
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .filter(|method| is_personal(method) && !method.is_server_streaming())
            .map(|method| {
                let service = method.parent_service().full_name();
                format!("/{service}/{}", method.name())
            })
            .collect()
    });
    &TABLE
}

fn is_personal(method: &MethodDescriptor) -> bool {
    let declared = declared(method, "personal_data");
    declared.and_then(|value| value.as_enum_number())
        == Some(common::PersonalData::Journalled.into())
}

/// What the option says in this field.
fn declared(method: &MethodDescriptor, field: &str) -> Option<Value> {
    let option = method.parent_pool().get_extension_by_name(OPTION)?;
    let options = method.options();
    let access = options.get_extension(&option);
    let value = access.as_message()?.get_field_by_name(field)?;
    Some(value.into_owned())
}

fn roles(method: &MethodDescriptor) -> BTreeSet<Role> {
    declared(method, "roles")
        .as_ref()
        .and_then(Value::as_list)
        .unwrap_or_default()
        .iter()
        .filter_map(|role| role_of(role.as_enum_number()?))
        .collect()
}

/// The role of a number of the contract; none for `ROLE_UNSPECIFIED` or an unknown one.
fn role_of(number: i32) -> Option<Role> {
    match common::Role::try_from(number).ok()? {
        common::Role::Unspecified => None,
        common::Role::ProgrammeOfficer => Some(Role::ProgrammeOfficer),
        common::Role::AuthorisingOfficer => Some(Role::AuthorisingOfficer),
        common::Role::Accountant => Some(Role::Accountant),
        common::Role::Auditor => Some(Role::Auditor),
        common::Role::OperatorAgent => Some(Role::OperatorAgent),
        common::Role::OperatorManager => Some(Role::OperatorManager),
        common::Role::PeerService => Some(Role::PeerService),
    }
}

#[cfg(test)]
mod tests {
    use nonrecours_contracts::DESCRIPTOR_SET;
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn every_rpc_of_the_contract_declares_who_may_call_it() {
        let declared = FileDescriptorSet::decode(DESCRIPTOR_SET).unwrap();
        let mut rpcs = 0;
        for file in declared
            .file
            .iter()
            .filter(|file| file.package().starts_with(OURS))
        {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    assert!(
                        !access_table()[&path].is_empty(),
                        "{path} is closed to everybody"
                    );
                    rpcs += 1;
                }
            }
        }
        assert!(rpcs > 0);
        assert_eq!(access_table().len(), rpcs);
    }

    #[test]
    fn the_roles_are_those_that_the_contract_names() {
        assert_eq!(
            access_table()["/nonrecours.payments.v1.LedgerService/ListLedgerEntries"],
            BTreeSet::from([
                Role::ProgrammeOfficer,
                Role::AuthorisingOfficer,
                Role::Accountant,
                Role::Auditor,
                Role::OperatorManager,
            ])
        );
    }

    #[test]
    fn every_role_of_the_contract_is_a_role_of_the_suite() {
        let names: Vec<String> = (1..=7)
            .map(|number| {
                let name = common::Role::try_from(number).unwrap().as_str_name();
                assert_eq!(
                    name.to_lowercase(),
                    format!("role_{}", role_of(number).unwrap())
                );
                name.to_owned()
            })
            .collect();
        assert_eq!(names.len(), Role::ALL.len());
        assert_eq!(role_of(0), None);
        assert_eq!(role_of(8), None);
        assert!(common::Role::try_from(8).is_err());
    }

    #[test]
    fn answers_with_personal_data_are_journalled() {
        let journalled = journalled_table();
        assert!(journalled.contains("/nonrecours.followup.v1.NoteService/ListNotes"));
        for other in [
            "/nonrecours.followup.v1.SessionService/ListSessions",
            "/nonrecours.followup.v1.PushService/PushRecords",
            "/nonrecours.payments.v1.LedgerService/ListLedgerEntries",
        ] {
            assert!(access_table().contains_key(other) && !journalled.contains(other));
        }
    }

    #[test]
    fn an_rpc_that_declares_nothing_is_closed() {
        // Decoded and encoded by a type that does not know the option, the contract loses every declaration.
        let bare = FileDescriptorSet::decode(DESCRIPTOR_SET)
            .unwrap()
            .encode_to_vec();
        let table = table(&DescriptorPool::decode(bare.as_slice()).unwrap());
        assert_eq!(table.len(), access_table().len());
        assert!(table.values().all(BTreeSet::is_empty));
    }
}
