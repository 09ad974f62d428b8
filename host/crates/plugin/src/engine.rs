//! The engine that all plugins of a process share: how code is compiled, the clock that ends endless
//! loops, and the folder of compiled plugins.
//!
//! Nothing here gives a plugin anything of the outside world.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::bindings::Transformer;
use crate::cache::Cache;
use crate::error::PluginError;
use crate::instance::HostState;
use crate::limits::{CORE_INSTANCES_MAX, TABLE_ELEMENTS_MAX};
use crate::log::LogSink;

/// How often the clock ticks: a deadline is kept to within one tick.
const TICK: Duration = Duration::from_millis(10);

/// Component instances alive at once: one a plugin of each chain, and there are at most two chains.
const INSTANCES_MAX: u32 = 200;

/// Where instances get their memory from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allocator {
    /// From a pool that is reserved (not filled) at the start: a fresh instance for each batch
    /// costs about 40 ns a row instead of 53. Falls back to [`Allocator::OnDemand`] where the
    /// system refuses the address space.
    #[default]
    Pooling,
    /// From the system, at each instance.
    OnDemand,
}

/// How an engine is set up.
#[derive(Clone, Default)]
pub struct EngineOptions {
    /// Where compiled plugins are kept, a folder of this user alone; none = compile at each start.
    pub cache: Option<PathBuf>,
    /// Where instances get their memory from.
    pub allocator: Allocator,
    /// Who gets the log lines of plugins (they may hold row values); none = dropped.
    pub logs: Option<LogSink>,
}

/// The engine that all plugins of a process share. Clones are the same engine; its clock ends with
/// the last of them.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    wasm: wasmtime::Engine,
    linker: Linker<HostState>,
    cache: Option<Cache>,
    logs: Option<LogSink>,
    _ticker: Ticker,
}

impl Engine {
    /// # Errors
    /// Where the compiler does not know this machine, or the cache folder cannot be used.
    pub fn new(options: EngineOptions) -> Result<Self, PluginError> {
        let wasm = build(options.allocator).map_err(|e| PluginError::Engine(e.into()))?;
        let mut linker = Linker::new(&wasm);
        Transformer::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)
            .map_err(|e| PluginError::Engine(e.into()))?;
        crate::wasi::add_to_linker(&mut linker).map_err(|e| PluginError::Engine(e.into()))?;
        let ticker = Ticker::start(wasm.weak()).map_err(|e| PluginError::Engine(e.into()))?;
        let cache = options.cache.map(|folder| Cache::open(folder, &wasm)).transpose()?;
        let inner = Inner { wasm, linker, cache, logs: options.logs, _ticker: ticker };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) fn wasm(&self) -> &wasmtime::Engine {
        &self.inner.wasm
    }

    pub(crate) fn linker(&self) -> &Linker<HostState> {
        &self.inner.linker
    }

    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.inner.cache.as_ref()
    }

    pub(crate) fn logs(&self) -> Option<&LogSink> {
        self.inner.logs.as_ref()
    }
}

/// The clock's ticks that a call may take.
pub(crate) fn ticks(deadline: Duration) -> u64 {
    let ticks = deadline.as_nanos().div_ceil(TICK.as_nanos());
    // The first tick may come at once.
    u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(1)
}

fn build(allocator: Allocator) -> wasmtime::Result<wasmtime::Engine> {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .epoch_interruption(true)
        .consume_fuel(true)
        .concurrency_support(false)
        .wasm_memory64(false);
    if allocator == Allocator::Pooling {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
        match wasmtime::Engine::new(&config) {
            Ok(engine) => return Ok(engine),
            Err(error) => tracing::debug!(%error, "no pool for plugin instances"),
        }
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    }
    wasmtime::Engine::new(&config)
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    let core_instances = u32::try_from(CORE_INSTANCES_MAX).unwrap_or(u32::MAX);
    pool.total_component_instances(INSTANCES_MAX)
        .max_core_instances_per_component(core_instances)
        .total_core_instances(INSTANCES_MAX.saturating_mul(20))
        .total_memories(INSTANCES_MAX)
        .total_tables(INSTANCES_MAX.saturating_mul(4))
        .table_elements(TABLE_ELEMENTS_MAX / 10)
        .max_memory_size(usize::try_from(u32::MAX).unwrap_or(usize::MAX));
    pool
}

/// A thread that advances the epoch until it is dropped.
struct Ticker {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: EngineWeak) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let tick = move || {
            while stopped.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
                let Some(engine) = engine.upgrade() else { break };
                engine.increment_epoch();
            }
        };
        let thread = std::thread::Builder::new().name("plugin-clock".to_owned()).spawn(tick)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the clock of the plugin engine panicked");
        }
    }
}
