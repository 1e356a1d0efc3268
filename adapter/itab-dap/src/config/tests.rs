//! What clients really send, and what they must be told.

use serde_json::{Value, json};

use super::*;

fn launch(value: Value) -> LaunchConfig {
    LaunchConfig::parse(&value).unwrap()
}

fn refused(value: Value) -> String {
    LaunchConfig::parse(&value).unwrap_err().to_string()
}

#[test]
fn the_smallest_launch_has_delves_defaults() {
    let config = launch(json!({ "program": "." }));
    assert_eq!(config.mode, Mode::Debug);
    assert_eq!(config.program(), ".");
    assert_eq!(config.common.stack_trace_depth, 50);
    assert_eq!(
        (config.common.string_limit(), config.common.array_limit(), config.common.map_limit()),
        (512, 64, 64)
    );
    assert_eq!(config.common.backend.kind, BackendKind::Auto);
    assert!(!config.common.stop_on_entry && !config.no_debug);
    assert_eq!(config.output_mode, None);
    assert!(config.not_yet.is_empty());
}

#[test]
fn helix_numbers_and_lua_tables_are_understood() {
    let config = launch(json!({
        "program": 7, "args": [42, "x", -1.5], "cwd": "/w", "env": [], "stackTraceDepth": 20.0, "buildFlags": {}, "substitutePath": {}, "limits": []
    }));
    assert_eq!(config.program(), "7");
    assert_eq!(config.args, ["42", "x", "-1.5"]);
    assert!(config.env.is_empty());
    assert_eq!(config.common.stack_trace_depth, 20);
    assert!(launch(json!({ "program": "x", "args": {} })).args.is_empty());
    let pid = |v: Value| AttachConfig::parse(&json!({ "processId": v })).unwrap().process_id;
    assert_eq!((pid(json!(12)), pid(json!("34")), pid(json!(56.0))), (Some(12), Some(34), Some(56)));
}

#[test]
fn environment_nulls_unset_and_other_nulls_are_absent() {
    let config =
        launch(json!({ "program": "x", "env": { "A": "1", "B": null, "C": 3 }, "cwd": null, "args": null,
        "limits": { "string": null, "depth": 2 } }));
    assert_eq!(config.env["A"].as_deref(), Some("1"));
    assert_eq!(config.env["B"], None);
    assert_eq!(config.env["C"].as_deref(), Some("3"));
    assert_eq!(config.cwd, None);
    assert_eq!(config.common.limits, Limits { depth: Some(2), ..Limits::default() });
}

#[test]
fn build_flags_come_as_a_line_or_a_list() {
    let flags = |v: Value| launch(json!({ "program": "x", "buildFlags": v })).build_flags.0;
    assert_eq!(flags(json!("-race -ldflags '-s -w'")), ["-race", "-ldflags", "-s -w"]);
    assert_eq!(flags(json!(["-tags", "a b"])), ["-tags", "a b"]);
    assert!(refused(json!({ "program": "x", "buildFlags": "'a" })).contains("\"buildFlags\": unclosed '"));
    assert!(refused(json!({ "program": "x", "buildFlags": 1 })).contains("a string or a list of strings"));
}

#[test]
fn a_wrong_type_names_the_attribute_and_the_expected_type() {
    let cases = [
        (json!({ "program": true }), "\"program\"", "a string"),
        (json!({ "program": "x", "args": "a b" }), "\"args\"", "a list of strings"),
        (json!({ "program": "x", "args": ["a", {}] }), "\"args[1]\"", "a string"),
        (json!({ "program": "x", "env": "A=1" }), "\"env\"", "an object of strings"),
        (json!({ "program": "x", "env": { "A": [] } }), "\"env.A\"", "a string"),
        (json!({ "program": "x", "stopOnEntry": "yes" }), "\"stopOnEntry\"", "a boolean"),
        (json!({ "program": "x", "stackTraceDepth": "9" }), "\"stackTraceDepth\"", "a whole number"),
        (json!({ "program": "x", "stackTraceDepth": -1 }), "\"stackTraceDepth\"", "a whole number"),
        (json!({ "program": "x", "maxStringLen": 1.5 }), "\"maxStringLen\"", "a whole number"),
        (json!({ "program": "x", "limits": { "array": "many" } }), "\"limits.array\"", "a whole number"),
        (json!({ "program": "x", "limits": 3 }), "\"limits\"", "an object of whole numbers"),
        (
            json!({ "program": "x", "substitutePath": { "a": "b" } }),
            "\"substitutePath\"",
            "a list of objects",
        ),
        (json!({ "program": "x", "substitutePath": [{ "from": "a" }] }), "\"substitutePath[0]\"", "`to`"),
        (
            json!({ "program": "x", "substitutePath": [{ "from": "a", "to": 3 }] }),
            "\"substitutePath[0].to\"",
            "a string",
        ),
        (json!({ "program": "x", "mode": "fast" }), "\"mode\"", "one of debug, test, exec"),
        (json!({ "program": "x", "backend": "windbg" }), "\"backend\"", "gdbserver"),
        (json!({ "program": "x", "backend": { "kind": 1 } }), "\"backend.kind\"", "gdbserver"),
        (json!({ "program": "x", "showItab": "sometimes" }), "\"showItab\"", "\"auto\", true or false"),
        (json!({ "program": "x", "outputMode": "loud" }), "\"outputMode\"", "local or remote"),
    ];
    for (config, path, expected) in cases {
        let text = refused(config.clone());
        assert!(text.contains(path) && text.contains(expected), "{config}: {text}");
    }
    assert!(refused(json!([1])).contains("must be an object, found a list"));
    let text = AttachConfig::parse(&json!({ "processId": "abc" })).unwrap_err().to_string();
    assert!(text.contains("\"processId\"") && text.contains("a process id"), "{text}");
}

#[test]
fn what_is_missing_or_contradicts_is_refused() {
    assert!(refused(json!({})).contains("\"program\" attribute is missing"));
    assert!(refused(json!({ "program": "" })).contains("\"program\" attribute is missing"));
    assert!(refused(json!({ "mode": "replay" })).contains("traceDirPath"));
    assert!(refused(json!({ "program": "x", "mode": "core" })).contains("coreFilePath"));
    assert!(
        refused(json!({ "program": "x", "outputMode": "remote", "stdoutTo": "f" })).contains("outputMode")
    );
    let attach = |v: Value| AttachConfig::parse(&v).unwrap_err().to_string();
    assert!(attach(json!({})).contains("\"processId\" attribute is missing"));
    assert!(attach(json!({ "processId": 1, "waitFor": "x" })).contains("together"));
    let waits = AttachConfig::parse(&json!({ "waitFor": "x", "processId": 0 })).unwrap();
    assert_eq!(waits.awaited(), Some("x"));
    assert!(attach(json!({ "mode": "remote" })).contains("remote"));
}

#[test]
fn unknown_attributes_are_ignored_and_idle_ones_are_named() {
    let config =
        launch(json!({ "program": "x", "type": "itab", "name": "n", "__sessionId": 1, "followExec": true,
        "showRawStrings": true, "goroutineFilters": "-with running", "showStringer": true }));
    let named: Vec<_> = config.not_yet.iter().map(|n| n.attribute).collect();
    assert_eq!(named, ["followExec", "showStringer"]);
    assert!(config.not_yet[0].to_string().contains("not yet supported"));
}

/// A configuration that VS Code's Go extension made, as it arrives: nothing in it is refused or starts anything.
#[test]
fn configurations_of_the_go_extension() {
    let config = launch(json!({
        "name": "Launch Package", "type": "go", "request": "launch", "mode": "debug", "program": "/w/cmd",
        "__buildDir": "/w/cmd", "__configurationTarget": 5, "__sessionId": "x", "debugAdapter": "dlv-dap",
        "dlvFlags": ["--check-go-version=false"], "apiVersion": 2, "asRoot": false, "console": "internalConsole",
        "dlvLoadConfig": { "followPointers": true, "maxVariableRecurse": 1, "maxStringLen": 64 },
        "envFile": "${workspaceFolder}/.env", "env": { "A": "b" }, "host": "127.0.0.1", "port": 38697,
        "packagePathToGoModPathMap": { "/w/cmd": "/w" }, "showLog": true, "logOutput": "dap", "trace": "verbose",
        "hideSystemGoroutines": true, "goroutineFilters": "", "showPprofLabels": [], "substitutePath": [],
        "buildFlags": "", "args": [], "cwd": "/w/cmd", "output": "", "stackTraceDepth": 50, "backend": "default",
    }));
    assert!(config.not_yet.is_empty(), "{:?}", config.not_yet);
    assert_eq!(config.common.trace, "");
    assert!(config.common.hide_system_goroutines);
    assert_eq!(launch(json!({ "program": "x", "trace": "io.Writer.Write" })).common.trace, "io.Writer.Write");
}

#[test]
fn own_attributes() {
    let config =
        launch(json!({ "program": "x", "backend": { "kind": "gdbserver", "path": "/g" }, "showItab": true,
        "skipPackages": ["std", "a/*"], "maxArrayValues": 10, "limits": { "array": 5 } }));
    assert_eq!(
        config.common.backend,
        BackendConfig { kind: BackendKind::Gdbserver, path: Some("/g".into()) }
    );
    assert_eq!(config.common.show_itab, ShowItab::Always);
    assert_eq!(config.common.skip_packages, ["std", "a/*"]);
    assert_eq!((config.common.array_limit(), config.common.map_limit()), (5, 10));
    assert_eq!(
        launch(json!({ "program": "x", "backend": "default" })).common.backend,
        BackendConfig::default()
    );
    assert_eq!(launch(json!({ "program": "a/b_test.go", "mode": "auto" })).mode, Mode::Test);
    assert_eq!(launch(json!({ "program": "a/b.go", "mode": "auto" })).mode, Mode::Debug);
}

#[test]
fn every_attribute_is_in_the_schema_with_words_and_no_references() {
    for schema in [launch_schema(), attach_schema()] {
        let properties = schema["properties"].as_object().unwrap();
        for (name, property) in properties {
            let words = property.get("description").or(property.get("markdownDescription"));
            assert!(
                words.is_some_and(|w| w.as_str().is_some_and(|w| w.ends_with('.'))),
                "{name}: {property}"
            );
        }
        assert!(!schema.to_string().contains("$ref"), "{schema}");
    }
    let launch = launch_schema();
    assert_eq!(launch["properties"]["stackTraceDepth"]["default"], json!(50));
    assert_eq!(launch["properties"]["mode"]["default"], json!("debug"));
    assert_eq!(launch["required"], json!(["program"]));
    for (name, _, _) in pending_common() {
        assert!(launch["properties"].get(name).is_some(), "{name}");
    }
}
