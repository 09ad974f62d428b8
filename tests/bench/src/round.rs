//! Rounds: two sides timed in turn, and the median of their ratios.

use std::time::Instant;

use anyhow::Result;

/// Rounds of every figure.
pub(crate) const ROUNDS: usize = 5;

/// What the rounds of two sides gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    /// Median seconds of the first side.
    pub a_seconds: f64,
    /// Median seconds of the second side.
    pub b_seconds: f64,
    /// Median of `b / a`, round by round: how many times faster the first side is.
    pub ratio: f64,
}

/// Runs both sides in turn, after one uncounted round.
///
/// # Errors
/// The first error of a side.
pub(crate) fn compare(
    mut a: impl FnMut() -> Result<()>,
    mut b: impl FnMut() -> Result<()>,
) -> Result<Compared> {
    timed(|| {
        a()?;
        b()
    })?;
    let (mut times_a, mut times_b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (time_a, time_b) = (timed(&mut a)?, timed(&mut b)?);
        times_a.push(time_a);
        times_b.push(time_b);
        ratios.push(time_b / time_a);
    }
    Ok(Compared { a_seconds: median(times_a), b_seconds: median(times_b), ratio: median(ratios) })
}

/// Seconds that something takes.
///
/// # Errors
/// Its own.
pub(crate) fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

/// The middle of some figures; 0 where there is none.
#[must_use]
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
