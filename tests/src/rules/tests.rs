//! Each rule against a conversation that breaks it: a checker that finds nothing would pass everything.

use super::*;

/// Plays a conversation: `>` is sent by the client, `<` received.
fn play(lines: &[(&str, Value)]) -> Vec<String> {
    let mut rules = Rules::default();
    let mut seq = 0;
    let mut theirs = 0;
    let mut numbers = HashMap::new();
    for (line, value) in lines {
        let (direction, name) = line.split_once(' ').unwrap();
        if direction == ">" {
            seq += 1;
            numbers.insert(name.to_owned(), seq);
            rules.sent(seq, name, value);
            continue;
        }
        theirs += 1;
        let message = match direction {
            "<" => {
                json!({"seq": theirs, "type": "response", "request_seq": numbers.get(name).unwrap_or(&999),
                "success": true, "command": name, "body": value})
            }
            "<0" => {
                json!({"seq": theirs, "type": "response", "request_seq": numbers.get(name).unwrap_or(&999),
                "success": true, "command": name})
            }
            "<!" => json!({"seq": theirs, "type": "response", "request_seq": numbers[name], "success": false,
                "command": name, "message": value["error"]["format"], "body": value}),
            "!" => json!({"seq": theirs, "type": "event", "event": name, "body": value}),
            other => panic!("{other}"),
        };
        rules.received(&message);
    }
    rules.ended(true);
    rules.violations().to_vec()
}

fn started() -> Vec<(&'static str, Value)> {
    let capabilities = json!({"supportsConfigurationDoneRequest": true, "supportsTerminateRequest": true});
    vec![
        ("> initialize", json!({"adapterID": "itab"})),
        ("< initialize", capabilities),
        ("> launch", json!({})),
        ("<0 launch", json!(null)),
        ("> configurationDone", json!({})),
        ("<0 configurationDone", json!(null)),
    ]
}

fn stopped() -> (&'static str, Value) {
    ("! stopped", json!({"reason": "step", "threadId": 1, "allThreadsStopped": true}))
}

#[track_caller]
fn breaks(more: Vec<(&'static str, Value)>, text: &str) {
    let mut lines = started();
    lines.extend(more);
    let violations = play(&lines);
    assert!(violations.iter().any(|violation| violation.contains(text)), "{text}: {violations:#?}");
}

#[test]
fn a_right_conversation() {
    let mut lines = started();
    lines.extend([
        ("! thread", json!({"reason": "started", "threadId": 1})),
        ("! continued", json!({"threadId": 1, "allThreadsContinued": true})),
        stopped(),
        ("> stackTrace", json!({"threadId": 1})),
        ("< stackTrace", json!({"stackFrames": [{"id": 1, "name": "main.main", "line": 3, "column": 1}]})),
        ("> next", json!({"threadId": 1})),
        ("<0 next", json!(null)),
        stopped(),
        ("> stackTrace", json!({"threadId": 1})),
        ("< stackTrace", json!({"stackFrames": [{"id": 2, "name": "main.main", "line": 4, "column": 1}]})),
        ("> continue", json!({"threadId": 1})),
        ("< continue", json!({"allThreadsContinued": true})),
        ("! exited", json!({"exitCode": 0})),
        ("! terminated", json!({})),
    ]);
    assert_eq!(play(&lines), Vec::<String>::new());
}

#[test]
fn each_rule_is_enforced() {
    let error = json!({"error": {"id": 1, "format": "no"}});
    breaks(vec![("> next", json!({})), ("< next", json!({})), stopped()], "answered with a body");
    breaks(vec![stopped(), ("> continue", json!({})), ("<0 continue", json!(null))], "without a body object");
    breaks(vec![stopped(), stopped()], "a second one for one stop");
    breaks(vec![stopped(), ("> next", json!({})), stopped(), ("<0 next", json!(null))], "before the answer");
    breaks(vec![("! stopped", json!({"reason": "step", "allThreadsStopped": true}))], "without threadId");
    breaks(vec![("! stopped", json!({"reason": "step", "threadId": 1}))], "without allThreadsStopped");
    breaks(vec![("> next", json!({}))], "never answered");
    breaks(vec![("> next", json!({})), ("<! next", json!({"error": {"id": 1}}))], "refused without");
    breaks(
        vec![("> threads", json!({})), ("<! threads", error.clone()), ("<! threads", error)],
        "a second answer",
    );
    breaks(vec![("<0 pause", json!(null))], "an answer to no request");
    breaks(vec![("! exited", json!({"exitCode": -1}))], "negative exit code");
    breaks(vec![("! terminated", json!({})), ("! exited", json!({"exitCode": 1}))], "after terminated");
    breaks(vec![("! thread", json!({"reason": "started", "threadId": 1})); 2], "more than one");
    breaks(
        vec![
            stopped(),
            ("> continue", json!({})),
            ("< continue", json!({"allThreadsContinued": true})),
            ("! continued", json!({"threadId": 1, "allThreadsContinued": true})),
        ],
        "implies it",
    );
    breaks(
        vec![(
            "! stopped",
            json!({"reason": "breakpoint", "threadId": 1, "allThreadsStopped": true,
        "hitBreakpointIds": [77]}),
        )],
        "never given out",
    );
    breaks(vec![("! progressEnd", json!({"progressId": "x"}))], "no progress x");
    breaks(vec![("! progressStart", json!({"progressId": "x", "title": "t"}))], "never ended");
    breaks(
        vec![("! progressStart", json!({"progressId": "x", "title": "t", "percentage": 5.5}))],
        "percentage",
    );
}

#[test]
fn identities_are_enforced() {
    let frame = |id: i64, line: i64| {
        json!({"stackFrames": [{"id": id, "name": "f", "line": line, "column": 1,
        "source": {"path": "/x.go"}}]})
    };
    breaks(vec![stopped(), ("> stackTrace", json!({})), ("< stackTrace", frame(1, 0))], "line 0");
    breaks(
        vec![
            stopped(),
            ("> stackTrace", json!({})),
            ("< stackTrace", frame(1, 3)),
            ("> next", json!({})),
            ("<0 next", json!(null)),
            stopped(),
            ("> stackTrace", json!({})),
            ("< stackTrace", frame(1, 3)),
        ],
        "frame id 1 was",
    );
    let one = json!({"breakpoints": [{"line": 5}]});
    breaks(
        vec![("> setBreakpoints", one.clone()), ("< setBreakpoints", json!({"breakpoints": []}))],
        "asked for",
    );
    breaks(
        vec![
            ("> setBreakpoints", one.clone()),
            ("< setBreakpoints", json!({"breakpoints": [{"id": 1, "verified": true}]})),
        ],
        "without its line",
    );
    breaks(
        vec![
            ("> setBreakpoints", one.clone()),
            ("< setBreakpoints", json!({"breakpoints": [{"id": 1, "verified": false, "line": 5}]})),
        ],
        "without a message",
    );
    breaks(
        vec![
            ("> setBreakpoints", one),
            ("< setBreakpoints", json!({"breakpoints": [{"id": -1, "verified": true, "line": 5}]})),
        ],
        "breakpoint id",
    );
    let child = json!({"variables": [{"name": "x", "value": "1", "variablesReference": 0}]});
    let scope = json!({"scopes": [{"name": "Locals", "variablesReference": 4, "expensive": false, "namedVariables": 2}]});
    breaks(
        vec![
            stopped(),
            ("> scopes", json!({"frameId": 1})),
            ("< scopes", scope),
            ("> variables", json!({"variablesReference": 4})),
            ("< variables", child),
        ],
        "namedVariables said",
    );
}
