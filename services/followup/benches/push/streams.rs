//! Streams against COPY, in turns.

use std::time::{Duration, Instant};

use nonrecours_contracts::followup::PushRecordsRequest;
use nonrecours_contracts::followup::push_service_client::PushServiceClient;
use nonrecours_rpc::client::PeerChannel;
use sqlx::{Connection as _, PgConnection};
use tokio_stream::StreamExt as _;

use crate::{
    report::{Report, decimal, each, median, rate, ratio},
    rows::Rows,
    stage::Stage,
};

/// The tables of which a push of persons writes a row each, and the columns that it gives.
const COPIED: [(&str, &str); 2] = [
    (
        "beneficiary",
        "operator_id, beneficiary_id, convention_id, external_reference, publics, commune_code, age_band, state, \
         closing_reason, spotted_date, version, revision, create_time, update_time",
    ),
    (
        "outbox",
        "operator_id, era, resource, revision, kind, actor, occur_time, traceparent, type_url, snapshot, why",
    ),
];

/// Rows as COPY takes them, a table each.
type Text = Vec<Vec<u8>>;

/// Pushes the messages of one stream; gives how many records were stored.
pub async fn push(
    mut client: PushServiceClient<PeerChannel>,
    messages: Vec<PushRecordsRequest>,
) -> usize {
    let mut answers = client
        .push_records(tokio_stream::iter(messages))
        .await
        .unwrap()
        .into_inner();
    let mut stored = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        assert_eq!(answer.rejected, 0);
        stored += usize::try_from(answer.stored).unwrap();
    }
    stored
}

/// Pushes rows in streams side by side, all of them new.
async fn fresh(stage: &Stage, streams: &[Rows]) -> Duration {
    let prepared: Vec<_> = streams
        .iter()
        .map(|rows| (stage.pushes(), rows.messages(&stage.convention)))
        .collect();
    let started = Instant::now();
    let running: Vec<_> = prepared
        .into_iter()
        .map(|(client, messages)| tokio::spawn(push(client, messages)))
        .collect();
    for (rows, stream) in streams.iter().zip(running) {
        assert_eq!(stream.await.unwrap(), rows.count);
    }
    started.elapsed()
}

/// The rows just pushed, as COPY gives and takes them, in so many parts.
async fn copied_out(stage: &Stage, parts: usize) -> Vec<Text> {
    let mut texts = vec![Text::new(); parts];
    for (table, columns) in COPIED {
        for (part, text) in texts.iter_mut().enumerate() {
            let statement = format!(
                "COPY (SELECT {columns} FROM (SELECT *, row_number() OVER () AS place FROM {table}) AS numbered
                       WHERE place % {parts} = {part}) TO STDOUT"
            );
            let mut connection = stage.owner.acquire().await.unwrap();
            let mut stream = connection.copy_out_raw(&statement).await.unwrap();
            let mut bytes = Vec::new();
            while let Some(chunk) = stream.next().await {
                bytes.extend_from_slice(&chunk.unwrap());
            }
            text.push(bytes);
        }
    }
    texts
}

/// One COPY into each table, in one transaction.
async fn copy_in(url: String, text: Text) {
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    for ((table, columns), bytes) in COPIED.iter().zip(text) {
        let statement = format!("COPY {table} ({columns}) FROM STDIN");
        let mut copy = tx.copy_in_raw(&statement).await.unwrap();
        copy.send(bytes).await.unwrap();
        copy.finish().await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// As many COPYs side by side as there are parts.
async fn copies(stage: &Stage, texts: Vec<Text>) -> Duration {
    let started = Instant::now();
    let running: Vec<_> = texts
        .into_iter()
        .map(|text| tokio::spawn(copy_in(stage.urls.owner_url.clone(), text)))
        .collect();
    for copy in running {
        copy.await.unwrap();
    }
    started.elapsed()
}

/// One stream and four, each against COPY of the very rows that it wrote; and the same records again.
pub async fn compare(stage: &Stage, report: &mut Report, rounds: usize, count: usize) {
    let (mut one, mut one_copy, mut again, mut cpu) = (vec![], vec![], vec![], vec![]);
    let (mut four, mut two_copies) = (vec![], vec![]);
    let quarters: Vec<Rows> = (1..=4).map(|series| Rows::new(series, count / 2)).collect();
    // The first round, which nobody counts, warms everything up.
    for round in 0..=rounds {
        let rows = [Rows::new(0, count)];
        stage.clear().await;
        let before = stage.service_cpu();
        let pushed = fresh(stage, &rows).await;
        let taken = stage.service_cpu() - before;
        stage.settle().await;
        let started = Instant::now();
        let client = stage.pushes();
        let messages = rows[0].messages(&stage.convention);
        assert_eq!(push(client, messages).await, 0);
        let repushed = started.elapsed();
        let texts = copied_out(stage, 1).await;
        stage.clear().await;
        let copied = copies(stage, texts).await;
        assert_eq!(stage.count("outbox").await, i64::try_from(count).unwrap());

        stage.clear().await;
        let pushed_by_four = fresh(stage, &quarters).await;
        let texts = copied_out(stage, 2).await;
        stage.clear().await;
        let copied_by_two = copies(stage, texts).await;
        if round > 0 {
            one.push((
                ratio(copied.as_micros(), pushed.as_micros()),
                pushed,
                copied,
            ));
            one_copy.push(copied);
            again.push(ratio(pushed.as_micros(), repushed.as_micros()));
            cpu.push(each(count, taken));
            four.push(ratio(copied_by_two.as_micros(), pushed_by_four.as_micros()));
            two_copies.push((
                rate(2 * count, pushed_by_four),
                rate(2 * count, copied_by_two),
            ));
        }
    }
    let pushed = median(one.iter().map(|(_, pushed, _)| *pushed).collect());
    let copied = median(one_copy);
    report.at_least(
        "one stream of new records / one COPY",
        90,
        median(one.iter().map(|(ratio, _, _)| *ratio).collect()),
        format!("{} and {} rows/s", rate(count, pushed), rate(count, copied)),
    );
    let streams = median(two_copies.iter().map(|(streams, _)| *streams).collect());
    let copies = median(two_copies.iter().map(|(_, copies)| *copies).collect());
    report.at_least(
        "four streams / two parallel COPYs",
        80,
        median(four),
        format!("{streams} and {copies} rows/s"),
    );
    report.at_least(
        "the same records again / new",
        200,
        median(again),
        format!("new: {} µs a row", decimal(each(count, pushed))),
    );
    report.at_most(
        "service CPU a streamed row, µs",
        400,
        median(cpu),
        "user and system time of the process, no identities".to_owned(),
    );
}
