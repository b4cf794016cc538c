//! What a journey leaves that nothing disturbs: played once, for all who compare.

use nonrecours_cli::journey::{Journey, Step};
use tokio::sync::OnceCell;

use crate::{
    books::{self, Books},
    processes::Processes,
};

/// The books of that journey.
pub async fn books() -> &'static Books {
    static BOOKS: OnceCell<Books> = OnceCell::const_new();
    let play = async || {
        let processes = Processes::start().await;
        let mut journey = Journey::new(processes.cast.clone(), None).unwrap();
        for step in Step::ALL {
            journey.play(step).await.unwrap();
        }
        let books = books::read(&processes.cast, &journey.facts).await;
        books.check();
        books
    };
    BOOKS.get_or_init(play).await
}
