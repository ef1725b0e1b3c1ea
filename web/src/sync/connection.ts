// A connection that comes back by itself: jittered exponential backoff, a watchdog for one that died in silence, and an
// end for the close codes that retrying can not mend. What carries it is decided in race.ts.
import { type ReadonlySignal, signal } from '@preact/signals-core'
import { BROKEN, GONE, isFinal, type Opener } from './carrier'
import { Race } from './race'
import type { ConnectionState } from './types'

const FIRST_DELAY_MS = 1_000
const LONGEST_DELAY_MS = 30_000
const SILENCE_MS = 30_000 // the server says something at least every 15 s
const CONNECT_MS = 15_000
const CHECK_MS = 5_000
const SLEPT_MS = 3 * CHECK_MS // the check comes late only where the page or the whole machine stood still
const RESTART = 1012
const RESTART_MS = 2_000 // and less, by chance: a server's people come to the others one after the other
const TRY_LATER = 1013
const LATER_MS = 5_000 // and up to twice as long, so that those who were sent away do not come back together
/** A server that only forgot the session, while this page slept for instance, has a place for another. */
const AT_ONCE_MS = 300
const BROWSER_OFFLINE = 'The browser is offline'

export interface ConnectionEvents {
  /** `isAsked`: on this connection hello was said and all of the text asked for already. */
  opened(isAsked: boolean): void
  message(bytes: Uint8Array): void
  lost(): void
}

/** Milliseconds before attempt `attempt` (from 0): 1, 2, 4 ... 30 s, of which `random` (0..1) takes away up to half. */
export function backoff(attempt: number, random: number): number {
  const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10))
  return Math.round(longest * (1 - random / 2))
}

export class Connection {
  readonly #state = signal<ConnectionState>({
    phase: 'waiting',
    retryAt: null,
    code: null,
    reason: '',
    since: Date.now(),
    served: false,
    carrier: null,
    detour: null,
  })
  readonly #stop = new AbortController()
  readonly #watchdog: ReturnType<typeof setInterval>
  readonly #race: Race
  #isTrying = false
  #retry: ReturnType<typeof setTimeout> | undefined
  #attempt = 0
  #leastDelay = 0
  #heardAt = 0
  #checkedAt = Date.now()

  constructor(
    openers: { socket: Opener; requests: Opener },
    private readonly events: ConnectionEvents,
  ) {
    this.#race = new Race(openers, {
      opened: isAsked => this.#opened(isAsked),
      message: frame => this.#heard(frame),
      alive: () => this.#alive(),
      changed: () => this.#carried(),
      lost: () => this.events.lost(),
      ended: (code, reason, afterMs) => {
        this.delayAtLeast(afterMs)
        this.#closed(code, reason)
      },
    })
    const { signal } = this.#stop
    window.addEventListener('online', () => this.retryNow(), { signal })
    // A server on this very machine answers without a network too: cut the line, then try as usual.
    window.addEventListener('offline', () => this.drop(BROWSER_OFFLINE), { signal })
    window.addEventListener('pageshow', () => this.#woke(), { signal })
    document.addEventListener('visibilitychange', () => document.hidden || this.#woke(), { signal })
    // Of a page that was frozen: nobody knows how long the server waited for it.
    document.addEventListener('resume', () => this.#woke(), { signal })
    this.#watchdog = setInterval(() => this.#check(), CHECK_MS)
  }

  get state(): ReadonlySignal<ConnectionState> {
    return this.#state
  }

  /** Starts an attempt unless one is under way or the end was final. */
  connect(): void {
    if (this.#isTrying || this.#stop.signal.aborted) return
    clearTimeout(this.#retry)
    this.#isTrying = true
    this.#enter({ phase: 'connecting', retryAt: null, served: false, carrier: null, detour: null })
    this.#heardAt = Date.now()
    this.#race.begin()
  }

  /** Connects now if the connection is between two attempts. */
  retryNow(): void {
    if (this.#state.peek().phase === 'waiting') this.connect()
  }

  /** Tries at once whether a WebSocket gets through now. */
  trySocket(): void {
    this.#race.tryAgain()
  }

  /** Sends a frame; false when nothing is open, and then the frame is gone. */
  send(frame: Uint8Array): boolean {
    return this.#race.send(frame)
  }

  /** The exchange works: the next loss starts again from the shortest delay. */
  settled(): void {
    this.#attempt = 0
    this.#race.settled()
    this.#state.value = { ...this.#state.peek(), served: true }
  }

  /** The server asks to stay away for a while after this connection. */
  delayAtLeast(milliseconds: number): void {
    this.#leastDelay = Math.max(this.#leastDelay, Math.min(milliseconds, LONGEST_DELAY_MS))
  }

  /** Gives what is open up and tries again later. */
  drop(reason: string): void {
    this.end(BROKEN, reason)
  }

  /** Ends with a code, for good where it is a final one: the local copy can not go on, for instance. */
  end(code: number, reason: string): void {
    if (!this.#isTrying) return
    this.#race.stop()
    this.#closed(code, reason)
  }

  destroy(): void {
    this.#stop.abort()
    clearInterval(this.#watchdog)
    clearTimeout(this.#retry)
    this.#isTrying = false
    this.#race.destroy()
  }

  #opened(isAsked: boolean): void {
    this.#leastDelay = 0
    this.#enter({ phase: 'open', code: null, reason: '' })
    this.#alive()
    this.events.opened(isAsked)
  }

  #heard(frame: Uint8Array): void {
    this.#alive()
    this.events.message(frame)
  }

  #alive(): void {
    this.#heardAt = Date.now()
    this.#carried()
  }

  #carried(): void {
    const known = this.#state.peek()
    const { detour } = this.#race
    const carrier = this.#race.carrier?.kind ?? null
    const isNew = carrier !== known.carrier || detour?.triedAgainAt !== known.detour?.triedAgainAt
    if (isNew) this.#state.value = { ...known, carrier, detour }
  }

  #closed(code: number, reason: string): void {
    this.#isTrying = false
    if (isFinal(code))
      this.#enter({ phase: 'closed', retryAt: null, code, reason, carrier: null, detour: null })
    else this.#wait(code, reason)
    this.events.lost()
  }

  #wait(code: number, reason: string): void {
    if (code === RESTART) this.delayAtLeast(RESTART_MS * Math.random())
    if (code === TRY_LATER) this.delayAtLeast(LATER_MS * (1 + Math.random()))
    const isForgotten = code === GONE && this.#state.peek().served
    const usual = isForgotten ? AT_ONCE_MS * Math.random() : backoff(this.#attempt, Math.random())
    const delay = Math.max(usual, this.#leastDelay)
    this.#attempt += 1
    this.#retry = setTimeout(() => this.connect(), delay)
    this.#enter({ phase: 'waiting', retryAt: Date.now() + delay, code, reason, carrier: null, detour: null })
  }

  #enter(change: Partial<ConnectionState>): void {
    this.#state.value = { ...this.#state.peek(), ...change, since: Date.now() }
  }

  #check(): void {
    const slept = Date.now() - this.#checkedAt > SLEPT_MS
    this.#checkedAt = Date.now()
    if (slept) this.#woke()
    else this.#checkSilence()
  }

  /** The page goes on after a while: a connection that died meanwhile is made anew at once. */
  #woke(): void {
    this.#checkSilence()
    this.retryNow()
  }

  #checkSilence(): void {
    const limit = this.#state.peek().phase === 'connecting' ? CONNECT_MS : SILENCE_MS
    if (this.#isTrying && Date.now() - this.#heardAt > limit) this.drop('The server fell silent')
  }
}
