//! The program's output pipes: one reader thread each, every byte pushed as an event, in order, with back pressure.
//!
//! Must never lose a byte that was written before the program's end, and never wait at its end for a descendant that keeps the pipe open.

use std::{
    fs::File,
    io::Read,
    os::fd::{AsRawFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError, bounded, unbounded};

use crate::{
    Event, Stream, TargetError,
    process::{Wake, poll},
};

/// One event's worth; a pipe holds as much.
const CHUNK: usize = 64 << 10;
/// How long a writer that has ended may take to close the pipe (its last descriptor goes a moment before its entry does).
const CLOSING_MS: i32 = 20;

/// The way to the session. [`Emitter::send`] waits for room, [`Emitter::post`] never does: where there is none, what a back end reports goes through a courier
/// thread, because the session may at that moment wait for the back end instead of reading events.
#[derive(Clone)]
pub(crate) struct Emitter {
    events: Sender<Event>,
    courier: Sender<Event>,
    /// Posts that the courier has not delivered.
    under_way: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Emitter {
    pub(crate) fn new(events: Sender<Event>) -> Result<Emitter, TargetError> {
        // At most one report per resume is on its way, so the queue stays short.
        let (courier, parcels) = unbounded::<Event>();
        let stop = Arc::new(AtomicBool::new(false));
        let under_way = Arc::new(AtomicUsize::new(0));
        let (tx, quit, delivered) = (events.clone(), stop.clone(), under_way.clone());
        std::thread::Builder::new()
            .name("event courier".into())
            .spawn(move || {
                parcels.iter().all(|event| {
                    let wanted = deliver(&tx, &quit, event);
                    delivered.fetch_sub(1, Ordering::SeqCst);
                    wanted
                })
            })
            .map_err(TargetError::io("starting a thread"))?;
        Ok(Emitter { events, courier, under_way, stop })
    }

    /// `false`: nobody listens any more.
    fn send(&self, event: Event) -> bool {
        deliver(&self.events, &self.stop, event)
    }

    /// In order with all other posts.
    pub(crate) fn post(&self, mut event: Event) {
        // Mostly there is room, and no need for another thread.
        if self.under_way.load(Ordering::SeqCst) == 0 && !self.stopped() {
            match self.events.try_send(event) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(e)) => event = e,
            }
        }
        self.under_way.fetch_add(1, Ordering::SeqCst);
        // The courier has ended when nobody listens.
        let _nobody = self.courier.send(event);
    }

    /// The session is through: all senders give up.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// Waits for room, as long as the session wants events.
fn deliver(events: &Sender<Event>, stop: &AtomicBool, mut event: Event) -> bool {
    while !stop.load(Ordering::SeqCst) {
        match events.send_timeout(event, Duration::from_millis(50)) {
            Ok(()) => return true,
            Err(SendTimeoutError::Timeout(e)) => event = e,
            Err(SendTimeoutError::Disconnected(_)) => return false,
        }
    }
    false
}

struct Reader {
    wake: Arc<Wake>,
    drained: Receiver<()>,
}

/// The readers of a launched program's pipes.
#[derive(Default)]
pub(crate) struct Outputs(Vec<Reader>);

impl Outputs {
    pub(crate) fn start(pipes: Vec<(Stream, OwnedFd)>, emitter: &Emitter) -> Result<Outputs, TargetError> {
        let mut readers = Vec::new();
        for (stream, pipe) in pipes {
            let wake = Arc::new(Wake::new()?);
            let (done, drained) = bounded(1);
            let (theirs, emitter) = (wake.clone(), emitter.clone());
            std::thread::Builder::new()
                .name("program output".into())
                .spawn(move || Pump { stream, pipe: File::from(pipe), wake: theirs, done, emitter }.run())
                .map_err(TargetError::io("starting a thread"))?;
            readers.push(Reader { wake, drained });
        }
        Ok(Outputs(readers))
    }

    /// After the program's end: returns when everything that it wrote has been sent.
    pub(crate) fn drain(&self) {
        for r in &self.0 {
            r.wake.wake();
        }
        for r in &self.0 {
            // An error means that the reader has ended: at the end of the file, or because nobody listens.
            let _ended = r.drained.recv();
        }
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        for r in &self.0 {
            r.wake.wake();
        }
    }
}

/// Sends the program's end once its output has been delivered. Returns at once: draining waits for the session to read, and the session may
/// be waiting for the caller.
pub(crate) fn tell_end(outputs: Option<Outputs>, emitter: Emitter, end: Event) {
    let last = move || {
        if let Some(outputs) = outputs {
            outputs.drain();
        }
        emitter.post(end);
    };
    if let Err(e) = std::thread::Builder::new().name("last output".into()).spawn(last) {
        tracing::error!("the program's end can't be told: {e}");
    }
}

struct Pump {
    stream: Stream,
    pipe: File,
    wake: Arc<Wake>,
    done: Sender<()>,
    emitter: Emitter,
}

impl Pump {
    fn run(mut self) {
        let mut ended = false;
        let mut buf = vec![0; CHUNK];
        while !self.emitter.stopped() {
            let [readable, woken] =
                poll([(self.pipe.as_raw_fd(), libc::POLLIN), (self.wake.fd(), libc::POLLIN)], -1);
            if woken != 0 {
                self.wake.clear();
                if !ended {
                    ended = true;
                    if !self.rest(&mut buf) {
                        return;
                    }
                    let _nobody_waits = self.done.try_send(());
                }
                continue;
            }
            if readable != 0 && self.read(&mut buf, CHUNK).is_none_or(|n| n == 0) {
                return;
            }
        }
    }

    /// Sends what is in the pipe at the program's end, and no more. `false`: the pipe is at its end.
    fn rest(&mut self, buf: &mut [u8]) -> bool {
        let mut left: libc::c_int = 0;
        // SAFETY: FIONREAD writes one int.
        unsafe { libc::ioctl(self.pipe.as_raw_fd(), libc::FIONREAD, &mut left) };
        let mut left = usize::try_from(left).unwrap_or(0);
        while left > 0 {
            match self.read(buf, left.min(CHUNK)) {
                Some(n) if n > 0 => left = left.saturating_sub(n),
                _ => return false,
            }
        }
        let [closing] = poll([(self.pipe.as_raw_fd(), libc::POLLIN)], CLOSING_MS);
        closing & libc::POLLIN != 0
            || closing & libc::POLLHUP == 0
            || self.read(buf, CHUNK).is_some_and(|n| n > 0)
    }

    /// One read, sent. `None` or 0: there will be no more.
    fn read(&mut self, buf: &mut [u8], limit: usize) -> Option<usize> {
        let n = loop {
            match self.pipe.read(buf.get_mut(..limit)?) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other.unwrap_or(0),
            }
        };
        let event = match n {
            0 => Event::OutputClosed { stream: self.stream },
            _ => Event::Output { stream: self.stream, bytes: buf.get(..n)?.to_vec() },
        };
        self.emitter.send(event).then_some(n)
    }
}
