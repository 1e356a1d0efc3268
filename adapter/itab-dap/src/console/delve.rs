//! `dlv COMMAND`: the commands of Delve's debug console, for those whose hands know them.

use regex::Regex;
use wire::types as t;

use super::{Answer, commands::help, examine};
use crate::{
    error::Refused,
    requests::{breakpoints::parse_address, evaluate::Place},
    session::Session,
};

/// What `dlv help` says of each.
const COMMANDS: &[(&[&str], &str)] = &[
    (&["help", "h"], "dlv help [COMMAND]: this list, or one of its lines"),
    (
        &["config"],
        "dlv config -list [NAME]: the settings; dlv config NAME VALUE: changes one. substitutePath takes FROM TO, FROM or -clear, \
         showPprofLabels takes LABEL, -clear LABEL or -clear",
    ),
    (&["sources", "s"], "dlv sources [REGEX]: the source files of the program"),
    (&["types"], "dlv types [REGEX]: the types of the program"),
    (
        &["target"],
        "dlv target list: the process; dlv target follow-exec: whether child processes are debugged",
    ),
    (
        &["examinemem", "x"],
        "dlv x [-fmt bin|oct|dec|hex] [-count N] [-size 1..8] ADDRESS | -x EXPRESSION: memory, at most 1000 bytes",
    ),
];

impl Session {
    pub(super) fn dlv_command(&mut self, rest: &str, a: &t::EvaluateArguments) -> Answer {
        let (name, args) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let args = args.trim();
        let result = match name {
            "" | "help" | "h" => dlv_help(args),
            "config" => {
                let changed = self.settings.delves_config(args);
                return self.answer_config(changed).or_refused();
            }
            "sources" | "s" => self.source_files(args),
            "types" => self.type_names(args),
            "target" => self.target_command(args),
            "examinemem" | "x" => self.examine_memory(args, a),
            other => Err(format!("there is no command dlv {other}; try dlv help")),
        };
        result.map_or_else(Answer::Error, Answer::Text).or_refused()
    }

    pub(super) fn answer_config(&mut self, changed: Result<(String, String), String>) -> Answer {
        match changed {
            Ok((text, effect)) => {
                self.apply_setting(&effect);
                Answer::Text(text)
            }
            Err(why) => Answer::Error(why),
        }
    }

    fn source_files(&self, filter: &str) -> Result<String, String> {
        let filter = regex(filter)?;
        let inf = self.inferior.as_ref().ok_or("there is no program")?;
        let files = inf.image.functions().files();
        Ok(files.iter().filter(|f| filter.is_match(f)).map(|f| f.to_string()).collect::<Vec<_>>().join("\n"))
    }

    fn type_names(&self, filter: &str) -> Result<String, String> {
        let filter = regex(filter)?;
        let inf = self.inferior.as_ref().ok_or("there is no program")?;
        if !inf.image.has_dwarf() {
            return Err("the binary has no debug information that lists its types".into());
        }
        let names = inf.image.type_names();
        Ok(names.into_iter().filter(|n| filter.is_match(n)).collect::<Vec<_>>().join("\n"))
    }

    fn target_command(&self, args: &str) -> Result<String, String> {
        match args.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["list"] => {
                let inf = self.inferior.as_ref().ok_or("there is no program")?;
                let raw = std::fs::read(format!("/proc/{}/cmdline", inf.pid())).unwrap_or_default();
                let words = raw.split(|b| *b == 0).filter(|w| !w.is_empty()).map(String::from_utf8_lossy);
                Ok(format!("*\t{}\t{}\n", inf.pid(), words.collect::<Vec<_>>().join(" ")))
            }
            ["follow-exec"] => Ok("Follow exec mode is disabled".into()),
            ["follow-exec", "-off"] => Ok("Follow exec mode disabled".into()),
            ["follow-exec", "-on", ..] => {
                Err("child processes can't be debugged yet: attach to one by its process id".into())
            }
            ["switch", ..] => Err("there is one process only".into()),
            _ => Err("unknown target command; write dlv target list or dlv target follow-exec".into()),
        }
    }

    fn examine_memory(&mut self, args: &str, a: &t::EvaluateArguments) -> Result<String, String> {
        let wanted = examine::parse(args)?;
        let address = match &wanted.place {
            examine::Place::Address(text) => {
                parse_address(text).ok_or_else(|| format!("{text:?} is not an address"))?
            }
            examine::Place::Expression(text) => self.address_of(text, a.frame_id)?,
        };
        let inf = self.inferior.as_ref().ok_or("the program has ended")?;
        let mut bytes = vec![0; wanted.bytes()];
        let n = inf.memory().read(address, &mut bytes).map_err(|e| e.to_string())?;
        bytes.truncate(n);
        if bytes.is_empty() {
            return Err(format!("there is no memory at {address:#x}"));
        }
        Ok(examine::format(address, &bytes, wanted.format, wanted.size))
    }

    /// What a pointer or an integer says as an address.
    fn address_of(&mut self, text: &str, frame: Option<i64>) -> Result<u64, String> {
        let handle = self.frame(frame).map_err(Refused::cause)?;
        let wrapped = format!("uint64(uintptr(unsafe.Pointer({text})))");
        let value = self
            .evaluate_item(&handle, &wrapped, Place::Other, None)
            .or_else(|_| self.evaluate_item(&handle, &format!("uint64({text})"), Place::Other, None))
            .or_else(|_| self.evaluate_item(&handle, text, Place::Other, None))
            .map_err(Refused::cause)?;
        let number = value.text.split_whitespace().next().unwrap_or_default();
        parse_address(number)
            .ok_or_else(|| format!("{text} is {}, neither a pointer nor an address", value.type_name))
    }
}

impl Answer {
    /// An error with Delve's number for its console commands.
    fn or_refused(self) -> Answer {
        match self {
            Answer::Error(why) => Answer::Refused(Refused::Command(why)),
            other => other,
        }
    }
}

fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|e| format!("invalid filter argument: {e}"))
}

fn dlv_help(of: &str) -> Result<String, String> {
    if of.is_empty() {
        let lines: Vec<&str> = COMMANDS.iter().map(|c| c.1).collect();
        return Ok(format!("The following commands are available:\n{}\n\n{}", lines.join("\n"), help()));
    }
    let found = COMMANDS.iter().find(|(names, _)| names.contains(&of));
    found.map(|c| c.1.to_string()).ok_or_else(|| "command not available".into())
}
