//! From a request to a command: every fault of it at once.

use std::str::FromStr;

use nonrecours_kernel::{Caller, Invalid, Violation};
use prost::{Message, Name};
use tonic::Request;

use crate::{failure::Failure, rules};

/// Takes the caller, as the access layer left it, and the message out of a request.
pub fn open<M>(request: Request<M>) -> Result<(Caller, M), Failure> {
    let (_, mut extensions, message) = request.into_parts();
    let Some(caller) = extensions.remove::<Caller>() else {
        return Err(Failure::bug(
            "a handler was reached without the access layer",
        ));
    };
    Ok((caller, message))
}

/// Parses one field alone: what authorization needs before anything else is looked at (AIP-211).
pub fn field<T: FromStr<Err = Invalid>>(path: &str, value: &str) -> Result<T, Failure> {
    value
        .parse()
        .map_err(|invalid| Failure::invalid(vec![Violation::at(path, invalid)]))
}

/// Collects the faults of one request: first those against the contract's own rules, then those of each value.
///
/// ```text
/// let mut check = Check::of(&request);
/// let siret = check.parse::<Siret>("operator.siret", &operator.siret);
/// let command = check.finish(|| Some(Register { siret: siret? }))?;
/// ```
#[derive(Debug, Default)]
pub struct Check {
    violations: Vec<Violation>,
}

impl Check {
    /// Starts with the violations of the contract's rules (`buf.validate`).
    pub fn of<M: Message + Name>(request: &M) -> Self {
        Self {
            violations: rules::violations(request),
        }
    }

    /// The same for an update: below `resource`, only the fields that `touched` names count.
    pub fn of_update<M: Message + Name>(request: &M, resource: &str, touched: &[String]) -> Self {
        let mut check = Self::of(request);
        check
            .violations
            .retain(|violation| match violation.field.strip_prefix(resource) {
                Some(path) if path.starts_with('.') => {
                    let top = path[1..].split(['.', '[']).next().unwrap_or_default();
                    touched.iter().any(|field| field == top)
                }
                _ => true,
            });
        check
    }

    /// Parses a text field; a fault is noted under its path, once.
    pub fn parse<T: FromStr<Err = Invalid>>(&mut self, path: &str, value: &str) -> Option<T> {
        self.take(path, value.parse())
    }

    /// Takes a value, or notes why there is none.
    pub fn take<T>(&mut self, path: &str, value: Result<T, Invalid>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(invalid) => {
                self.refuse(path, invalid);
                None
            }
        }
    }

    /// Notes a fault. A path that breaks a rule of the contract already is not reported twice.
    pub fn refuse(&mut self, path: &str, invalid: Invalid) {
        if !self.violations.iter().any(|known| known.field == path) {
            self.violations.push(Violation::at(path, invalid));
        }
    }

    /// Builds the command when nothing was wrong.
    pub fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, Failure> {
        if !self.violations.is_empty() {
            return Err(Failure::invalid(self.violations));
        }
        build().ok_or_else(|| Failure::bug("a value is missing though no violation was noted"))
    }
}
