//! The stages and the channels between them.
//!
//! Each stage is one thread of work that ends when its input ends. `Flow::End` says that the input ended
//! as it should; a channel that closes without it says that a stage before has failed, and then the open
//! epoch is dropped, never committed.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{debug, info};

use change::LogSlice;

use super::budget::Budget;
use super::error::RunError;
use super::fold_step::{EpochWork, FoldStep};
use super::meter::{Meter, Stage};
use super::sink::Sink;
use super::source::Source;
use super::transform_step::{TransformStep, TransformedSlice};

/// Slices waiting between two stages; what they hold together is bounded by a [`Budget`].
const SLICES_WAITING_MAX: usize = 2;

/// Epochs waiting for their commit while the next is folded.
const EPOCHS_WAITING_MAX: usize = 1;

/// What travels between stages.
enum Flow<T> {
    /// The next piece, and its share of the memory until it is folded.
    Next(T, OwnedSemaphorePermit),
    /// The input ended as it should; all that came before is whole.
    End,
}

/// What a stage that waits for its input meets.
enum Met<T> {
    /// Input.
    Flow(Flow<T>),
    /// The open epoch has waited long enough.
    TimeUp,
    /// A neighbour has gone without an end: there is nothing left to do.
    Alone,
}

/// All steps in one loop: the reference for [`concurrent`].
///
/// # Errors
/// The first error of any step; what was read whole before an error of the source is committed.
pub async fn in_order<S: Source, K: Sink>(
    mut source: S,
    mut transform: TransformStep,
    mut fold: FoldStep,
    sink: &mut K,
    meter: &Meter,
    mut stop: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let mut failure = None;
    while !*stop.borrow() {
        let slice = match next_in_order(&mut source, &mut fold, sink, meter, &mut stop).await? {
            Ok(Some(slice)) => slice,
            Ok(None) => break,
            Err(error) => {
                failure = Some(error);
                break;
            }
        };
        meter.read(&slice, source.progress());
        let transformed = meter.timed(Stage::Transform, || transform.apply(slice))?;
        let step = meter.timed(Stage::Fold, || fold.push(transformed))?;
        for work in step.closed {
            commit(sink, work, meter).await?;
        }
        step.stop.map_or(Ok(()), Err)?;
    }
    if let Some(work) = meter.timed(Stage::Fold, || fold.close())? {
        commit(sink, work, meter).await?;
    }
    sink.finish().await?;
    failure.map_or(Ok(()), Err)
}

/// The source's next slice, none where a stop comes first. An epoch that has been open long enough is
/// committed meanwhile; the outer error is of that, the inner one is the source's.
async fn next_in_order<S: Source, K: Sink>(
    source: &mut S,
    fold: &mut FoldStep,
    sink: &mut K,
    meter: &Meter,
    stop: &mut watch::Receiver<bool>,
) -> Result<Result<Option<LogSlice>, RunError>, RunError> {
    // Kept over the pauses: a source that tries to reach its server again counts its attempts.
    let next = source.next();
    tokio::pin!(next);
    loop {
        let busy = meter.busy(Stage::Read);
        tokio::select! {
            biased;
            next = &mut next => return Ok(next),
            Ok(()) = stop.changed() => {
                if *stop.borrow() {
                    return Ok(Ok(None));
                }
            }
            () = pass(fold.time_left()) => {
                drop(busy);
                if let Some(work) = meter.timed(Stage::Fold, || fold.close())? {
                    commit(sink, work, meter).await?;
                }
            }
        }
    }
}

/// All stages at once. Slices between the source and the open epoch hold `slices_bytes_max` bytes at most,
/// a larger one goes alone.
///
/// # Errors
/// The error of a commit, else of the first stage in the order of the flow; what was read whole before an
/// error of the source is committed.
pub async fn concurrent<S: Source + 'static, K: Sink>(
    source: S,
    transform: TransformStep,
    fold: FoldStep,
    sink: &mut K,
    slices_bytes_max: usize,
    meter: Arc<Meter>,
    stop: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let (slices_out, slices_in) = mpsc::channel(SLICES_WAITING_MAX);
    let (transformed_out, transformed_in) = mpsc::channel(SLICES_WAITING_MAX);
    let (epochs_out, epochs_in) = mpsc::channel(EPOCHS_WAITING_MAX);
    let reading = on_thread({
        let meter = Arc::clone(&meter);
        let budget = Budget::new(slices_bytes_max);
        move |runtime| runtime.block_on(read(source, slices_out, &budget, meter, stop))
    });
    let transforming = on_thread({
        let meter = Arc::clone(&meter);
        move |runtime| transform_all(transform, slices_in, transformed_out, &meter, &runtime)
    });
    let folding = on_thread({
        let meter = Arc::clone(&meter);
        move |runtime| fold_all(fold, transformed_in, epochs_out, &meter, &runtime)
    });
    let committed = commit_all(sink, epochs_in, &meter).await;
    // A stage whose neighbour is gone ends by itself, so all of them can be waited for.
    let results = [joined(reading).await, joined(transforming).await, joined(folding).await];
    [committed].into_iter().chain(results).collect()
}

fn on_thread<F>(work: F) -> JoinHandle<Result<(), RunError>>
where
    F: FnOnce(Handle) -> Result<(), RunError> + Send + 'static,
{
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || work(runtime))
}

async fn joined(stage: JoinHandle<Result<(), RunError>>) -> Result<(), RunError> {
    stage.await.map_err(|_| RunError::StagePanicked)?
}

async fn read<S: Source>(
    mut source: S,
    out: mpsc::Sender<Flow<LogSlice>>,
    budget: &Budget,
    meter: Arc<Meter>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let failure = loop {
        if *stop.borrow() {
            break None;
        }
        let busy = meter.busy(Stage::Read);
        let next = tokio::select! {
            biased;
            next = source.next() => next,
            // A sender that is gone can never ask for a stop.
            Ok(()) = stop.changed() => continue,
            // An idle server must not hide that a later stage has failed.
            () = out.closed() => return Ok(()),
        };
        drop(busy);
        match next {
            Ok(Some(slice)) => {
                meter.read(&slice, source.progress());
                let share = tokio::select! {
                    share = budget.share(slice.memory_bytes()) => share,
                    () = out.closed() => return Ok(()),
                };
                if out.send(Flow::Next(slice, share)).await.is_err() {
                    return Ok(());
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    // Whole transactions only ever left the source, so what came before an error may be committed.
    let _ = out.send(Flow::End).await;
    failure.map_or(Ok(()), Err)
}

fn transform_all(
    mut transform: TransformStep,
    mut slices: mpsc::Receiver<Flow<LogSlice>>,
    out: mpsc::Sender<Flow<TransformedSlice>>,
    meter: &Meter,
    runtime: &Handle,
) -> Result<(), RunError> {
    loop {
        let flow = match runtime.block_on(meet(&mut slices, &out, None)) {
            Met::Flow(Flow::Next(slice, share)) => {
                let transformed = meter.timed(Stage::Transform, || transform.apply(slice))?;
                Flow::Next(transformed, share)
            }
            Met::Flow(Flow::End) => Flow::End,
            Met::TimeUp | Met::Alone => return Ok(()),
        };
        let is_end = matches!(flow, Flow::End);
        if out.blocking_send(flow).is_err() || is_end {
            return Ok(());
        }
    }
}

fn fold_all(
    mut fold: FoldStep,
    mut slices: mpsc::Receiver<Flow<TransformedSlice>>,
    out: mpsc::Sender<EpochWork>,
    meter: &Meter,
    runtime: &Handle,
) -> Result<(), RunError> {
    loop {
        let mut stop = None;
        let (closed, is_end) = match runtime.block_on(meet(&mut slices, &out, fold.time_left())) {
            Met::Flow(Flow::Next(slice, _share)) => {
                let step = meter.timed(Stage::Fold, || fold.push(slice))?;
                stop = step.stop;
                (step.closed, false)
            }
            Met::Flow(Flow::End) => (close(&mut fold, meter)?, true),
            Met::TimeUp => (close(&mut fold, meter)?, false),
            Met::Alone => return Ok(()),
        };
        for work in closed {
            if out.blocking_send(work).is_err() {
                return Ok(());
            }
        }
        if let Some(stop) = stop {
            return Err(stop);
        }
        if is_end {
            return Ok(());
        }
    }
}

fn close(fold: &mut FoldStep, meter: &Meter) -> Result<Vec<EpochWork>, RunError> {
    Ok(meter.timed(Stage::Fold, || fold.close())?.into_iter().collect())
}

/// Waits for input, for a time to pass, or for the stage behind to go. A received value is never lost:
/// `recv` is cancel safe.
async fn meet<T, U>(
    input: &mut mpsc::Receiver<Flow<T>>,
    out: &mpsc::Sender<U>,
    left: Option<Duration>,
) -> Met<T> {
    tokio::select! {
        biased;
        flow = input.recv() => flow.map_or(Met::Alone, Met::Flow),
        () = out.closed() => Met::Alone,
        () = pass(left) => Met::TimeUp,
    }
}

/// Lets a time pass; without one it never ends.
async fn pass(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}

async fn commit_all<K: Sink>(
    sink: &mut K,
    mut epochs: mpsc::Receiver<EpochWork>,
    meter: &Meter,
) -> Result<(), RunError> {
    while let Some(work) = epochs.recv().await {
        commit(sink, work, meter).await?;
    }
    sink.finish().await
}

async fn commit<K: Sink>(sink: &mut K, work: EpochWork, meter: &Meter) -> Result<(), RunError> {
    let counts = work.counts();
    let (epoch, end) = (work.epoch.number, work.end().clone());
    let _busy = meter.busy(Stage::Commit);
    sink.commit(work).await?;
    meter.committed(&counts);
    // An epoch without a change only moves the position on: nothing that an operator waits for.
    match counts.targets.len() {
        0 => debug!(epoch, position = %end, "moved on"),
        targets => info!(epoch, targets, position = %end, "committed"),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
