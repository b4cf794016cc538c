//! The records that are pushed: persons as a territory has them, the same in every run.

use nonrecours_contracts::{
    followup::{
        AgeBand, BeneficiaryContent, Identity, JourneyState, PushBatch, PushOpening,
        PushRecordsRequest, Record, push_records_request::Message, record::Content,
    },
    google::r#type::Date,
};
use nonrecours_kernel::{ConventionName, catalogue};

/// Records in a batch: what the contract allows.
pub const BATCH: usize = 1000;

/// Persons spotted in one month.
const MONTHLY: usize = 2500;
const STATES: [JourneyState; 4] = [
    JourneyState::Spotted,
    JourneyState::Informed,
    JourneyState::Oriented,
    JourneyState::InSupport,
];
const AGES: [AgeBand; 4] = [
    AgeBand::From18To24,
    AgeBand::From25To59,
    AgeBand::From60To74,
    AgeBand::From75,
];

/// Which records to make.
#[derive(Clone, Copy)]
pub struct Rows {
    /// Begins every reference: other records than those of another series.
    pub series: u32,
    /// How many.
    pub count: usize,
    /// With an identity each.
    pub identified: bool,
}

impl Rows {
    pub fn new(series: u32, count: usize) -> Self {
        Self {
            series,
            count,
            identified: false,
        }
    }

    pub fn identified(self) -> Self {
        Self {
            identified: true,
            ..self
        }
    }

    /// The records, so many together.
    pub fn batches(self, together: usize) -> Vec<Vec<Record>> {
        let records: Vec<Record> = (0..self.count).map(|number| self.record(number)).collect();
        records.chunks(together).map(<[Record]>::to_vec).collect()
    }

    /// The messages of a stream.
    pub fn messages(self, convention: &ConventionName) -> Vec<PushRecordsRequest> {
        let opening = Message::Opening(PushOpening {
            convention: convention.to_string(),
            ..PushOpening::default()
        });
        let batches = (1..)
            .zip(self.batches(BATCH))
            .map(|(sequence, records)| Message::Batch(PushBatch { sequence, records }));
        std::iter::once(opening)
            .chain(batches)
            .map(|message| PushRecordsRequest {
                message: Some(message),
            })
            .collect()
    }

    pub fn record(self, number: usize) -> Record {
        let publics = catalogue::publics();
        let communes = catalogue::communes();
        let code = |place: usize| publics[place % publics.len()].code.to_owned();
        let mut codes = vec![code(number)];
        if number.is_multiple_of(3) {
            codes.push(code(number + 1));
        }
        // In the order of time, as software keeps them; half of them in one town.
        let month = 1 + i32::try_from(number / MONTHLY % 12).unwrap();
        let day = 1 + i32::try_from(number % 28).unwrap();
        let commune = if number.is_multiple_of(2) {
            0
        } else {
            number * 7
        };
        let content = BeneficiaryContent {
            publics: codes,
            commune_code: communes[commune % communes.len()].insee_code.to_owned(),
            age_band: AGES[number % AGES.len()].into(),
            state: STATES[number / 5 % STATES.len()].into(),
            closing_reason: 0,
            spotted_date: Some(Date {
                year: 2025,
                month,
                day,
            }),
            identity: self.identified.then(|| identity(number)),
        };
        Record {
            external_reference: format!("R{:04}-{number:08}", self.series),
            version: 1,
            content: Some(Content::Beneficiary(content)),
        }
    }
}

fn identity(number: usize) -> Identity {
    Identity {
        birth_name: format!("Lefèvre {}", letters(number)),
        first_names: "Zoé Ernestine".to_owned(),
        usual_name: "Quillacq".to_owned(),
        birth_date: Some(Date {
            year: 1950 + i32::try_from(number % 50).unwrap(),
            month: 1 + i32::try_from(number % 12).unwrap(),
            day: 1 + i32::try_from(number % 28).unwrap(),
        }),
        birth_place: "Bapaume".to_owned(),
        phone: "06 39 98 12 34".to_owned(),
        email: "zoe.quillacq@example.org".to_owned(),
        postal_address: "7 rue des Trois-Visages, 62000 Arras".to_owned(),
    }
}

/// A number as letters: names have no digits.
fn letters(mut number: usize) -> String {
    let mut letters = String::new();
    loop {
        letters.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
        number /= 26;
        if number == 0 {
            return letters;
        }
    }
}
