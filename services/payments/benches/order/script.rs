//! The statements of one transaction, taken from the server's log, as a script of pgbench.

use uuid::Uuid;

/// A statement as the server has logged it, with its parameters.
#[derive(Debug, Default)]
struct Statement {
    text: String,
    parameters: Vec<Option<String>>,
}

/// A script that does for the instalment of `:n` what the log says was done for the first.
///
/// `ids` are what in the log stands for the instalment's place: each with the prefix before the place.
pub fn of(log: &str, ids: &[(Uuid, &str)]) -> String {
    let mut script = "\\set i :i + 1\n\\set n :client_id * 1000000 + :i\n".to_owned();
    for statement in statements(log) {
        script.push_str(&filled(&statement, ids));
        script.push_str(";\n");
    }
    script
}

/// What was executed, in order.
fn statements(log: &str) -> Vec<Statement> {
    let mut found: Vec<Statement> = Vec::new();
    let mut in_detail = false;
    for line in log.lines() {
        if let Some(rest) = line.strip_prefix('\t') {
            if !in_detail && let Some(last) = found.last_mut() {
                last.text.push('\n');
                last.text.push_str(rest);
            }
        } else if let Some((_, detail)) = line.split_once("DETAIL:  ") {
            in_detail = true;
            let (_, list) = detail.split_once(": ").unwrap();
            found.last_mut().unwrap().parameters = parameters(list);
        } else if let Some((_, logged)) = line.split_once("LOG:  ") {
            in_detail = false;
            let executed = logged
                .strip_prefix("execute ")
                .map(|rest| rest.split_once(": "));
            let text = match (executed, logged.strip_prefix("statement: ")) {
                (Some(Some((_, text))), _) | (None, Some(text)) => text,
                _ => panic!("not a statement: {line}"),
            };
            // BEGIN and the scope come in one message; pgbench sends one statement at a time.
            for part in text.split("; ") {
                found.push(Statement {
                    text: part.to_owned(),
                    ..Statement::default()
                });
            }
        }
    }
    found
}

/// `$1 = 'a', $2 = NULL`, where a quote in a value is doubled.
fn parameters(list: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    let mut rest = list;
    while let Some((_, after)) = rest.split_once(" = ") {
        if let Some(after) = after.strip_prefix("NULL") {
            values.push(None);
            rest = after;
            continue;
        }
        let mut end = 1;
        let bytes = after.as_bytes();
        assert_eq!(bytes[0], b'\'');
        loop {
            match (bytes[end], bytes.get(end + 1)) {
                (b'\'', Some(b'\'')) => end += 2,
                (b'\'', _) => break,
                _ => end += 1,
            }
        }
        values.push(Some(after[1..end].to_owned()));
        rest = &after[end + 1..];
    }
    values
}

/// The statement with its values in their places.
fn filled(statement: &Statement, ids: &[(Uuid, &str)]) -> String {
    let mut text = String::new();
    let mut rest = statement.text.as_str();
    while let Some((before, after)) = rest.split_once('$') {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let number: usize = after[..digits].parse().unwrap();
        rest = &after[digits..];
        text.push_str(before);
        match &statement.parameters[number - 1] {
            None => text.push_str("NULL"),
            Some(value) => text.push_str(&literal(value, !rest.starts_with("::"), ids)),
        }
    }
    text.push_str(rest);
    text
}

/// A value; what in it stands for the place becomes that of `:n`, and an id of nothing that is there a new one.
fn literal(value: &str, plain: bool, ids: &[(Uuid, &str)]) -> String {
    if let Some(id) = id(value)
        && !ids.iter().any(|(known, _)| *known == id)
        && !value.starts_with(super::stage::FIXED)
    {
        return "gen_random_uuid()".to_owned();
    }
    assert!(
        !named(value),
        "pgbench would take a part of {value} for a variable"
    );
    let mut text = format!("'{value}'");
    for (id, prefix) in ids {
        let place = format!("' || '{prefix}' || lpad(to_hex(:n::bigint), 12, '0') || '");
        text = text.replace(&id.to_string(), &place);
    }
    let typed = plain && id(value).is_some();
    if text.contains(":n::") {
        format!("({text}){}", if typed { "::uuid" } else { "" })
    } else {
        text
    }
}

/// An id as the server writes it; in braces it is an array of one.
fn id(value: &str) -> Option<Uuid> {
    let bare = !value.starts_with('{');
    bare.then(|| Uuid::try_parse(value).ok()).flatten()
}

/// Whether pgbench would see a variable in it.
fn named(value: &str) -> bool {
    let mut parts = value.split(':').skip(1);
    parts.any(|part| part.starts_with(|first: char| first.is_alphabetic() || first == '_'))
}
