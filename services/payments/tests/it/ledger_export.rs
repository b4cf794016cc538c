//! The books as a file, held against the books.

use nonrecours_contracts::payments::{
    ExportLedgerRequest, ExportLedgerResponse,
    ledger_export_service_client::LedgerExportServiceClient,
};
use nonrecours_kernel::{Money, ProgrammeName};
use nonrecours_rpc::convert::{money, to_date};
use time::{
    Date,
    macros::{date, datetime},
};
use tonic::Status;

use crate::{
    state_receivable::{funding, receipt},
    treasury::{Treasury, of_piece, retour},
    world::{World, reason},
};

async fn page(world: &World, request: ExportLedgerRequest) -> Result<ExportLedgerResponse, Status> {
    let channel = world.service.channel(world.tokens.accountant());
    let mut client = LedgerExportServiceClient::new(channel);
    Ok(client.export_ledger(request).await?.into_inner())
}

fn period(programme: &ProgrammeName, first: Date, last: Date) -> ExportLedgerRequest {
    ExportLedgerRequest {
        parent: programme.to_string(),
        first_date: Some(to_date(first)),
        last_date: Some(to_date(last)),
        ..Default::default()
    }
}

/// The whole file by pages of this size, and the sum that the pages tell.
async fn file(world: &World, request: ExportLedgerRequest, page_size: i32) -> (String, Money) {
    let (mut bytes, mut total, mut page_token) = (Vec::new(), Money::ZERO, String::new());
    loop {
        let request = ExportLedgerRequest {
            page_size,
            page_token,
            ..request.clone()
        };
        let page = page(world, request).await.unwrap();
        assert!(page.entry_count <= page_size);
        bytes.extend(page.content);
        let amount = money(page.total_amount.as_ref()).unwrap();
        total = total.checked_add(amount).unwrap();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return (String::from_utf8(bytes).unwrap(), total);
        }
    }
}

/// The fields of every line but the first.
fn lines(file: &str) -> Vec<Vec<&str>> {
    let lines = file.split_terminator("\r\n").skip(1);
    lines.map(|line| line.split(';').collect()).collect()
}

/// Debits less credits of the lines of an account, in cents.
fn balance(lines: &[Vec<&str>], account: &str) -> i64 {
    let cents = |amount: &str| amount.replace(',', "").parse::<i64>().unwrap();
    let own = lines
        .iter()
        .filter(|line| account.is_empty() || line[4] == account);
    own.map(|line| cents(line[11]) - cents(line[12])).sum()
}

#[tokio::test]
async fn the_file_of_a_period_balances_and_is_the_ledger() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let programme = treasury.programme;
    let owed = world.owed(&funding(&world, programme, 2025)).await;
    world
        .receive_funds(receipt(&owed.name, 5_000_000, "=HYPERLINK(1)"))
        .await
        .unwrap();
    // One is paid by its order in a slip, another only certified.
    let paid = treasury.ordered().await;
    let slip = treasury.issue(treasury.request(&[&paid])).await.unwrap();
    let stated = of_piece(1, "05", "", &[("2025-10-07", "9200.00")]);
    let file_of_returns = retour(slip.number, &stated);
    treasury.import(&file_of_returns).await.unwrap();
    let certified = treasury.agreed().await;
    world.advance(&certified.advance.name, 2).await;
    // On the first day of the year after.
    world.clock.set(datetime!(2025-12-31 23:00 UTC));
    world
        .receive_funds(receipt(&owed.name, 1, "AC-2"))
        .await
        .unwrap();
    let other = Treasury::bare(&world).programme;

    let year = period(&programme, date!(2025 - 01 - 01), date!(2025 - 12 - 31));
    let (text, total) = file(&world, year.clone(), 2).await;
    assert_eq!(file(&world, year.clone(), 100).await, (text.clone(), total));
    assert!(text.starts_with("JournalCode;JournalLib;EcritureNum;EcritureDate;CompteNum;"));
    let lines = lines(&text);
    assert!(lines.iter().all(|line| line.len() == 18), "{text}");
    assert_eq!(lines.len(), 10);
    assert_eq!(balance(&lines, ""), 0);
    for (account, cents) in [
        ("657", 1_840_000),
        ("46711", -920_000),
        ("515", 5_000_000 - 920_000),
        ("441", 3_000_001),
        ("74718", -8_000_001),
        ("46721", 0),
    ] {
        assert_eq!(balance(&lines, account), cents, "{account}");
    }
    // What the pages tell is what the ledger has.
    let owner = world.db.owner().await;
    let booked: i64 = sqlx::query_scalar(
        "SELECT (sum(amount) * 100)::bigint FROM ledger WHERE programme_id = $1 AND book_time < '2025-12-31 23:00Z'",
    )
    .bind(programme.programme.uuid())
    .fetch_one(&owner)
    .await
    .unwrap();
    assert_eq!(total.cents(), booked);
    // No spreadsheet calculates what somebody has typed.
    assert!(!text.contains(";=") && text.contains("Versement de l'État : =HYPERLINK(1)"));
    // What is paid is matched, what is only certified is not.
    let payable: Vec<_> = lines.iter().filter(|line| line[4] == "46711").collect();
    assert_eq!(payable.len(), 3);
    assert_eq!(payable[0][13], payable[1][13]);
    assert!(!payable[0][13].is_empty() && payable[0][14] == "20251007");
    assert_eq!(payable[2][13], "");
    assert_eq!((payable[1][8], payable[1][6]), ("2025-1", "216202630"));

    let next = period(&programme, date!(2026 - 01 - 01), date!(2026 - 01 - 01));
    let (text, total) = file(&world, next.clone(), 100).await;
    assert_eq!((text.lines().count(), total.cents()), (3, 1));
    let foreign = ExportLedgerRequest {
        parent: other.to_string(),
        ..year.clone()
    };
    let (text, _) = file(&world, foreign, 100).await;
    assert_eq!(text.lines().count(), 1);

    let token = page(
        &world,
        ExportLedgerRequest {
            page_size: 1,
            ..year
        },
    )
    .await;
    let elsewhere = ExportLedgerRequest {
        page_token: token.unwrap().next_page_token,
        ..next
    };
    let outcome = page(&world, elsewhere).await;
    assert_eq!(reason(outcome), "PAGE_TOKEN_INVALID");
    let reversed = period(&programme, date!(2026 - 01 - 01), date!(2025 - 01 - 01));
    assert_eq!(reason(page(&world, reversed).await), "INVALID_REQUEST");
}
