//! Money that comes back after the convention was settled: `payments` books it, `conventions` follows, and both settle again.

use std::sync::Arc;

use nonrecours_cli::{
    everyday::codes::{self, Codes},
    journey::{Cast, Journey, Step},
    state::State,
    suite::{Databases, Suite, SuiteOptions},
    treasury, up,
};
use nonrecours_contracts::{
    conventions::{ConventionState, GetConventionRequest},
    payments::{ListSlipsRequest, Slip},
};
use nonrecours_kernel::{Clock, ConventionName, SystemClock, paris_date};

use crate::commands::once;

/// The account that pays.
const IBAN: &str = "FR7630006000011234567890189";

/// A camt.054 with one movement of today: 9 200 € that left, or that came back.
fn movement(slip: &Slip, direction: &str, returned: &str) -> String {
    let today = paris_date(SystemClock.now());
    let reference = &slip.orders[0].end_to_end_id;
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.054.001.08\">\
         <BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>B2</MsgId><CreDtTm>{today}T14:00:00Z</CreDtTm></GrpHdr><Ntfctn><Id>N1</Id>\
         <Acct><Id><IBAN>{IBAN}</IBAN></Id></Acct><Ntry><Amt Ccy=\"EUR\">9200.00</Amt><CdtDbtInd>{direction}</CdtDbtInd>\
         <Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{today}</Dt></BookgDt><BkTxCd><Prtry><Cd>SCT</Cd></Prtry></BkTxCd>\
         <NtryDtls><TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>{returned}</TxDtls></NtryDtls></Ntry>\
         </Ntfctn></BkToCstmrDbtCdtNtfctn></Document>"
    )
}

/// A running suite after the journey, with the advance ordered through a bank.
struct Settled {
    suite: Suite,
    cast: Cast,
    state: State,
    programme: String,
    advance: String,
    folder: tempfile::TempDir,
}

impl Settled {
    async fn play() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let suite = Suite::start(SuiteOptions {
            databases: Databases::Private,
            clock: Arc::clone(&clock),
            data: None,
            postgres_programs: None,
            ports: [0; 3],
            certificates: false,
        })
        .await
        .unwrap();
        let cast = Cast {
            addresses: suite.addresses.clone(),
            issuer: Arc::clone(&suite.issuer),
            clock,
        };
        let folder = tempfile::tempdir().unwrap();
        let mut journey = Journey::new(cast.clone(), None).unwrap();
        let mut state = None;
        for step in Step::ALL {
            journey.play(step).await.unwrap();
            if step != Step::OrderAdvance {
                continue;
            }
            let convention = journey.facts.convention.clone();
            let name: ConventionName = convention.parse().unwrap();
            let known = up::describe(&suite, name.operator, &convention).unwrap();
            let bank = Codes::Bank {
                programme: journey.facts.programme.clone(),
                holder: "Fondation d'Artois".to_owned(),
                iban: IBAN.to_owned(),
                bic: "AGRIFRPPXXX".to_owned(),
            };
            codes::run(&known, bank).await.unwrap();
            state = Some(known);
            let (programme, advance) = (&journey.facts.programme, &journey.facts.advance);
            send(state.as_ref().unwrap(), programme, advance, &folder).await;
        }
        Self {
            suite,
            cast,
            state: state.unwrap(),
            programme: journey.facts.programme.clone(),
            advance: journey.facts.advance.clone(),
            folder,
        }
    }

    async fn slips(&self) -> Vec<Slip> {
        let request = ListSlipsRequest {
            parent: self.programme.clone(),
            ..ListSlipsRequest::default()
        };
        let mut slips = self.cast.accountant().unwrap().slips();
        slips.list_slips(request).await.unwrap().into_inner().slips
    }

    async fn import(&self, file: &str) {
        let path = self.folder.path().join("banque.xml");
        std::fs::write(&path, file).unwrap();
        treasury::import_return(&self.state, &self.programme, &path)
            .await
            .unwrap();
    }

    /// Waits until the convention is in this state.
    async fn becomes(&self, state: ConventionState) {
        once(&["pas encore"], || async {
            let mut client = self.cast.officer().unwrap().conventions();
            let request = GetConventionRequest {
                name: self.state.convention.clone(),
            };
            let convention = client.get_convention(request).await.unwrap().into_inner();
            if convention.state() == state {
                Ok(String::new())
            } else {
                Err("pas encore".to_owned())
            }
        })
        .await;
    }
}

async fn send(state: &State, programme: &str, instalment: &str, folder: &tempfile::TempDir) {
    let year = paris_date(SystemClock.now()).year();
    let one = [instalment.to_owned()];
    treasury::make_slip(state, programme, year, &one, folder.path())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settled_convention_whose_money_comes_back_is_open_until_it_is_paid_again() {
    let settled = Settled::play().await;
    settled.becomes(ConventionState::Settled).await;
    let first = settled.slips().await.remove(0);
    settled.import(&movement(&first, "DBIT", "")).await;
    let returned = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>";
    settled.import(&movement(&first, "CRDT", returned)).await;
    settled.becomes(ConventionState::Completed).await;

    let (state, programme) = (&settled.state, &settled.programme);
    send(state, programme, &settled.advance, &settled.folder).await;
    let again = settled.slips().await.remove(1);
    settled.import(&movement(&again, "DBIT", "")).await;
    settled.becomes(ConventionState::Settled).await;
    settled.suite.stop().await.unwrap();
}
