// Whether a binary was made by Go's linker. Reads a few kilobytes, whatever the file claims.

import { closeSync, openSync, readSync } from "node:fs";

/** Section headers and names that are read at most. */
const MAX_TABLE = 1 << 20;
/** Sections that only Go's linker makes. */
const GO = [".gopclntab", ".go.buildinfo"];

/** The ELF file has a section of Go's. A file without any sections may be one: it is not left out. */
export function isGo(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const read = (offset: number, length: number): Buffer => {
      const buffer = Buffer.alloc(Math.min(length, MAX_TABLE));
      return buffer.subarray(0, readSync(file, buffer, 0, buffer.length, offset));
    };
    const header = read(0, 64);
    if (header.length < 64 || header.toString("latin1", 0, 5) !== "\x7fELF\x02") {
      return false;
    }
    const [start, size, count] = [header.readBigUInt64LE(40), header.readUInt16LE(58), header.readUInt16LE(60)];
    const names = header.readUInt16LE(62) * size;
    if (start === 0n || count === 0) {
      return true;
    }
    const table = read(Number(start), size * count);
    if (names + 40 > table.length) {
      return false;
    }
    const text = read(Number(table.readBigUInt64LE(names + 24)), Number(table.readBigUInt64LE(names + 32)));
    return GO.some((name) => text.includes(name));
  } finally {
    closeSync(file);
  }
}
