// Tells the others where we are: caret moves at most every 40 ms, and idle after a minute or in a hidden tab.
import type { Awareness } from './awareness'
import { type AwarenessEntry, encodeAwareness } from './wire'

const THROTTLE_MS = 40 // quick enough to follow an eye, 25 messages a second at most
const RENEW_MS = 15_000 // what y-protocols expects of a living client
const IDLE_MS = 60_000
const activities = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'focus'] as const

export class PresenceSender {
  readonly #stop = new AbortController()
  readonly #renew: ReturnType<typeof setInterval>
  #throttle: ReturnType<typeof setTimeout> | undefined
  #due = false
  #idle: ReturnType<typeof setTimeout> | undefined

  /** `send` returns false when there is no connection; the state is sent again by `announce`. */
  constructor(
    private readonly awareness: Awareness,
    private readonly send: (frame: Uint8Array) => boolean,
  ) {
    const { signal } = this.#stop
    const stop = awareness.onLocalChange(() => this.#soon())
    signal.addEventListener('abort', stop)
    for (const activity of activities) {
      window.addEventListener(activity, () => this.#active(), { signal, passive: true, capture: true })
    }
    document.addEventListener('visibilitychange', () => this.#visibility(), { signal })
    this.#renew = setInterval(() => this.announce(), RENEW_MS)
    this.#visibility()
  }

  /** Sends our state now: after connecting, on the server's query, and to renew it. */
  announce(): void {
    this.#due = false
    this.send(encodeAwareness([this.awareness.nextEntry()]))
  }

  /** Says that we leave. */
  leave(): void {
    const gone: AwarenessEntry = { ...this.awareness.nextEntry(), state: null }
    this.send(encodeAwareness([gone]))
  }

  destroy(): void {
    this.#stop.abort()
    clearInterval(this.#renew)
    clearTimeout(this.#throttle)
    clearTimeout(this.#idle)
  }

  #soon(): void {
    this.#due = true
    if (this.#throttle !== undefined) return
    // The first change of a burst leaves in this turn, the last one with the next tick.
    queueMicrotask(() => this.#tick())
    this.#throttle = setTimeout(() => {
      this.#throttle = undefined
      this.#tick()
    }, THROTTLE_MS)
  }

  #tick(): void {
    if (this.#due && !this.#stop.signal.aborted) this.announce()
  }

  #visibility(): void {
    if (document.hidden) this.#becomeIdle()
    else this.#active()
  }

  #active(): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => this.#becomeIdle(), IDLE_MS)
    if (!document.hidden) this.awareness.setLocal({ state: 'active' })
  }

  #becomeIdle(): void {
    clearTimeout(this.#idle)
    this.awareness.setLocal({ state: 'idle' })
  }
}
