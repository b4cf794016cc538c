//! Answering for a table.

use nonrecours_contracts::followup::{
    Amount, Count, IndicatorRow, QueryIndicatorsRequest, QueryIndicatorsResponse, Withheld, amount,
    count,
};
use nonrecours_disclosure::{Contribution, Period};
use nonrecours_kernel::{
    Caller, ConventionId, ConventionName, Invalid, Money, OperatorId, OperatorName, catalogue,
};
use nonrecours_pg::Db;
use nonrecours_rpc::{Check, convert::to_money, field};
use uuid::Uuid;

use super::{
    cache::{Cache, Key},
    measure::Measure,
    sums::{Months, add},
    table::{Audience, Breakdown, Grain, Row, Told, series},
    table_store as store,
    targets::Aims,
};
use crate::{convention, error::Error, record::damage, session::domain::Channel};

/// Parent of what the caller may see, whichever operator's.
const EVERY_OPERATOR: &str = "operators/-";

/// Gives the table that was asked for.
pub async fn answer(
    db: &Db,
    cache: &Cache,
    caller: &Caller,
    request: &QueryIndicatorsRequest,
) -> Result<QueryIndicatorsResponse, Error> {
    let all = request.parent == EVERY_OPERATOR;
    let scope = if all {
        caller.scope()
    } else {
        caller.reach(field::<OperatorName>("parent", &request.parent)?.operator)?
    };
    // Bound to an operator by the token, not by the question.
    let own = caller.scope().operator();
    let mut check = Check::of(request);
    let breakdown = check.take("breakdown", Breakdown::from_wire(request.breakdown));
    let grain = check.take("grain", Grain::from_wire(request.grain));
    let audience = check.take("audience", Audience::from_wire(request.audience));
    if own.is_none() && !all {
        check.refuse("parent", not_served());
    }
    let wrong = match own {
        Some(_) => Breakdown::Operator,
        None => Breakdown::Convention,
    };
    if breakdown == Some(Some(wrong)) {
        check.refuse("breakdown", not_served());
    }
    if own.is_some() && matches!(audience, Some(Some(_))) {
        check.refuse("audience", not_served());
    }
    let (breakdown, grain, audience) = check.finish(|| Some((breakdown??, grain??, audience?)))?;

    let mut tx = db.read(&scope).await?;
    let aims = match grain {
        Grain::Year => Aims::read(&mut tx, breakdown, request.year).await?,
        Grain::Month | Grain::Quarter => Aims::default(),
    };
    if let Some(operator) = own {
        let rows = store::current(&mut tx, operator, breakdown, request.year).await?;
        drop(tx);
        let mut rows = named(breakdown, Some(operator), rows)?;
        aims.complete(&mut rows);
        let told = Told::all(breakdown, rows.len());
        return Ok(QueryIndicatorsResponse {
            audience: 0,
            released_quarters: 0,
            rows: wire(&rows, &told, grain, 0, &aims),
        });
    }
    let store::Released {
        quarters: closed,
        thresholds,
    } = store::released_quarters(&mut tx, request.year).await?;
    let operators = convention::store::operators(&mut tx).await?;
    let audience = audience.unwrap_or(Audience::Internal);
    let key = Key {
        year: request.year,
        closed,
        thresholds,
        breakdown,
        audience,
        operators: operators.len(),
    };
    let decided = match cache.get(&key) {
        Some(decided) => decided,
        None => {
            let total = store::released(&mut tx, Breakdown::Total, request.year).await?;
            let rows = store::released(&mut tx, breakdown, request.year).await?;
            drop(tx);
            let rows = named(breakdown, None, fixed(breakdown, &operators, rows))?;
            let total = total.first().map(|row| row.months).unwrap_or_default();
            cache.decide(key, rows, total).await?
        }
    };
    Ok(QueryIndicatorsResponse {
        audience: audience.to_wire(),
        released_quarters: i32::try_from(closed).unwrap_or_default(),
        rows: wire(
            &decided.rows,
            &decided.told,
            grain,
            thresholds.of(audience),
            &aims,
        ),
    })
}

/// The rows of the programme's tables: always the same, so that their being there tells nothing. What has another code
/// counts in the row without one.
fn fixed(breakdown: Breakdown, operators: &[OperatorId], rows: Vec<Row>) -> Vec<Row> {
    let rest = || String::new();
    let codes: Vec<String> = match breakdown {
        Breakdown::Total | Breakdown::Convention => vec![rest()],
        Breakdown::Operator => operators.iter().map(OperatorId::to_string).collect(),
        Breakdown::Commune => catalogue::communes()
            .iter()
            .map(|commune| commune.insee_code.to_owned())
            .chain([rest()])
            .collect(),
        Breakdown::Public => catalogue::publics()
            .iter()
            .map(|public| public.code.to_owned())
            .chain([rest()])
            .collect(),
        Breakdown::Right => catalogue::rights()
            .iter()
            .map(|right| right.code.to_owned())
            .chain([rest()])
            .collect(),
        Breakdown::Reason => catalogue::non_take_up_reasons()
            .iter()
            .map(|reason| reason.code.to_owned())
            .chain([rest()])
            .collect(),
        Breakdown::Channel => Channel::ALL
            .iter()
            .map(|channel| channel.code().to_owned())
            .collect(),
    };
    let mut fixed: Vec<Row> = codes
        .into_iter()
        .map(|code| Row {
            code,
            months: Months::default(),
        })
        .collect();
    for row in rows {
        let place = fixed
            .iter()
            .position(|own| own.code == row.code)
            .or_else(|| fixed.iter().position(|own| own.code.is_empty()));
        if let Some(own) = place.and_then(|place| fixed.get_mut(place)) {
            add(&mut own.months, &row.months);
        }
    }
    fixed
}

/// Ids become resource names.
fn named(
    breakdown: Breakdown,
    operator: Option<OperatorId>,
    mut rows: Vec<Row>,
) -> Result<Vec<Row>, Error> {
    for row in &mut rows {
        let id = || row.code.parse::<Uuid>().map_err(|_| damage(not_served()));
        row.code = match (breakdown, operator) {
            (Breakdown::Operator, _) => OperatorName {
                operator: OperatorId::from_uuid(id()?),
            }
            .to_string(),
            (Breakdown::Convention, Some(operator)) => ConventionName {
                operator,
                convention: ConventionId::from_uuid(id()?),
            }
            .to_string(),
            _ => continue,
        };
    }
    Ok(rows)
}

/// `TABLE_NOT_SERVED`.
fn not_served() -> Invalid {
    Invalid::new(
        "TABLE_NOT_SERVED",
        "the programme's roles are given tables of the whole territory, an operator its own",
        "les rôles du programme lisent les tableaux du territoire entier, un opérateur les siens : demandez l'un de ceux-là",
    )
}

fn wire(rows: &[Row], told: &Told, grain: Grain, threshold: i32, aims: &Aims) -> Vec<IndicatorRow> {
    let mut answer = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let figures = Measure::ALL.map(|measure| series(measure, &row.months));
        for period in told.periods(grain) {
            let mut wire = IndicatorRow {
                code: row.code.clone(),
                ..IndicatorRow::default()
            };
            match period {
                Period::Month(month) => wire.month = ordinal(month),
                Period::Quarter(quarter) => wire.quarter = ordinal(quarter),
                Period::Year => {}
            }
            for (measure, series) in Measure::ALL.into_iter().zip(&figures) {
                if let Some(is_told) = told.is_told(measure, place, period) {
                    let figure = is_told.then(|| series.at(period));
                    put(&mut wire, measure, figure, threshold);
                }
            }
            mean(&mut wire, &row.months, period);
            aims.put(&mut wire);
            answer.push(wire);
        }
    }
    answer
}

fn ordinal(place: usize) -> i32 {
    i32::try_from(place).map_or(0, |place| place + 1)
}

fn put(row: &mut IndicatorRow, measure: Measure, told: Option<Contribution>, threshold: i32) {
    let value = told.map(|figure| i64::try_from(figure.value).unwrap_or(i64::MAX));
    let withheld = Withheld { threshold };
    let count = || {
        Some(Count {
            figure: Some(match value {
                Some(value) => count::Figure::Value(value),
                None => count::Figure::Withheld(withheld),
            }),
        })
    };
    let amount = || {
        let money = value.map(|cents| Money::try_from_cents(cents).unwrap_or(Money::MAX));
        Some(Amount {
            figure: Some(match money {
                Some(money) => amount::Figure::Value(to_money(money)),
                None => amount::Figure::Withheld(withheld),
            }),
        })
    };
    match measure {
        Measure::PersonsSpotted => row.persons_spotted = count(),
        Measure::PersonsInformed => row.persons_informed = count(),
        Measure::PersonsOriented => row.persons_oriented = count(),
        Measure::PersonsSupported => row.persons_supported = count(),
        Measure::EntitlementsFollowed => row.entitlements_followed = count(),
        Measure::EntitlementsOpened => row.entitlements_opened = count(),
        Measure::EntitlementsDecided => {
            row.entitlements_decided = count();
            row.mean_decision_days = count();
        }
        Measure::InAutonomy => row.in_autonomy = count(),
        Measure::OnBehalf => row.on_behalf = count(),
        Measure::InterruptionsAvoided => row.interruptions_avoided = count(),
        Measure::AmountNotified => row.amount_notified = amount(),
        Measure::AmountEstimated => row.amount_estimated = amount(),
        Measure::SessionsHeld => row.sessions_held = count(),
        Measure::PersonsMet => row.persons_met = count(),
    }
}

/// Puts the mean in the place of the number it is the mean of; without any decision there is none.
fn mean(row: &mut IndicatorRow, months: &Months, period: Period) {
    let Some(Count {
        figure: Some(count::Figure::Value(decided)),
    }) = row.mean_decision_days
    else {
        return;
    };
    let within = |month: usize| match period {
        Period::Month(own) => month == own,
        Period::Quarter(quarter) => month / 3 == quarter,
        Period::Year => true,
    };
    let days: i64 = months
        .iter()
        .enumerate()
        .filter(|(month, _)| within(*month))
        .map(|(_, sums)| sums.decision_days)
        .sum();
    row.mean_decision_days = (decided > 0).then(|| Count {
        // To the nearest day, half a day upwards.
        figure: Some(count::Figure::Value((2 * days + decided) / (2 * decided))),
    });
}
