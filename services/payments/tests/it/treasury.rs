//! A programme with its posting codes, and orders that go to its accountant.

use nonrecours_contracts::conventions::Convention;
use nonrecours_contracts::payments::{
    BudgetCodes, ExportSlipRequest, GetSlipRequest, IssueCorrectionSlipRequest, IssueSlipRequest,
    ListPaymentDifferencesRequest, OrderCorrection, PayeeCategory, PayeeCodes, PaymentDifference,
    PostingCodes, PushReturnFileRequest, ReturnFile, ReturnFileOpening, SetPostingCodesRequest,
    SettlePaymentDifferenceRequest, Slip, SlipFile, SlipOrderState,
    payment_difference_service_client::PaymentDifferenceServiceClient,
    posting_codes_service_client::PostingCodesServiceClient, push_return_file_request::Message,
    return_file_service_client::ReturnFileServiceClient, slip_service_client::SlipServiceClient,
};
use nonrecours_kernel::{FrameworkConventionName, ProgrammeName};
use nonrecours_rpc::client::PeerChannel;
use nonrecours_testkit::request_id;
use tonic::Status;

use crate::world::{Agreed, World, euros};

/// One programme of a world.
pub struct Treasury<'a> {
    pub world: &'a World,
    pub programme: ProgrammeName,
}

impl<'a> Treasury<'a> {
    /// A programme without posting codes.
    pub fn bare(world: &'a World) -> Self {
        let programme = ProgrammeName {
            programme: world.ids.next(),
        };
        Self { world, programme }
    }

    /// A programme with posting codes for communes.
    pub async fn open(world: &'a World) -> Self {
        let treasury = Self::bare(world);
        treasury.set(treasury.codes()).await.unwrap();
        treasury
    }

    pub fn codes(&self) -> SetPostingCodesRequest {
        SetPostingCodesRequest {
            name: format!("{}/postingCodes", self.programme),
            codes: Some(budget_codes()),
            bank_transfers: None,
            etag: String::new(),
            request_id: request_id(),
        }
    }

    pub fn codes_client(&self, token: String) -> PostingCodesServiceClient<PeerChannel> {
        PostingCodesServiceClient::new(self.world.service.channel(token))
    }

    pub async fn set(&self, request: SetPostingCodesRequest) -> Result<PostingCodes, Status> {
        let mut client = self.codes_client(self.world.tokens.authorising_officer());
        Ok(client.set_posting_codes(request).await?.into_inner())
    }

    /// A commune's convention of the programme, in force.
    pub fn convention(&self) -> Convention {
        let operator = self.world.operator();
        let framework = FrameworkConventionName {
            programme: self.programme.programme,
            framework_convention: self.world.ids.next(),
        };
        Convention {
            framework_convention: framework.to_string(),
            ..self.world.convention(operator)
        }
    }

    /// The same, learned by the service.
    pub async fn agreed(&self) -> Agreed {
        self.world.learned(&self.convention()).await
    }

    /// The same with its advance ordered: the convention, and the name of the advance.
    pub async fn ordered_under(&self) -> (Convention, String) {
        let convention = self.convention();
        let name = self.world.learned(&convention).await.advance.name;
        self.world.advance(&name, 3).await;
        (convention, name)
    }

    /// The name of the advance alone.
    pub async fn ordered(&self) -> String {
        self.ordered_under().await.1
    }

    pub fn slips(&self, token: String) -> SlipServiceClient<PeerChannel> {
        SlipServiceClient::new(self.world.service.channel(token))
    }

    pub fn request(&self, instalments: &[&String]) -> IssueSlipRequest {
        IssueSlipRequest {
            parent: self.programme.to_string(),
            budget_year: 2025,
            instalments: instalments.iter().map(|name| (*name).clone()).collect(),
            request_id: request_id(),
        }
    }

    pub async fn issue(&self, request: IssueSlipRequest) -> Result<Slip, Status> {
        let mut client = self.slips(self.world.tokens.authorising_officer());
        Ok(client.issue_slip(request).await?.into_inner())
    }

    pub async fn slip(&self, name: &str) -> Slip {
        let request = GetSlipRequest {
            name: name.to_owned(),
        };
        let mut client = self.slips(self.world.tokens.auditor());
        client.get_slip(request).await.unwrap().into_inner()
    }

    pub async fn file(&self, slip: &Slip) -> SlipFile {
        let request = ExportSlipRequest {
            name: slip.name.clone(),
        };
        let mut client = self.slips(self.world.tokens.accountant());
        client.export_slip(request).await.unwrap().into_inner()
    }
}

/// What communes are paid under.
pub fn budget_codes() -> BudgetCodes {
    BudgetCodes {
        authority_siret: "200 033 579 00018".to_owned(),
        posting_office: "062007".to_owned(),
        collectivity_code: "123".to_owned(),
        budget_code: "00".to_owned(),
        function_code: "420".to_owned(),
        payees: vec![PayeeCodes {
            category: PayeeCategory::Commune.into(),
            nature: "657341".to_owned(),
            third_party_category: "23".to_owned(),
            legal_nature: "09".to_owned(),
        }],
        ..Default::default()
    }
}

/// The states of the orders of a slip.
pub fn states(slip: &Slip) -> Vec<SlipOrderState> {
    slip.orders.iter().map(|order| order.state()).collect()
}

/// The bytes of one chunk.
const CHUNK: usize = 300;

impl Treasury<'_> {
    pub fn returns(&self, token: String) -> ReturnFileServiceClient<PeerChannel> {
        ReturnFileServiceClient::new(self.world.service.channel(token))
    }

    /// Imports a file as the accountant.
    pub async fn import(&self, file: &str) -> Result<ReturnFile, Status> {
        self.import_as(self.world.tokens.accountant(), file).await
    }

    pub async fn import_as(&self, token: String, file: &str) -> Result<ReturnFile, Status> {
        let chunks = file.as_bytes().chunks(CHUNK).map(<[u8]>::to_vec);
        let messages = std::iter::once(self.opening()).chain(chunks.map(chunk));
        let messages: Vec<_> = messages.collect();
        let mut client = self.returns(token);
        let answer = client
            .push_return_file(tokio_stream::iter(messages))
            .await?;
        Ok(answer.into_inner())
    }

    pub fn opening(&self) -> PushReturnFileRequest {
        PushReturnFileRequest {
            message: Some(Message::Opening(ReturnFileOpening {
                parent: self.programme.to_string(),
            })),
        }
    }

    pub fn differences_client(&self, token: String) -> PaymentDifferenceServiceClient<PeerChannel> {
        PaymentDifferenceServiceClient::new(self.world.service.channel(token))
    }

    /// The differences that are open.
    pub async fn differences(&self) -> Vec<PaymentDifference> {
        let request = ListPaymentDifferencesRequest {
            parent: self.programme.to_string(),
            open_only: true,
            ..Default::default()
        };
        let mut client = self.differences_client(self.world.tokens.auditor());
        let page = client.list_payment_differences(request).await.unwrap();
        page.into_inner().payment_differences
    }

    pub async fn settle(
        &self,
        request: SettlePaymentDifferenceRequest,
    ) -> Result<PaymentDifference, Status> {
        let mut client = self.differences_client(self.world.tokens.accountant());
        Ok(client
            .settle_payment_difference(request)
            .await?
            .into_inner())
    }
}

pub fn chunk(bytes: Vec<u8>) -> PushReturnFileRequest {
    PushReturnFileRequest {
        message: Some(Message::Chunk(bytes)),
    }
}

/// An acknowledgement of a flow with this said of it.
pub fn acquit(flow: &str, said: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<PES_ACQUIT>\n<Enveloppe><Parametres><NomFic V=\"{flow}\"/>\
         </Parametres></Enveloppe>\n<ACQUIT>\n{said}\n</ACQUIT>\n</PES_ACQUIT>\n"
    )
}

/// What an acknowledgement says of a slip of 2025: accepted or not, with this besides.
pub fn of_slip(number: i32, accepted: u8, besides: &str) -> String {
    format!(
        "<ElementACQUIT><DomaineAck V=\"05\"/><ExerciceBord V=\"2025\"/><NumBord V=\"{number}\"/>\
         <EtatAck V=\"{accepted}\"/>{besides}</ElementACQUIT>"
    )
}

/// A return about orders of one slip of 2025.
pub fn retour(slip: i32, pieces: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<n:PES_Retour xmlns:n=\"urn:x\">\n<EnTetePES><IdPost V=\"062007\"/>\
         <CodCol V=\"123\"/><CodBud V=\"00\"/></EnTetePES>\n<PES_DepenseRetour><Bordereau><BlocBordereau>\
         <Exer V=\"2025\"/><IdBord V=\"{slip}\"/></BlocBordereau>\n{pieces}\n</Bordereau></PES_DepenseRetour>\
         </n:PES_Retour>\n"
    )
}

/// What a return says of an order: its state, with this besides; then payments, day and amount each.
pub fn of_piece(piece: i32, state: &str, besides: &str, payments: &[(&str, &str)]) -> String {
    let payments: String = payments
        .iter()
        .map(|(day, amount)| {
            format!(
                "<PaiementEmargement><DtePay V=\"{day}\"/><MtPay V=\"{amount}\"/></PaiementEmargement>"
            )
        })
        .collect();
    format!(
        "<Piece><BlocPiece><InfoPce><IdPce V=\"{piece}\"/><EtatPce V=\"{state}\"/>{besides}</InfoPce></BlocPiece>\
         <LigneDePiece>{payments}</LigneDePiece></Piece>"
    )
}

impl Treasury<'_> {
    /// An advance whose order the accountant has taken in charge: the convention, the advance's name, the slip.
    pub async fn charged(&self) -> (Convention, String, Slip) {
        let (convention, name) = self.ordered_under().await;
        let slip = self.issue(self.request(&[&name])).await.unwrap();
        let taken = of_piece(slip.orders[0].piece, "02", "", &[]);
        self.import(&retour(slip.number, &taken)).await.unwrap();
        (convention, name, slip)
    }

    /// Asks for an order to be reduced by so many cents, or cancelled.
    pub fn correction(&self, instalment: &str, cents: Option<i64>) -> IssueCorrectionSlipRequest {
        IssueCorrectionSlipRequest {
            parent: self.programme.to_string(),
            budget_year: 2025,
            corrections: vec![OrderCorrection {
                instalment: instalment.to_owned(),
                reduction: cents.map(euros),
                motive: "Montant erroné".to_owned(),
            }],
            request_id: request_id(),
        }
    }

    pub async fn correct(&self, request: IssueCorrectionSlipRequest) -> Result<Slip, Status> {
        let mut client = self.slips(self.world.tokens.authorising_officer());
        Ok(client.issue_correction_slip(request).await?.into_inner())
    }
}
