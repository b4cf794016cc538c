//! Issuing a slip: what may go into it, under which numbers, and what its file says.

use nonrecours_kernel::{Blocker, BudgetYear, Money, ProgrammeId, Siret, SlipName, Violation};
use nonrecours_pes::{self as pes, SlipKind};
use time::{Date, OffsetDateTime};

use super::{
    address::postal,
    blocker::{
        account_changed, codes_missing, difference_open, in_slip, not_ordered, other_programme,
        other_year, unidentified,
    },
    domain::{Order, Reason, Slip, Stage},
};
use crate::{
    instalment::{Instalment, Obstacle, Ordered, Schedule, SupportingDocument},
    payment_plan::Charge,
    posting_codes::{BudgetCodes, PayeeCategory, PayeeCodes, PostingCodes},
};

/// The last numbers given in a budget year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Of a slip.
    pub last_slip: i32,
    /// Of an order.
    pub last_piece: i32,
}

/// How the accountant knows a payee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThirdParty {
    /// SIRET.
    pub siret: Siret,
    /// Legal category.
    pub category: PayeeCategory,
    /// Postal address, as one text.
    pub address: Option<String>,
}

/// An instalment that is to go into a slip, and all that may stand in the way.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The instalment.
    pub instalment: Instalment,
    /// Its plan.
    pub schedule: Schedule,
    /// The programme of its convention, once known.
    pub programme: Option<ProgrammeId>,
    /// Who is paid, once known.
    pub third_party: Option<ThirdParty>,
    /// Its last order, and the budget year of that.
    pub last: Option<(BudgetYear, Order)>,
    /// Whether what was stated of it waits to be settled.
    pub difference: bool,
}

/// What a slip is issued with.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Its name.
    pub name: SlipName,
    /// Its budget year.
    pub budget_year: BudgetYear,
    /// The numbers given so far.
    pub register: Register,
    /// The codes in force.
    pub codes: Option<&'a PostingCodes>,
    /// Who issues it.
    pub issuer: &'a str,
    /// When.
    pub now: OffsetDateTime,
    /// The day of it, in Paris.
    pub today: Date,
}

/// Why a slip is not issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotIssued {
    /// Something stands in the way of one order or another: all of it.
    Blocked(Vec<Blocker>),
    /// Its file cannot be written.
    File(Vec<Violation>),
}

/// A slip with its file, and the register after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The slip.
    pub slip: Slip,
    /// Its file.
    pub file: Vec<u8>,
    /// The last numbers given.
    pub register: Register,
}

/// What of a candidate goes into the file.
struct Ready<'a> {
    instalment: &'a Instalment,
    schedule: &'a Schedule,
    ordered: &'a Ordered,
    third_party: &'a ThirdParty,
    codes: &'a PayeeCodes,
    piece: i32,
    attempt: i16,
}

/// Issues a slip of these instalments, in their order.
pub fn issue(terms: Terms<'_>, candidates: &[Candidate]) -> Result<Issued, NotIssued> {
    let mut register = terms.register;
    let mut blockers = Vec::new();
    let mut ready = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        match admit(&terms, candidate, &mut register) {
            Ok(one) => ready.push(one),
            Err(found) => blockers.extend(found),
        }
    }
    let codes = match terms.codes {
        Some(codes) if blockers.is_empty() => codes,
        _ => return Err(NotIssued::Blocked(blockers)),
    };
    register.last_slip += 1;
    let number = register.last_slip;
    let orders: Vec<Order> = ready.iter().map(Ready::order).collect();
    let amount = Money::sum(orders.iter().map(|order| order.amount)).unwrap_or(Money::MAX);
    let file_name = file_name(&codes.codes, terms.budget_year, number);
    let flow = pes::Flow {
        file_name: file_name.clone(),
        date: terms.today,
        authority: pes::Authority {
            posting_office: codes.codes.posting_office.clone(),
            siret: codes.codes.authority_siret,
            collectivity_code: codes.codes.collectivity_code.clone(),
            budget_code: codes.codes.budget_code.clone(),
        },
        slips: vec![pes::Slip {
            budget_year: terms.budget_year,
            number: number.unsigned_abs(),
            date: terms.today,
            kind: SlipKind::Ordinary,
            pieces: ready.iter().map(|one| one.piece(&codes.codes)).collect(),
        }],
    };
    let written = pes::write(&flow).map_err(NotIssued::File)?;
    Ok(Issued {
        slip: Slip {
            name: terms.name,
            budget_year: terms.budget_year,
            number,
            issue_date: terms.today,
            amount,
            file_name,
            posting_codes_version: codes.version,
            warnings: written.warnings,
            orders,
            issuer: terms.issuer.to_owned(),
            revision: 1,
            create_time: terms.now,
            update_time: terms.now,
        },
        file: written.file,
        register,
    })
}

/// Whether a candidate may go into the slip, with its number if so.
fn admit<'a>(
    terms: &Terms<'a>,
    candidate: &'a Candidate,
    register: &mut Register,
) -> Result<Ready<'a>, Vec<Blocker>> {
    let name = &candidate.instalment.name;
    let mut found = Vec::new();
    let ordered = match candidate.instalment.state.paid() {
        Some(_) => None,
        None => candidate.instalment.state.ordered(),
    };
    if ordered.is_none() {
        found.push(not_ordered(name));
    }
    if candidate.programme != Some(terms.name.programme) {
        found.push(other_programme(name));
    }
    let plan = &candidate.schedule.plan;
    match plan.charge(terms.today) {
        None => {
            let closed = Obstacle::YearClosed(plan.charged_year());
            found.push(Blocker {
                subject: name.to_string(),
                ..closed.blocker(&plan.convention)
            });
        }
        Some(charge) => {
            let due = charged_on(charge, terms.today);
            if due != Some(terms.budget_year) {
                found.push(other_year(name, due));
            }
        }
    }
    let to = ordered.map(|ordered| &ordered.certified.account);
    if to.is_some_and(|to| to.standing.ended()) {
        found.push(account_changed(name));
    }
    if candidate.difference {
        found.push(difference_open(name));
    }
    if candidate
        .last
        .as_ref()
        .is_some_and(|(_, last)| !last.stage.rejected())
    {
        found.push(in_slip(name));
    }
    let codes = match &candidate.third_party {
        None => {
            found.push(unidentified(name));
            None
        }
        Some(third_party) => {
            let codes = terms
                .codes
                .and_then(|codes| codes.codes.payee(third_party.category));
            if codes.is_none() {
                found.push(codes_missing(name));
            }
            codes
        }
    };
    match (ordered, &candidate.third_party, codes) {
        (Some(ordered), Some(third_party), Some(codes)) if found.is_empty() => Ok(Ready {
            instalment: &candidate.instalment,
            schedule: &candidate.schedule,
            ordered,
            third_party,
            codes,
            piece: number(terms, candidate, register),
            attempt: candidate
                .last
                .as_ref()
                .map_or(1, |(_, last)| last.attempt.saturating_add(1)),
        }),
        _ => Err(found),
    }
}

/// The number of the order: that of the rejected one where it keeps it, else the next.
fn number(terms: &Terms<'_>, candidate: &Candidate, register: &mut Register) -> i32 {
    match &candidate.last {
        Some((year, last)) if *year == terms.budget_year && last.keeps_number() => last.piece,
        _ => {
            register.last_piece += 1;
            register.last_piece
        }
    }
}

/// The budget year that an order of this day goes on; none before it has begun.
fn charged_on(charge: Charge, today: Date) -> Option<BudgetYear> {
    let year = BudgetYear::new(charge.year).ok()?;
    (year.first_day() <= today).then_some(year)
}

fn file_name(codes: &BudgetCodes, year: BudgetYear, number: i32) -> String {
    let (siret, office) = (codes.authority_siret, &codes.posting_office);
    let (collectivity, budget) = (&codes.collectivity_code, &codes.budget_code);
    format!("PESALR2_{siret}_{office}{collectivity}{budget}_{year}_{number:07}.xml")
}

impl Ready<'_> {
    fn order(&self) -> Order {
        Order {
            instalment: self.instalment.name,
            attempt: self.attempt,
            piece: self.piece,
            amount: self.instalment.amount,
            stage: Stage::Transmitted,
            taken_in_charge: false,
            reason: Reason::default(),
            payment_date: None,
        }
    }

    fn piece(&self, codes: &BudgetCodes) -> pes::Piece {
        let (plan, payee) = (&self.schedule.plan, &self.schedule.payee);
        let kind = self.instalment.kind.french();
        let account = &self.ordered.certified.account.details;
        pes::Piece {
            id: self.piece.to_string(),
            object: format!("{} - {kind}", plan.title),
            documents: self
                .instalment
                .documents
                .iter()
                .filter(|document| !document.withdrawn)
                .map(SupportingDocument::listed)
                .collect(),
            lines: vec![pes::Line {
                nature: self.codes.nature.clone(),
                function: codes.function_code.clone(),
                label: format!("{} - {kind} {}", plan.title, plan.budget_year),
                amount: self.instalment.amount,
                corrects: None,
                payee: pes::Payee {
                    siret: self.third_party.siret,
                    category: self.codes.third_party_category.clone(),
                    legal_nature: self.codes.legal_nature.clone(),
                    name: payee.legal_name.clone(),
                    address: self.third_party.address.as_deref().and_then(postal),
                    account: pes::Account {
                        iban: account.iban.clone(),
                        bic: account.bic.clone(),
                        holder: account.holder.clone(),
                    },
                },
            }],
        }
    }
}
