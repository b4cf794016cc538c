//! What a `PES_Aller` of expenses is made of: elements in their order, how often, and what their values are.
//!
//! Written from what is published of the format; `docs/pes.md` says what is not confirmed.

use nonrecours_kernel::{Bic, BudgetYear, Iban, Invalid, Money, Siret, parse_date};

/// Namespace of the root.
pub const NAMESPACE: &str = "http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller";

/// Longest name of a file.
pub const MAX_FILE_NAME: usize = 100;
/// Digits of an accounting office's number (codique), from and to.
pub const POSTING_OFFICE: (usize, usize) = (6, 7);
/// Longest code of a collectivity.
pub const MAX_COLLECTIVITY_CODE: usize = 3;
/// Longest code of a budget.
pub const MAX_BUDGET_CODE: usize = 10;
/// Most digits of a slip's number.
pub const MAX_SLIP_NUMBER: usize = 7;
/// Longest number of an order.
pub const MAX_PIECE_ID: usize = 8;
/// Longest object of an order.
pub const MAX_OBJECT: usize = 100;
/// Longest identifier of a supporting document.
pub const MAX_DOCUMENT_ID: usize = 50;
/// Longest name of a supporting document.
pub const MAX_DOCUMENT_NAME: usize = 100;
/// Longest account of the chart (nature).
pub const MAX_NATURE: usize = 12;
/// Longest function code.
pub const MAX_FUNCTION: usize = 10;
/// Longest text that the transfer carries.
pub const MAX_LABEL: usize = 70;
/// Longest name of a third party, and as much again in its complement.
pub const MAX_NAME: usize = 38;
/// Longest line of an address.
pub const MAX_ADDRESS_LINE: usize = 38;
/// Longest name of an account's holder.
pub const MAX_HOLDER: usize = 32;

/// An element and what it holds.
#[derive(Debug)]
pub(crate) struct Element {
    pub name: &'static str,
    pub times: Times,
    pub content: Content,
}

/// How often an element stands where it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    Once,
    Optional,
    /// Once at least.
    Several,
    /// As often as there is something to say.
    Any,
}

/// What an element holds.
#[derive(Debug)]
pub(crate) enum Content {
    /// Others, in this order.
    Group(&'static [Element]),
    /// An attribute `V`.
    Value(Format),
}

/// What a value of a flow may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One of these.
    Code(&'static [&'static str]),
    /// At most so many characters, not blank.
    Text(usize),
    /// Letters and digits, at most so many.
    Word(usize),
    /// Digits, from and to so many.
    Digits(usize, usize),
    /// `2025-09-25`.
    Day,
    /// A budget year.
    Year,
    /// Above zero, with two decimals.
    Amount,
    /// Fourteen digits, keys checked.
    Siret,
    /// Compact, keys checked.
    Iban,
    /// Compact.
    Bic,
}

impl Times {
    pub(crate) const fn needed(self) -> bool {
        matches!(self, Self::Once | Self::Several)
    }

    pub(crate) const fn repeated(self) -> bool {
        matches!(self, Self::Several | Self::Any)
    }
}

impl Format {
    /// Refuses a value that has another format, with `CODE`, `LENGTH`, `WORD`, `DIGITS`, `AMOUNT`, `COMPACT`, or the reason of
    /// its type.
    pub fn check(self, value: &str) -> Result<(), Invalid> {
        match self {
            Self::Code(codes) => expect(codes.contains(&value), || {
                Invalid::new(
                    "CODE",
                    format!("expected one of {}", codes.join(", ")),
                    format!("Valeurs admises : {}.", codes.join(", ")),
                )
            }),
            Self::Text(max) => {
                let length = value.chars().count();
                expect(!value.trim().is_empty() && length <= max, || {
                    Invalid::new(
                        "LENGTH",
                        format!("expected 1 to {max} characters"),
                        format!("Ce texte compte de 1 à {max} caractères."),
                    )
                })
            }
            Self::Word(max) => {
                let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric());
                expect(plain && (1..=max).contains(&value.len()), || {
                    Invalid::new(
                        "WORD",
                        format!("expected 1 to {max} letters or digits"),
                        format!("Ce code compte de 1 à {max} lettres ou chiffres."),
                    )
                })
            }
            Self::Digits(min, max) => {
                let digits = value.bytes().all(|byte| byte.is_ascii_digit());
                expect(digits && (min..=max).contains(&value.len()), || {
                    Invalid::new(
                        "DIGITS",
                        format!("expected {min} to {max} digits"),
                        format!("Ce numéro compte de {min} à {max} chiffres."),
                    )
                })
            }
            Self::Day => parse_date(value).map(drop),
            Self::Year => year(value).map(drop),
            Self::Amount => amount(value).map(drop),
            Self::Siret => {
                let siret: Siret = value.parse()?;
                compact(siret.to_string() == value)
            }
            Self::Iban => {
                let iban: Iban = value.parse()?;
                compact(iban.as_str() == value)
            }
            Self::Bic => {
                let bic: Bic = value.parse()?;
                compact(bic.as_str() == value)
            }
        }
    }
}

fn expect(holds: bool, refusal: impl FnOnce() -> Invalid) -> Result<(), Invalid> {
    if holds { Ok(()) } else { Err(refusal()) }
}

fn compact(holds: bool) -> Result<(), Invalid> {
    expect(holds, || {
        Invalid::new(
            "COMPACT",
            "expected without blanks, in capitals",
            "Ce numéro s'écrit sans espace et en majuscules.",
        )
    })
}

/// Reads a budget year.
pub(crate) fn year(value: &str) -> Result<BudgetYear, Invalid> {
    BudgetYear::new(value.parse().unwrap_or_default())
}

/// Reads an amount above zero with two decimals.
pub(crate) fn amount(value: &str) -> Result<Money, Invalid> {
    let amount = Money::parse(value)?;
    expect(amount.is_positive() && amount.to_string() == value, || {
        Invalid::new(
            "AMOUNT",
            "expected an amount above zero with two decimals",
            "Un montant est positif et s'écrit avec deux décimales, par exemple 9200.00.",
        )
    })?;
    Ok(amount)
}

/// The whole file.
pub(crate) const ROOT: Element = group(
    "PES_Aller",
    Times::Once,
    &[
        group(
            "Enveloppe",
            Times::Once,
            &[group(
                "Parametres",
                Times::Once,
                &[
                    value("Version", Times::Once, Format::Code(&["2"])),
                    value("TypFic", Times::Once, Format::Code(&["PESALR2"])),
                    value("NomFic", Times::Once, Format::Text(MAX_FILE_NAME)),
                ],
            )],
        ),
        group(
            "EnTetePES",
            Times::Once,
            &[
                value("DteStr", Times::Once, Format::Day),
                value(
                    "IdPost",
                    Times::Once,
                    Format::Digits(POSTING_OFFICE.0, POSTING_OFFICE.1),
                ),
                value("IdColl", Times::Once, Format::Siret),
                value("CodCol", Times::Once, Format::Word(MAX_COLLECTIVITY_CODE)),
                value("CodBud", Times::Once, Format::Word(MAX_BUDGET_CODE)),
            ],
        ),
        group(
            "PES_DepenseAller",
            Times::Once,
            &[
                group(
                    "EnTeteDepense",
                    Times::Once,
                    &[
                        value("IdVer", Times::Once, Format::Code(&["2"])),
                        // 1 needs an electronic signature inside the file, which this suite does not make.
                        value("InfoDematerialisee", Times::Once, Format::Code(&["0"])),
                    ],
                ),
                group("Bordereau", Times::Several, SLIP),
            ],
        ),
    ],
);

const SLIP: &[Element] = &[
    group(
        "BlocBordereau",
        Times::Once,
        &[
            value("Exer", Times::Once, Format::Year),
            value("IdBord", Times::Once, Format::Digits(1, MAX_SLIP_NUMBER)),
            value("DteBordEm", Times::Once, Format::Day),
            value("TypBord", Times::Once, Format::Code(&["01", "02"])),
            value("NbrPce", Times::Once, Format::Digits(1, 6)),
            value("MtBordHT", Times::Once, Format::Amount),
        ],
    ),
    group(
        "Piece",
        Times::Several,
        &[
            group(
                "BlocPiece",
                Times::Once,
                &[group("InfoPce", Times::Once, PIECE)],
            ),
            group("LigneDePiece", Times::Several, LINE),
        ],
    ),
];

const PIECE: &[Element] = &[
    value("IdPce", Times::Once, Format::Word(MAX_PIECE_ID)),
    value("TypPce", Times::Once, Format::Code(&["01", "02"])),
    value("NatPce", Times::Once, Format::Code(&["01", "06"])),
    value("Obj", Times::Once, Format::Text(MAX_OBJECT)),
    group(
        "PJRef",
        Times::Any,
        &[
            value("Support", Times::Once, Format::Code(&["01"])),
            value("IdUnique", Times::Once, Format::Text(MAX_DOCUMENT_ID)),
            value("NomPJ", Times::Once, Format::Text(MAX_DOCUMENT_NAME)),
        ],
    ),
];

const LINE: &[Element] = &[
    group(
        "BlocLignePiece",
        Times::Once,
        &[
            group(
                "InfoLignePce",
                Times::Once,
                &[
                    value("IdLigne", Times::Once, Format::Digits(1, 6)),
                    value("Nature", Times::Once, Format::Word(MAX_NATURE)),
                    value("Fonction", Times::Optional, Format::Word(MAX_FUNCTION)),
                    value("LibVir1", Times::Once, Format::Text(MAX_LABEL)),
                    // 03: transfer.
                    value("ModRegl", Times::Once, Format::Code(&["03"])),
                    value("TVAIntraCom", Times::Once, Format::Code(&["0"])),
                    value("MtHT", Times::Once, Format::Amount),
                ],
            ),
            group(
                "RattachPiece",
                Times::Optional,
                &[
                    value("NatPceOrig", Times::Once, Format::Code(&["01"])),
                    value("ExerRat", Times::Once, Format::Year),
                    value("IdPceOrig", Times::Once, Format::Word(MAX_PIECE_ID)),
                    value("IdLigneOrig", Times::Once, Format::Digits(1, 6)),
                ],
            ),
        ],
    ),
    group(
        "Tiers",
        Times::Once,
        &[
            group(
                "InfoTiers",
                Times::Once,
                &[
                    value("IdTiers", Times::Once, Format::Siret),
                    // 01: the identifier is a SIRET.
                    value("NatIdTiers", Times::Once, Format::Code(&["01"])),
                    value("CatTiers", Times::Once, Format::Code(CATEGORIES)),
                    value("NatJur", Times::Once, Format::Code(LEGAL_NATURES)),
                    value("Nom", Times::Once, Format::Text(MAX_NAME)),
                    value("ComplNom", Times::Optional, Format::Text(MAX_NAME)),
                ],
            ),
            group(
                "Adresse",
                Times::Optional,
                &[
                    value("TypAdr", Times::Once, Format::Code(&["1"])),
                    value("Adr2", Times::Once, Format::Text(MAX_ADDRESS_LINE)),
                    value("CP", Times::Once, Format::Digits(5, 5)),
                    value("Ville", Times::Once, Format::Text(MAX_ADDRESS_LINE)),
                    // 0: in France.
                    value("CodRes", Times::Once, Format::Code(&["0"])),
                ],
            ),
            group(
                "CpteBancaire",
                Times::Once,
                &[
                    value("BIC", Times::Once, Format::Bic),
                    value("IBAN", Times::Once, Format::Iban),
                    value("TitCpte", Times::Once, Format::Text(MAX_HOLDER)),
                ],
            ),
        ],
    ),
];

/// Categories of third parties: 01 a person, 20 the State, 21 to 29 local authorities and public bodies (23 a commune, 24
/// a grouping, 26 a CCAS), 50 and 60 on private law and social bodies.
pub const CATEGORIES: &[&str] = &[
    "01", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "50", "60", "61", "62", "63",
    "64", "65", "70", "71", "72", "73", "74",
];
/// Legal natures of third parties: 00 unknown, 01 a person, 03 a company, 06 an association, 07 the State, 08 a national
/// public body, 09 a local authority or public body.
pub const LEGAL_NATURES: &[&str] = &[
    "00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11",
];

const fn group(name: &'static str, times: Times, children: &'static [Element]) -> Element {
    Element {
        name,
        times,
        content: Content::Group(children),
    }
}

const fn value(name: &'static str, times: Times, format: Format) -> Element {
    Element {
        name,
        times,
        content: Content::Value(format),
    }
}
