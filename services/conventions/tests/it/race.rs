//! Two at once.

use nonrecours_contracts::conventions::{ConventionState, OperatorCategory, Party};
use tonic::{Response, Status};

use crate::{
    requests::{DAINVILLE, euros, operator, programme, refused, sign},
    world::World,
};

/// How many want the same money, or send the same thing.
const CONVENTIONS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conventions_that_together_exceed_the_envelope_do_not_all_enter_into_force() {
    let world = World::start().await;
    // Money for two, and a cent too little for three.
    let setting = world.setting(3 * 1_150_000 - 1).await;
    let mut names = Vec::new();
    for _ in 0..CONVENTIONS {
        let name = world.ready(&setting).await.name;
        world.sign(sign(&name, Party::Operator)).await.unwrap();
        names.push(name);
    }
    let token = world.tokens.authorising_officer();
    let attempts: Vec<_> = names
        .iter()
        .map(|name| {
            let mut client = world.conventions(token.clone());
            let request = sign(name, Party::Authority);
            tokio::spawn(async move { client.sign_convention(request).await })
        })
        .collect();
    let mut signed = 0;
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(answer) => {
                assert_eq!(answer.into_inner().state(), ConventionState::InForce);
                signed += 1;
            }
            refusal => {
                let (_, details) = refused(refusal);
                assert_eq!(details.blocker_reasons(), ["ENVELOPE_EXCEEDED"]);
            }
        }
    }
    assert_eq!(signed, 2);
    let envelope = world
        .programme(&setting.programme)
        .await
        .envelopes
        .remove(0);
    assert_eq!(envelope.engaged_amount, Some(euros(2 * 1_150_000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_request_sent_many_times_at_once_is_done_once() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.ready(&setting).await.name;
    let request = sign(&name, Party::Operator);
    let token = world.tokens.manager(setting.operator);
    let answers = at_once(|| {
        let mut client = world.conventions(token.clone());
        let request = request.clone();
        async move { client.sign_convention(request).await }
    })
    .await;
    assert_eq!(answers[0].state(), ConventionState::PartlySigned);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.convention(&name).await, answers[0]);
    let changes = world.changes_until("convention.signed", &name).await;
    assert_eq!(
        changes
            .iter()
            .filter(|it| it.kind == "convention.signed")
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_registration_sent_many_times_at_once_is_done_once() {
    let world = World::start().await;
    let request = operator(DAINVILLE, OperatorCategory::Commune);
    let token = world.tokens.officer();
    let answers = at_once(|| {
        let mut client = world.operators(token.clone());
        let request = request.clone();
        async move { client.create_operator(request).await }
    })
    .await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let request = programme(1);
    let answers = at_once(|| {
        let mut client = world.programmes(token.clone());
        let request = request.clone();
        async move { client.create_programme(request).await }
    })
    .await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

/// Sends the same many times at once; every one is answered.
async fn at_once<T, F>(send: impl Fn() -> F) -> Vec<T>
where
    T: Send + std::fmt::Debug + 'static,
    F: Future<Output = Result<Response<T>, Status>> + Send + 'static,
{
    let sent: Vec<_> = (0..CONVENTIONS).map(|_| tokio::spawn(send())).collect();
    let mut answers = Vec::new();
    for answer in sent {
        answers.push(answer.await.unwrap().unwrap().into_inner());
    }
    answers
}
