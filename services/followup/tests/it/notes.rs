//! Notes: what they say is sealed under the key of the person they are on.

use nonrecours_contracts::followup::{
    GetNoteRequest, Identity, ListNotesRequest, Note, RecordOutcome,
    note_service_client::NoteServiceClient,
};
use nonrecours_followup::{identity::rotation::rotate, vault::KeyRing};
use tonic::{Code, Status};

use crate::support::*;

use RecordOutcome::{Stale, Stored, Unchanged};

const TEXT: &str = "Revient lundi,\navec ses bulletins de paie.";

async fn read(suite: &Suite, name: &str) -> Result<Note, Status> {
    let request = GetNoteRequest {
        name: name.to_owned(),
    };
    let mut client = NoteServiceClient::new(suite.agent());
    Ok(client.get_note(request).await?.into_inner())
}

#[tokio::test]
async fn a_note_is_stored_sealed_and_read_as_it_was_written() {
    let suite = Suite::start().await;
    let answer = suite.push(vec![person("B1"), note("N1", "B1", TEXT)]).await;
    assert_eq!(outcomes(&answer), [Stored; 2]);
    let name = answer.results[1].name.clone();
    let stored = read(&suite, &name).await.unwrap();
    assert_eq!((stored.text.as_str(), stored.revision), (TEXT, 1));
    assert_eq!(stored.beneficiary, answer.results[0].name);
    assert_eq!(stored.written_date, date(2025, 10, 3));
    let changes = suite.changes().await;
    assert!(changes.iter().any(|change| change.kind == "note.stored"));

    assert_eq!(
        outcomes(&suite.push(vec![note("N1", "B1", TEXT)]).await),
        [Unchanged]
    );
    assert_eq!(suite.changes().await, changes);
    let another = version(2, note("N1", "B1", "Ne revient pas."));
    assert_eq!(outcomes(&suite.push(vec![another]).await), [Stored]);
    let late = version(1, note("N1", "B1", TEXT));
    assert_eq!(outcomes(&suite.push(vec![late]).await), [Stale]);
    let stored = read(&suite, &name).await.unwrap();
    assert_eq!(
        (stored.text.as_str(), stored.revision),
        ("Ne revient pas.", 2)
    );
    // The same day and version, another text.
    let another = version(2, note("N1", "B1", "Revient."));
    assert_eq!(outcomes(&suite.push(vec![another]).await), [Stored]);
    assert_eq!(read(&suite, &name).await.unwrap().text, "Revient.");
}

#[tokio::test]
async fn a_note_goes_over_to_another_person_with_its_text() {
    let suite = Suite::start().await;
    let batch = vec![person("B1"), person("B2"), note("N1", "B1", TEXT)];
    let answer = suite.push(batch).await;
    let name = answer.results[2].name.clone();
    let moved = note("N1", "B2", TEXT);
    assert_eq!(outcomes(&suite.push(vec![moved]).await), [Stored]);
    let stored = read(&suite, &name).await.unwrap();
    assert_eq!(
        (stored.text.as_str(), stored.beneficiary),
        (TEXT, answer.results[1].name.clone())
    );
    // Sealed for the second person now: without the key of the first it is still read.
    let first = answer.results[0].name.rsplit('/').next().unwrap();
    sqlx::query("DELETE FROM person_key WHERE beneficiary_id = $1::uuid")
        .bind(first)
        .execute(&suite.owner)
        .await
        .unwrap();
    assert_eq!(read(&suite, &name).await.unwrap().text, TEXT);
}

#[tokio::test]
async fn erasing_an_identity_leaves_the_notes_and_erasing_the_key_both() {
    let suite = Suite::start().await;
    let answer = suite
        .push(vec![known("B1", |_| {}), note("N1", "B1", TEXT)])
        .await;
    let name = answer.results[1].name.clone();
    let empty = known("B1", |identity| *identity = Identity::default());
    assert_eq!(outcomes(&suite.push(vec![empty]).await), [Stored]);
    assert_eq!(read(&suite, &name).await.unwrap().text, TEXT);
    sqlx::query("DELETE FROM person_key")
        .execute(&suite.owner)
        .await
        .unwrap();
    // Who was erased is gone from the notes as well, and reading them does not fail.
    assert_eq!(read(&suite, &name).await.unwrap().text, "");
}

#[tokio::test]
async fn notes_survive_a_change_of_keys() {
    let suite = Suite::start().await;
    let answer = suite.push(vec![person("B1"), note("N1", "B1", TEXT)]).await;
    let both = KeyRing::parse(&ring(&[2, 1], &[1])).unwrap();
    assert_eq!(rotate(&suite.db, &both).await.unwrap().rewrapped, 1);
    let name = answer.results[1].name.clone();
    let status = read(&suite, &name).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::Unavailable, "UNAVAILABLE".to_owned())
    );
    let suite = suite.restarted(&ring(&[2], &[1])).await;
    assert_eq!(read(&suite, &name).await.unwrap().text, TEXT);
}

#[tokio::test]
async fn notes_are_listed_for_their_operator_alone() {
    let suite = Suite::start().await;
    let answer = suite
        .push(vec![
            person("B1"),
            note("N1", "B1", "Un."),
            note("N2", "B1", "Deux."),
        ])
        .await;
    let parent = suite.convention.parent().to_string();
    let list = |page_token| ListNotesRequest {
        parent: parent.clone(),
        page_size: 1,
        page_token,
    };
    let mut client = NoteServiceClient::new(suite.agent());
    let first = client
        .list_notes(list(String::new()))
        .await
        .unwrap()
        .into_inner();
    let second = client
        .list_notes(list(first.next_page_token))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (first.notes[0].text.as_str(), second.notes[0].text.as_str()),
        ("Un.", "Deux.")
    );
    assert!(second.next_page_token.is_empty());

    for (token, reason) in [
        (suite.tokens.agent(operator(2)), "OUT_OF_REACH"),
        (suite.tokens.auditor(), "ROLE_MISSING"),
    ] {
        let mut client = NoteServiceClient::new(suite.serving.channel(token));
        let name = answer.results[1].name.clone();
        let expected = (Code::PermissionDenied, reason.to_owned());
        let status = client.get_note(GetNoteRequest { name }).await.unwrap_err();
        assert_eq!(refusal(&status), expected);
        let status = client.list_notes(list(String::new())).await.unwrap_err();
        assert_eq!(refusal(&status), expected);
    }
    let unknown = answer.results[1].name.replace("notes/0", "notes/1");
    let status = read(&suite, &unknown).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
}
