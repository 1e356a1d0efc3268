//! The program's output pipes: one reader each, told apart, nothing lost, back pressure instead of memory.

use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;

use crate::{Event, Stream};

/// One read, at most.
const CHUNK: usize = 32 << 10;
/// How long output may stay silent after the program's end before its exit is told all the same: a child of the program may
/// hold the pipe open for ever.
const SILENCE: Duration = Duration::from_millis(150);

/// The readers of one program.
#[derive(Clone, Default)]
pub(crate) struct Readers {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Readers that have not seen EOF.
    open: AtomicU64,
    /// Readers that hold a chunk which the session has not taken yet.
    busy: AtomicU64,
    /// Chunks so far.
    chunks: AtomicU64,
}

impl Readers {
    pub(crate) fn add(
        &self,
        stream: Stream,
        mut pipe: impl Read + Send + 'static,
        events: Sender<Event>,
    ) -> std::io::Result<()> {
        let state = Arc::clone(&self.state);
        state.open.fetch_add(1, Ordering::SeqCst);
        let name = format!("{stream:?}").to_lowercase();
        thread::Builder::new().name(name).spawn(move || {
            let mut buf = vec![0; CHUNK];
            while let Ok(n) = pipe.read(&mut buf) {
                let Some(bytes) = buf.get(..n).filter(|b| !b.is_empty()) else { break };
                state.busy.fetch_add(1, Ordering::SeqCst);
                let sent = events.send(Event::Output { stream, bytes: bytes.to_vec() });
                state.chunks.fetch_add(1, Ordering::SeqCst);
                state.busy.fetch_sub(1, Ordering::SeqCst);
                if sent.is_err() {
                    break;
                }
            }
            let _session_gone = events.send(Event::OutputClosed { stream });
            state.open.fetch_sub(1, Ordering::SeqCst);
        })?;
        Ok(())
    }

    /// Sends the program's end once its output has been delivered. Returns at once.
    pub(crate) fn tell_end_after_output(&self, events: Sender<Event>, end: Event) {
        let state = Arc::clone(&self.state);
        let spawned = thread::Builder::new().name("exit".into()).spawn(move || {
            state.wait_for_silence();
            let _session_gone = events.send(end);
        });
        if let Err(e) = spawned {
            tracing::error!("the program's end can't be told: {e}");
        }
    }
}

impl State {
    fn wait_for_silence(&self) {
        let mut seen = self.chunks.load(Ordering::SeqCst);
        let mut since = Instant::now();
        while self.open.load(Ordering::SeqCst) > 0 {
            let now = self.chunks.load(Ordering::SeqCst);
            if now != seen || self.busy.load(Ordering::SeqCst) > 0 {
                seen = now;
                since = Instant::now();
            } else if since.elapsed() > SILENCE {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}
