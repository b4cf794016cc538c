//! Between the contract's messages and an operator.

use nonrecours_contracts::conventions::{self as wire, representative};
use nonrecours_kernel::{ActId, Invalid, paris_date};
use nonrecours_pg::Tx;
use nonrecours_rpc::{
    Check,
    convert::{date, optional_date, to_date, to_timestamp, to_warning},
    etag,
};
use time::Date;

use super::{
    domain::{Category, Changes, Empowerment, Operator, Representative, outside_territory},
    duty::{Duty, YearGrants, duties},
    store,
};
use crate::{
    error::Error,
    text::{in_future, required, text},
};

/// Fields of an operator that an update gives.
pub const INPUT_FIELDS: [&str; 7] = [
    "legal_name",
    "category",
    "insee_code",
    "address",
    "rna",
    "representatives",
    "republican_commitment_date",
];

/// Reads the `touched` ones among the input fields; notes what is wrong with each.
pub fn changes(
    check: &mut Check,
    given: &wire::Operator,
    touched: &[String],
    today: Date,
) -> Changes {
    let touches = |name: &str| touched.iter().any(|field| field == name);
    let mut changes = Changes::default();
    if touches("legal_name") {
        changes.legal_name = check.take("operator.legal_name", text(&given.legal_name));
    }
    if touches("category") {
        changes.category = check.take("operator.category", category(given.category()));
    }
    if touches("insee_code") {
        changes.insee_code = check.parse("operator.insee_code", &given.insee_code);
    }
    if touches("address") {
        changes.address = check.take("operator.address", text(&given.address));
    }
    if touches("rna") {
        changes.rna = match given.rna.as_str() {
            "" => Some(None),
            rna => check.parse("operator.rna", rna).map(Some),
        };
    }
    if touches("representatives") {
        changes.representatives = representatives(check, &given.representatives, today);
    }
    if touches("republican_commitment_date") {
        let day = optional_date(given.republican_commitment_date.as_ref())
            .and_then(|day| day.map(|day| past(day, today)).transpose());
        changes.republican_commitment = check.take("operator.republican_commitment_date", day);
    }
    changes
}

fn representatives(
    check: &mut Check,
    given: &[wire::Representative],
    today: Date,
) -> Option<Vec<Representative>> {
    let mut representatives = Vec::new();
    for (index, representative) in given.iter().enumerate() {
        let path = |name| format!("operator.representatives[{index}].{name}");
        let full_name = check.take(&path("full_name"), text(&representative.full_name));
        let capacity = check.take(&path("capacity"), text(&representative.capacity));
        let empowerment = match &representative.empowerment {
            None => check.take(&path("empowerment"), Err(required())),
            Some(representative::Empowerment::EmpoweringAct(act)) => {
                let act = act
                    .parse()
                    .and_then(|act: ActId| past(act.date(), today).map(|_| Empowerment::Act(act)));
                check.take(&path("empowering_act"), act)
            }
            Some(representative::Empowerment::EmpoweringDecisionDate(day)) => {
                let day = date(Some(day)).and_then(|day| past(day, today));
                let day = check.take(&path("empowering_decision_date"), day);
                day.map(Empowerment::Decision)
            }
        };
        representatives.push((|| {
            Some(Representative {
                full_name: full_name?,
                capacity: capacity?,
                empowerment: empowerment?,
            })
        })());
    }
    representatives.into_iter().collect()
}

fn past(day: Date, today: Date) -> Result<Date, Invalid> {
    if day > today {
        Err(in_future())
    } else {
        Ok(day)
    }
}

fn category(given: wire::OperatorCategory) -> Result<Category, Invalid> {
    match given {
        wire::OperatorCategory::Unspecified => Err(required()),
        wire::OperatorCategory::Commune => Ok(Category::Commune),
        wire::OperatorCategory::Ccas => Ok(Category::Ccas),
        wire::OperatorCategory::Grouping => Ok(Category::Grouping),
        wire::OperatorCategory::OtherPublic => Ok(Category::OtherPublic),
        wire::OperatorCategory::Association => Ok(Category::Association),
        wire::OperatorCategory::OtherPrivate => Ok(Category::OtherPrivate),
    }
}

fn to_category(category: Category) -> wire::OperatorCategory {
    match category {
        Category::Commune => wire::OperatorCategory::Commune,
        Category::Ccas => wire::OperatorCategory::Ccas,
        Category::Grouping => wire::OperatorCategory::Grouping,
        Category::OtherPublic => wire::OperatorCategory::OtherPublic,
        Category::Association => wire::OperatorCategory::Association,
        Category::OtherPrivate => wire::OperatorCategory::OtherPrivate,
    }
}

/// The operators as answers show them, with their duties as of today, in their order.
pub async fn shown(tx: &mut Tx, operators: &[Operator]) -> Result<Vec<wire::Operator>, Error> {
    let ids: Vec<_> = operators.iter().map(|it| it.name.operator).collect();
    let grants = store::grants(tx, &ids).await?;
    let today = paris_date(tx.now());
    let outside = store::outside_territory(tx, operators, today).await?;
    Ok(operators
        .iter()
        .map(|operator| {
            let own: Vec<YearGrants> = grants
                .iter()
                .filter(|(id, _)| *id == operator.name.operator)
                .map(|(_, grants)| *grants)
                .collect();
            let mut message = message(operator, &duties(&operator.terms, &own, today));
            if outside.contains(&operator.terms.insee_code) {
                message.warnings.push(to_warning(&outside_territory()));
            }
            message
        })
        .collect())
}

fn message(operator: &Operator, duties: &[Duty]) -> wire::Operator {
    let terms = &operator.terms;
    wire::Operator {
        name: operator.name.to_string(),
        legal_name: terms.legal_name.clone(),
        siret: terms.siret.to_string(),
        category: to_category(terms.category).into(),
        insee_code: terms.insee_code.to_string(),
        address: terms.address.clone(),
        warnings: terms.warnings().iter().map(to_warning).collect(),
        create_time: Some(to_timestamp(operator.create_time)),
        update_time: Some(to_timestamp(operator.update_time)),
        etag: etag::of(operator.revision),
        rna: terms
            .rna
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        representatives: terms
            .representatives
            .iter()
            .map(to_representative)
            .collect(),
        republican_commitment_date: terms.republican_commitment.map(to_date),
        duties: duties.iter().map(to_duty).collect(),
    }
}

fn to_representative(representative: &Representative) -> wire::Representative {
    wire::Representative {
        full_name: representative.full_name.clone(),
        capacity: representative.capacity.clone(),
        empowerment: Some(match &representative.empowerment {
            Empowerment::Act(act) => representative::Empowerment::EmpoweringAct(act.to_string()),
            Empowerment::Decision(day) => {
                representative::Empowerment::EmpoweringDecisionDate(to_date(*day))
            }
        }),
    }
}

fn to_duty(duty: &Duty) -> wire::Duty {
    wire::Duty {
        reason: duty.reason.to_owned(),
        message_fr: duty.text.fr.to_string(),
        message_en: duty.text.en.to_string(),
        legal_basis: duty.legal_basis.to_owned(),
        budget_year: duty.budget_year.map_or(0, |year| i32::from(year.get())),
        due_date: duty.due.map(to_date),
    }
}
