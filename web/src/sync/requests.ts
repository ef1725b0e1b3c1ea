// Requests as a carrier: what is typed goes up in numbered POSTs, one after the other, and what others type comes down by
// a stream or, where a proxy keeps streams back, by polls (docs/protocol.md, P20-P26).
import { BROKEN, type Carrier, type CarrierEvents, type CarrierKind, GONE } from './carrier'
import { decodeClosing, joinFrames } from './http-frames'
import { type Listener, listen } from './listening'
import { afterMsOf, isProblem, passes, refusalOf } from './refusal'
import { isAwareness } from './wire'

/** Of frames that wait together; one may be larger than this all the same. */
const BODY_BYTES = 512 * 1024
/** The server takes ten thousand in one request. */
const BODY_FRAMES = 5_000
/** Browsers let 64 KB outlive a page. */
const OUTLIVING_BYTES = 60 * 1024
/** A request that failed is made again after this long, and each time twice as long. */
const AGAIN_MS = 250
const LONGEST_AGAIN_MS = 4_000
/** A request without an answer was probably lost; on a slow line a long one takes its time. */
const ANSWERED_WITHIN_MS = 10_000
const SLOW_BYTES_PER_MS = 8
/** A server that takes nothing for so long is away. */
const AWAY_MS = 30_000
/** Who refuses these bytes refuses them again. */
const REFUSED_AFTER_MS = 30_000
/** The last frame of a session says why it is over. */
const LAST_WORD_MS = 1_000
const TOO_LARGE = 413
const UNKNOWN = 404
const FRAME_TOO_LARGE = 1009

export class Requests implements Carrier {
  #session = ''
  #listener: Listener | undefined
  /** Frames that wait for the request before them. */
  #waiting: Uint8Array[] = []
  /** Frames of the request that is under way. */
  #leaving: Uint8Array[] = []
  #isSending = false
  #count = 0
  #isOver = false
  readonly #stop = new AbortController()

  constructor(
    private readonly base: string,
    private readonly id: string,
    private readonly events: CarrierEvents,
  ) {
    window.addEventListener('pagehide', this.#pageGone)
    void this.#begin()
  }

  get kind(): CarrierKind {
    return this.#listener?.kind ?? 'stream'
  }

  send(frame: Uint8Array): boolean {
    if (this.#isOver || !this.#session) return false
    // Of carets that wait only the newest would count there (P9).
    const last = this.#waiting.at(-1)
    if (last && isAwareness(last) && isAwareness(frame)) this.#waiting.pop()
    this.#waiting.push(frame)
    void this.#sendAll()
    return true
  }

  close(): void {
    if (this.#isOver) return
    this.#leave()
    this.#forgetSession()
  }

  /** A page that goes for good sends what is left in requests that outlive it, and nobody waits for it any more. */
  readonly #pageGone = (event: PageTransitionEvent): void => {
    if (event.persisted || this.#isOver || !this.#session) return
    const [leaving, waiting] = [joinFrames(this.#leaving), joinFrames(this.#waiting)]
    // Nothing is sent behind it, as that somebody is idle in a page that is hidden now.
    this.#isOver = true
    this.#listener?.stop()
    if (leaving.length + waiting.length > OUTLIVING_BYTES) {
      // It is on this device, and offered when the document is opened again.
      this.#forgetSession()
      return
    }
    // What is under way may never arrive: it goes once more under its number, and the rest under the next one, which
    // would be refused without it. What comes twice counts once.
    if (this.#leaving.length > 0) this.#sendOff(leaving, this.#count)
    this.#count += 1
    this.#sendOff(waiting, this.#count, '&last=true')
  }

  #sendOff(body: Uint8Array, number: number, more = ''): void {
    const url = this.#address('frames', `&n=${number}${more}`)
    void fetch(url, { ...asBody(body), keepalive: true }).catch(() => null)
  }

  #leave(): void {
    window.removeEventListener('pagehide', this.#pageGone)
    this.#isOver = true
    this.#waiting = []
    this.#stop.abort()
    this.#listener?.stop()
  }

  /** Nobody is to take us for there for a minute longer. */
  #forgetSession(): void {
    if (!this.#session) return
    void fetch(this.#address('sessions'), { method: 'DELETE', keepalive: true }).catch(() => null)
  }

  #end(code: number, reason: string, afterMs = 0): void {
    if (this.#isOver) return
    this.#leave()
    if (code === BROKEN || code === FRAME_TOO_LARGE) this.#forgetSession()
    this.events.closed(code, reason, afterMs)
  }

  #address(what: string, query = ''): string {
    return `${this.base}/${what}/${encodeURIComponent(this.id)}?session=${this.#session}${query}`
  }

  async #begin(): Promise<void> {
    const url = `${this.base}/sessions/${encodeURIComponent(this.id)}`
    // Not ended by `close`: what has begun there by then is to be ended there.
    const answer = await fetchWithin(ANSWERED_WITHIN_MS, url, { method: 'POST', cache: 'no-store' })
    const made = answer?.ok ? ((await answer.json().catch(() => null)) as { session?: string } | null) : null
    if (!made?.session) {
      const { code, reason, afterMs } = await refusalOf(answer)
      this.#end(code, reason, afterMs)
      return
    }
    this.#session = made.session
    if (this.#isOver) {
      this.#forgetSession()
      return
    }
    this.#listener = listen(this.base, this.id, this.#session, {
      heard: frame => this.#heard(frame),
      alive: () => this.events.alive(),
      gone: (code, reason) => this.#end(code, reason),
    })
    this.events.opened(false)
  }

  #heard(frame: Uint8Array): void {
    if (this.#isOver) return
    const closing = decodeClosing(frame)
    if (closing) this.#end(closing.code, closing.reason)
    else this.events.heard(frame)
  }

  async #sendAll(): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    // What is typed in this turn goes together.
    await Promise.resolve()
    for (let bytes = BODY_BYTES; this.#waiting.length > 0 && !this.#isOver; ) {
      this.#leaving = this.#next(bytes)
      this.#count += 1
      const isTaken = await this.#post(this.#leaving, this.#count)
      if (!isTaken && !this.#isOver) {
        // It was too much at once: the same number with less.
        bytes = 1
        this.#waiting.unshift(...this.#leaving)
        this.#count -= 1
      }
      this.#leaving = []
    }
    this.#isSending = false
  }

  #next(most: number): Uint8Array[] {
    let bytes = 0
    let some = 0
    while (some < this.#waiting.length && (some === 0 || (bytes < most && some < BODY_FRAMES))) {
      bytes += this.#waiting[some]?.length ?? 0
      some += 1
    }
    return this.#waiting.splice(0, some)
  }

  /** Until it was taken: the server takes the same number once. False where it is too much at once. */
  async #post(frames: readonly Uint8Array[], number: number): Promise<boolean> {
    const body = joinFrames(frames)
    const url = this.#address('frames', `&n=${number}`)
    const slowMs = body.length / SLOW_BYTES_PER_MS
    const until = Date.now() + AWAY_MS + slowMs
    let delay = AGAIN_MS
    while (!this.#isOver) {
      const answer = await fetchWithin(ANSWERED_WITHIN_MS + slowMs, url, asBody(body), this.#stop.signal)
      if (answer?.ok) {
        // Whatever was sent is answered, if only by what everybody hears.
        this.#listener?.expect()
        return true
      }
      if (answer?.status === TOO_LARGE && frames.length > 1) return false
      if (answer?.status === UNKNOWN && isProblem(answer)) {
        this.#listener?.expect()
        await pause(LAST_WORD_MS, this.#stop.signal)
      }
      this.#failed(answer, until)
      await pause(Math.max(delay, answer ? afterMsOf(answer) : 0), this.#stop.signal)
      delay = Math.min(LONGEST_AGAIN_MS, delay * 2)
    }
    return false
  }

  /** Goes on for as long as that may help. */
  #failed(answer: Response | null, until: number): void {
    if (!answer || passes(answer.status)) {
      if (Date.now() > until) this.#end(BROKEN, 'The server does not answer')
      return
    }
    const [isOwn, { status }] = [isProblem(answer), answer]
    if (isOwn && status === TOO_LARGE) this.#end(FRAME_TOO_LARGE, 'It is more than the server takes at once')
    else if (isOwn && status === UNKNOWN) this.#end(GONE, 'The session has ended')
    else this.#end(BROKEN, `What was sent was refused (${status})`, REFUSED_AFTER_MS)
  }
}

function asBody(body: Uint8Array): RequestInit {
  return {
    method: 'POST',
    body: body as Uint8Array<ArrayBuffer>,
    headers: { 'Content-Type': 'application/octet-stream' },
  }
}

/** Null where nothing answers in time. */
async function fetchWithin(
  ms: number,
  url: string,
  how: RequestInit,
  stop?: AbortSignal,
): Promise<Response | null> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), ms)
  const stopped = (): void => late.abort()
  stop?.addEventListener('abort', stopped)
  try {
    return await fetch(url, { ...how, signal: late.signal })
  } catch {
    return null
  } finally {
    clearTimeout(timer)
    stop?.removeEventListener('abort', stopped)
  }
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const over = (): void => {
      clearTimeout(timer)
      stop.removeEventListener('abort', over)
      resolve()
    }
    const timer = setTimeout(over, stop.aborted ? 0 : ms)
    stop.addEventListener('abort', over)
  })
}

export const openRequests = (base: string, id: string, events: CarrierEvents): Carrier =>
  new Requests(base, id, events)
