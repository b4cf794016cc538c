//! The shape of rpcs: mutations, lists, and what Get, Create, Update and transitions answer with.

use std::collections::BTreeSet;

use prost_reflect::{Kind, MessageDescriptor, MethodDescriptor, Value};

use crate::contract::{
    Behavior, asked, assert_all_used, assert_kept, behaviors, carries_no_request_id, methods,
    option, rule,
};

/// Rpcs that answer with something else than a resource.
const NO_RESOURCE: [(&str, &str); 18] = [
    (
        "nonrecours.followup.v1.PushService.GetPushProgress",
        "how far a stream has come, whose id is the client's own",
    ),
    (
        "nonrecours.followup.v1.SubjectRequestService.ExportPersonalData",
        "everything held on a person, under the name of their request",
    ),
    (
        "nonrecours.conventions.v1.AttachmentService.DownloadAttachment",
        "the bytes of the resource, which comes before them in the stream",
    ),
    (
        "nonrecours.conventions.v1.DocumentService.DownloadDocument",
        "the bytes of the resource, which comes before them in the stream",
    ),
    (
        "nonrecours.payments.v1.SlipService.ExportSlip",
        "the file of a slip, which has the slip's name",
    ),
    (
        "nonrecours.conventions.v1.OpenDataService.ExportGrants",
        "a file drawn from what is stored, which has no name of its own",
    ),
    (
        "nonrecours.conventions.v1.ProgrammeReportService.GetProgrammeReport",
        "a calculation: nothing of it is stored, so it has no name",
    ),
    (
        "nonrecours.followup.v1.IndicatorService.GetIndicators",
        "a calculation: nothing of it is stored, so it has no name",
    ),
    (
        "nonrecours.followup.v1.IndicatorService.QueryIndicators",
        "a table drawn from what is stored, which has no name of its own",
    ),
    (
        "nonrecours.conventions.v1.IdentifierService.CheckIdentifiers",
        "validators: what is checked is not stored, so it has no name",
    ),
    (
        "nonrecours.payments.v1.PaymentPlanService.GetStatementOfPayments",
        "a calculation: nothing of it is stored, so it has no name",
    ),
    (
        "nonrecours.payments.v1.ExplanationService.ExplainInstalments",
        "a page of explanations: nothing of them is stored, so they have no name",
    ),
    (
        "nonrecours.followup.v1.RetentionService.PreviewRetention",
        "a page of those who are due: nothing of it is stored, so it has no name",
    ),
    (
        "nonrecours.followup.v1.RetentionService.ApplyRetention",
        "how many it erased: each erasure is a resource of its own",
    ),
    (
        "nonrecours.payments.v1.StateReceivableService.VerifyStateReceivables",
        "a page of calculations: nothing of them is stored, so they have no name",
    ),
    (
        "nonrecours.payments.v1.LedgerExportService.ExportLedger",
        "a file drawn from what is stored, which has no name of its own",
    ),
    (
        "nonrecours.payments.v1.CashPositionService.GetCashPosition",
        "a calculation: nothing of it is stored, so it has no name",
    ),
    (
        "nonrecours.payments.v1.LedgerService.VerifyLedger",
        "a page of calculations: nothing of them is stored, so they have no name",
    ),
];

#[test]
fn every_mutation_carries_a_request_id() {
    let broken = methods().into_iter().filter(|method| {
        let request_id = asked(method).get_field_by_name("request_id");
        if carries_no_request_id(method) {
            return request_id.is_some();
        }
        let good = request_id.is_some_and(|field| {
            field.kind() == Kind::String
                && behaviors(&field) == BTreeSet::from([Behavior::Required])
                && rule(&field, ["string", "uuid"]) == Some(Value::Bool(true))
        });
        !good
    });
    assert_kept(
        "A mutation has a string request_id, REQUIRED, with the rule string.uuid; what changes nothing has none",
        broken.map(|method| method.full_name().to_owned()),
    );
}

#[test]
fn every_transition_can_be_guarded_by_an_etag() {
    // A resource sent whole carries its own etag.
    let broken = methods().into_iter().filter(|method| {
        let input = asked(method);
        input.get_field_by_name("name").is_some()
            && !carries_no_request_id(method)
            && !input.get_field_by_name("etag").is_some_and(|etag| {
                etag.kind() == Kind::String
                    && behaviors(&etag) == BTreeSet::from([Behavior::Optional])
            })
    });
    assert_kept(
        "A mutation of a named resource takes an OPTIONAL string etag",
        broken.map(|method| method.full_name().to_owned()),
    );
}

#[test]
fn every_list_paginates() {
    let broken = methods()
        .into_iter()
        .filter(|method| method.name().starts_with("List"))
        .flat_map(|method| {
            let (input, output) = (method.input(), method.output());
            let items = output.fields().filter(|field| field.is_list()).count();
            [
                (has(&input, "page_size", &Kind::Int32), "page_size (int32)"),
                (
                    has(&input, "page_token", &Kind::String),
                    "page_token (string)",
                ),
                (
                    has(&output, "next_page_token", &Kind::String),
                    "next_page_token (string)",
                ),
                (items == 1, "one list of items"),
            ]
            .into_iter()
            .filter(|(given, _)| !given)
            .map(|(_, wanted)| format!("{}: no {wanted}", method.full_name()))
            .collect::<Vec<_>>()
        });
    assert_kept("Every List paginates", broken);
}

#[test]
fn every_rpc_on_a_resource_answers_with_it() {
    let mut exempted = BTreeSet::new();
    let mut broken = Vec::new();
    for method in methods() {
        let name = method.name();
        if ["List", "Pull", "Push"]
            .iter()
            .any(|verb| name.starts_with(verb))
        {
            continue;
        }
        if answers_with_its_resource(&method) {
            continue;
        }
        match NO_RESOURCE
            .iter()
            .find(|(exception, _)| *exception == method.full_name())
        {
            Some((exception, _)) => _ = exempted.insert(*exception),
            None => broken.push(format!(
                "{} -> {}",
                method.full_name(),
                method.output().name()
            )),
        }
    }
    assert_kept(
        "Get, Create, Update and every transition answer with the resource itself, not with an answer of their own",
        broken,
    );
    assert_all_used(&NO_RESOURCE, &exempted);
}

/// `GetX`, `CreateX` and `UpdateX` answer with X; a transition with the resource it moves.
fn answers_with_its_resource(method: &MethodDescriptor) -> bool {
    let output = method.output();
    let named = ["Get", "Create", "Update"]
        .iter()
        .find_map(|verb| method.name().strip_prefix(verb));
    is_resource(&output) && named.is_none_or(|noun| noun == output.name())
}

fn is_resource(message: &MessageDescriptor) -> bool {
    option(message.options(), "google.api.resource").is_some()
}

fn has(message: &MessageDescriptor, field: &str, kind: &Kind) -> bool {
    message
        .get_field_by_name(field)
        .is_some_and(|field| field.kind() == *kind && !field.is_list())
}
