//! The stages and the channels between them.
//!
//! Each stage is one thread of work that ends when its input ends. `Flow::End` says that the input ended
//! as it should; a channel that closes without it says that a stage before has failed, and then the open
//! epoch is dropped, never committed.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{debug, info};

use change::LogSlice;

use super::error::RunError;
use super::fold_step::{EpochWork, FoldStep};
use super::meter::{Meter, Stage};
use super::sink::Sink;
use super::source::Source;
use super::transform_step::{TransformStep, TransformedSlice};

/// Slices waiting between two stages. A slice is bounded in bytes by the reader, so this bounds memory.
const SLICES_WAITING_MAX: usize = 2;

/// Epochs waiting for their commit while the next is folded.
const EPOCHS_WAITING_MAX: usize = 1;

/// What travels between stages.
enum Flow<T> {
    /// The next piece.
    Next(T),
    /// The input ended as it should; all that came before is whole.
    End,
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
    stop: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let mut failure = None;
    while !*stop.borrow() {
        let busy = meter.busy(Stage::Read);
        let next = source.next().await;
        drop(busy);
        let slice = match next {
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
    failure.map_or(Ok(()), Err)
}

/// All stages at once.
///
/// # Errors
/// The error of a commit, else of the first stage in the order of the flow; what was read whole before an
/// error of the source is committed.
pub async fn concurrent<S: Source + 'static, K: Sink>(
    source: S,
    transform: TransformStep,
    fold: FoldStep,
    sink: &mut K,
    meter: Arc<Meter>,
    stop: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let (slices_out, slices_in) = mpsc::channel(SLICES_WAITING_MAX);
    let (transformed_out, transformed_in) = mpsc::channel(SLICES_WAITING_MAX);
    let (epochs_out, epochs_in) = mpsc::channel(EPOCHS_WAITING_MAX);
    let reading = on_thread({
        let meter = Arc::clone(&meter);
        move |runtime| runtime.block_on(read(source, slices_out, meter, stop))
    });
    let transforming = on_thread({
        let meter = Arc::clone(&meter);
        move |_| transform_all(transform, slices_in, transformed_out, &meter)
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
        };
        drop(busy);
        match next {
            Ok(Some(slice)) => {
                meter.read(&slice, source.progress());
                if out.send(Flow::Next(slice)).await.is_err() {
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
) -> Result<(), RunError> {
    while let Some(flow) = slices.blocking_recv() {
        let flow = match flow {
            Flow::Next(slice) => {
                Flow::Next(meter.timed(Stage::Transform, || transform.apply(slice))?)
            }
            Flow::End => Flow::End,
        };
        if out.blocking_send(flow).is_err() {
            break;
        }
    }
    Ok(())
}

fn fold_all(
    mut fold: FoldStep,
    mut slices: mpsc::Receiver<Flow<TransformedSlice>>,
    out: mpsc::Sender<EpochWork>,
    meter: &Meter,
    runtime: &Handle,
) -> Result<(), RunError> {
    loop {
        let received = match fold.time_left() {
            Some(left) => match runtime.block_on(within(left, slices.recv())) {
                Some(received) => received,
                None => {
                    let closed = meter.timed(Stage::Fold, || fold.close())?;
                    if let Some(work) = closed
                        && out.blocking_send(work).is_err()
                    {
                        return Ok(());
                    }
                    continue;
                }
            },
            None => slices.blocking_recv(),
        };
        let step = match received {
            Some(Flow::Next(slice)) => meter.timed(Stage::Fold, || fold.push(slice))?,
            Some(Flow::End) => {
                let closed = meter.timed(Stage::Fold, || fold.close())?;
                if let Some(work) = closed {
                    let _ = out.blocking_send(work);
                }
                return Ok(());
            }
            None => return Ok(()),
        };
        for work in step.closed {
            if out.blocking_send(work).is_err() {
                return Ok(());
            }
        }
        if let Some(stop) = step.stop {
            return Err(stop);
        }
    }
}

/// The future's value, or none where the time is up first. A received value is never lost: `recv` is
/// cancel safe.
async fn within<T>(left: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(left, future).await.ok()
}

async fn commit_all<K: Sink>(
    sink: &mut K,
    mut epochs: mpsc::Receiver<EpochWork>,
    meter: &Meter,
) -> Result<(), RunError> {
    while let Some(work) = epochs.recv().await {
        commit(sink, work, meter).await?;
    }
    Ok(())
}

async fn commit<K: Sink>(sink: &mut K, work: EpochWork, meter: &Meter) -> Result<(), RunError> {
    let counts = work.counts();
    let (epoch, end) = (work.epoch.number, work.epoch.end.clone());
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
