//! One debug session: the thread that owns all state, and its loop over one closed set of events.
//!
//! Running is a state, not a call: the loop never waits for the program. Each request declares when it may run (`route.rs`); the
//! loop enforces that. Must never block on the client (the writer queues) nor on the program (its events arrive on a channel).

mod attach;
mod calls;
mod entering;
mod events;
mod exceptions;
mod handles;
mod lifecycle;
mod look;
mod output;
mod restart;
mod route;
mod start;
mod stepping;
mod stop;
mod view;

use std::{
    io::{Read, Write},
    path::PathBuf,
    sync::Arc,
};

use crossbeam_channel::{Receiver, Sender, after, never, select, unbounded};
use target::{Stream, Tid, Untraced};
use wire::{Incoming, Outgoing, types as t};

pub(crate) use self::{
    calls::KnownCall,
    exceptions::{Described, FILTERS, Wanted},
    handles::Handles,
    look::Detail,
    stepping::describe,
    stop::{Exception, Reason, Reported},
    view::{FrameHandle, ScopeKind, VariableHandle, stack_source},
};
use crate::{
    control::{breakpoints::Breakpoints, guards::Passages, inferior::Inferior, plan::RowCache, step::Step},
    settings::Settings,
    signals,
    source::Sources,
    trace::Traces,
};

/// What the client is connected by: decides what a closed stream means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Stdio,
    Socket,
}

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No program yet.
    Starting,
    /// The build is under way.
    Building,
    /// The program stands at its first instruction (or was just attached to) and the client configures.
    Configuring,
    Stopped,
    Running,
    /// The program is gone; the client has been told.
    Ended,
}

/// What the client said of itself in `initialize`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(crate) id: String,
    /// The client takes us for `dlv dap`: it says `adapterID: "go"` and gives no name, as Delve's own test client does. It gets
    /// Delve's order of messages, and nothing that it has not asked for.
    pub(crate) as_delve: bool,
    pub(crate) variable_type: bool,
    pub(crate) variable_paging: bool,
    pub(crate) invalidated: bool,
}

/// Work that other threads hand back to the session.
pub(crate) enum Task {
    BuildLine(String),
    /// The process that an attach waits for; none: the wait was cancelled.
    Appeared(Option<i32>),
    Built(Result<crate::build::Built, crate::build::BuildError>),
}

/// The session. Fields are grouped by the module that writes them.
pub(crate) struct Session {
    pub(crate) out: Outgoing,
    transport: Transport,
    pub(crate) state: State,
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) sources: Arc<Sources>,
    // lifecycle.rs, start.rs
    tasks: Sender<Task>,
    launch: start::Launching,
    attached: bool,
    /// The program was started without the debugger.
    no_debug: bool,
    untraced: Option<Untraced>,
    untraced_events: Option<Receiver<target::Event>>,
    /// Where the adapter was started.
    directory: PathBuf,
    exit_code: Option<i32>,
    last_pid: i32,
    terminated: bool,
    over: bool,
    // the program
    pub(crate) inferior: Option<Inferior>,
    stopped_tid: Option<Tid>,
    /// The goroutine the user looks at.
    pub(crate) selected: Option<u64>,
    pub(crate) current: Option<Reported>,
    pause_wanted: Option<u64>,
    /// The client asked for the program's end.
    end_wanted: bool,
    step: Option<Step>,
    pub(crate) returned: Option<crate::control::results::Returned>,
    /// Where the last step ended in what is left of a body without instructions, and how that is shown.
    pub(crate) folded: Option<(u64, crate::control::step::Shown)>,
    /// Itabs of the last stop, once somebody has asked for the table.
    pub(crate) known_itabs: Option<std::collections::HashSet<u64>>,
    pub(crate) itabs_asked: bool,
    /// Values that expressions made at this stop.
    pub(crate) scratch: eval::Scratch,
    rows: RowCache,
    pub(crate) breakpoints: Breakpoints,
    pub(crate) passages: Passages,
    pub(crate) exceptions: exceptions::Exceptions,
    // views
    pub(crate) frames: Handles<FrameHandle>,
    pub(crate) variables: Handles<VariableHandle>,
    pub(crate) call_sites: calls::CallSites,
    pub(crate) locations: Handles<(String, u32)>,
    /// Frame ids already given for (goroutine, index) at this stop.
    frame_ids: std::collections::HashMap<(u64, usize), i64>,
    pub(crate) traces: Traces,
    /// Path of the program, for the files of a trace, after its end too.
    pub(crate) traced_program: String,
    stdout: output::Decoder,
    stderr: output::Decoder,
}

/// How long a client may take to read our last words.
const FLUSH: std::time::Duration = std::time::Duration::from_secs(1);

/// How often it is looked whether a client that reads slowly has caught up.
const LOOK_FOR_ROOM: std::time::Duration = std::time::Duration::from_millis(20);

/// Runs one session over a pair of streams until the client is gone or has disconnected.
pub(crate) fn serve<R, W>(read: R, write: W, transport: Transport)
where
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    let signals = signals::install().unwrap_or_else(|e| {
        tracing::warn!("signals are not caught: {e}");
        never()
    });
    let (incoming, out) = match wire::server(read, write) {
        Ok(pair) => pair,
        Err(e) => return tracing::error!("no session: {e}"),
    };
    let (tasks_tx, tasks) = unbounded();
    let mut session = Session::new(out, tasks_tx, transport);
    tracing::info!(?transport, "session begins");
    while !session.over {
        session.turn(&incoming, &tasks, &signals);
    }
    session.out.flush(FLUSH);
    session.end_build();
}

impl Session {
    fn new(out: Outgoing, tasks: Sender<Task>, transport: Transport) -> Self {
        Session {
            out,
            transport,
            state: State::Starting,
            client: Client::default(),
            settings: Settings::default(),
            sources: Arc::default(),
            tasks,
            launch: start::Launching::default(),
            attached: false,
            no_debug: false,
            untraced: None,
            untraced_events: None,
            directory: std::env::current_dir().unwrap_or_default(),
            exit_code: None,
            last_pid: 0,
            terminated: false,
            over: false,
            inferior: None,
            stopped_tid: None,
            selected: None,
            current: None,
            pause_wanted: None,
            end_wanted: false,
            step: None,
            returned: None,
            folded: None,
            known_itabs: None,
            itabs_asked: false,
            scratch: eval::Scratch::new(),
            rows: RowCache::default(),
            breakpoints: Breakpoints::default(),
            passages: Passages::default(),
            exceptions: exceptions::Exceptions::default(),
            frames: Handles::default(),
            variables: Handles::default(),
            call_sites: calls::CallSites::default(),
            locations: Handles::default(),
            frame_ids: std::collections::HashMap::new(),
            traces: Traces::default(),
            traced_program: String::new(),
            stdout: output::Decoder::default(),
            stderr: output::Decoder::default(),
        }
    }

    /// One event.
    fn turn(&mut self, incoming: &Receiver<Incoming>, tasks: &Receiver<Task>, signals: &Receiver<i32>) {
        if let Some(e) = self.inferior.as_mut().and_then(Inferior::next_backlog) {
            return self.on_target_event(e);
        }
        let silent = never();
        // A client that doesn't read: what the program writes stays in its pipe.
        let full = !self.out.has_room();
        let room = if full { after(LOOK_FOR_ROOM) } else { never() };
        let program = match (&self.inferior, &self.untraced_events) {
            _ if full => silent,
            (Some(inf), _) => inf.events().clone(),
            (None, Some(r)) => r.clone(),
            (None, None) => silent,
        };
        let records = self.traces.due().map_or_else(never, crossbeam_channel::at);
        select! {
            recv(incoming) -> m => match m {
                Err(_) => self.client_is_gone(),
                Ok(m) => self.on_incoming(m),
            },
            recv(program) -> e => match e {
                Ok(e) => self.on_target_event(e),
                Err(_) => self.on_program_channel_closed(),
            },
            recv(room) -> _ => {}
            recv(records) -> _ => self.send_trace_records(false),
            recv(tasks) -> t => if let Ok(t) = t { self.on_task(t) },
            recv(signals) -> s => if let Ok(s) = s {
                tracing::info!("signal {s}: ending the session");
                self.client_is_gone();
            },
        }
    }

    pub(crate) fn event<E: wire::Event>(&self, body: E) {
        self.out.event(body);
    }

    /// A line in the debug console.
    pub(crate) fn console(&self, text: &str) {
        self.event(t::OutputEvent {
            category: Some("console".into()),
            output: format!("{text}\n"),
            ..Default::default()
        });
    }

    /// The program's own output.
    fn output(&self, stream: Stream, text: String) {
        let category = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        self.event(t::OutputEvent { category: Some(category.into()), output: text, ..Default::default() });
    }

    fn decoder(&mut self, stream: Stream) -> &mut output::Decoder {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        let untraced = || self.untraced.as_ref().map_or(0, Untraced::pid);
        self.inferior.as_ref().map_or_else(untraced, Inferior::pid)
    }
}
