//! Issuing a slip: what may go into it, under which numbers, and what its file says.

use nonrecours_kernel::{Blocker, BudgetYear, Money, ProgrammeId, Siret, SlipName, Violation};
use time::{Date, OffsetDateTime};

use super::{
    blocker::{
        account_changed, codes_missing, difference_open, in_slip, not_ordered, other_programme,
        other_year, unidentified,
    },
    domain::{Kind, Order, Payer, Reason, Slip, Stage},
    file::{self, File},
};
use crate::{
    instalment::{Instalment, Obstacle, Ordered, Schedule},
    payment_plan::Charge,
    posting_codes::{BudgetCodes, Channel, PayeeCategory, PayeeCodes, PostingCodes},
};

/// The last numbers given in a budget year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Of a slip that orders.
    pub last_slip: i32,
    /// Of a slip that corrects.
    pub last_correction: i32,
    /// Of an order or a correction.
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

/// What of a candidate goes into the file, with what the one who pays wants to know besides.
pub(super) struct Ready<'a, P> {
    pub instalment: &'a Instalment,
    pub schedule: &'a Schedule,
    pub ordered: &'a Ordered,
    pub piece: i32,
    pub attempt: i16,
    pub posting: P,
}

/// How a payee is posted at the accountant's.
pub struct Posting<'a> {
    /// Who it is there.
    pub third_party: &'a ThirdParty,
    /// The codes of its category.
    pub codes: &'a PayeeCodes,
}

/// Issues a slip of these instalments, in their order.
pub fn issue(terms: Terms<'_>, candidates: &[Candidate]) -> Result<Issued, NotIssued> {
    let mut register = terms.register;
    register.last_slip += 1;
    let number = register.last_slip;
    let (orders, payer, file, version) = match terms.codes {
        None => {
            let missing = |one: &Candidate| Err::<(), _>(codes_missing(&one.instalment.name));
            // Each is blocked by that alone; what else stands in its way is told as well.
            admit_all(&terms, candidates, &mut register, missing)?;
            return Err(NotIssued::Blocked(Vec::new()));
        }
        Some(codes) => {
            let version = codes.version;
            match &codes.channel {
                Channel::Accountant(budget) => {
                    let posting = |one| posting(budget, one);
                    let ready = admit_all(&terms, candidates, &mut register, posting)?;
                    let file = file::flow(&terms, number, budget, &ready)?;
                    (orders(&ready), Payer::Accountant, file, version)
                }
                Channel::Bank(debtor) => {
                    let ready = admit_all(&terms, candidates, &mut register, |_| Ok(()))?;
                    let file = file::transfers(&terms, number, debtor, &ready)?;
                    (orders(&ready), Payer::Bank, file, version)
                }
            }
        }
    };
    let amount = Money::sum(orders.iter().map(|order| order.amount)).unwrap_or(Money::MAX);
    let File {
        name: file_name,
        content,
        warnings,
    } = file;
    Ok(Issued {
        slip: Slip {
            name: terms.name,
            kind: Kind::Ordinary,
            budget_year: terms.budget_year,
            number,
            issue_date: terms.today,
            amount,
            payer,
            file_name,
            posting_codes_version: version,
            warnings,
            orders,
            corrections: Vec::new(),
            issuer: terms.issuer.to_owned(),
            revision: 1,
            create_time: terms.now,
            update_time: terms.now,
        },
        file: content,
        register,
    })
}

fn orders<P>(ready: &[Ready<'_, P>]) -> Vec<Order> {
    ready.iter().map(Ready::order).collect()
}

/// How the accountant knows the payee.
pub fn posting<'a>(
    budget: &'a BudgetCodes,
    candidate: &'a Candidate,
) -> Result<Posting<'a>, Blocker> {
    let name = &candidate.instalment.name;
    let third_party = candidate.third_party.as_ref();
    let third_party = third_party.ok_or_else(|| unidentified(name))?;
    let codes = budget.payee(third_party.category);
    let codes = codes.ok_or_else(|| codes_missing(name))?;
    Ok(Posting { third_party, codes })
}

/// All of them with their numbers, or everything that stands in the way of one or another.
fn admit_all<'a, P>(
    terms: &Terms<'_>,
    candidates: &'a [Candidate],
    register: &mut Register,
    posting: impl Fn(&'a Candidate) -> Result<P, Blocker>,
) -> Result<Vec<Ready<'a, P>>, NotIssued> {
    let mut blockers = Vec::new();
    let mut ready = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        match admit(terms, candidate, register, posting(candidate)) {
            Ok(one) => ready.push(one),
            Err(found) => blockers.extend(found),
        }
    }
    if blockers.is_empty() {
        Ok(ready)
    } else {
        Err(NotIssued::Blocked(blockers))
    }
}

/// Whether a candidate may go into the slip, with its number if so.
fn admit<'a, P>(
    terms: &Terms<'_>,
    candidate: &'a Candidate,
    register: &mut Register,
    posting: Result<P, Blocker>,
) -> Result<Ready<'a, P>, Vec<Blocker>> {
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
    let posting = posting.map_err(|blocker| found.push(blocker)).ok();
    match (ordered, posting) {
        (Some(ordered), Some(posting)) if found.is_empty() => Ok(Ready {
            instalment: &candidate.instalment,
            schedule: &candidate.schedule,
            ordered,
            piece: number(terms, candidate, register),
            attempt: candidate
                .last
                .as_ref()
                .map_or(1, |(_, last)| last.attempt.saturating_add(1)),
            posting,
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

impl<P> Ready<'_, P> {
    fn order(&self) -> Order {
        Order {
            instalment: self.instalment.name,
            attempt: self.attempt,
            piece: self.piece,
            amount: self.instalment.amount,
            reduced: Money::ZERO,
            returned: Money::ZERO,
            stage: Stage::Transmitted,
            taken_in_charge: false,
            reason: Reason::default(),
            payment_date: None,
            return_date: None,
        }
    }
}
