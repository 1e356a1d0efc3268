// The extension's entry: registers, and nothing else. Everything disposable belongs to the context.

import * as vscode from "vscode";

import { AdapterFactory } from "./adapter";
import { ConfigurationProvider } from "./configuration";
import { pickProcess } from "./processes";
import { dispatchStep, showDispatch, TYPE } from "./session";

export function activate(context: vscode.ExtensionContext): void {
  const provider = new ConfigurationProvider();
  context.subscriptions.push(
    vscode.debug.registerDebugAdapterDescriptorFactory(TYPE, new AdapterFactory()),
    vscode.debug.registerDebugConfigurationProvider(TYPE, provider),
    vscode.debug.registerDebugConfigurationProvider(TYPE, provider, vscode.DebugConfigurationProviderTriggerKind.Dynamic),
    vscode.commands.registerCommand("itab-dap.showDispatch", showDispatch),
    vscode.commands.registerCommand("itab-dap.dispatchStep", dispatchStep),
    vscode.commands.registerCommand("itab-dap.pickProcess", pickProcess),
  );
}
