// The bytes of the y-websocket dialect and of our own additions (docs/protocol.md). Reading is strict: a message that is
// cut short, goes on after its end or has an unknown type is refused, never guessed at.
import * as encoding from 'lib0/encoding'
import type { Notice } from './types'

export const PROTOCOL_VERSION = 1

const SYNC = 0x00
const AWARENESS = 0x01
const AUTH = 0x02
const QUERY_AWARENESS = 0x03
const HELLO = 0x70
const ACK = 0x71
const DIGEST = 0x72
const NOTICE = 0x73
const DOUBT = 0x75

const STEP_1 = 0
const STEP_2 = 1
const UPDATE = 2
const SHA_256_BYTES = 32
const VAR_UINT_MAX_BYTES = 8

/** One client's state in an awareness message; `state` is null when the client has left. */
export interface AwarenessEntry {
  clientId: number
  clock: number
  state: Record<string, unknown> | null
}

export type ServerMessage =
  | { type: 'step-1'; stateVector: Uint8Array }
  | { type: 'step-2'; update: Uint8Array }
  | { type: 'update'; update: Uint8Array }
  | { type: 'awareness'; entries: AwarenessEntry[] }
  | { type: 'query-awareness' }
  | { type: 'denied'; reason: string }
  | { type: 'ack'; frames: number; seq: number }
  | { type: 'digest'; stateVector: Uint8Array; sha256: Uint8Array }
  /** Null for a kind that this client does not know: it is passed over. */
  | { type: 'notice'; notice: Notice | null }

/** A message that breaks the protocol. */
export class MalformedMessage extends Error {
  override name = 'MalformedMessage'
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

class Reader {
  #at = 0

  constructor(private readonly bytes: Uint8Array) {}

  get left(): number {
    return this.bytes.length - this.#at
  }

  varUint(): number {
    let value = 0
    for (let i = 0; i < VAR_UINT_MAX_BYTES; i++) {
      const byte = this.bytes[this.#at++]
      if (byte === undefined) throw new MalformedMessage('cut short inside a number')
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) return this.#safe(value)
    }
    throw new MalformedMessage('a number of more than 8 bytes')
  }

  #safe(value: number): number {
    if (!Number.isSafeInteger(value)) throw new MalformedMessage('a number beyond 2^53')
    return value
  }

  take(length: number): Uint8Array {
    if (length > this.left) throw new MalformedMessage(`needs ${length} bytes, ${this.left} left`)
    this.#at += length
    return this.bytes.subarray(this.#at - length, this.#at)
  }

  varBytes(): Uint8Array {
    return this.take(this.varUint())
  }

  varString(): string {
    try {
      return utf8.decode(this.varBytes())
    } catch (error) {
      if (error instanceof MalformedMessage) throw error
      throw new MalformedMessage('text that is not UTF-8')
    }
  }

  json(): unknown {
    const text = this.varString()
    try {
      return JSON.parse(text)
    } catch {
      throw new MalformedMessage('a state that is not JSON')
    }
  }

  end(): void {
    if (this.left > 0) throw new MalformedMessage(`${this.left} bytes after the end`)
  }
}

/** Reads one message of the server. Throws `MalformedMessage`. */
export function decodeMessage(bytes: Uint8Array): ServerMessage {
  const reader = new Reader(bytes)
  const message = readBody(reader, reader.varUint())
  reader.end()
  return message
}

function readBody(reader: Reader, type: number): ServerMessage {
  switch (type) {
    case SYNC:
      return readSync(reader)
    case AWARENESS:
      return { type: 'awareness', entries: readAwareness(reader.varBytes()) }
    case AUTH:
      return readAuth(reader)
    case QUERY_AWARENESS:
      return { type: 'query-awareness' }
    case ACK:
      return { type: 'ack', frames: reader.varUint(), seq: reader.varUint() }
    case DIGEST:
      return { type: 'digest', stateVector: reader.varBytes(), sha256: reader.take(SHA_256_BYTES) }
    case NOTICE:
      return { type: 'notice', notice: readNotice(reader.json()) }
    default:
      throw new MalformedMessage(`unknown message type ${type}`)
  }
}

function readSync(reader: Reader): ServerMessage {
  const step = reader.varUint()
  const payload = reader.varBytes()
  switch (step) {
    case STEP_1:
      return { type: 'step-1', stateVector: payload }
    case STEP_2:
      return { type: 'step-2', update: payload }
    case UPDATE:
      return { type: 'update', update: payload }
    default:
      throw new MalformedMessage(`unknown sync step ${step}`)
  }
}

function readAuth(reader: Reader): ServerMessage {
  const kind = reader.varUint()
  if (kind !== 0) throw new MalformedMessage(`unknown auth message ${kind}`)
  return { type: 'denied', reason: reader.varString() }
}

function readAwareness(bytes: Uint8Array): AwarenessEntry[] {
  const reader = new Reader(bytes)
  const count = reader.varUint()
  const entries: AwarenessEntry[] = []
  // An unbelievable count ends at the first missing byte; nothing is allotted for it in advance.
  for (let i = 0; i < count; i++) {
    const clientId = reader.varUint()
    const clock = reader.varUint()
    entries.push({ clientId, clock, state: asState(reader.json()) })
  }
  reader.end()
  return entries
}

function asState(value: unknown): Record<string, unknown> | null {
  if (value === null) return null
  if (!isRecord(value)) throw new MalformedMessage('an awareness state that is no object')
  return value
}

const noticeKinds: readonly string[] = [
  'refused',
  'role',
  'read-only',
  'degraded',
  'draining',
  'generation',
  'fork',
  'document',
  'damaged',
] satisfies Notice['kind'][]

function readNotice(value: unknown): Notice | null {
  if (!isRecord(value) || typeof value.kind !== 'string') throw new MalformedMessage('a notice of no kind')
  if (!noticeKinds.includes(value.kind)) return null
  const notice: Notice = {
    kind: value.kind as Notice['kind'],
    reason: typeof value.reason === 'string' ? value.reason : '',
  }
  if (typeof value.frame === 'number') notice.frame = value.frame
  if (typeof value.retry_after === 'number') notice.retry_after = value.retry_after
  if (typeof value.limit === 'string') notice.limit = value.limit
  if (typeof value.role === 'string') notice.role = value.role
  if (value.recovered === true) notice.recovered = true
  return notice
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A state of who is here, ours on its way out or those of others. */
export function isAwareness(frame: Uint8Array): boolean {
  return frame[0] === AWARENESS
}

/** What the server answers at once, whatever it is busy with. */
export function encodeQueryAwareness(): Uint8Array {
  return Uint8Array.of(QUERY_AWARENESS)
}

/** All was asked for again, and our text still contradicts the digest. */
export function encodeDoubt(): Uint8Array {
  return Uint8Array.of(DOUBT)
}

/** The first message of our client. `generation` is the one of the copy it holds, 0 for none. */
export function encodeHello(generation: number): Uint8Array {
  return encoding.encode(encoder => {
    for (const value of [HELLO, PROTOCOL_VERSION, generation, 0]) encoding.writeVarUint(encoder, value)
  })
}

export const encodeStep1 = (stateVector: Uint8Array): Uint8Array => encodeSync(STEP_1, stateVector)
export const encodeStep2 = (update: Uint8Array): Uint8Array => encodeSync(STEP_2, update)
export const encodeUpdate = (update: Uint8Array): Uint8Array => encodeSync(UPDATE, update)

function encodeSync(step: number, payload: Uint8Array): Uint8Array {
  return encoding.encode(encoder => {
    encoding.writeVarUint(encoder, SYNC)
    encoding.writeVarUint(encoder, step)
    encoding.writeVarUint8Array(encoder, payload)
  })
}

export function encodeAwareness(entries: readonly AwarenessEntry[]): Uint8Array {
  const payload = encoding.encode(encoder => {
    encoding.writeVarUint(encoder, entries.length)
    for (const { clientId, clock, state } of entries) {
      encoding.writeVarUint(encoder, clientId)
      encoding.writeVarUint(encoder, clock)
      encoding.writeVarString(encoder, JSON.stringify(state))
    }
  })
  return encoding.encode(encoder => {
    encoding.writeVarUint(encoder, AWARENESS)
    encoding.writeVarUint8Array(encoder, payload)
  })
}
