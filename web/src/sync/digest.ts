// Whether our replica is the server's: equal state vectors must mean equal texts.
import * as Y from 'yjs'

/** Compares two encoded state vectors; clients may stand in any order. Throws on malformed bytes. */
export function sameStateVector(a: Uint8Array, b: Uint8Array): boolean {
  const left = Y.decodeStateVector(a)
  const right = Y.decodeStateVector(b)
  return left.size === right.size && [...left].every(([client, clock]) => right.get(client) === clock)
}

/** Whether `ours` holds something that `theirs` lacks. Deletions do not show in state vectors. */
export function isAhead(ours: Uint8Array, theirs: Uint8Array): boolean {
  const known = Y.decodeStateVector(theirs)
  return [...Y.decodeStateVector(ours)].some(([client, clock]) => clock > (known.get(client) ?? 0))
}

/** SHA-256 of the UTF-8 text; null where the browser offers none, which is the case on plain http but localhost. */
export async function sha256(text: string): Promise<Uint8Array | null> {
  if (!globalThis.crypto?.subtle) return null
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
