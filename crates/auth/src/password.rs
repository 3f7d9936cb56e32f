//! Passwords: which are taken, how they are hashed, and how many at once.

use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use evoke_model::{Code, Millis, Problem, Rejection};
use tokio::sync::Semaphore;

use crate::settings::Hashing;
use crate::tokens::drawn;

/// Shorter ones are found by trying them out.
const CHARS_MIN: usize = 8;
/// Nobody types longer ones, and each costs its length.
const CHARS_MAX: usize = 128;

/// What a hash is mixed with (PHC string format: 16 bytes are recommended).
const SALT_BYTES: usize = 16;

/// A hash takes 19 MiB and a core for some 20 milliseconds; the machine is there for functions too.
const AT_ONCE: usize = 2;
/// Those who wait for their turn: about a second's worth.
const WAITING_MAX: usize = 64;
/// New passwords among them, so that many signups leave room for logins.
const NEW_MAX: usize = WAITING_MAX / 2;

/// Checks a password somebody chose.
///
/// # Errors
/// What is wrong with it, which does not repeat it.
pub(crate) fn check(field: &str, password: &str) -> Result<(), Problem> {
    let length = password.chars().count();
    if (CHARS_MIN..=CHARS_MAX).contains(&length) {
        return Ok(());
    }
    let what = if length < CHARS_MIN { "is too short" } else { "is too long" };
    Err(Problem::new(field, what).suggest(format!("{CHARS_MIN} to {CHARS_MAX} characters")))
}

/// What came of comparing a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It is another one, or there is none.
    Wrong,
    /// It is the one.
    Right,
    /// It is the one, and its hash should be made anew.
    Stale,
}

/// Hashes and compares, on threads of its own and few at once.
#[derive(Debug)]
pub(crate) struct Hasher {
    algorithm: Argon2<'static>,
    params: Params,
    /// What is compared where there is no account, so that it takes as long.
    decoy: String,
    doors: Arc<Semaphore>,
    new_doors: Semaphore,
    places: Arc<Semaphore>,
    #[cfg(test)]
    compared: AtomicU64,
}

impl Hasher {
    /// # Errors
    /// The costs are out of range, or the machine gives no random numbers.
    pub(crate) fn new(cost: Hashing) -> Result<Self, Rejection> {
        let broken = |error: argon2::Error| broken(&error);
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(broken)?;
        let algorithm = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let decoy = decoy(&params)?;
        Ok(Self {
            algorithm,
            params,
            decoy,
            doors: Arc::new(Semaphore::new(AT_ONCE + WAITING_MAX)),
            new_doors: Semaphore::new(NEW_MAX),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            #[cfg(test)]
            compared: AtomicU64::new(0),
        })
    }

    /// The hash of a password as it is kept.
    ///
    /// # Errors
    /// EV_003 where too many wait.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Rejection> {
        let _door = self.new_doors.try_acquire().map_err(|_| full())?;
        let algorithm = self.algorithm.clone();
        self.run(move || hashed(&algorithm, &password)).await?
    }

    /// Compares a password with what is kept. Where nothing is, the same work is done.
    ///
    /// # Errors
    /// EV_003 where too many wait.
    pub(crate) async fn compare(
        &self,
        password: &str,
        kept: Option<&str>,
    ) -> Result<Verdict, Rejection> {
        let is_possible = kept.is_some() && password.chars().count() <= CHARS_MAX;
        let password = if is_possible { password.to_owned() } else { String::new() };
        let kept = kept.filter(|_| is_possible).unwrap_or(&self.decoy).to_owned();
        let (algorithm, params) = (self.algorithm.clone(), self.params.clone());
        #[cfg(test)]
        self.compared.fetch_add(1, Ordering::Relaxed);
        let verdict = self.run(move || {
            let parsed = PasswordHash::new(&kept).map_err(|error| broken(&error))?;
            if algorithm.verify_password(password.as_bytes(), &parsed).is_err() {
                return Ok(Verdict::Wrong);
            }
            let cost = Params::try_from(&parsed).map_err(|error| broken(&error))?;
            let is_same = (cost.m_cost(), cost.t_cost(), cost.p_cost())
                == (params.m_cost(), params.t_cost(), params.p_cost());
            Ok(if is_same { Verdict::Right } else { Verdict::Stale })
        });
        let verdict = verdict.await??;
        Ok(if is_possible { verdict } else { Verdict::Wrong })
    }

    /// How many passwords were compared, those of unknown accounts included.
    #[cfg(test)]
    pub(crate) fn compared(&self) -> u64 {
        self.compared.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Rejection> {
        let _door = self.doors.clone().try_acquire_owned().map_err(|_| full())?;
        let place = self.places.clone().acquire_owned().await.map_err(|error| broken(&error))?;
        // The place is held as long as the work takes, also where its caller has left.
        let work = move || {
            let done = work();
            drop(place);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| broken(&error))
    }
}

fn full() -> Rejection {
    let message = "too many passwords are being checked at this moment";
    Rejection::new(Code::IntakeFull, message).retry_after(Millis::from_secs(1))
}

fn hashed(algorithm: &Argon2<'_>, password: &str) -> Result<String, Rejection> {
    let hash = algorithm.hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| broken(&error))
}

/// The hash of no password: what stands in place of an output was drawn, not computed, since a
/// server that nobody logs in to should not have the memory of a computation.
fn decoy(params: &Params) -> Result<String, Rejection> {
    let salt = STANDARD_NO_PAD.encode(drawn::<SALT_BYTES>()?);
    let output = STANDARD_NO_PAD.encode(drawn::<{ Params::DEFAULT_OUTPUT_LEN }>()?);
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    Ok(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${output}"))
}

fn broken(error: &dyn std::fmt::Display) -> Rejection {
    tracing::error!("A password could not be hashed or compared: {error}");
    Rejection::new(Code::Internal, "this is our mistake; the log has more")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Hashing = Hashing { memory_kib: 8, passes: 1 };

    #[test]
    fn the_length_is_counted_in_characters() {
        for (password, is_taken) in [
            ("1234567", false),
            ("12345678", true),
            ("äöüäöüäö", true),
            (&"x".repeat(128), true),
            (&"x".repeat(129), false),
        ] {
            let checked = check("password", password);
            assert_eq!(checked.is_ok(), is_taken, "{password}");
            let told = checked.err().map(|problem| problem.to_string()).unwrap_or_default();
            assert!(!told.contains(password), "{told}");
        }
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_an_old_hash_is_told() {
        let hasher = Hasher::new(CHEAP).unwrap();
        let hash = hasher.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        let other = Hasher::new(Hashing { passes: 2, ..CHEAP }).unwrap();
        for (hasher, password, expected) in [
            (&hasher, "correct horse", Verdict::Right),
            (&hasher, "correct hors", Verdict::Wrong),
            (&hasher, "", Verdict::Wrong),
            (&other, "correct horse", Verdict::Stale),
        ] {
            assert_eq!(hasher.compare(password, Some(&hash)).await, Ok(expected), "{password}");
        }
    }

    #[tokio::test]
    async fn where_there_is_no_account_the_same_is_computed() {
        let hasher = Hasher::new(CHEAP).unwrap();
        assert_eq!(hasher.compare("whatever it is", None).await, Ok(Verdict::Wrong));
        assert_eq!(hasher.compare("", None).await, Ok(Verdict::Wrong));
        assert_eq!(hasher.compare(&"x".repeat(129), Some(&hasher.decoy)).await, Ok(Verdict::Wrong));
        assert_eq!(hasher.compared(), 3);
        let cost = PasswordHash::new(&hasher.decoy).map(|hash| Params::try_from(&hash)).unwrap();
        assert_eq!(cost.map(|cost| (cost.m_cost(), cost.t_cost())), Ok((8, 1)));
        let real = hasher.hash("correct horse".to_owned()).await.unwrap();
        assert_eq!(hasher.decoy.len(), real.len(), "as much is read and computed");
    }

    #[tokio::test]
    async fn who_comes_when_too_many_wait_is_sent_away() {
        let hasher = Hasher::new(CHEAP).unwrap();
        let taken = hasher.doors.clone().acquire_many_owned((AT_ONCE + WAITING_MAX) as u32).await;
        let refused = hasher.hash("correct horse".to_owned()).await.unwrap_err();
        assert_eq!((refused.code, refused.retry_after.is_some()), (Code::IntakeFull, true));
        drop(taken);
        assert!(hasher.hash("correct horse".to_owned()).await.is_ok());
    }

    #[tokio::test]
    async fn however_many_choose_passwords_somebody_can_log_in() {
        let hasher = Hasher::new(CHEAP).unwrap();
        let hash = hasher.hash("correct horse".to_owned()).await.unwrap();
        let taken = hasher.new_doors.acquire_many(NEW_MAX as u32).await;
        let refused = hasher.hash("another horse".to_owned()).await.unwrap_err();
        assert_eq!((refused.code, refused.retry_after.is_some()), (Code::IntakeFull, true));
        assert_eq!(hasher.compare("correct horse", Some(&hash)).await, Ok(Verdict::Right));
        drop(taken);
        assert!(hasher.hash("another horse".to_owned()).await.is_ok());
    }
}
