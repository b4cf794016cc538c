//! Slips of corrections over gRPC; what else there is about slips is beside those that order.

use std::collections::BTreeSet;

use nonrecours_contracts::payments::{self as wire, IssueCorrectionSlipRequest};
use nonrecours_kernel::{
    BudgetYear, IdSource, InstalmentName, Invalid, PostingCodesName, ProgrammeName, SlipName, Text,
    paris_date,
};
use nonrecours_pg::{Change, Db};
use nonrecours_rpc::{Check, Failure, field, open};
use tonic::Request;

use super::{Asked, Candidate, issue, store};
use crate::{
    error::{DOMAIN, Error},
    instalment::wire::text,
    posting_codes,
    recovery::rpc::positive,
    slip::{self, NotIssued, Terms},
};

/// Issues a slip of corrections.
pub async fn issue_slip(
    db: &Db,
    ids: &IdSource,
    request: Request<IssueCorrectionSlipRequest>,
) -> Result<wire::Slip, Error> {
    let (caller, request) = open(request)?;
    let parent: ProgrammeName = field("parent", &request.parent)?;
    let scope = caller.scope();
    let mut check = Check::of(&request);
    let year = check.take("budget_year", BudgetYear::new(request.budget_year));
    let asked = asked(&mut check, &request.corrections);
    let (year, asked) = check.finish(|| Some((year?, asked?)))?;
    let mut tx = db.begin(&scope).await?;
    let register = slip::store::lock_register(&mut tx, parent.programme, year).await?;
    if let Some(earlier) = tx.replay(&request).await? {
        return Ok(earlier);
    }
    let names: Vec<_> = asked.iter().map(|(name, _)| *name).collect();
    let orders = slip::rpc::candidates(&mut tx, &names).await?;
    let standings = store::standings(&mut tx, &names).await?;
    let candidates: Vec<_> = asked
        .into_iter()
        .zip(orders)
        .map(|((name, asked), order)| {
            let standing = standings.get(&name);
            Candidate {
                asked,
                order,
                posting_codes_version: standing.map(|standing| standing.posting_codes_version),
                previous: standing.and_then(|standing| standing.previous),
            }
        })
        .collect();
    let codes = PostingCodesName {
        programme: parent.programme,
    };
    let mut versions = candidates.iter().map(|one| one.posting_codes_version);
    let codes = match versions.find_map(|version| version) {
        Some(version) => posting_codes::store::version(&mut tx, &codes, version).await?,
        None => None,
    };
    let terms = Terms {
        name: SlipName {
            programme: parent.programme,
            slip: ids.next(),
        },
        budget_year: year,
        register,
        codes: codes.as_ref(),
        issuer: scope.actor(),
        now: tx.now(),
        today: paris_date(tx.now()),
    };
    let issued = issue(&terms, &candidates).map_err(refused)?;
    slip::store::insert(&mut tx, &issued).await?;
    let message = wire::Slip::from(&issued.slip);
    let change = Change {
        kind: "slip.correction_issued",
        operator: None,
        name: &issued.slip.name.to_string(),
        revision: issued.slip.revision,
    };
    Ok(tx.finish(&request, change, message).await?)
}

/// Reads what is to be corrected, each instalment once.
fn asked(
    check: &mut Check,
    given: &[wire::OrderCorrection],
) -> Option<Vec<(InstalmentName, Asked)>> {
    let mut seen = BTreeSet::new();
    let mut asked = Vec::with_capacity(given.len());
    for (index, given) in given.iter().enumerate() {
        let path = |field: &str| format!("corrections[{index}].{field}");
        let name = check.parse::<InstalmentName>(&path("instalment"), &given.instalment);
        if name.is_some_and(|name| !seen.insert(name)) {
            check.refuse(&path("instalment"), twice());
        }
        let amount = given.reduction.as_ref();
        let reduction = amount.map(|amount| check.take(&path("reduction"), positive(Some(amount))));
        let motive = text(check, &path("motive"), &given.motive);
        if let (Some(name), Some(motive)) = (name, motive) {
            let reduction = reduction.flatten();
            asked.push((name, Asked { reduction, motive }));
        }
    }
    Some(asked)
}

fn twice() -> Invalid {
    Invalid::new(
        "DUPLICATE",
        "the instalment stands twice",
        "Cette échéance figure deux fois : un mandat ne se corrige qu'une fois dans un bordereau.",
    )
}

fn refused(not_issued: NotIssued) -> Error {
    let failure = match not_issued {
        NotIssued::Blocked(blockers) => Failure::blocked(
            DOMAIN,
            "CORRECTION_BLOCKED",
            Text::new(
                "The orders cannot be corrected; every blocker is listed.",
                "Ces mandats ne peuvent pas être corrigés : chaque obstacle est indiqué.",
            ),
            blockers,
        ),
        NotIssued::File(violations) => Failure::invalid(violations),
    };
    failure.into()
}
