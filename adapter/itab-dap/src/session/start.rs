//! Getting a program: launch (exec, debug, test), and what a failed start says.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use crossbeam_channel::bounded;
use image::Image;
use target::{BackendChoice, LaunchSpec, Output, Stdin};
use wire::{CancelToken, Responder, requests as rq, types as t};

use super::{Session, State, Task, Transport};
use crate::{
    build::{self, BuildRequest, Built},
    config::{AttachConfig, BackendConfig, BackendKind, Common, LaunchConfig, Mode, OutputMode},
    control::inferior::Inferior,
    error::Refused,
    settings::Settings,
    source::{Sources, Substitution},
};

/// Events of the program that may wait for the session: output readers block when it is slow, so memory stays bounded.
pub(super) const EVENT_QUEUE: usize = 256;

/// How long a cancelled build may take to end: it is interrupted first, then killed.
const BUILD_END: std::time::Duration = std::time::Duration::from_secs(4);

/// A restart under way: the build goes first.
pub(super) struct Restarting {
    pub(super) config: LaunchConfig,
    pub(super) responder: Responder<rq::Restart>,
}

/// A launch under way.
#[derive(Default)]
pub(super) struct Launching {
    /// As the client sent them: a restart may change some.
    pub(super) arguments: Option<serde_json::Value>,
    pub(super) config: Option<LaunchConfig>,
    pub(super) restart: Option<Restarting>,
    responder: Option<Responder<rq::Launch>>,
    /// Raised to stop the build, or the wait for a process.
    pub(super) cancel: Option<CancelToken>,
    /// An attach to a process that does not run yet.
    pub(super) waiting: Option<(AttachConfig, Responder<rq::Attach>)>,
    /// The thread that builds.
    builder: Option<thread::JoinHandle<()>>,
    /// The build's result; its binary is deleted when this is dropped.
    pub(super) built: Option<Built>,
    /// A launch or attach has begun (and has not failed).
    pub(super) started: bool,
    /// The client has had its `thread` event.
    pub(super) thread_told: bool,
    /// `configurationDone`, where it is answered after the stop at the entry.
    pub(super) configured: Option<Responder<rq::ConfigurationDone>>,
}

impl Session {
    pub(super) fn on_launch(&mut self, arguments: &serde_json::Value, responder: Responder<rq::Launch>) {
        if self.launch.started {
            return responder.answer(Err(Refused::AlreadyStarted.into()));
        }
        let config = match LaunchConfig::parse(arguments) {
            Ok(c) => c,
            Err(e) => return responder.answer(Err(Refused::Launch(e.to_string()).into())),
        };
        if let Err(why) = self.take_launch_settings(&config) {
            return responder.answer(Err(Refused::Launch(why).into()));
        }
        self.launch.started = true;
        self.launch.arguments = Some(arguments.clone());
        self.launch.responder = Some(responder);
        match config.mode {
            Mode::Exec => {
                let program = PathBuf::from(config.program());
                self.launch.config = Some(config);
                self.start_launched(&program, None);
            }
            Mode::Debug | Mode::Test => self.start_build(config),
            Mode::Core | Mode::Replay | Mode::Auto => {
                self.launch_failed(
                    format!("mode {:?} is not supported yet; use exec, debug or test", config.mode)
                        .to_lowercase(),
                );
            }
        }
    }

    fn take_launch_settings(&mut self, config: &LaunchConfig) -> Result<(), String> {
        if let Some(dir) = config.dlv_cwd.as_deref().filter(|d| !d.is_empty()) {
            std::env::set_current_dir(dir).map_err(|e| format!("dlvCwd {dir:?}: {e}"))?;
        }
        for n in &config.not_yet {
            self.console(&n.to_string());
        }
        self.take_common_settings(&config.common);
        Ok(())
    }

    pub(super) fn take_common_settings(&mut self, common: &Common) {
        let rules = common
            .substitute_path
            .iter()
            .map(|r| Substitution { from: r.from.clone(), to: r.to.clone() })
            .collect();
        self.sources = Arc::new(Sources::new(rules));
        self.settings = Settings::new(common.clone());
    }

    // ---- build

    fn start_build(&mut self, config: LaunchConfig) {
        // The client may cancel the launch itself: the reader raises that flag.
        let asked = self.launch.responder.as_ref().map(|r| r.token().clone()).unwrap_or_default();
        let request = BuildRequest::new(&config, &self.directory);
        self.launch.config = Some(config);
        self.state = State::Building;
        self.tell_of_build(&request);
        if let Err(e) = self.spawn_build(request, asked) {
            self.launch_failed(format!("the build could not be started: {e}"));
        }
    }

    /// The build before a restart: the program stays as it is meanwhile.
    pub(super) fn build_for_restart(&mut self) {
        let Some(restart) = &self.launch.restart else { return };
        let asked = restart.responder.token().clone();
        let request = BuildRequest::new(&restart.config, &self.directory);
        if !self.client.as_delve {
            self.tell_of_build(&request);
        }
        if let Err(e) = self.spawn_build(request, asked) {
            self.restart_failed(format!("the build could not be started: {e}"));
        }
    }

    fn tell_of_build(&self, request: &BuildRequest) {
        let tests = if request.test && self.client.as_delve { "tests of " } else { "" };
        self.event(t::OutputEvent {
            category: Some("stdout".into()),
            output: format!("Building {tests}{}\n", request.program),
            ..Default::default()
        });
    }

    fn spawn_build(&mut self, request: BuildRequest, asked: CancelToken) -> std::io::Result<()> {
        let cancel = CancelToken::new();
        self.launch.cancel = Some(cancel.clone());
        let tasks = self.tasks.clone();
        let spawned = thread::Builder::new().name("build".into()).spawn(move || {
            let lines = tasks.clone();
            let result =
                build::build(&request, &|| cancel.is_cancelled() || asked.is_cancelled(), &mut |line| {
                    let _session_gone = lines.send(Task::BuildLine(line.to_string()));
                });
            let _session_gone = tasks.send(Task::Built(result));
        });
        self.launch.builder = Some(spawned?);
        Ok(())
    }

    /// Waits until a build that was cancelled has ended its compilers: nobody would after us.
    pub(super) fn end_build(&mut self) {
        let Some(builder) = self.launch.builder.take() else { return };
        let deadline = std::time::Instant::now() + BUILD_END;
        while !builder.is_finished() && std::time::Instant::now() < deadline {
            thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    pub(super) fn on_task(&mut self, task: Task) {
        match task {
            Task::BuildLine(line) => {
                self.event(t::OutputEvent {
                    category: Some("stderr".into()),
                    output: format!("{line}\n"),
                    ..Default::default()
                });
            }
            Task::Appeared(pid) => self.on_appeared(pid),
            Task::Built(Ok(built)) if self.launch.restart.is_some() => self.restart_with(Some(built)),
            Task::Built(Err(e)) if self.launch.restart.is_some() => self.restart_failed(e.to_string()),
            Task::Built(Ok(built)) => {
                if self.launch.responder.is_none() {
                    return; // cancelled meanwhile
                }
                let (binary, cwd) = (built.binary.clone(), built.package_directory.clone());
                self.launch.built = Some(built);
                self.start_launched(&binary, cwd.as_deref());
            }
            Task::Built(Err(build::BuildError::Cancelled)) => {
                self.launch.started = false;
                self.state = State::Starting;
                self.cancel_build();
            }
            Task::Built(Err(e)) => self.launch_failed(e.to_string()),
        }
    }

    /// Stops a build that nobody waits for any more.
    pub(super) fn cancel_build(&mut self) {
        if let Some(c) = self.launch.cancel.take() {
            c.cancel();
        }
        if let Some(r) = self.launch.responder.take() {
            r.answer(Err(Refused::Cancelled.into()));
        }
        if let Some(r) = self.launch.restart.take() {
            r.responder.answer(Err(Refused::Cancelled.into()));
        }
        if let Some((_, r)) = self.launch.waiting.take() {
            self.launch.started = false;
            r.answer(Err(Refused::Cancelled.into()));
        }
    }

    fn launch_failed(&mut self, why: String) {
        self.launch.started = false;
        self.launch.built = None;
        self.state = State::Starting;
        if let Some(r) = self.launch.responder.take() {
            r.answer(Err(Refused::Launch(why).into()));
        }
    }

    // ---- launch

    fn start_launched(&mut self, program: &Path, test_cwd: Option<&Path>) {
        let Some(config) = self.launch.config.clone() else { return };
        match self.try_launch(&config, program, test_cwd) {
            Ok(()) => {
                if let Some(r) = self.launch.responder.take() {
                    r.answer(Ok(()));
                }
            }
            Err(why) => self.launch_failed(why),
        }
    }

    fn try_launch(
        &mut self,
        config: &LaunchConfig,
        program: &Path,
        test_cwd: Option<&Path>,
    ) -> Result<(), String> {
        if config.no_debug {
            let spec = launch_spec(config, &absolute(program)?, test_cwd, self.output_of(config))?;
            let (tx, rx) = bounded(EVENT_QUEUE);
            self.untraced = Some(target::run_untraced(&spec, tx).map_err(|e| e.to_string())?);
            self.untraced_events = Some(rx);
            self.no_debug = true;
            self.state = State::Running;
            return Ok(());
        }
        self.bring_up(config, program, test_cwd)?;
        self.tell_of_process("launch");
        self.event(t::InitializedEvent {});
        Ok(())
    }

    /// Starts the program under the debugger; it stands at its first instruction.
    pub(super) fn bring_up(
        &mut self,
        config: &LaunchConfig,
        program: &Path,
        test_cwd: Option<&Path>,
    ) -> Result<(), String> {
        let program = absolute(program)?;
        let spec = launch_spec(config, &program, test_cwd, self.output_of(config))?;
        let (tx, rx) = bounded(EVENT_QUEUE);
        let image = Arc::new(Image::open(&program).map_err(|e| e.to_string())?);
        let target =
            target::launch(&spec, &backend(&config.common.backend)?, tx).map_err(|e| e.to_string())?;
        self.adopt(target, rx, image, false)
    }

    pub(super) fn tell_of_process(&self, start_method: &str) {
        let path = self.inferior.as_ref().map(|i| i.image.path().to_string_lossy().into_owned());
        self.event(t::ProcessEvent {
            name: path.unwrap_or_default(),
            system_process_id: Some(i64::from(self.pid())),
            is_local_process: Some(true),
            start_method: Some(start_method.into()),
            pointer_size: Some(64),
        });
    }

    /// Where the program's output goes without a file: to the client, or to the adapter's own output where that is free.
    fn output_of(&self, config: &LaunchConfig) -> Output {
        let default = if self.client.as_delve { OutputMode::Local } else { OutputMode::Remote };
        match (config.output_mode.unwrap_or(default), self.transport) {
            (OutputMode::Local, Transport::Socket) => Output::Inherit,
            _ => Output::Piped,
        }
    }

    /// The stopped process becomes the session's program.
    pub(super) fn adopt(
        &mut self,
        target: Box<dyn target::Target>,
        events: crossbeam_channel::Receiver<target::Event>,
        image: Arc<Image>,
        attached: bool,
    ) -> Result<(), String> {
        let mut inferior = Inferior::new(target, events, image);
        let entry = target::at_entry(inferior.pid());
        match entry {
            Ok(e) => inferior.image.set_bias(e.wrapping_sub(inferior.image.link_entry())),
            Err(e) => {
                let _gone = if attached { inferior.detach() } else { inferior.kill() };
                return Err(e.to_string());
            }
        }
        if !self.client.as_delve {
            self.console(&format!("Debugging with {}.", inferior.description()));
        }
        self.traced_program = inferior.image.path().to_string_lossy().into_owned();
        self.inferior = Some(inferior);
        self.state = State::Configuring;
        self.begin_exceptions();
        self.bind_early_breakpoints();
        self.start_trace_of_launch();
        Ok(())
    }
}

fn absolute(program: &Path) -> Result<PathBuf, String> {
    std::path::absolute(program).map_err(|e| format!("{}: {e}", program.display()))
}

pub(super) fn backend(b: &BackendConfig) -> Result<BackendChoice, String> {
    match b.kind {
        BackendKind::Auto => Ok(BackendChoice::Auto),
        BackendKind::Gdbserver => Ok(BackendChoice::Gdbserver(b.path.as_ref().map(PathBuf::from))),
        BackendKind::Native => Ok(BackendChoice::Native),
        BackendKind::Gdb | BackendKind::Lldb | BackendKind::Rr => Err(format!(
            "backend {:?} is not supported yet; use \"auto\", \"gdbserver\" or \"native\"",
            format!("{:?}", b.kind).to_lowercase()
        )),
    }
}

/// Arguments, environment, directory and files of the program, exact.
fn launch_spec(
    config: &LaunchConfig,
    program: &Path,
    test_cwd: Option<&Path>,
    output: Output,
) -> Result<LaunchSpec, String> {
    let cwd = match config.cwd.as_deref().filter(|d| !d.is_empty()) {
        Some(d) => Some(PathBuf::from(d)),
        None => test_cwd.map(Path::to_path_buf),
    };
    if let Some(d) = &cwd
        && !d.is_dir()
    {
        return Err(format!("the working directory {} does not exist", d.display()));
    }
    let file = |path: &Option<String>| path.as_deref().filter(|p| !p.is_empty()).map(PathBuf::from);
    Ok(LaunchSpec {
        program: program.to_path_buf(),
        args: config.args.iter().map(Into::into).collect(),
        env: build::environment(&config.env),
        cwd,
        stdin: file(&config.stdin_from).map_or(Stdin::Null, Stdin::File),
        stdout: file(&config.stdout_to).map_or(output.clone(), Output::File),
        stderr: file(&config.stderr_to).map_or(output, Output::File),
        disable_aslr: true,
    })
}
