//! One seed: a journey from draft to settled, pushes in between, and something that fails at almost every step.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
};

use nonrecours_cli::journey::{Journey, Step};
use nonrecours_kernel::OperatorName;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::{
    books::{self, Books},
    faults::{Fault, Strike},
    laws::{self, Laws},
    pushing::Pushing,
    world::World,
};

/// Pushes after each step at most, while the convention is in force.
const PUSHES: usize = 3;

/// What the same journey leaves when nothing fails.
static UNDISTURBED: OnceLock<Result<Books, String>> = OnceLock::new();

/// What happened in a simulation that held.
pub struct Played {
    pub steps: usize,
    /// Commits that were broken: faults that did strike.
    pub broken: usize,
}

/// Plays a seed; says how it failed, with every step.
pub fn play(seed: u64) -> Result<Played, String> {
    let undisturbed = UNDISTURBED.get_or_init(|| Story::of(0, true).play());
    let expected = undisturbed.as_ref().map_err(Clone::clone)?;
    let mut story = Story::of(seed, false);
    let books = story.play()?;
    if books.ledger != expected.ledger || books.kinds != expected.kinds {
        return Err(story.failed(&format!("{books:#?}\nis not\n{expected:#?}")));
    }
    Ok(Played {
        steps: story.steps.len(),
        broken: story.broken,
    })
}

/// What a seed chooses, and what has happened so far.
struct Story {
    rng: StdRng,
    /// Nothing fails.
    calm: bool,
    steps: Vec<String>,
    broken: usize,
}

impl Story {
    fn of(seed: u64, calm: bool) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            calm,
            steps: Vec::new(),
            broken: 0,
        }
    }

    fn play(&mut self) -> Result<Books, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let playing = async {
            let mut world = World::start().await;
            let played = self.simulate(&mut world).await;
            world.end().await;
            played
        };
        // What a panic says is printed where it happens; the steps before it are told all the same.
        let played = catch_unwind(AssertUnwindSafe(|| runtime.block_on(playing)));
        let played = played.unwrap_or_else(|_| Err("a panic, above".to_owned()));
        played.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &str) -> String {
        let steps = self.steps.iter().enumerate();
        let told: Vec<String> = steps
            .map(|(number, step)| format!("{:>4} {step}", number + 1))
            .collect();
        format!("{}\n{error}", told.join("\n"))
    }

    /// What fails next.
    fn strike(&mut self) -> Strike {
        let strike = Strike::choose(&mut self.rng);
        let fault = if self.calm { Fault::None } else { strike.fault };
        Strike { fault, ..strike }
    }

    async fn simulate(&mut self, world: &mut World) -> Result<Books, String> {
        let cast = world.cast.clone();
        let mut journey = Journey::new(cast.clone(), Some(world.clock.story.clone()))
            .map_err(|error| format!("{error:#}"))?;
        let (mut laws, mut pushing) = (Laws::default(), Pushing::default());
        let mut in_force = false;
        for step in Step::ALL {
            let strike = self.strike();
            self.steps.push(format!("{step:?}; {strike}"));
            let (played, broken) = tokio::join!(journey.play(step), strike.strike(world));
            self.broken += broken;
            played.map_err(|error| format!("{error:#}"))?;
            laws.check(world, &pushing).await?;
            in_force = match step {
                Step::OpenPlan => true,
                Step::Report => false,
                _ => in_force,
            };
            let pushes = if in_force {
                self.rng.random_range(0..=PUSHES)
            } else {
                0
            };
            for _ in 0..pushes {
                let operator: OperatorName = journey.facts.operator.parse().map_err(wrong)?;
                let software = cast.software(operator.operator).map_err(wrong)?;
                let push = pushing.choose(&mut self.rng);
                let strike = self.strike();
                self.steps.push(format!("{push}; {strike}"));
                let convention = &journey.facts.convention;
                let pushed = pushing.push(&software, convention, &push);
                let (pushed, broken) = tokio::join!(pushed, strike.strike(world));
                self.broken += broken;
                pushed?;
                laws.check(world, &pushing).await?;
            }
        }
        laws::settled(world).await?;
        laws.check(world, &pushing).await?;
        let books = books::read(&cast, &journey.facts).await;
        books.check();
        Ok(books)
    }
}

fn wrong(error: impl std::fmt::Display) -> String {
    error.to_string()
}
