//! The store of the simulation: the memory store, whose commits and reads fail when they are told
//! to, whose reads take their time, and whose writer is there again after the process died.

use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::{Attempt, Data, Execution, ExecutionId, Redirect, Timestamp, TriggerId};
use evoke_ports::Store;
use evoke_ports::store::{
    Archive, DeadLetters, Definitions, Documents, Due, Error, Events, ExecutionQuery, Executions,
    Page, Receipt, Spent, Waiting, Write, Writer,
};
use parking_lot::Mutex;

use crate::world::{Crash, World};

/// Polls a read may take.
const READ_POLLS_MAX: u32 = 6;

/// The store of a run.
#[derive(Clone)]
pub(crate) struct SimStore {
    world: Arc<World>,
    writer: Arc<Mutex<Box<dyn Writer>>>,
}

/// The writer of one life.
struct SimWriter(SimStore);

impl SimStore {
    /// # Errors
    /// When the writer of the world's record was taken already.
    pub(crate) fn new(world: &Arc<World>) -> Result<Self, Error> {
        let writer = Arc::new(Mutex::new(world.record.writer()?));
        Ok(Self { world: world.clone(), writer })
    }

    fn record(&self) -> Arc<dyn Executions> {
        Store::executions(&self.world.record)
    }

    /// A read takes its time: what it found may be old when it comes to its end.
    async fn delay(&self) {
        let polls = {
            let mut faults = self.world.faults.lock();
            if faults.rng.bool() { 0 } else { faults.rng.u32(..READ_POLLS_MAX) }
        };
        for _ in 0..polls {
            tokio::task::yield_now().await;
        }
    }

    fn read_fault(&self) -> Result<(), Error> {
        let mut faults = self.world.faults.lock();
        if faults.reads == 0 {
            return Ok(());
        }
        faults.reads -= 1;
        drop(faults);
        self.world.say("a read fails");
        self.world.book.lock().trouble_at(&self.world);
        Err(Error::new("read what waits", "the simulation says so"))
    }
}

impl Store for SimStore {
    fn kind(&self) -> &'static str {
        "simulated"
    }

    fn writer(&self) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(SimWriter(self.clone())))
    }

    fn events(&self) -> Arc<dyn Events> {
        Store::events(&self.world.record)
    }

    fn executions(&self) -> Arc<dyn Executions> {
        Arc::new(self.clone())
    }

    fn definitions(&self) -> Arc<dyn Definitions> {
        self.world.record.definitions()
    }

    fn archive(&self) -> Arc<dyn Archive> {
        self.world.record.archive()
    }

    fn documents(&self) -> Arc<dyn Documents> {
        Store::documents(&self.world.record)
    }
}

impl Writer for SimWriter {
    fn commit(&mut self, batch: &[Write]) -> Result<Vec<Receipt>, Error> {
        let SimStore { world, writer } = &self.0;
        let refused = || Error::new("commit", "the simulation says so");
        let mut faults = world.faults.lock();
        let crash = faults.crash.take();
        if faults.is_dead || crash == Some(Crash::Before) {
            drop(faults);
            world.die();
            return Err(refused());
        }
        if faults.commits > 0 {
            faults.commits -= 1;
            drop(faults);
            world.say(format!("a commit of {} writes fails", batch.len()));
            world.book.lock().trouble_at(world);
            return Err(refused());
        }
        drop(faults);
        if crash.is_some() {
            world.die();
        }
        let receipts = writer.lock().commit(batch)?;
        for (write, receipt) in batch.iter().zip(&receipts) {
            world.committed(write, receipt);
        }
        Ok(receipts)
    }

    fn housekeep(&mut self, now: Timestamp) -> Result<(), Error> {
        self.0.writer.lock().housekeep(now)
    }
}

#[async_trait]
impl Executions for SimStore {
    async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, Error> {
        let found = self.record().execution(id).await;
        self.delay().await;
        found
    }

    async fn attempts(&self, id: ExecutionId) -> Result<Vec<Attempt>, Error> {
        self.record().attempts(id).await
    }

    async fn executions(&self, query: ExecutionQuery) -> Result<Page<Execution>, Error> {
        let found = self.record().executions(query).await;
        self.delay().await;
        found
    }

    async fn due(&self, query: Due) -> Result<Vec<Waiting>, Error> {
        self.read_fault()?;
        let found = self.record().due(query).await;
        self.delay().await;
        found
    }

    async fn backlog(&self) -> Result<Vec<(TriggerId, u64, Timestamp)>, Error> {
        self.record().backlog().await
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetters>, Error> {
        self.record().dead_letters().await
    }

    async fn edited(&self, id: ExecutionId) -> Result<Option<Data>, Error> {
        self.record().edited(id).await
    }

    async fn redirects(&self) -> Result<Vec<Redirect>, Error> {
        self.record().redirects().await
    }

    async fn spent(&self, now: Timestamp) -> Result<Vec<Spent>, Error> {
        self.record().spent(now).await
    }
}
