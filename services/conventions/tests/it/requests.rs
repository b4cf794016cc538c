//! Requests as the people of the Dainville convention would send them.

use nonrecours_contracts::{
    conventions::{
        Act, ActivityReport, CommitmentTerm, Convention, CreateActRequest,
        CreateActivityReportRequest, CreateConventionRequest, CreateFrameworkConventionRequest,
        CreateOperatorRequest, CreateProgrammeRequest, Envelope, FrameworkConvention,
        InstalmentKind, InstalmentTerm, Operator, OperatorCategory, Party, Programme,
        SignConventionRequest, Signatory,
    },
    google::r#type as wire,
};
use nonrecours_kernel::Money;
use nonrecours_rpc::{convert::to_money, details::Details};
use nonrecours_testkit::request_id;
use tonic::{Code, Status};

/// The authority's act: the council's vote of 25 September 2025.
pub const CUA_ACT: &str = "062-200033579-20250925-25C120-DE";
/// The commune's act, as its stamp bears it.
pub const DAINVILLE_ACT: &str = "062-216202630-20250929-25D045-DE";
/// SIRET of the commune of Dainville.
pub const DAINVILLE: &str = "216 202 630 00010";
/// A social security number that nobody has.
pub const NIR: &str = "1 85 02 62 263 001 26";

pub fn euros(cents: i64) -> wire::Money {
    to_money(Money::from_cents(cents))
}

pub fn date(year: i32, month: i32, day: i32) -> wire::Date {
    wire::Date { year, month, day }
}

pub fn programme(voted: i64) -> CreateProgrammeRequest {
    let request_id = request_id();
    CreateProgrammeRequest {
        programme: Some(Programme {
            display_name: format!("Territoire Zéro Non-Recours {request_id}"),
            authority_name: "Communauté Urbaine d'Arras".to_owned(),
            authority_siret: "200 033 579 00018".to_owned(),
            commune_codes: vec!["62041".to_owned(), "62263".to_owned()],
            envelopes: vec![Envelope {
                budget_year: 2025,
                voted_amount: Some(euros(voted)),
                ..Envelope::default()
            }],
            ..Programme::default()
        }),
        request_id,
    }
}

pub fn framework(parent: &str) -> CreateFrameworkConventionRequest {
    CreateFrameworkConventionRequest {
        parent: parent.to_owned(),
        framework_convention: Some(FrameworkConvention {
            title: "Convention-cadre aller-vers".to_owned(),
            vote_date: Some(date(2025, 9, 25)),
            ..FrameworkConvention::default()
        }),
        request_id: request_id(),
    }
}

pub fn operator(siret: &str, category: OperatorCategory) -> CreateOperatorRequest {
    CreateOperatorRequest {
        operator: Some(Operator {
            legal_name: "Commune de Dainville".to_owned(),
            siret: siret.to_owned(),
            category: category.into(),
            insee_code: "62263".to_owned(),
            address: "Place de la Mairie, 62217 Dainville".to_owned(),
            ..Operator::default()
        }),
        request_id: request_id(),
    }
}

pub fn term(kind: InstalmentKind, share: &str) -> InstalmentTerm {
    InstalmentTerm {
        kind: kind.into(),
        share: share.to_owned(),
        ..InstalmentTerm::default()
    }
}

pub fn signatory(party: Party, empowering_decision_date: Option<wire::Date>) -> Signatory {
    let (full_name, capacity) = match party {
        Party::Authority => ("Frédéric LETURQUE", "Président"),
        _ => ("Françoise ROSSIGNOL", "Maire"),
    };
    Signatory {
        party: party.into(),
        full_name: full_name.to_owned(),
        capacity: capacity.to_owned(),
        empowering_decision_date,
    }
}

/// The convention as the document is: the day of the commune's decision is blank.
pub fn convention(parent: &str, framework: &str) -> CreateConventionRequest {
    CreateConventionRequest {
        parent: parent.to_owned(),
        convention: Some(Convention {
            framework_convention: framework.to_owned(),
            title: "Convention de partenariat 2025".to_owned(),
            budget_year: 2025,
            grant_amount: Some(euros(1_150_000)),
            instalment_terms: vec![
                term(InstalmentKind::Advance, "0.8"),
                term(InstalmentKind::Balance, "0.2"),
            ],
            target_publics: vec!["DEMANDEUR_EMPLOI".to_owned(), "SENIOR".to_owned()],
            objectives: vec!["Repérer les publics en situation de non-recours.".to_owned()],
            commitments: vec![CommitmentTerm {
                code: "MISSIONS".to_owned(),
                text: "Remplir les missions de l'article 2.".to_owned(),
            }],
            indicative_end_date: Some(date(2025, 12, 31)),
            signatories: vec![
                signatory(Party::Authority, Some(date(2025, 9, 25))),
                signatory(Party::Operator, None),
            ],
            ..Convention::default()
        }),
        request_id: request_id(),
    }
}

/// An act transmitted on 6 October, not published.
pub fn act(parent: &str, party: Party, act_id: &str) -> CreateActRequest {
    CreateActRequest {
        parent: parent.to_owned(),
        act: Some(Act {
            party: party.into(),
            act_id: act_id.to_owned(),
            transmission_date: Some(date(2025, 10, 6)),
            ..Act::default()
        }),
        request_id: request_id(),
    }
}

pub fn sign(name: &str, party: Party) -> SignConventionRequest {
    SignConventionRequest {
        name: name.to_owned(),
        party: party.into(),
        etag: String::new(),
        request_id: request_id(),
    }
}

pub fn report(parent: &str) -> CreateActivityReportRequest {
    CreateActivityReportRequest {
        parent: parent.to_owned(),
        activity_report: Some(ActivityReport {
            narrative: "Douze permanences à la Cité des Métiers.".to_owned(),
            spent_amount: Some(euros(1_130_000)),
            ..ActivityReport::default()
        }),
        request_id: request_id(),
    }
}

/// The reason of a refusal, which always has a French sentence.
pub fn reason<T: std::fmt::Debug>(outcome: Result<T, Status>) -> String {
    refused(outcome).1.reason
}

/// A refusal.
pub fn refused<T: std::fmt::Debug>(outcome: Result<T, Status>) -> (Code, Details) {
    let status = outcome.unwrap_err();
    let details = Details::of(&status);
    assert!(!details.french.is_empty(), "{status:?}");
    (status.code(), details)
}

/// A refusal by this service's own rules.
pub fn precondition<T: std::fmt::Debug>(outcome: Result<T, Status>) -> String {
    let (code, details) = refused(outcome);
    assert_eq!(code, Code::FailedPrecondition, "{details:?}");
    assert_eq!(details.domain, "conventions.nonrecours");
    details.reason
}

/// The wrong fields of a refusal, each with its reason.
pub fn violations<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Vec<(String, String)> {
    let (code, details) = refused(outcome);
    assert_eq!(
        (code, details.reason.as_str()),
        (Code::InvalidArgument, "INVALID_REQUEST")
    );
    let french = |it: &nonrecours_contracts::google::rpc::bad_request::FieldViolation| {
        it.localized_message
            .as_ref()
            .is_some_and(|text| !text.message.is_empty())
    };
    assert!(details.violations.iter().all(french));
    let pairs = details.violations.into_iter();
    pairs
        .map(|violation| (violation.field, violation.reason))
        .collect()
}

/// Pairs of field and reason, to compare with [`violations`].
pub fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(field, reason): &(&str, &str)| ((*field).to_owned(), (*reason).to_owned());
    expected.iter().map(own).collect()
}
