//! What stands in the way of signing: the same answer before the attempt and in its refusal.

use nonrecours_kernel::{Blocker, BudgetYear, Money, OperatorName, ProgrammeName, french_date};
use time::Date;

use super::{
    domain::Convention,
    party::{ByParty, Party},
    terms::Signatory,
};
use crate::{
    act::domain::{Act, Transmission},
    programme::domain::Envelope,
};

/// What a signature depends on beside the convention itself.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// Whether the operator is of public law: only then it needs a transmitted act.
    pub operator_is_public: bool,
    /// Whether the operator is an association without a contrat d'engagement républicain.
    pub lacks_republican_commitment: bool,
    /// The authorising acts recorded.
    pub acts: ByParty<Option<Act>>,
    /// The programme's envelope of the convention's budget year.
    pub envelope: Option<Envelope>,
}

/// What is to be signed: a convention, or an amendment of one.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// The operator that signs.
    pub operator: OperatorName,
    /// The programme whose envelope pays.
    pub programme: ProgrammeName,
    /// The budget year of the envelope.
    pub budget_year: BudgetYear,
    /// Who signs.
    pub signatories: &'a ByParty<Option<Signatory>>,
    /// What it engages.
    pub engages: Engages,
}

/// What a signature engages on the envelope.
#[derive(Clone, Copy, Debug)]
pub enum Engages {
    /// A whole grant.
    Grant(Money),
    /// So much more than before; zero when it is not more.
    Increase(Money),
}

/// Everything that stands in the way of signing a convention on that day, of both parties: terms and acts are fixed from
/// the first signature on. Nothing when it is past being signed.
pub fn signing_blockers(
    convention: &Convention,
    circumstances: &Circumstances,
    today: Date,
) -> Vec<Blocker> {
    if !convention.state.is_open() {
        return Vec::new();
    }
    let document = Document {
        operator: convention.name.parent(),
        programme: convention.terms.framework_convention.parent(),
        budget_year: convention.terms.budget_year,
        signatories: &convention.terms.signatories,
        engages: Engages::Grant(convention.terms.grant),
    };
    blockers(&document, circumstances, today)
}

/// Everything that stands in the way of signing a document on that day, of both parties.
pub fn blockers(
    document: &Document<'_>,
    circumstances: &Circumstances,
    today: Date,
) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    for party in Party::ALL {
        if party == Party::Authority || circumstances.operator_is_public {
            act_blockers(
                party,
                circumstances.acts.get(party).as_ref(),
                today,
                &mut blockers,
            );
        }
        signatory_blockers(
            party,
            document.signatories.get(party).as_ref(),
            &mut blockers,
        );
    }
    if circumstances.lacks_republican_commitment {
        blockers.push(republican_commitment_blocker(&document.operator));
    }
    blockers.extend(envelope_blocker(document, circumstances.envelope.as_ref()));
    blockers
}

/// The act must be enforceable: transmitted, and published or notified (art. L2131-1 CGCT).
fn act_blockers(party: Party, act: Option<&Act>, today: Date, blockers: &mut Vec<Blocker>) {
    let Some(act) = act else {
        blockers.push(Blocker::new(
            "ACT_MISSING",
            format!("acts[PARTY_{}]", party.as_str()),
            format!("The act that authorises {} to sign is not recorded.", party.english()),
            format!(
                "L'acte qui autorise {} à signer n'est pas enregistré : enregistrez-le avec son numéro de \
                 transmission à la préfecture.",
                party.french()
            ),
        ));
        return;
    };
    let (name, number) = (act.name.to_string(), &act.act_id);
    if let Transmission::Failed { reason, .. } = &act.transmission {
        blockers.push(Blocker::new(
            "ACT_TRANSMISSION_FAILED",
            name.clone(),
            format!("The last transmission of act {number} came to nothing: {reason}."),
            format!(
                "La dernière transmission de l'acte {number} n'a pas abouti ({reason}) : transmettez-le à nouveau \
                 (art. L2131-1 du CGCT)."
            ),
        ));
    } else if act.transmission.received().is_none() {
        blockers.push(Blocker::new(
            "ACT_NOT_TRANSMITTED",
            name.clone(),
            format!("Act {number} is not transmitted to the prefecture (art. L2131-1 CGCT)."),
            format!(
                "L'acte {number} n'est pas transmis à la préfecture : enregistrez sa date de transmission \
                 (art. L2131-1 du CGCT)."
            ),
        ));
    }
    if act.publication.is_none() {
        blockers.push(Blocker::new(
            "ACT_NOT_PUBLISHED",
            name.clone(),
            format!("Act {number} is neither published nor notified (art. L2131-1 CGCT)."),
            format!(
                "L'acte {number} n'est pas publié : enregistrez sa date de publication (art. L2131-1 du CGCT)."
            ),
        ));
    }
    let enforceable = act
        .enforceability()
        .map(|enforceability| enforceability.day);
    if let Some(enforceable) = enforceable.filter(|day| *day > today) {
        blockers.push(Blocker::new(
            "ACT_NOT_YET_ENFORCEABLE",
            name,
            format!("Act {number} is enforceable from {enforceable} only (art. L2131-1 CGCT)."),
            format!(
                "L'acte {number} n'est exécutoire qu'à partir du {} : signez à compter de cette date \
                 (art. L2131-1 du CGCT).",
                french_date(enforceable)
            ),
        ));
    }
}

fn signatory_blockers(party: Party, signatory: Option<&Signatory>, blockers: &mut Vec<Blocker>) {
    let subject = format!("signatories[PARTY_{}]", party.as_str());
    match signatory {
        None => blockers.push(Blocker::new(
            "SIGNATORY_MISSING",
            subject,
            format!("Nobody is named to sign for {}.", party.english()),
            format!(
                "Personne n'est désigné pour signer au nom de {} : indiquez le nom et la qualité du signataire.",
                party.french()
            ),
        )),
        Some(signatory) if signatory.empowering_decision.is_none() => blockers.push(Blocker::new(
            "EMPOWERING_DECISION_MISSING",
            format!("{subject}.empowering_decision_date"),
            format!(
                "The date of the decision that empowers the signatory of {} is blank.",
                party.english()
            ),
            format!(
                "La date de la décision qui habilite le signataire de {} est vide : complétez-la, ou enregistrez l'acte.",
                party.french()
            ),
        )),
        Some(_) => {}
    }
}

fn republican_commitment_blocker(operator: &OperatorName) -> Blocker {
    Blocker::new(
        "REPUBLICAN_COMMITMENT_MISSING",
        operator.to_string(),
        "The association has not signed the contrat d'engagement républicain (art. 10-1 of loi 2000-321).",
        "L'association n'a pas souscrit le contrat d'engagement républicain : enregistrez la date de sa signature \
         (art. 10-1 de la loi n° 2000-321).",
    )
}

fn envelope_blocker(document: &Document<'_>, envelope: Option<&Envelope>) -> Option<Blocker> {
    let (year, programme) = (document.budget_year, document.programme.to_string());
    let Some(envelope) = envelope else {
        return Some(Blocker::new(
            "ENVELOPE_MISSING",
            programme,
            format!("The programme has no envelope for budget year {year}."),
            format!(
                "Le programme n'a pas d'enveloppe pour l'exercice {year} : vérifiez l'exercice de la convention."
            ),
        ));
    };
    let (amount, english, french) = match document.engages {
        Engages::Grant(grant) => (grant, "grant", "La subvention"),
        Engages::Increase(increase) => (increase, "increase of the grant", "L'augmentation"),
    };
    let available = envelope.available();
    (amount > available).then(|| {
        Blocker::new(
            "ENVELOPE_EXCEEDED",
            programme,
            format!("The {english} of {amount} EUR is more than the {available} EUR left of the {year} envelope."),
            format!(
                "{french} de {} dépasse les {} disponibles de l'enveloppe {year} : réduisez-la, ou faites voter \
                 un complément.",
                amount.french(),
                available.french()
            ),
        )
    })
}
