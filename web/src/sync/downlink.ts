// One stream and one poll, as bytes to frames (docs/protocol.md, P22 and P23).
import { EventText } from './event-text'
import { framesOf } from './http-frames'
import { isProblem, passes } from './refusal'

export interface Heard {
  /** Bytes have come. */
  alive(): void
  /** A frame of the session that stands at this place of the query. */
  frame(place: number, frame: Uint8Array): void
}

/** The server knows none of the sessions that were asked for. */
export class Gone extends Error {}

/** Something answers, but not with what was asked for. */
export class Blocked extends Error {}

const NOT_FOUND = 404

async function* ask(url: string, type: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const answer = await fetch(url, { headers: { Accept: type }, cache: 'no-store', signal })
  if (answer.status === NOT_FOUND && isProblem(answer)) throw new Gone()
  if (passes(answer.status)) throw new Error(`status ${answer.status}`)
  const isIt = answer.ok && answer.headers.get('Content-Type')?.startsWith(type)
  if (!isIt) throw new Blocked(`status ${answer.status}`)
  const reader = answer.body?.getReader()
  try {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
      if (done) return
      yield value
    }
  } finally {
    // Whoever could not read what came takes no more of it.
    reader?.cancel().catch(() => {})
  }
}

/** Reads a stream to its end. */
export async function stream(url: string, heard: Heard, signal: AbortSignal): Promise<void> {
  const decoder = new TextDecoder()
  const events = new EventText((event, id, data) => {
    if (event !== 'frame') return
    const place = Number(id.split('.')[0])
    heard.frame(place, bytesOf(data))
  })
  for await (const bytes of ask(url, 'text/event-stream', signal)) {
    heard.alive()
    events.push(decoder.decode(bytes, { stream: true }))
  }
}

const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), letter => letter.charCodeAt(0))

/** Waits for what comes next. */
export async function poll(url: string, heard: Heard, signal: AbortSignal): Promise<void> {
  const parts: Uint8Array[] = []
  for await (const bytes of ask(url, 'application/octet-stream', signal)) {
    heard.alive()
    parts.push(bytes)
  }
  heard.alive()
  for (const { place, frame } of framesOf(joined(parts))) heard.frame(place, frame)
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
