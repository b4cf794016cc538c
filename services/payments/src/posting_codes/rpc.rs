//! Posting codes over gRPC.

use std::collections::BTreeSet;

use nonrecours_contracts::payments::{
    self as wire, GetPostingCodesRequest, SetPostingCodesRequest,
    posting_codes_service_server::{PostingCodesService, PostingCodesServiceServer},
};
use nonrecours_kernel::{Bic, Iban, Invalid, PostingCodesName, Text};
use nonrecours_pes::{
    CATEGORIES, Format, LEGAL_NATURES, MAX_BUDGET_CODE, MAX_COLLECTIVITY_CODE, MAX_FUNCTION,
    MAX_NATURE, POSTING_OFFICE,
};
use nonrecours_pg::{Change, Db};
use nonrecours_rpc::{Check, Failure, convert::to_timestamp, etag, field, open};
use tonic::{Code, Request, Response, Status};

use super::{BudgetCodes, Channel, PayeeCategory, PayeeCodes, PostingCodes, store};
use crate::{
    bank_account::Details,
    error::{DOMAIN, Error},
    instalment::{
        DocumentKind, Requirements,
        wire::{document_kind, text},
    },
};

/// The rpcs about posting codes.
pub struct Codes {
    db: Db,
}

impl Codes {
    /// Serves them over the service's database.
    pub fn server(db: Db) -> PostingCodesServiceServer<Self> {
        PostingCodesServiceServer::new(Self { db })
    }

    async fn get(
        &self,
        request: Request<GetPostingCodesRequest>,
    ) -> Result<wire::PostingCodes, Error> {
        let (caller, request) = open(request)?;
        let name: PostingCodesName = field("name", &request.name)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let codes = store::current(&mut tx, &name).await?;
        Ok(message(&codes.ok_or_else(|| Failure::not_found(name))?))
    }

    async fn set(
        &self,
        request: Request<SetPostingCodesRequest>,
    ) -> Result<wire::PostingCodes, Error> {
        let (caller, request) = open(request)?;
        let name: PostingCodesName = field("name", &request.name)?;
        let mut check = Check::of(&request);
        let given = (request.codes.as_ref(), request.bank_transfers.as_ref());
        let read = match given {
            (Some(codes), None) => budget_codes(&mut check, codes),
            (None, Some(bank)) => bank_transfers(&mut check, bank),
            (Some(_), Some(_)) => {
                check.refuse("bank_transfers", two_channels());
                None
            }
            (None, None) => {
                check.refuse("codes", no_channel());
                None
            }
        };
        let (channel, requirements) = check.finish(|| read)?;
        let mut tx = self.db.begin(&caller.scope()).await?;
        // First, as it waits for whoever claims the same budget: the same request twice at once finds the first's answer.
        let holder = match &channel {
            Channel::Accountant(codes) => store::claim_budget(&mut tx, &name, codes).await?,
            Channel::Bank(_) => name.programme,
        };
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let current = store::current(&mut tx, &name).await?;
        let version = current.as_ref().map_or(0, |codes| codes.version);
        etag::check(&request.etag, i64::from(version))?;
        if holder != name.programme {
            return Err(budget_taken().into());
        }
        let codes = PostingCodes {
            name,
            channel,
            requirements,
            version: version + 1,
            create_time: current.map_or(tx.now(), |codes| codes.create_time),
            update_time: tx.now(),
        };
        store::insert(&mut tx, &codes).await?;
        let change = Change {
            kind: "posting_codes.set",
            operator: None,
            name: &name.to_string(),
            revision: i64::from(codes.version),
        };
        tx.record(change, &told(&codes)).await?;
        Ok(tx.answer(&request, message(&codes)).await?)
    }
}

fn no_channel() -> Invalid {
    Invalid::new(
        "CHANNEL_MISSING",
        "either the codes of a budget or a bank account is needed",
        "Indiquez les codes du budget chez le comptable public, ou le compte bancaire qui paie.",
    )
}

fn two_channels() -> Invalid {
    Invalid::new(
        "CHANNEL_TWICE",
        "a programme pays through its accountant or through its bank, not both",
        "Un programme paie par son comptable public ou par sa banque : n'indiquez que l'un des deux.",
    )
}

/// Reads the account that pays; every fault of it is noted.
fn bank_transfers(
    check: &mut Check,
    given: &wire::BankTransfers,
) -> Option<(Channel, Requirements)> {
    let iban = check.parse::<Iban>("bank_transfers.iban", &given.iban);
    let bic = check.parse::<Bic>("bank_transfers.bic", &given.bic);
    let path = "bank_transfers.debtor_name";
    let holder = text(check, path, &given.debtor_name);
    let requirements = requirements(given.first_documents(), given.later_documents());
    let (iban, bic, holder) = (iban?, bic?, holder?);
    Some((Channel::Bank(Details { iban, bic, holder }), requirements))
}

fn budget_taken() -> Failure {
    Failure::new(
        Code::FailedPrecondition,
        DOMAIN,
        "BUDGET_TAKEN",
        Text::new(
            "Another programme orders its payments under these codes.",
            "Un autre programme ordonne déjà ses paiements sous ces codes : leurs bordereaux porteraient les mêmes \
             numéros. Vérifiez le codique, le code collectivité et le code budget.",
        ),
    )
}

/// Reads the codes; every fault of them is noted.
fn budget_codes(check: &mut Check, given: &wire::BudgetCodes) -> Option<(Channel, Requirements)> {
    let authority_siret = check.parse("codes.authority_siret", &given.authority_siret);
    let (least, most) = POSTING_OFFICE;
    let mut code = |name: &str, value: &str, format: Format| {
        let path = format!("codes.{name}");
        check.take(&path, format.check(value).map(|()| value.to_owned()))
    };
    let office = Format::Digits(least, most);
    let posting_office = code("posting_office", &given.posting_office, office);
    let collectivity = Format::Word(MAX_COLLECTIVITY_CODE);
    let collectivity_code = code("collectivity_code", &given.collectivity_code, collectivity);
    let budget = Format::Word(MAX_BUDGET_CODE);
    let budget_code = code("budget_code", &given.budget_code, budget);
    let function_code = match given.function_code.as_str() {
        "" => Some(None),
        value => code("function_code", value, Format::Word(MAX_FUNCTION)).map(Some),
    };
    let mut payees: Vec<PayeeCodes> = Vec::with_capacity(given.payees.len());
    let mut whole = true;
    for (index, given) in given.payees.iter().enumerate() {
        let path = format!("codes.payees[{index}]");
        match payee_codes(check, &path, given) {
            Some(codes) if payees.iter().any(|known| known.category == codes.category) => {
                check.refuse(&format!("{path}.category"), twice());
            }
            Some(codes) => payees.push(codes),
            None => whole = false,
        }
    }
    let requirements = requirements(given.first_documents(), given.later_documents());
    let channel = Channel::Accountant(BudgetCodes {
        authority_siret: authority_siret?,
        posting_office: posting_office?,
        collectivity_code: collectivity_code?,
        budget_code: budget_code?,
        function_code: function_code?,
        payees: whole.then_some(payees)?,
    });
    Some((channel, requirements))
}

/// What is asked for; where nothing is given, what the nomenclature asks for.
fn requirements(
    first: impl Iterator<Item = wire::SupportingDocumentKind>,
    later: impl Iterator<Item = wire::SupportingDocumentKind>,
) -> Requirements {
    let nomenclature = Requirements::default();
    Requirements {
        first: kinds(first, nomenclature.first),
        later: kinds(later, nomenclature.later),
    }
}

fn payee_codes(check: &mut Check, path: &str, given: &wire::PayeeCodes) -> Option<PayeeCodes> {
    let mut code = |name: &str, value: &str, format: Format| {
        let path = format!("{path}.{name}");
        check.take(&path, format.check(value).map(|()| value.to_owned()))
    };
    let nature = code("nature", &given.nature, Format::Word(MAX_NATURE));
    let third_party = Format::Code(CATEGORIES);
    let third_party_category = code(
        "third_party_category",
        &given.third_party_category,
        third_party,
    );
    let legal_nature = code(
        "legal_nature",
        &given.legal_nature,
        Format::Code(LEGAL_NATURES),
    );
    Some(PayeeCodes {
        // One that is not said, or not known, is refused by the contract's own rule.
        category: category(given.category())?,
        nature: nature?,
        third_party_category: third_party_category?,
        legal_nature: legal_nature?,
    })
}

/// The kinds that are given, each once; none given: those of the nomenclature.
fn kinds(
    given: impl Iterator<Item = wire::SupportingDocumentKind>,
    otherwise: Vec<DocumentKind>,
) -> Vec<DocumentKind> {
    let kinds: BTreeSet<_> = given.filter_map(document_kind).collect();
    if kinds.is_empty() {
        return otherwise;
    }
    kinds.into_iter().collect()
}

fn twice() -> Invalid {
    Invalid::new(
        "DUPLICATE",
        "the category stands twice",
        "Cette catégorie figure deux fois : gardez une seule ligne par catégorie.",
    )
}

const fn category(category: wire::PayeeCategory) -> Option<PayeeCategory> {
    match category {
        wire::PayeeCategory::Unspecified => None,
        wire::PayeeCategory::Commune => Some(PayeeCategory::Commune),
        wire::PayeeCategory::Ccas => Some(PayeeCategory::Ccas),
        wire::PayeeCategory::Grouping => Some(PayeeCategory::Grouping),
        wire::PayeeCategory::OtherPublic => Some(PayeeCategory::OtherPublic),
        wire::PayeeCategory::Association => Some(PayeeCategory::Association),
        wire::PayeeCategory::OtherPrivate => Some(PayeeCategory::OtherPrivate),
    }
}

impl From<PayeeCategory> for wire::PayeeCategory {
    fn from(category: PayeeCategory) -> Self {
        match category {
            PayeeCategory::Commune => Self::Commune,
            PayeeCategory::Ccas => Self::Ccas,
            PayeeCategory::Grouping => Self::Grouping,
            PayeeCategory::OtherPublic => Self::OtherPublic,
            PayeeCategory::Association => Self::Association,
            PayeeCategory::OtherPrivate => Self::OtherPrivate,
        }
    }
}

fn shown(kinds: &[DocumentKind]) -> Vec<i32> {
    let kinds = kinds.iter().copied();
    kinds
        .map(|kind| wire::SupportingDocumentKind::from(kind).into())
        .collect()
}

/// What a programme pays under, as those who may see it do.
fn message(codes: &PostingCodes) -> wire::PostingCodes {
    let (first, later) = (&codes.requirements.first, &codes.requirements.later);
    let (mut budget_codes, mut bank_transfers) = (None, None);
    match &codes.channel {
        Channel::Accountant(codes) => {
            let payees = codes.payees.iter().map(|payee| wire::PayeeCodes {
                category: wire::PayeeCategory::from(payee.category).into(),
                nature: payee.nature.clone(),
                third_party_category: payee.third_party_category.clone(),
                legal_nature: payee.legal_nature.clone(),
            });
            budget_codes = Some(wire::BudgetCodes {
                authority_siret: codes.authority_siret.to_string(),
                posting_office: codes.posting_office.clone(),
                collectivity_code: codes.collectivity_code.clone(),
                budget_code: codes.budget_code.clone(),
                function_code: codes.function_code.clone().unwrap_or_default(),
                payees: payees.collect(),
                first_documents: shown(first),
                later_documents: shown(later),
            });
        }
        Channel::Bank(debtor) => {
            bank_transfers = Some(wire::BankTransfers {
                debtor_name: debtor.holder.clone(),
                iban: debtor.iban.to_string(),
                bic: debtor.bic.to_string(),
                first_documents: shown(first),
                later_documents: shown(later),
            });
        }
    }
    wire::PostingCodes {
        name: codes.name.to_string(),
        codes: budget_codes,
        bank_transfers,
        version: codes.version,
        create_time: Some(to_timestamp(codes.create_time)),
        update_time: Some(to_timestamp(codes.update_time)),
        etag: etag::of(i64::from(codes.version)),
    }
}

/// The view for the change feed: without the account itself, like all accounts.
fn told(codes: &PostingCodes) -> wire::PostingCodes {
    let mut message = message(codes);
    if let Some(bank) = &mut message.bank_transfers {
        (bank.debtor_name, bank.iban, bank.bic) = Default::default();
    }
    message
}

#[tonic::async_trait]
impl PostingCodesService for Codes {
    async fn get_posting_codes(
        &self,
        request: Request<GetPostingCodesRequest>,
    ) -> Result<Response<wire::PostingCodes>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn set_posting_codes(
        &self,
        request: Request<SetPostingCodesRequest>,
    ) -> Result<Response<wire::PostingCodes>, Status> {
        Ok(Response::new(self.set(request).await?))
    }
}
