//! Names of methods in telemetry.

use std::{collections::HashSet, sync::LazyLock};

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// Stands for every method that this suite does not have, so that callers who make names up cannot make measures and
/// span names without end (semantic conventions for RPC, `rpc.method`).
pub(crate) const OTHER: &str = "_OTHER";

/// What belongs to gRPC itself: the calls of probes and tools.
const INFRASTRUCTURE: [&str; 5] = [
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/List",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Every method of the contracts, as `package.Service/Method`.
static CONTRACTS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    // Cannot fail: the set was encoded by the build. If it did, every method would be `_OTHER`.
    let set = FileDescriptorSet::decode(nonrecours_contracts::DESCRIPTOR_SET).unwrap_or_default();
    let mut names = HashSet::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                names.insert(format!(
                    "{}.{}/{}",
                    file.package(),
                    service.name(),
                    method.name()
                ));
            }
        }
    }
    names
});

/// `package.Service/Method` of the path `/package.Service/Method`, or [`OTHER`].
pub(crate) fn of_path(path: &str) -> &'static str {
    let name = path.strip_prefix('/').unwrap_or(path);
    let infrastructure = INFRASTRUCTURE.iter().copied();
    infrastructure
        .chain(CONTRACTS.get(name).map(String::as_str))
        .find(|known| *known == name)
        .unwrap_or(OTHER)
}

/// Whether the method is a probe's or a tool's.
pub(crate) fn is_infrastructure(method: &str) -> bool {
    INFRASTRUCTURE.contains(&method)
}

/// Whether the path is that of the health service.
pub(crate) fn is_health(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_exists_and_nothing_else() {
        let known = "nonrecours.payments.v1.InstalmentService/CallInstalment";
        assert_eq!(of_path(&format!("/{known}")), known);
        assert_eq!(
            of_path("/grpc.health.v1.Health/Check"),
            "grpc.health.v1.Health/Check"
        );
        for made_up in ["/nonrecours.payments.v1.InstalmentService/Steal", "/", ""] {
            assert_eq!(of_path(made_up), OTHER);
        }
    }
}
