//! One plugin, ready to be instantiated, and its instances. Every call has a deadline, a budget of
//! instructions, a memory limit and a limit for its answer; an instance that stopped in any other
//! way than by returning is never entered again.

use std::collections::HashSet;
use std::sync::Arc;

use wasmtime::component::TypedFunc;
use wasmtime::{ResourceLimiter, Store, Trap};

use crate::bindings::sluice::transform::logging::{self, Level};
use crate::bindings::sluice::transform::types;
use crate::bindings::transform::{Attachment, ConfigError, Guest, PluginInfo};
use crate::bindings::{Transformer, TransformerPre, transform};
use crate::component::Loaded;
use crate::engine::{Engine, ticks};
use crate::error::{Call, GuestFailure, PluginError, Site};
use crate::limits::{
    CORE_INSTANCES_MAX, Limits, MEMORIES_MAX, SETUP_FUEL, TABLE_ELEMENT_BYTES, TABLE_ELEMENTS_MAX,
    TABLES_MAX,
};
use crate::log::Logs;
use crate::wasi::{ANSWERS, Answers};

/// How wasmtime says that an answer is larger than `set_hostcall_fuel`; its type is private.
const HOSTCALL_FUEL_TEXT: &str = "fuel allocated for hostcalls has been exhausted";

/// What the host keeps beside an instance.
pub(crate) struct HostState {
    guard: Guard,
    pub(crate) logs: Logs,
    pub(crate) answers: Answers,
}

impl logging::Host for HostState {
    fn log(&mut self, level: Level, message: String) {
        self.logs.write(level, message);
    }
}

impl types::Host for HostState {}

/// Counts memory over all memories and tables of a component, and remembers that more was wanted.
struct Guard {
    memory_bytes_max: u64,
    memory_bytes: u64,
    denied: bool,
}

impl Guard {
    fn grow(&mut self, current: usize, desired: usize, unit_bytes: u64) -> wasmtime::Result<bool> {
        let grown = u64::try_from(desired.saturating_sub(current)).unwrap_or(u64::MAX);
        let after = self.memory_bytes.saturating_add(grown.saturating_mul(unit_bytes));
        if after > self.memory_bytes_max {
            self.denied = true;
            // A trap, not a failed growth: an allocator would abort and hide the cause.
            return Err(wasmtime::Error::msg("the memory limit of the plugin is reached"));
        }
        self.memory_bytes = after;
        Ok(true)
    }
}

impl ResourceLimiter for Guard {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.grow(current, desired, 1)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS_MAX {
            self.denied = true;
            return Err(wasmtime::Error::msg("the table limit of the plugin is reached"));
        }
        self.grow(current, desired, TABLE_ELEMENT_BYTES)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

/// A plugin that is compiled, linked and checked, with its configuration.
pub(crate) struct Prepared {
    engine: Engine,
    pre: TransformerPre<HostState>,
    pub(crate) name: Arc<str>,
    pub(crate) digest: Arc<str>,
    pub(crate) limits: Limits,
}

/// Why `configure` did not succeed.
pub(crate) enum ConfigureFailure {
    /// The plugin found mistakes.
    Problems(ConfigError),
    /// It stopped.
    Guest(GuestFailure),
}

impl Prepared {
    pub(crate) fn new(engine: &Engine, name: &Arc<str>, loaded: &Loaded, limits: Limits) -> Self {
        Self {
            engine: engine.clone(),
            pre: loaded.pre.clone(),
            name: Arc::clone(name),
            digest: Arc::clone(&loaded.digest),
            limits,
        }
    }

    /// Where an error of this plugin lies, as long as no table is known.
    pub(crate) fn site(&self) -> Site {
        Site {
            plugin: Arc::clone(&self.name),
            digest: Arc::clone(&self.digest),
            table: None,
            position: None,
        }
    }

    /// What the plugin says of itself, from an instance of its own.
    pub(crate) fn describe(&self) -> Result<PluginInfo, PluginError> {
        let described = twice(|| self.instantiate()?.describe());
        let info = described
            .map_err(|failure| PluginError::Guest { site: Box::new(self.site()), failure })?;
        if let Some((key, _)) = info.properties.first() {
            let what = format!("the property `{key}` is not known");
            let failure = GuestFailure::Answer { call: Call::Describe, what };
            return Err(PluginError::Guest { site: Box::new(self.site()), failure });
        }
        Ok(info)
    }

    /// A new instance that has run nothing but its start functions.
    pub(crate) fn instantiate(&self) -> Result<Instance, GuestFailure> {
        let guard =
            Guard { memory_bytes_max: self.limits.memory_bytes, memory_bytes: 0, denied: false };
        let logs = Logs::new(Arc::clone(&self.name), self.engine.logs().cloned());
        let mut store =
            Store::new(self.engine.wasm(), HostState { guard, logs, answers: Answers::default() });
        store.limiter(|state| &mut state.guard);
        let answer = usize::try_from(self.limits.output_bytes_max).unwrap_or(usize::MAX);
        store.set_hostcall_fuel(answer);
        let mut call = Entry { store: &mut store, limits: &self.limits, call: Call::Instantiate };
        let (bindings, restart) = call.run(SETUP_FUEL, |store| {
            let instance = self.pre.instance_pre().instantiate(&mut *store)?;
            let answers = instance.get_export_index(&mut *store, None, ANSWERS);
            let restart = answers
                .and_then(|at| instance.get_export_index(&mut *store, Some(&at), "restart"))
                .map(|at| instance.get_typed_func(&mut *store, at))
                .transpose()?;
            Ok((Transformer::new(store, &instance)?, restart))
        })?;
        Ok(Instance {
            store,
            bindings,
            restart,
            limits: self.limits,
            planned: HashSet::new(),
            has_processed: false,
        })
    }
}

/// Once more where the wall clock stopped it: it may have been the machine's fault.
pub(crate) fn twice<T>(
    mut run: impl FnMut() -> Result<T, GuestFailure>,
) -> Result<T, GuestFailure> {
    match run() {
        Err(GuestFailure::Deadline { .. }) => run(),
        other => other,
    }
}

/// A plugin's own memory and state.
pub(crate) struct Instance {
    store: Store<HostState>,
    bindings: Transformer,
    /// Lets the adapter for WASI preview 1 begin again, where the plugin has it.
    restart: Option<TypedFunc<(), ()>>,
    limits: Limits,
    /// The tables that this instance has planned.
    pub(crate) planned: HashSet<u32>,
    /// Whether it has seen rows: what it answers next may then depend on them, if it is faulty.
    pub(crate) has_processed: bool,
}

/// One entry into an instance.
struct Entry<'a> {
    store: &'a mut Store<HostState>,
    limits: &'a Limits,
    call: Call,
}

impl Entry<'_> {
    fn run<T>(
        &mut self,
        fuel: u64,
        enter: impl FnOnce(&mut Store<HostState>) -> wasmtime::Result<T>,
    ) -> Result<T, GuestFailure> {
        self.store.data_mut().logs.start_call();
        self.store.data_mut().answers = Answers::default();
        self.store.set_epoch_deadline(ticks(self.limits.deadline));
        let result = match self.store.set_fuel(fuel) {
            Ok(()) => enter(self.store),
            Err(error) => Err(error),
        };
        self.store.data_mut().logs.end_call();
        result.map_err(|error| self.failure(fuel, &error))
    }

    /// What stopped it. The texts are wasmtime's constants, they hold nothing of a row.
    fn failure(&mut self, fuel: u64, error: &wasmtime::Error) -> GuestFailure {
        let (call, state) = (self.call, self.store.data_mut());
        if state.guard.denied {
            let memory_bytes = self.limits.memory_bytes;
            return GuestFailure::Memory { call, memory_bytes };
        }
        let detail = state.logs.take_last_error();
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => GuestFailure::Fuel { call, fuel },
            Some(Trap::Interrupt) => {
                let deadline_ms = self.limits.deadline.as_millis();
                let deadline_ms = u64::try_from(deadline_ms).unwrap_or(u64::MAX);
                GuestFailure::Deadline { call, deadline_ms }
            }
            Some(trap) => GuestFailure::Trap { call, reason: trap.to_string(), detail },
            None => {
                let reason = error.root_cause().to_string();
                if reason.contains(HOSTCALL_FUEL_TEXT) {
                    let output_bytes_max = self.limits.output_bytes_max;
                    return GuestFailure::Output { call, output_bytes_max };
                }
                GuestFailure::Trap { call, reason, detail }
            }
        }
    }
}

impl Instance {
    fn enter<T>(
        &mut self,
        call: Call,
        fuel: u64,
        enter: impl FnOnce(&Guest, &mut Store<HostState>) -> wasmtime::Result<T>,
    ) -> Result<T, GuestFailure> {
        let guest = self.bindings.sluice_transform_transform();
        let restart = self.restart.as_ref();
        let mut entry = Entry { store: &mut self.store, limits: &self.limits, call };
        entry.run(fuel, |store| {
            if let Some(restart) = restart {
                restart.call(&mut *store, ())?;
            }
            enter(guest, store)
        })
    }

    fn describe(&mut self) -> Result<PluginInfo, GuestFailure> {
        self.enter(Call::Describe, SETUP_FUEL, |guest, store| guest.call_describe(store))
    }

    pub(crate) fn configure(
        &mut self,
        config: &str,
        files: &[Attachment<'_>],
    ) -> Result<(), ConfigureFailure> {
        let limits = transform::Limits {
            memory_bytes: self.limits.memory_bytes,
            rows_max: self.limits.rows_max,
            output_bytes_max: self.limits.output_bytes_max,
        };
        let configured = self.enter(Call::Configure, SETUP_FUEL, |guest, store| {
            guest.call_configure(store, config, files, limits)
        });
        configured.map_err(ConfigureFailure::Guest)?.map_err(ConfigureFailure::Problems)
    }

    pub(crate) fn plan(
        &mut self,
        table_id: u32,
        table: types::TableSchema<'_>,
    ) -> Result<Result<transform::TableDecision, types::Failure>, GuestFailure> {
        self.enter(Call::Plan, SETUP_FUEL, |guest, store| guest.call_plan(store, table_id, table))
    }

    pub(crate) fn process(
        &mut self,
        table_id: u32,
        rows: u32,
        columns: &[types::ColumnParam<'_>],
    ) -> Result<Result<transform::Edit, types::Failure>, GuestFailure> {
        self.has_processed = true;
        let fuel = self.limits.fuel(usize::try_from(rows).unwrap_or(usize::MAX));
        self.enter(Call::Process, fuel, |guest, store| {
            guest.call_process(store, table_id, rows, columns)
        })
    }

    pub(crate) fn release(&mut self, table_id: u32) -> Result<(), GuestFailure> {
        self.planned.remove(&table_id);
        self.enter(Call::Release, SETUP_FUEL, |guest, store| guest.call_release(store, table_id))
    }
}
