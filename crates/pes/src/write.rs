//! A flow of expenses as the bytes of its file.

use nonrecours_kernel::{Invalid, Money, Violation, Warning};
use quick_xml::escape::escape;

use crate::aller::{Address, Corrected, Flow, Line, Payee, Piece, Slip};
use crate::latin::{encode, transliterate};
use crate::layout::{MAX_HOLDER, MAX_LABEL, MAX_NAME, MAX_OBJECT, NAMESPACE};
use crate::validate::validate;

/// A file, and what had to be cut to fit in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file, in ISO-8859-1.
    pub file: Vec<u8>,
    /// The texts that were cut (`TRUNCATED`), for somebody to look at.
    pub warnings: Vec<Warning>,
}

/// Writes the file: counts and sums are computed, texts transliterated. The same values give the same bytes.
///
/// Refused with all that is wrong when a text cannot be written (`UNREPRESENTABLE`) or the result breaks a rule of
/// [`validate`](crate::validate()): too long, an unknown code, a total beyond what an amount holds, a number used twice.
pub fn write(flow: &Flow) -> Result<Written, Vec<Violation>> {
    let mut file = File::default();
    file.flow(flow);
    if !file.faults.is_empty() {
        return Err(file.faults);
    }
    let bytes = encode(&file.text).unwrap_or_default();
    let faults = validate(&bytes);
    if faults.is_empty() {
        Ok(Written {
            file: bytes,
            warnings: file.warnings,
        })
    } else {
        Err(faults)
    }
}

#[derive(Default)]
struct File {
    text: String,
    /// Open elements, as they are told to people.
    path: Vec<String>,
    faults: Vec<Violation>,
    warnings: Vec<Warning>,
}

impl File {
    fn flow(&mut self, flow: &Flow) {
        self.text
            .push_str("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n");
        self.text
            .push_str(&format!("<n:PES_Aller xmlns:n=\"{NAMESPACE}\">\n"));
        self.path.push("PES_Aller".to_owned());
        self.group("Enveloppe", |file| {
            file.group("Parametres", |file| {
                file.value("Version", "2");
                file.value("TypFic", "PESALR2");
                file.value("NomFic", &flow.file_name);
            });
        });
        self.group("EnTetePES", |file| {
            file.value("DteStr", &flow.date.to_string());
            file.value("IdPost", &flow.authority.posting_office);
            file.value("IdColl", &flow.authority.siret.to_string());
            file.value("CodCol", &flow.authority.collectivity_code);
            file.value("CodBud", &flow.authority.budget_code);
        });
        self.group("PES_DepenseAller", |file| {
            file.group("EnTeteDepense", |file| {
                file.value("IdVer", "2");
                file.value("InfoDematerialisee", "0");
            });
            for (index, slip) in flow.slips.iter().enumerate() {
                file.nth("Bordereau", index, |file| file.slip(slip));
            }
        });
        self.text.push_str("</n:PES_Aller>\n");
    }

    fn slip(&mut self, slip: &Slip) {
        let lines = slip.pieces.iter().flat_map(|piece| &piece.lines);
        let total = Money::sum(lines.map(|line| line.amount));
        self.group("BlocBordereau", |file| {
            file.value("Exer", &slip.budget_year.to_string());
            file.value("IdBord", &slip.number.to_string());
            file.value("DteBordEm", &slip.date.to_string());
            file.value("TypBord", slip.kind.code());
            file.value("NbrPce", &slip.pieces.len().to_string());
            match total {
                Some(total) => file.value("MtBordHT", &total.to_string()),
                None => file.fault(
                    "MtBordHT",
                    Invalid::new(
                        "MONEY_RANGE",
                        "the sum of the slip is beyond what an amount holds",
                        "Le total du bordereau dépasse le montant le plus grand possible.",
                    ),
                ),
            }
        });
        for (index, piece) in slip.pieces.iter().enumerate() {
            self.nth("Piece", index, |file| file.piece(slip, piece));
        }
    }

    fn piece(&mut self, slip: &Slip, piece: &Piece) {
        self.group("BlocPiece", |file| {
            file.group("InfoPce", |file| {
                file.value("IdPce", &piece.id);
                file.value("TypPce", slip.kind.code());
                file.value("NatPce", slip.kind.piece_nature());
                file.cut("Obj", &piece.object, MAX_OBJECT);
                for (index, document) in piece.documents.iter().enumerate() {
                    file.nth("PJRef", index, |file| {
                        // 01: sent in a file of documents.
                        file.value("Support", "01");
                        file.value("IdUnique", &document.id);
                        file.value("NomPJ", &document.name);
                    });
                }
            });
        });
        for (index, line) in piece.lines.iter().enumerate() {
            self.nth("LigneDePiece", index, |file| file.line(index + 1, line));
        }
    }

    fn line(&mut self, number: usize, line: &Line) {
        self.group("BlocLignePiece", |file| {
            file.group("InfoLignePce", |file| {
                file.value("IdLigne", &number.to_string());
                file.value("Nature", &line.nature);
                if let Some(function) = &line.function {
                    file.value("Fonction", function);
                }
                file.cut("LibVir1", &line.label, MAX_LABEL);
                file.value("ModRegl", "03");
                file.value("TVAIntraCom", "0");
                file.value("MtHT", &line.amount.to_string());
            });
            if let Some(corrected) = &line.corrects {
                file.group("RattachPiece", |file| file.corrected(corrected));
            }
        });
        self.group("Tiers", |file| file.payee(&line.payee));
    }

    fn corrected(&mut self, corrected: &Corrected) {
        self.value("NatPceOrig", "01");
        self.value("ExerRat", &corrected.budget_year.to_string());
        self.value("IdPceOrig", &corrected.piece);
        self.value("IdLigneOrig", &corrected.line.to_string());
    }

    fn payee(&mut self, payee: &Payee) {
        self.group("InfoTiers", |file| {
            file.value("IdTiers", &payee.siret.to_string());
            file.value("NatIdTiers", "01");
            file.value("CatTiers", &payee.category);
            file.value("NatJur", &payee.legal_nature);
            if let Some(name) = file.spell("Nom", &payee.name) {
                let (name, complement) = halves(&name);
                file.value("Nom", name);
                if !complement.is_empty() {
                    file.value("ComplNom", complement);
                }
            }
        });
        if let Some(address) = &payee.address {
            self.group("Adresse", |file| file.address(address));
        }
        self.group("CpteBancaire", |file| {
            file.value("BIC", payee.account.bic.as_str());
            file.value("IBAN", payee.account.iban.as_str());
            file.cut("TitCpte", &payee.account.holder, MAX_HOLDER);
        });
    }

    fn address(&mut self, address: &Address) {
        self.value("TypAdr", "1");
        self.value("Adr2", &address.street);
        self.value("CP", &address.post_code);
        self.value("Ville", &address.city);
        self.value("CodRes", "0");
    }

    fn group(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.element(name, name.to_owned(), inside);
    }

    fn nth(&mut self, name: &str, index: usize, inside: impl FnOnce(&mut Self)) {
        self.element(name, format!("{name}[{}]", index + 1), inside);
    }

    fn element(&mut self, name: &str, told: String, inside: impl FnOnce(&mut Self)) {
        self.indent();
        self.text.push_str(&format!("<{name}>\n"));
        self.path.push(told);
        inside(self);
        self.path.pop();
        self.indent();
        self.text.push_str(&format!("</{name}>\n"));
    }

    fn value(&mut self, name: &str, value: &str) {
        if let Some(value) = self.spell(name, value) {
            self.indent();
            self.text
                .push_str(&format!("<{name} V=\"{}\"/>\n", escape(&value)));
        }
    }

    /// A text that may be cut at its limit.
    fn cut(&mut self, name: &str, text: &str, max: usize) {
        let Some(text) = self.spell(name, text) else {
            return;
        };
        let kept: String = text.chars().take(max).collect();
        if kept != text {
            let remark = Invalid::new(
                "TRUNCATED",
                format!("cut at {max} characters"),
                format!(
                    "Ce texte est coupé à {max} caractères dans le fichier : vérifiez qu'il reste clair."
                ),
            );
            self.warnings.push(Warning::at(self.told(name), remark));
        }
        self.value(name, kept.trim_end());
    }

    fn spell(&mut self, name: &str, text: &str) -> Option<String> {
        match transliterate(text) {
            Ok(text) => Some(text),
            Err(refused) => {
                let (code, position) = (u32::from(refused.character), refused.position);
                let invalid = Invalid::new(
                    "UNREPRESENTABLE",
                    format!("character {position} (U+{code:04X}) cannot be written in ISO-8859-1"),
                    format!(
                        "Le caractère n° {position} (U+{code:04X}) ne peut pas figurer dans le fichier : \
                         remplacez-le."
                    ),
                );
                self.fault(name, invalid);
                None
            }
        }
    }

    fn fault(&mut self, name: &str, invalid: Invalid) {
        self.faults.push(Violation::at(self.told(name), invalid));
    }

    fn told(&self, name: &str) -> String {
        format!("{}/{name}", self.path.join("/"))
    }

    fn indent(&mut self) {
        for _ in 0..self.path.len() {
            self.text.push(' ');
        }
    }
}

/// A name and its complement: parted at the last blank within the limit, or at the limit.
fn halves(name: &str) -> (&str, &str) {
    let Some((limit, _)) = name.char_indices().nth(MAX_NAME) else {
        return (name, "");
    };
    // The blank may stand right behind the last character that fits.
    let within = name
        .char_indices()
        .nth(MAX_NAME + 1)
        .map_or(name.len(), |(end, _)| end);
    let at = name[..within]
        .rfind(' ')
        .filter(|at| *at > 0)
        .unwrap_or(limit);
    (name[..at].trim_end(), name[at..].trim_start())
}
