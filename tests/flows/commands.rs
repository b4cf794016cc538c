//! The everyday commands on a running suite.

use std::{io::Write as _, path::PathBuf, sync::Arc};

use nonrecours_cli::{
    attachments,
    everyday::{
        accounts::{self, Accounts},
        budgets::{self, Budgets},
        commitments::{self, Commitments},
        controls::{self, Controls, Measure, Outcome},
        funds::{self, Funds},
        life,
        notices::{self, Giver, Ground, Notices},
        reports::{self, Reports},
        retention,
        subjects::{self, Basis, Identified, Right, Subjects},
    },
    journey::{Cast, Facts, Journey, Step},
    state::State,
    suite::{Databases, Suite, SuiteOptions},
    up,
};
use nonrecours_kernel::{ConventionName, SystemClock};

/// A suite of today with the convention of Dainville in force, and what the commands know of it.
pub(crate) async fn running() -> (Suite, Cast, State) {
    let (suite, cast, state, _) = played(Step::OpenPlan).await;
    (suite, cast, state)
}

/// The same up to a step of the journey, and what was made.
pub(crate) async fn played(last: Step) -> (Suite, Cast, State, Facts) {
    let suite = started(None).await;
    let (cast, state, facts) = played_on(&suite, last).await;
    (suite, cast, state, facts)
}

/// A suite of today, which finds again what it has left in this folder.
pub(crate) async fn started(data: Option<PathBuf>) -> Suite {
    Suite::start(SuiteOptions {
        databases: Databases::Private,
        clock: Arc::new(SystemClock),
        data,
        postgres_programs: None,
        ports: [0; 3],
        certificates: false,
    })
    .await
    .unwrap()
}

/// The journey on a suite, up to a step.
pub(crate) async fn played_on(suite: &Suite, last: Step) -> (Cast, State, Facts) {
    let cast = Cast {
        addresses: suite.addresses.clone(),
        issuer: Arc::clone(&suite.issuer),
        clock: Arc::clone(&suite.clock),
    };
    let mut journey = Journey::new(cast.clone(), None).unwrap();
    for step in Step::ALL {
        journey.play(step).await.unwrap();
        if step == last {
            break;
        }
    }
    (
        cast,
        state_of(suite, &journey.facts.convention),
        journey.facts,
    )
}

/// What the commands are told of a suite and a convention.
pub(crate) fn state_of(suite: &Suite, convention: &str) -> State {
    let name: ConventionName = convention.parse().unwrap();
    up::describe(suite, name.operator, convention).unwrap()
}

fn file(lines: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    file
}

/// The first name of a resource of this kind in what was printed.
pub(crate) fn named(text: &str, kind: &str) -> String {
    let mut words = text.split(|letter: char| letter.is_whitespace() || letter == '│');
    words
        .find(|word| word.contains(&format!("/{kind}/")))
        .unwrap_or_else(|| panic!("no {kind} in\n{text}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commitments_and_budgets_are_followed_from_the_command_line() {
    let (suite, cast, state) = running().await;
    let convention = state.convention.clone();
    let list = |parent: &str| Commitments::List {
        parent: parent.to_owned(),
        overdue: false,
        reminder: false,
    };
    let listed = commitments::run(&state, list(&convention)).await.unwrap();
    assert_eq!(listed.matches("/commitments/").count(), 7, "{listed}");
    let name = named(&listed, "commitments");
    let validate = || Commitments::Validate { name: name.clone() };
    let refused = commitments::run(&state, validate()).await.unwrap_err();
    assert!(
        refused.to_string().contains("COMMITMENT_WITHOUT_EVIDENCE"),
        "{refused}"
    );
    let evidence = Commitments::Evidence {
        name: name.clone(),
        text: "Douze permanences tenues.".to_owned(),
        reference: "Feuilles d'émargement".to_owned(),
    };
    let said = commitments::run(&state, evidence).await.unwrap();
    assert!(said.contains("preuve à valider"), "{said}");
    let said = commitments::run(&state, validate()).await.unwrap();
    assert!(said.contains("validé"), "{said}");
    let reopen = Commitments::Reopen {
        name: name.clone(),
        reason: "Feuilles illisibles.".to_owned(),
    };
    let said = commitments::run(&state, reopen).await.unwrap();
    assert!(said.contains("à tenir"), "{said}");
    let everyone = commitments::run(&state, list("operators/-")).await.unwrap();
    assert!(everyone.contains(&name), "{everyone}");

    let planned = file("compte;montant\n62;1 500,00\n64;10000\n74;11 500,00 €\n");
    let plan = Budgets::Plan {
        convention: convention.clone(),
        file: planned.path().to_owned(),
    };
    let shown = budgets::run(&state, plan).await.unwrap();
    assert!(shown.contains("Charges de personnel"), "{shown}");
    let wrong = file("64;dix mille\n74\n");
    let realise = |path: &tempfile::NamedTempFile| Budgets::Realise {
        convention: convention.clone(),
        file: path.path().to_owned(),
    };
    let refused = budgets::run(&state, realise(&wrong)).await.unwrap_err();
    let refused = refused.to_string();
    assert!(
        refused.contains("ligne 1") && refused.contains("ligne 2"),
        "{refused}"
    );
    let realised = file("62;900,00\n64;10000\n74;11500\n");
    let shown = budgets::run(&state, realise(&realised)).await.unwrap();
    assert!(
        shown.contains("-40\u{a0}%") && shown.contains("significatif"),
        "{shown}"
    );
    assert!(shown.contains("à décider"), "{shown}");
    let close = Budgets::CloseCase {
        convention: convention.clone(),
        reason: "Écart admis.".to_owned(),
    };
    let shown = budgets::run(&state, close).await.unwrap();
    assert!(!shown.contains("à décider"), "{shown}");

    let nothing = Reports::Show {
        convention: convention.clone(),
    };
    let refused = reports::run(&state, nothing).await.unwrap_err();
    assert!(
        refused.to_string().contains("pas encore de bilan"),
        "{refused}"
    );

    // What is due first is that of this convention.
    let client = cast.officer().unwrap();
    let due = life::next_due(&client, &convention).await.unwrap().unwrap();
    assert!(due.contains('/'), "{due}");
    suite.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_convention_is_controlled_reported_on_and_put_on_notice_from_the_command_line() {
    let (suite, cast, state) = running().await;
    let convention = state.convention.clone();
    let control = async |command| controls::run(&state, command).await.unwrap();
    let inspection = control(Controls::Open {
        convention: convention.clone(),
        subject: "Pièces des permanences".to_owned(),
        on: None,
    })
    .await;
    control(Controls::Close {
        name: inspection.clone(),
        findings: "Trois permanences sur douze.".to_owned(),
        on: None,
    })
    .await;
    let hearing = control(Controls::Convene {
        convention: convention.clone(),
        subject: "Suites du contrôle".to_owned(),
        on: None,
        inspection,
    })
    .await;
    let suspend = || Controls::Decide {
        convention: convention.clone(),
        measure: Measure::Suspend,
        hearing: hearing.clone(),
        motives: "Actions au quart.".to_owned(),
        amount: None,
        on: None,
    };
    let refused = controls::run(&state, suspend()).await.unwrap_err();
    assert!(refused.to_string().contains("HEARING_MISSING"), "{refused}");
    control(Controls::Hear {
        name: hearing.clone(),
        outcome: Outcome::Held,
        minutes: "Le maire a présenté ses observations.".to_owned(),
        on: None,
    })
    .await;
    let decision = control(suspend()).await;
    assert!(decision.contains("/decisions/"), "{decision}");

    let sent = notices::run(
        &state,
        Notices::Send {
            convention: convention.clone(),
            party: Giver::Operator,
            ground: Ground::SubstantialChange,
            motives: "Local fermé.".to_owned(),
            letter: "1A 204 567 8901 2".to_owned(),
            sent: None,
        },
    )
    .await
    .unwrap();
    let notice = named(&sent, "formalNotices");
    let apply = Notices::Apply {
        name: notice.clone(),
        party: Giver::Operator,
    };
    let refused = notices::run(&state, apply).await.unwrap_err();
    assert!(
        refused.to_string().contains("NOTICE_DELAY_RUNNING"),
        "{refused}"
    );
    let remedy = Notices::Remedy {
        name: notice.clone(),
        party: Giver::Operator,
        on: None,
    };
    let remedied = notices::run(&state, remedy).await.unwrap();
    assert!(remedied.contains("suivie d'effet"), "{remedied}");
    let list = Notices::List {
        convention: convention.clone(),
    };
    let listed = notices::run(&state, list).await.unwrap();
    assert!(listed.contains(&notice), "{listed}");

    // Shown as its life went: one signature after the other, on the same day.
    let client = cast.officer().unwrap();
    let request = nonrecours_contracts::conventions::GetConventionRequest {
        name: convention.clone(),
    };
    let shown = client.conventions().get_convention(request).await;
    let states = life::states(&shown.unwrap().into_inner()).unwrap();
    let steps: Vec<_> = states.split(" → ").collect();
    assert_eq!(steps.len(), 3, "{states}");
    for (step, begins) in steps
        .iter()
        .zip(["projet ", "signée par une partie ", "en vigueur "])
    {
        assert!(step.starts_with(begins), "{states}");
    }

    let name: ConventionName = convention.parse().unwrap();
    // Nobody has been followed for long enough yet.
    let operator = name.parent().to_string();
    let due = retention::run(&state, &operator, false).await.unwrap();
    assert!(due.contains("à effacer : 0"), "{due}");
    let erased = retention::run(&state, &operator, true).await.unwrap();
    assert!(erased.starts_with("personnes effacées : 0"), "{erased}");
    asks_of_their_data(&cast, &state, &convention).await;

    let manager = cast.manager(name.operator).unwrap();
    let report = nonrecours_contracts::conventions::CreateActivityReportRequest {
        parent: convention.clone(),
        activity_report: Some(nonrecours_contracts::conventions::ActivityReport {
            narrative: "Douze permanences.".to_owned(),
            spent_amount: Some(nonrecours_rpc::convert::to_money(
                nonrecours_kernel::Money::from_cents(1_130_000),
            )),
            ..Default::default()
        }),
        request_id: nonrecours_testkit::request_id(),
    };
    let report = nonrecours_cli::client::answered(|| {
        let (mut client, request) = (manager.activity_reports(), report.clone());
        async move { client.create_activity_report(request).await }
    })
    .await
    .unwrap();
    let submit = nonrecours_contracts::conventions::SubmitActivityReportRequest {
        name: report.name,
        etag: String::new(),
        request_id: nonrecours_testkit::request_id(),
    };
    let mut reports_of_operator = manager.activity_reports();
    reports_of_operator
        .submit_activity_report(submit)
        .await
        .unwrap();
    let show = Reports::Show {
        convention: convention.clone(),
    };
    let shown = reports::run(&state, show).await.unwrap();
    assert!(shown.contains("remis, à instruire"), "{shown}");
    assert!(shown.contains("11\u{202f}300,00"), "{shown}");
    let accounts = Reports::Accounts {
        convention,
        out: None,
    };
    let refused = reports::run(&state, accounts).await.unwrap_err();
    assert!(refused.to_string().contains("aucun budget"), "{refused}");
    suite.stop().await.unwrap();
}

/// Asks until the files that were brought are known to `payments`.
async fn once_known<F, E>(ask: impl Fn() -> F) -> String
where
    F: Future<Output = Result<String, E>>,
    E: std::fmt::Debug + ToString,
{
    once(&["(NOT_FOUND)"], ask).await
}

/// Asks until the answer is another than a refusal with one of these in it.
pub(crate) async fn once<F, E>(refusals: &[&str], ask: impl Fn() -> F) -> String
where
    F: Future<Output = Result<String, E>>,
    E: std::fmt::Debug + ToString,
{
    for _ in 0..KNOWN_ATTEMPTS {
        match ask().await {
            Err(refused)
                if refusals
                    .iter()
                    .any(|refusal| refused.to_string().contains(refusal)) =>
            {
                tokio::time::sleep(KNOWN_PAUSE).await;
            }
            answered => return answered.unwrap(),
        }
    }
    panic!("it stays {refusals:?}");
}

/// How often it is looked whether a file or a convention is known, and how long between.
const KNOWN_ATTEMPTS: usize = 600;
const KNOWN_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn funds_are_called_with_their_papers_from_the_command_line() {
    let (suite, cast, state) = running().await;
    let convention = state.convention.clone();
    let (operator, _) = convention.split_once("/conventions/").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for name in ["act", "convention", "call", "rib"] {
        let path = folder.path().join(format!("{name}.pdf"));
        std::fs::write(&path, format!("%PDF-1.7\n% {name}\n")).unwrap();
        let kind = attachments::Kind::Other;
        let brought = attachments::upload(&state, &path, &convention, kind).await;
        files.push(format!("{name}={}", brought.unwrap().name));
    }
    let rib = files.pop().unwrap().replace("rib=", "");
    let enter = |iban: &str, holder: &str| Accounts::Enter {
        operator: operator.to_owned(),
        iban: iban.to_owned(),
        bic: "BDFEFRPPCCT".to_owned(),
        holder: holder.to_owned(),
        rib: rib.clone(),
    };
    let iban = "FR90 3000 1001 52D6 2000 0000 041";
    let entered = once_known(|| accounts::run(&state, enter(iban, "Mme Martin"))).await;
    assert!(entered.contains("à approuver"), "{entered}");
    assert!(entered.contains("attention"), "{entered}");
    let account = named(&entered, "bankAccounts");

    let instalments = nonrecours_contracts::payments::ListInstalmentsRequest {
        parent: convention.clone(),
        ..Default::default()
    };
    let mut client = cast.officer().unwrap().instalments();
    let instalments = client.list_instalments(instalments).await.unwrap();
    let advance = instalments.into_inner().instalments[0].name.clone();
    let documents = |given: &[String]| given.iter().map(|one| one.parse().unwrap()).collect();
    let call = Funds::Call {
        instalment: advance.clone(),
        reference: "AF-1".to_owned(),
        account: account.clone(),
        documents: documents(&files[..2]),
    };
    let called = once_known(|| funds::run(&state, call.clone())).await;
    for expected in ["3 pièce(s)", "l'appel de fonds écrit", "n'est pas approuvé"] {
        assert!(called.contains(expected), "{called}");
    }
    let approve = |name: &str| Accounts::Approve {
        name: name.to_owned(),
    };
    let approved = accounts::run(&state, approve(&account)).await.unwrap();
    assert!(approved.contains("approuvé par"), "{approved}");
    let join = Funds::Join {
        instalment: advance.clone(),
        documents: documents(&files[2..]),
    };
    let joined = funds::run(&state, join).await.unwrap();
    assert!(!joined.contains('•'), "{joined}");

    // Another RIB: the first account is superseded, and the payment redirected.
    let other = accounts::run(&state, enter(iban, "Commune de Dainville")).await;
    let other = named(&other.unwrap(), "bankAccounts");
    accounts::run(&state, approve(&other)).await.unwrap();
    let redirect = Funds::Redirect {
        instalment: advance,
        account: other.clone(),
    };
    let redirected = funds::run(&state, redirect).await.unwrap();
    assert!(redirected.contains("Commune de Dainville"), "{redirected}");
    let revoke = Accounts::Revoke {
        name: other,
        reason: "Compte clos.".to_owned(),
    };
    let revoked = accounts::run(&state, revoke).await.unwrap();
    assert!(revoked.contains("révoqué : Compte clos."), "{revoked}");
    let list = Accounts::List {
        operator: operator.to_owned(),
    };
    let listed = accounts::run(&state, list).await.unwrap();
    assert!(
        listed.contains("remplacé") && listed.contains("révoqué"),
        "{listed}"
    );
    suite.stop().await.unwrap();
}

/// A person who is followed asks for their data, and gets them; asks for their erasure, and is refused.
async fn asks_of_their_data(cast: &Cast, state: &State, convention: &str) {
    use nonrecours_contracts::{
        followup::{
            BeneficiaryContent, JourneyState, PushRecordsOnceRequest, Record, record::Content,
        },
        google::r#type::Date,
    };
    let operator = convention.parse::<ConventionName>().unwrap().operator;
    let person = BeneficiaryContent {
        publics: vec!["SENIOR".to_owned()],
        commune_code: "62263".to_owned(),
        state: JourneyState::InSupport.into(),
        spotted_date: Some(Date {
            year: 2025,
            month: 10,
            day: 1,
        }),
        ..BeneficiaryContent::default()
    };
    let push = PushRecordsOnceRequest {
        convention: convention.to_owned(),
        records: vec![Record {
            external_reference: "D-1".to_owned(),
            version: 1,
            content: Some(Content::Beneficiary(person)),
        }],
        ..PushRecordsOnceRequest::default()
    };
    let early = ["(NOT_FOUND)", "(CONVENTION_NOT_IN_FORCE)"];
    let pushed = once(&early, || async {
        let mut software = cast.software(operator).unwrap().push();
        let answer = software.push_records_once(push.clone()).await;
        let answer = answer.map_err(nonrecours_cli::ask::in_french);
        answer.map(|answer| answer.into_inner().results[0].name.clone())
    })
    .await;

    let enter = |right| Subjects::Enter {
        beneficiary: pushed.clone(),
        right,
        identified: Identified::InPerson,
        on: None,
    };
    let entered = subjects::run(state, enter(Right::Access)).await.unwrap();
    assert!(entered.starts_with("accès (reçue)"), "{entered}");
    let access = named(&entered, "subjectRequests");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("personne.json");
    let export = || Subjects::Export {
        name: access.clone(),
        file: file.clone(),
        legal_claim: None,
    };
    subjects::run(state, export()).await.unwrap();
    let held = std::fs::read_to_string(&file).unwrap();
    assert!(held.contains(&pushed) && held.contains("62263"), "{held}");
    // What is there is never written over.
    assert!(subjects::run(state, export()).await.is_err());
    let handed_over = Subjects::Fulfil {
        name: access.clone(),
    };
    let fulfilled = subjects::run(state, handed_over).await.unwrap();
    assert!(fulfilled.starts_with("accès (satisfaite)"), "{fulfilled}");

    let entered = subjects::run(state, enter(Right::Erasure)).await.unwrap();
    let refuse = Subjects::Refuse {
        name: named(&entered, "subjectRequests"),
        basis: Basis::LegalClaims,
        reason: "Un recours est en cours.".to_owned(),
    };
    let refused = subjects::run(state, refuse).await.unwrap();
    assert!(refused.starts_with("effacement (refusée)"), "{refused}");
    let all = Subjects::List {
        operator: nonrecours_kernel::OperatorName { operator }.to_string(),
        overdue: false,
    };
    let listed = subjects::run(state, all).await.unwrap();
    assert!(
        listed.contains("satisfaite") && listed.contains("refusée"),
        "{listed}"
    );
}
