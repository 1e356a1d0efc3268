// How a dispatch table is put into words. Pure: no editor, no session.

import type { CallSite } from "./protocol";

/** A row of the quick pick. */
export interface Row {
  readonly label: string;
  readonly description: string;
  readonly detail?: string;
  readonly site: CallSite;
}

/** One row for each call, in evaluation order. */
export function rows(sites: readonly CallSite[]): Row[] {
  return [...sites].sort((a, b) => a.order - b.order).map(row);
}

function row(site: CallSite): Row {
  const detail = details(site);
  return {
    label: `${site.order}  ${site.expression ?? site.method ?? site.kind}`,
    description: destination(site),
    ...(detail === "" ? {} : { detail }),
    site,
  };
}

/** Where the call leads, in the marks of the protocol's step targets: `~` may change, `?` decided later or not reached. */
function destination(site: CallSite): string {
  const maybe = site.conditional ? " ?" : "";
  const method = site.interfaceType && site.method ? ` (${site.interfaceType}.${site.method})` : "";
  switch (site.state) {
    case "known": {
      const mark = site.certainty === undefined || site.certainty === "certain" ? "" : "~";
      return `→ ${mark}${site.target?.name ?? "?"}${maybe}`;
    }
    case "panics":
      return `→ panic: ${site.reason ?? "nil"}${maybe}`;
    case "pending":
      return `→ ?${method}${maybe}`;
    case "unknown":
      return `→ unknown${method}${site.reason ? `: ${site.reason}` : ""}${maybe}`;
  }
}

/** The chain from the itab to the body, where the body is, and what else is worth knowing. */
function details(site: CallSite): string {
  const links = site.chain ?? [];
  // The entry is told by what lies there: a wrapper or the body.
  const told = links.filter((link, i) => link.role !== "entry" || links[i + 1]?.address !== link.address);
  const names = told.map((link) => (link.kind ? `${link.name} (${link.kind})` : link.name));
  const chain = names.length > 1 ? names.join(" → ") : "";
  const { source, line } = site.target ?? {};
  const place = source?.name && line ? `${source.name}:${line}` : "";
  const reason = site.state === "known" || site.state === "pending" ? (site.reason ?? "") : "";
  const now = site.inProgress ? "in this call now" : "";
  return [now, chain, place, reason].filter((part) => part !== "").join(" · ");
}
