//! The advance of the Dainville 2025 convention, and what an accountant answers to it.

use nonrecours_kernel::{BudgetYear, Money};
use nonrecours_pes::{
    Account, Address, Authority, Corrected, Document, Flow, Line, Payee, Piece, Slip, SlipKind,
};
use time::macros::date;

pub fn year() -> BudgetYear {
    BudgetYear::new(2025).unwrap()
}

/// 80 % of 11 500 €, ordered in the first slip of the year.
pub fn advance() -> Flow {
    Flow {
        file_name: "PESALR2_20003357900018_20251020_0001".to_owned(),
        date: date!(2025 - 10 - 20),
        authority: Authority {
            posting_office: "062007".to_owned(),
            siret: "20003357900018".parse().unwrap(),
            collectivity_code: "123".to_owned(),
            budget_code: "00".to_owned(),
        },
        slips: vec![Slip {
            budget_year: year(),
            number: 1,
            date: date!(2025 - 10 - 20),
            kind: SlipKind::Ordinary,
            pieces: vec![piece("1")],
        }],
    }
}

/// The same slip taken back by 200 €.
pub fn correction() -> Flow {
    let mut flow = advance();
    let slip = &mut flow.slips[0];
    slip.kind = SlipKind::Correction;
    slip.number = 2;
    slip.pieces[0].id = "2".to_owned();
    slip.pieces[0].lines[0].amount = Money::from_cents(20_000);
    slip.pieces[0].lines[0].corrects = Some(Corrected {
        budget_year: year(),
        piece: "1".to_owned(),
        line: 1,
    });
    flow
}

pub fn piece(id: &str) -> Piece {
    Piece {
        id: id.to_owned(),
        object: "Territoire Zéro Non-Recours 2025 – acompte (80 %)".to_owned(),
        documents: vec![
            Document {
                id: "01998b2e6c007abc8def0123456789ab".to_owned(),
                name: "convention.pdf".to_owned(),
            },
            Document {
                id: "01998b2e6c007abc8def0123456789ac".to_owned(),
                name: "appel de fonds n° 1 & RIB.pdf".to_owned(),
            },
        ],
        lines: vec![Line {
            nature: "657341".to_owned(),
            function: Some("420".to_owned()),
            label: "TZNR 2025 – acompte".to_owned(),
            amount: Money::from_cents(920_000),
            corrects: None,
            payee: Payee {
                siret: "21620263000010".parse().unwrap(),
                category: "23".to_owned(),
                legal_nature: "09".to_owned(),
                name: "Commune de Dainville".to_owned(),
                address: Some(Address {
                    street: "1 place de l’Hôtel de Ville".to_owned(),
                    post_code: "62000".to_owned(),
                    city: "Dainville".to_owned(),
                }),
                account: Account {
                    iban: "FR903000100152D620000000041".parse().unwrap(),
                    bic: "BDFEFRPPCCT".parse().unwrap(),
                    holder: "Service de gestion comptable d’Arras".to_owned(),
                },
            },
        }],
    }
}

/// The slip is received and in order.
pub const ACQUIT: &str = r#"<?xml version="1.0" encoding="ISO-8859-1"?>
<PES_ACQUIT>
 <Enveloppe><Parametres><Version V="2"/><TypFic V="PESACQUIT"/>
  <NomFic V="PESALR2_20003357900018_20251020_0001"/></Parametres></Enveloppe>
 <ACQUIT>
  <ElementACQUIT><DomaineAck V="05"/><ExerciceBord V="2025"/><NumBord V="1"/><EtatAck V="1"/></ElementACQUIT>
 </ACQUIT>
</PES_ACQUIT>
"#;

/// It is not: one order has an anomaly, and a line of another.
pub const REFUSED: &str = r#"<?xml version="1.0" encoding="ISO-8859-1"?>
<PES_ACQUIT>
 <Enveloppe><Parametres><NomFic V="PESALR2_20003357900018_20251020_0001"/></Parametres></Enveloppe>
 <ACQUIT>
  <ElementACQUIT>
   <DomaineAck V="05"/><ExerciceBord V="2025"/><NumBord V="0000001"/><EtatAck V="0"/>
   <DetailPiece><NumPiece V="1"/>
    <Erreur><NumAnoAck V="5301"/><LibelleAnoAck V="Compte bancaire inconnu &amp; clos"/></Erreur>
   </DetailPiece>
   <DetailPiece><NumPiece V="2"/>
    <DetailLigne><NumLigne V="1"/>
     <Erreur><NumAnoAck V="5107"/><LibelleAnoAck V="Nature erronee"/></Erreur>
    </DetailLigne>
   </DetailPiece>
  </ElementACQUIT>
  <ElementACQUIT>
   <DomaineAck V="01"/><EtatAck V="0"/>
   <Erreur><NumAnoAck V="0012"/><LibelleAnoAck V="Flux deja recu"/></Erreur>
  </ElementACQUIT>
 </ACQUIT>
</PES_ACQUIT>
"#;

/// Four orders: taken in charge, pending, rejected, and paid in two goes.
pub const RETURN: &str = r#"<?xml version="1.0" encoding="ISO-8859-1"?>
<n:PES_Retour xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/retour">
 <Enveloppe><Parametres><NomFic V="PES_V2_RETOUR_DEPENSE_20251103.xml"/></Parametres></Enveloppe>
 <EnTetePES><DteStr V="2025-11-03"/><IdPost V="062007"/><IdColl V="20003357900018"/><CodCol V="123"/>
  <CodBud V="00"/></EnTetePES>
 <PES_DepenseRetour>
  <Bordereau>
   <BlocBordereau><Exer V="2025"/><IdBord V="1"/></BlocBordereau>
   <Piece><BlocPiece><InfoPce><IdPce V="1"/><EtatPce V="02"/></InfoPce></BlocPiece></Piece>
   <Piece><BlocPiece><InfoPce><IdPce V="2"/><EtatPce V="01"/><Commentaire V="RIB illisible"/></InfoPce></BlocPiece></Piece>
   <Piece><BlocPiece><InfoPce><IdPce V="3"/><EtatPce V="04"/><MotifRejet V="Pi&#232;ce absente"/></InfoPce></BlocPiece></Piece>
   <Piece><BlocPiece><InfoPce><IdPce V="4"/><EtatPce V="05"/></InfoPce></BlocPiece>
    <LigneDePiece><BlocLignePiece><InfoLignePce><IdLigne V="1"/></InfoLignePce></BlocLignePiece>
     <PaiementEmargement><DtePay V="2025-10-30"/><MtPay V="9000.00"/></PaiementEmargement>
     <PaiementEmargement><DtePay V="2025-11-02"/><MtPay V="200.00"/></PaiementEmargement>
    </LigneDePiece>
   </Piece>
  </Bordereau>
 </PES_DepenseRetour>
</n:PES_Retour>
"#;
