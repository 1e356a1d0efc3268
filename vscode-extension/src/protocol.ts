// The adapter's custom requests that this extension uses, as docs/PROTOCOL.md of the project describes them.

/** One link of the way from an itab to the body that runs. */
export interface Link {
  readonly role: "itab" | "entry" | "wrapper" | "dictionary" | "body";
  readonly name: string;
  readonly address: string;
  /** Of a wrapper: "value receiver", "promoted", "-fm", ... */
  readonly kind?: string;
  readonly source?: { readonly name?: string; readonly path?: string };
  readonly line?: number;
}

/** One call of the stopped line. */
export interface CallSite {
  readonly id: number;
  readonly kind: string;
  readonly order: number;
  /** The frame is in this call. */
  readonly inProgress?: boolean;
  readonly expression?: string;
  readonly interfaceType?: string;
  readonly method?: string;
  readonly line?: number;
  readonly column?: number;
  readonly state: "known" | "panics" | "pending" | "unknown";
  readonly conditional?: boolean;
  readonly certainty?: "certain" | "stale" | "speculative";
  readonly reason?: string;
  readonly target?: Link;
  readonly chain?: readonly Link[];
}

/** Body of `itab/dispatch`. */
export interface DispatchTable {
  readonly sites: readonly CallSite[];
  readonly total?: number;
  readonly incomplete?: string;
}
