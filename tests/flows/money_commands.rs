//! The everyday commands about money on a running suite: recoveries, budget years, cash, and the books as a file.

use std::path::Path;

use nonrecours_cli::{
    everyday::{
        books,
        cash::{self, Cash},
        codes::{self, Codes},
        controls::{self, Controls, Measure, Outcome},
        corrections::{self, Correction},
        recoveries::{self, Recoveries},
        years::{self, Years},
    },
    journey::Step,
    state::State,
    treasury,
};
use nonrecours_contracts::{
    conventions::{CreateStateFundingRequest, StateFunding},
    payments::{GetInstalmentRequest, ListInstalmentsRequest},
};
use nonrecours_kernel::{Clock as _, Money, SystemClock, paris_date};
use nonrecours_rpc::convert::{to_date, to_money};
use nonrecours_testkit::request_id;

use crate::commands::{named, once, played};

/// Has a sum claimed back by a decision, after a hearing.
async fn decided(state: &State, convention: &str, amount: &str) {
    let control = async |command| controls::run(state, command).await.unwrap();
    let hearing = control(Controls::Convene {
        convention: convention.to_owned(),
        subject: "Dépenses non justifiées".to_owned(),
        on: None,
        inspection: String::new(),
    })
    .await;
    control(Controls::Hear {
        name: hearing.clone(),
        outcome: Outcome::Held,
        minutes: "Le maire a présenté ses observations.".to_owned(),
        on: None,
    })
    .await;
    control(Controls::Decide {
        convention: convention.to_owned(),
        measure: Measure::Recover,
        hearing,
        motives: "Dépenses sans justificatif.".to_owned(),
        amount: Some(amount.to_owned()),
        on: None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_is_claimed_back_and_the_books_are_written_from_the_command_line() {
    let (suite, _, state, facts) = played(Step::PayAdvance).await;
    let convention = state.convention.clone();
    let issue = || Recoveries::Issue {
        convention: convention.clone(),
        breach: None,
        decision: None,
    };
    let refused = recoveries::run(&state, issue()).await.unwrap_err();
    assert!(
        refused.to_string().contains("NOTHING_TO_RECOVER"),
        "{refused}"
    );
    decided(&state, &convention, "300").await;
    // Once `payments` knows of the decision.
    let issued = once(&["NOTHING_TO_RECOVER"], || recoveries::run(&state, issue())).await;
    assert!(issued.contains("émis, 300,00"), "{issued}");
    let name = named(&issued, "recoveries");
    let give_up = Recoveries::WriteOff {
        name: name.clone(),
        decision: "DEL-2".to_owned(),
    };
    let refused = recoveries::run(&state, give_up.clone()).await.unwrap_err();
    assert!(
        refused.to_string().contains("RECOVERY_NOT_NOTIFIED"),
        "{refused}"
    );
    let ask = async |command| recoveries::run(&state, command).await.unwrap();
    let notified = ask(Recoveries::Notify {
        name: name.clone(),
        on: None,
    })
    .await;
    assert!(notified.contains("notifié"), "{notified}");
    let received = ask(Recoveries::Receive {
        name: name.clone(),
        amount: "100.50".to_owned(),
        reference: "ENC-1".to_owned(),
        on: None,
    })
    .await;
    assert!(
        received.contains("recouvré en partie, 199,50"),
        "{received}"
    );
    let reduced = ask(Recoveries::Reduce {
        name: name.clone(),
        amount: "49.50".to_owned(),
        reason: "Justificatif retrouvé.".to_owned(),
    })
    .await;
    assert!(reduced.contains("150,00"), "{reduced}");
    let written_off = ask(give_up).await;
    assert!(written_off.contains("admis en non-valeur"), "{written_off}");
    let listed = ask(Recoveries::List {
        parent: "operators/-".to_owned(),
    })
    .await;
    assert!(
        listed.contains(&name) && listed.contains("décision"),
        "{listed}"
    );

    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("ecritures.csv");
    let today = paris_date(SystemClock.now()).to_string();
    let days = (today.as_str(), today.as_str());
    let said = books::export(&state, &facts.programme, days, &out)
        .await
        .unwrap();
    // Two of the advance, four of the recovery.
    assert!(said.starts_with("6 écriture(s)"), "{said}");
    let written = std::fs::read_to_string(&out).unwrap();
    assert_eq!(written.lines().count(), 13, "{written}");
    assert!(written.contains(";100,50;0,00;"), "{written}");
    suite.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budget_years_and_cash_are_followed_from_the_command_line() {
    let (suite, cast, state, facts) = played(Step::OpenPlan).await;
    let programme = facts.programme.clone();
    let year = paris_date(SystemClock.now()).year();
    let show = |year| Years::Show {
        programme: programme.clone(),
        year,
    };
    let shown = once_pending(&state, &show(year)).await;
    assert!(shown.contains("exercice ouvert"), "{shown}");
    assert!(shown.contains("2 échéance(s) en attente"), "{shown}");
    let close = |year| Years::Close {
        programme: programme.clone(),
        year,
    };
    let refused = years::run(&state, close(year)).await.unwrap_err();
    assert!(
        refused.to_string().contains("BUDGET_YEAR_OPEN"),
        "{refused}"
    );
    // Of the year before the last nothing is pending, in January either.
    let closed = years::run(&state, close(year - 2)).await.unwrap();
    assert!(closed.contains("exercice clos"), "{closed}");
    assert!(closed.contains("0 reportée(s)"), "{closed}");

    let request = CreateStateFundingRequest {
        parent: programme.clone(),
        state_funding: Some(StateFunding {
            budget_year: year,
            grant_amount: Some(to_money(Money::from_cents(10_000_000))),
            agreement_reference: "DREETS-62-17".to_owned(),
            advance_expected_date: Some(to_date(paris_date(SystemClock.now()))),
            balance_expected_date: Some(to_date(paris_date(SystemClock.now()))),
            report_due_date: Some(to_date(paris_date(SystemClock.now()))),
            ..StateFunding::default()
        }),
        request_id: request_id(),
    };
    let mut fundings = cast.officer().unwrap().state_fundings();
    let funding = fundings.create_state_funding(request).await.unwrap();
    let name = funding.into_inner().name;
    let name = name.replace("stateFundings", "stateReceivables");
    let folder = tempfile::tempdir().unwrap();
    let evidence = folder.path().join("avis.pdf");
    std::fs::write(&evidence, "%PDF-1.7").unwrap();
    let receive = |amount: &str, reference: &str, evidence: &Path| Cash::Receive {
        name: name.clone(),
        amount: amount.to_owned(),
        reference: reference.to_owned(),
        evidence: evidence.to_owned(),
        on: None,
    };
    let first = receive("50000", "AC-1", &evidence);
    // Once `payments` knows of the funding.
    let received = once(&["NOT_FOUND"], || cash::run(&state, first.clone())).await;
    let spaced = received.replace(['\u{202f}', '\u{a0}'], " ");
    assert!(spaced.contains("30 000,00"), "{spaced}");
    let refused = cash::run(&state, receive("30000.01", "AC-2", &evidence)).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("STATE_RECEIPT_EXCEEDED"), "{refused}");
    let nowhere = cash::run(&state, receive("1", "AC-2", &folder.path().join("absent"))).await;
    assert!(
        nowhere
            .unwrap_err()
            .to_string()
            .contains("impossible de lire")
    );
    let position = async || {
        let show = Cash::Show {
            programme: programme.clone(),
            on: None,
        };
        let shown = cash::run(&state, show).await.unwrap();
        shown.replace(['\u{202f}', '\u{a0}'], " ")
    };
    let shown = position().await;
    let cash_line = |shown: &str| {
        let mut lines = shown.lines();
        lines
            .find(|line| line.contains("trésorerie"))
            .unwrap()
            .to_owned()
    };
    assert!(cash_line(&shown).contains("50 000,00"), "{shown}");
    let reverse = Cash::Reverse {
        name: name.clone(),
        reference: "AC-1".to_owned(),
        reason: "Autre programme.".to_owned(),
    };
    cash::run(&state, reverse).await.unwrap();
    let shown = position().await;
    assert!(!cash_line(&shown).contains("50 000,00"), "{shown}");
    let list = Cash::State { programme };
    let listed = cash::run(&state, list).await.unwrap();
    assert!(listed.contains(&name), "{listed}");
    assert!(listed.contains("solde, non exigible"), "{listed}");
    suite.stop().await.unwrap();
}

/// What an accountant answers of a piece: taken in charge.
fn taken_in_charge(year: i32, slip: i32, piece: i32) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<n:PES_Retour xmlns:n=\"urn:x\"><EnTetePES>\
         <IdPost V=\"062007\"/><CodCol V=\"123\"/><CodBud V=\"00\"/></EnTetePES><PES_DepenseRetour><Bordereau>\
         <BlocBordereau><Exer V=\"{year}\"/><IdBord V=\"{slip}\"/></BlocBordereau><Piece><BlocPiece><InfoPce>\
         <IdPce V=\"{piece}\"/><EtatPce V=\"02\"/></InfoPce></BlocPiece></Piece></Bordereau></PES_DepenseRetour>\
         </n:PES_Retour>"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_goes_to_the_accountant_and_is_corrected_from_the_command_line() {
    let (suite, cast, state, facts) = played(Step::OrderAdvance).await;
    let programme = facts.programme.clone();
    let year = paris_date(SystemClock.now()).year();
    let budget = |payee: &str| Codes::Budget {
        programme: programme.clone(),
        siret: "200 033 579 00018".to_owned(),
        office: "062007".to_owned(),
        collectivity: "123".to_owned(),
        budget: "00".to_owned(),
        function: String::new(),
        payees: vec![payee.to_owned()],
    };
    for wrong in ["commune:657341:23", "mairie:657341:23:09"] {
        let refused = codes::run(&state, budget(wrong)).await.unwrap_err();
        assert!(refused.to_string().contains("commune"), "{refused}");
    }
    let bank = Codes::Bank {
        programme: programme.clone(),
        holder: "Fondation d'Artois".to_owned(),
        iban: "FR76 3000 6000 0112 3456 7890 189".to_owned(),
        bic: "AGRIFRPPXXX".to_owned(),
    };
    let set = codes::run(&state, bank).await.unwrap();
    assert!(set.contains("circuit bancaire (version 1)"), "{set}");
    let set = codes::run(&state, budget("commune:657341:23:09"))
        .await
        .unwrap();
    assert!(set.contains("version 2") && set.contains("657341"), "{set}");
    let show = Codes::Show {
        programme: programme.clone(),
    };
    assert_eq!(codes::run(&state, show).await.unwrap(), set);

    let mut client = cast.officer().unwrap().instalments();
    let request = ListInstalmentsRequest {
        parent: state.convention.clone(),
        ..ListInstalmentsRequest::default()
    };
    let page = client.list_instalments(request).await.unwrap().into_inner();
    let advance = page.instalments[0].name.clone();
    let folder = tempfile::tempdir().unwrap();
    let one = std::slice::from_ref(&advance);
    treasury::make_slip(&state, &programme, year, one, folder.path())
        .await
        .unwrap();
    let correct = || Correction {
        programme: programme.clone(),
        year,
        instalment: advance.clone(),
        reduction: Some("200".to_owned()),
        motive: "Montant erroné".to_owned(),
        folder: folder.path().to_owned(),
    };
    let refused = corrections::run(&state, correct()).await.unwrap_err();
    assert!(
        refused.to_string().contains("ORDER_NOT_IN_CHARGE"),
        "{refused}"
    );
    let answer = folder.path().join("retour.xml");
    std::fs::write(&answer, taken_in_charge(year, 1, 1)).unwrap();
    treasury::import_return(&state, &programme, &answer)
        .await
        .unwrap();
    let said = corrections::run(&state, correct()).await.unwrap();
    assert!(said.contains("réduit de 200,00"), "{said}");
    let (_, file) = said.rsplit_once("fichier : ").unwrap();
    assert!(nonrecours_pes::validate(&std::fs::read(file).unwrap()).is_empty());
    std::fs::write(&answer, taken_in_charge(year, 1, 2)).unwrap();
    treasury::import_return(&state, &programme, &answer)
        .await
        .unwrap();
    let reduced = page.instalments[0].amount.clone().unwrap();
    let request = GetInstalmentRequest { name: advance };
    let now = client.get_instalment(request).await.unwrap().into_inner();
    assert_eq!(now.amount.unwrap().units, reduced.units - 200);
    suite.stop().await.unwrap();
}

/// The budget year once `payments` knows of which programme the plan is.
async fn once_pending(state: &State, show: &Years) -> String {
    let nothing = "aucune échéance";
    once(&[nothing], || async {
        let shown = years::run(state, show.clone()).await;
        let shown = shown.map_err(|refused| refused.to_string())?;
        if shown.contains(" 0 échéance(s)") {
            return Err(nothing.to_owned());
        }
        Ok(shown)
    })
    .await
}
