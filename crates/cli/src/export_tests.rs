use nonrecours_contracts::{followup::Withheld, google::r#type::Money};

use super::*;

const FACTS: Facts = Facts {
    year: 2025,
    breakdown: Breakdown::Commune,
    audience: Audience::Public,
};

fn count(figure: count::Figure) -> Option<Count> {
    Some(Count {
        figure: Some(figure),
    })
}

fn row() -> IndicatorRow {
    IndicatorRow {
        code: "62263".to_owned(),
        quarter: 3,
        persons_spotted: count(count::Figure::Value(40)),
        persons_informed: count(count::Figure::Value(0)),
        persons_oriented: count(count::Figure::Withheld(Withheld { threshold: 11 })),
        amount_notified: Some(Amount {
            figure: Some(amount::Figure::Value(Money {
                currency_code: "EUR".to_owned(),
                units: 7200,
                nanos: 500_000_000,
            })),
        }),
        ..IndicatorRow::default()
    }
}

#[test]
fn columns_are_those_of_the_mapping_in_its_order() {
    let mapping = "column,source\nrepérées,persons_spotted\nterritoire,label\nsource,code\n\
                   informées,persons_informed\norientées,persons_oriented\nrencontrées,persons_met\n\
                   euros,amount_notified\nT,quarter\nM,month\n";
    let file = Mapping::read(mapping)
        .unwrap()
        .text(&FACTS, &[row()])
        .unwrap();
    assert_eq!(
        file,
        "repérées,territoire,source,informées,orientées,rencontrées,euros,T,M\n\
         40,Dainville,62263,0,s,,7200.50,3,\n"
    );
}

#[test]
fn the_first_version_names_every_source_once() {
    let mapping = Mapping::read(MAPPING).unwrap();
    assert_eq!(mapping.0.len(), SOURCES.len());
    let file = mapping.text(&FACTS, &[row()]).unwrap();
    let line = file.lines().nth(1).unwrap();
    assert!(
        line.starts_with("2025,3,,COMMUNE,62263,Dainville,PUBLIC,40,0,s,"),
        "{line}"
    );
}

#[test]
fn nothing_is_a_formula() {
    let mapping = Mapping::read("column,source\n=1+1,code\n-x,persons_spotted\n").unwrap();
    let sly = IndicatorRow {
        code: "@SUM(A1)".to_owned(),
        ..row()
    };
    let rows = [sly];
    let text = mapping.text(&FACTS, &rows).unwrap();
    assert_eq!(text, "'=1+1,'-x\n'@SUM(A1),40\n");
    let workbook = mapping.workbook(&FACTS, &rows).unwrap();
    let mut read: calamine::Xlsx<_> =
        calamine::Reader::new(std::io::Cursor::new(workbook)).unwrap();
    let cells = calamine::Reader::worksheet_range(&mut read, SHEET).unwrap();
    let text = |text: &str| calamine::Data::String(text.to_owned());
    let rows: Vec<_> = cells.rows().map(<[_]>::to_vec).collect();
    assert_eq!(rows[0], [text("=1+1"), text("-x")]);
    assert_eq!(rows[1], [text("@SUM(A1)"), calamine::Data::Float(40.0)]);
    let formulas = calamine::Reader::worksheet_formula(&mut read, SHEET).unwrap();
    assert!(formulas.is_empty());
}

#[test]
fn a_workbook_has_the_cells_of_the_text() {
    let mapping = Mapping::read(MAPPING).unwrap();
    let workbook = mapping.workbook(&FACTS, &[row()]).unwrap();
    let mut read: calamine::Xlsx<_> =
        calamine::Reader::new(std::io::Cursor::new(workbook)).unwrap();
    let cells = calamine::Reader::worksheet_range(&mut read, SHEET).unwrap();
    let text = mapping.text(&FACTS, &[row()]).unwrap();
    for (line, written) in cells.rows().zip(text.lines()) {
        let shown: Vec<String> = line.iter().map(ToString::to_string).collect();
        assert_eq!(shown.join(","), written.replace("7200.50", "7200.5"));
    }
    assert_eq!(cells.height(), 2);
}

#[test]
fn every_wrong_line_of_a_mapping_is_told() {
    let wrong = |text| Mapping::read(text).err().unwrap().to_string();
    let told = wrong("column,source\na,year\nb,identity\na,month\n,code\n");
    for line in [
        "ligne 3 : source inconnue « identity »",
        "ligne 4",
        "ligne 5",
    ] {
        assert!(told.contains(line), "{told}");
    }
    assert!(wrong("colonne,source\na,year\n").contains("column,source"));
    assert!(wrong("column,source\n").contains("1 à 200 colonnes"));
}
