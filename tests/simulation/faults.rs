//! What goes wrong, chosen by a seed.

use std::{fmt, time::Duration};

use nonrecours_testkit::{Link, Moment, Proxy};
use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use tokio::time::sleep;

use crate::world::{ALL, Who, World};

/// What PostgreSQL's clients end a transaction with.
const COMMIT: &[u8] = b"COMMIT\0";
/// How long a way may be cut, silent or slow, milliseconds.
const LASTING: std::ops::Range<u64> = 20..400;
/// When a fault may strike after the beginning of a step, milliseconds.
const DELAY: std::ops::Range<u64> = 0..60;
/// How far the clock is put forward at most, and back, seconds. All moves of a simulation together stay within a day of the
/// story; back, within what is granted to the clocks of issuers.
const FORWARD: i64 = 600;
const BACK: i64 = 20;

/// A way of one service.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    Database,
    Clients,
    Peers,
}

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// All connections of a way end: requests or answers under way are lost.
    Reset(Who, Way),
    /// A way is cut, silent or slow for a while.
    Link(Who, Way, Link, Duration),
    /// The next commit of a service does not arrive, or its answer is lost; with the service dead, or alive.
    Commit(Who, Moment, bool),
    /// A service dies, and is started again after a while.
    Kill(Who, Duration),
    /// All sessions of all databases end, as in a restart of the server.
    Restart,
    /// A follower starts again from an earlier place: every page comes again.
    Rewind(Who),
    /// The clock moves, seconds.
    Clock(i64),
}

/// A fault with its moment.
#[derive(Clone, Debug)]
pub struct Strike {
    pub delay: Duration,
    pub fault: Fault,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::None => f.write_str("nothing"),
            _ => write!(f, "{:?} after {:?}", self.fault, self.delay),
        }
    }
}

impl Strike {
    pub fn choose(rng: &mut StdRng) -> Self {
        let delay = Duration::from_millis(rng.random_range(DELAY));
        let who = *ALL.choose(rng).unwrap();
        let way = *[Way::Database, Way::Clients, Way::Peers]
            .choose(rng)
            .unwrap();
        let lasting = Duration::from_millis(rng.random_range(LASTING));
        let fault = match rng.random_range(0..20) {
            0..=1 => Fault::None,
            2..=4 => Fault::Reset(who, way),
            5..=6 => Fault::Link(who, way, Link::Cut, lasting),
            7..=8 => Fault::Link(who, way, Link::Silent, lasting),
            9 => {
                let delay = Duration::from_millis(rng.random_range(1..10));
                Fault::Link(who, way, Link::Slow(delay), lasting)
            }
            10..=13 => {
                let moment = *[Moment::Before, Moment::After].choose(rng).unwrap();
                Fault::Commit(who, moment, rng.random())
            }
            14..=15 => Fault::Kill(who, lasting),
            16 => Fault::Restart,
            17 => Fault::Rewind(who),
            _ if rng.random() => Fault::Clock(rng.random_range(0..FORWARD)),
            _ => Fault::Clock(-rng.random_range(0..BACK)),
        };
        Self { delay, fault }
    }

    /// Strikes, and heals what does not heal by itself. Gives how many commits it broke.
    pub async fn strike(&self, world: &mut World) -> usize {
        sleep(self.delay).await;
        match &self.fault {
            Fault::None => {}
            Fault::Reset(who, way) => way_of(world, *who, *way).reset(),
            Fault::Link(who, way, link, lasting) => {
                way_of(world, *who, *way).set(*link);
                sleep(*lasting).await;
                way_of(world, *who, *way).set(Link::Open);
            }
            Fault::Commit(who, moment, dies) => {
                return usize::from(commit(world, *who, *moment, *dies).await);
            }
            Fault::Kill(who, lasting) => {
                world.kill(*who);
                sleep(*lasting).await;
                world.run(*who);
            }
            Fault::Restart => {
                for who in ALL {
                    // Those of the service; its own session stays, to say so.
                    let ended = sqlx::query(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE datname = current_database() AND usename = current_user
                           AND pid <> pg_backend_pid()",
                    );
                    let app = world.place(who).app().await;
                    ended.execute(&app).await.unwrap();
                    app.close().await;
                }
            }
            Fault::Rewind(who) => {
                world.kill(*who);
                sqlx::query("UPDATE feed_cursor SET cursor = ''")
                    .execute(&world.place(*who).owner)
                    .await
                    .unwrap();
                world.run(*who);
            }
            Fault::Clock(seconds) => world.clock.shift(*seconds),
        }
        0
    }
}

/// The next commit breaks. When there is none for a while, none does: says whether one did.
async fn commit(world: &mut World, who: Who, moment: Moment, dies: bool) -> bool {
    let database = &world.place(who).database;
    let broken = database.break_at(COMMIT, moment);
    let broken = tokio::time::timeout(Duration::from_millis(LASTING.end), broken);
    let broke = broken.await.is_ok();
    database.mend();
    if broke && dies {
        world.kill(who);
        world.run(who);
    }
    broke
}

fn way_of(world: &World, who: Who, way: Way) -> &Proxy {
    let place = world.place(who);
    match way {
        Way::Database => &place.database,
        Way::Clients => &place.clients,
        Way::Peers => &place.peers,
    }
}
