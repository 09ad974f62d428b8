//! How many bytes may be on their way between stages. It never refuses: who asks for a share waits until
//! others have given theirs back.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one permit: a semaphore takes fewer permits at once than there are bytes.
const PERMIT_BYTES: usize = 1 << 10;

/// A number of bytes that is handed out in shares.
#[derive(Clone, Debug)]
pub struct Budget {
    permits: Arc<Semaphore>,
    total: u32,
}

impl Budget {
    /// So many bytes, in steps of 1 KiB; one step at least.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let total = u32::try_from(bytes / PERMIT_BYTES).unwrap_or(u32::MAX).max(1);
        let permits = usize::try_from(total).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(permits)), total }
    }

    /// Waits until so many bytes are free, and holds them until the share is dropped. More than there
    /// are in all waits until no other share is held.
    pub async fn share(&self, bytes: usize) -> OwnedSemaphorePermit {
        let wanted = u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        let permits = Arc::clone(&self.permits).acquire_many_owned(wanted.min(self.total)).await;
        match permits {
            Ok(permits) => permits,
            // Nobody ever closes it.
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_share_waits_until_there_is_room_for_it() {
        let budget = Budget::new(10 << 10);
        let first = budget.share(6 << 10).await;
        assert!(budget.share(5 << 10).now_or_never().is_none(), "six and five are more than ten");
        let second = budget.share(4 << 10).await;
        assert!(budget.share(1).now_or_never().is_none());
        drop((first, second));
        let all = budget.share(usize::MAX).await;
        assert!(budget.share(1).now_or_never().is_none(), "one that is too large goes alone");
        drop(all);
        assert!(budget.share(0).now_or_never().is_some());
    }
}
