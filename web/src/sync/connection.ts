// One WebSocket that comes back by itself: jittered exponential backoff, a watchdog for connections that died in
// silence, and an end for the close codes that retrying can not mend.
import { type ReadonlySignal, signal } from '@preact/signals-core'
import { openSocket } from './early'
import type { ConnectionState } from './types'

const FIRST_DELAY_MS = 1_000
const LONGEST_DELAY_MS = 30_000
const SILENCE_MS = 30_000 // the server says something at least every 15 s
const CONNECT_MS = 15_000
const CHECK_MS = 5_000
const SLEPT_MS = 3 * CHECK_MS // the check comes late only where the page or the whole machine stood still
const TRY_LATER = 1013
const LATER_MS = 5_000 // and up to twice as long, so that those who were sent away do not come back together
const BROWSER_OFFLINE = 'The browser is offline'

export interface ConnectionEvents {
  /** `isAsked`: on this connection hello was said and all of the text asked for already. */
  opened(isAsked: boolean): void
  message(bytes: Uint8Array): void
  lost(): void
}

/** Close codes 4400 to 4499 say that trying again with the same request can not succeed. */
export function isFinal(code: number): boolean {
  return code >= 4400 && code <= 4499
}

/** Milliseconds before attempt `attempt` (from 0): 1, 2, 4 ... 30 s, of which `random` (0..1) takes away up to half. */
export function backoff(attempt: number, random: number): number {
  const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10))
  return Math.max(FIRST_DELAY_MS, Math.round(longest * (1 - random / 2)))
}

export class Connection {
  readonly #state = signal<ConnectionState>({
    phase: 'waiting',
    retryAt: null,
    code: null,
    reason: '',
    since: Date.now(),
    served: false,
  })
  readonly #stop = new AbortController()
  readonly #watchdog: ReturnType<typeof setInterval>
  #socket: WebSocket | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #attempt = 0
  #leastDelay = 0
  #heardAt = 0
  #checkedAt = Date.now()

  constructor(
    private readonly url: string,
    private readonly events: ConnectionEvents,
  ) {
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
    if (this.#socket || this.#stop.signal.aborted) return
    clearTimeout(this.#retry)
    this.#enter({ phase: 'connecting', retryAt: null, served: false })
    this.#heardAt = Date.now()
    const { socket, isAsked } = openSocket(this.url, (from, event) => {
      if (event instanceof MessageEvent) this.#heard(from, event.data)
      else if (event instanceof CloseEvent) this.#closed(from, event.code, event.reason)
      else this.#opened(from, isAsked())
    })
    this.#socket = socket
  }

  /** Connects now if the connection is between two attempts. */
  retryNow(): void {
    if (this.#state.peek().phase === 'waiting') this.connect()
  }

  /** Sends a frame; false when there is no open socket, and then the frame is gone. */
  send(frame: Uint8Array): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false
    this.#socket.send(frame as Uint8Array<ArrayBuffer>)
    return true
  }

  /** The exchange works: the next loss starts again from the shortest delay. */
  settled(): void {
    this.#attempt = 0
    this.#state.value = { ...this.#state.peek(), served: true }
  }

  /** The server asks to stay away for a while after this connection. */
  delayAtLeast(milliseconds: number): void {
    this.#leastDelay = Math.max(this.#leastDelay, Math.min(milliseconds, LONGEST_DELAY_MS))
  }

  /** Gives the present socket up and tries again later. */
  drop(reason: string): void {
    const socket = this.#socket
    if (!socket) return
    this.#closed(socket, 1006, reason)
    socket.close()
  }

  /** Ends for good, e.g. because the local copy can not go on; the state keeps the code. */
  end(code: number, reason: string): void {
    const socket = this.#socket
    if (!socket) return
    this.#closed(socket, code, reason)
    socket.close()
  }

  destroy(): void {
    this.#stop.abort()
    clearInterval(this.#watchdog)
    clearTimeout(this.#retry)
    const socket = this.#socket
    this.#socket = undefined
    socket?.close()
  }

  #opened(socket: WebSocket, isAsked: boolean): void {
    if (socket !== this.#socket) return
    this.#heardAt = Date.now()
    this.#leastDelay = 0
    this.#enter({ phase: 'open', code: null, reason: '' })
    this.events.opened(isAsked)
  }

  #heard(socket: WebSocket, data: unknown): void {
    if (socket !== this.#socket) return
    this.#heardAt = Date.now()
    if (data instanceof ArrayBuffer) this.events.message(new Uint8Array(data))
    else this.drop('The server sent text')
  }

  #closed(socket: WebSocket, code: number, reason: string): void {
    if (socket !== this.#socket) return
    this.#socket = undefined
    if (isFinal(code)) this.#enter({ phase: 'closed', retryAt: null, code, reason })
    else this.#wait(code, reason)
    this.events.lost()
  }

  #wait(code: number, reason: string): void {
    if (code === TRY_LATER) this.delayAtLeast(LATER_MS * (1 + Math.random()))
    const delay = Math.max(backoff(this.#attempt, Math.random()), this.#leastDelay)
    this.#attempt += 1
    this.#retry = setTimeout(() => this.connect(), delay)
    this.#enter({ phase: 'waiting', retryAt: Date.now() + delay, code, reason })
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
    if (this.#socket && Date.now() - this.#heardAt > limit) this.drop('The server fell silent')
  }
}
