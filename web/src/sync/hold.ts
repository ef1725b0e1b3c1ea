// Holds remote updates back while an input method composes: a remote insert into the line that is being composed breaks
// the composition and commits stray characters. Positions stay right because nothing of it is applied in between.

const RELEASE_DELAY_MS = 50 // the browser commits the composed text shortly after `compositionend`
const LONGEST_HOLD_MS = 5_000 // a composition left open must not hide the others for ever

export class HoldGate {
  #composing = false
  #waiting: Uint8Array[] = []
  #release: ReturnType<typeof setTimeout> | undefined
  #cap: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly apply: (updates: Uint8Array[]) => void) {}

  get holding(): boolean {
    return this.#composing || this.#release !== undefined
  }

  /** Updates that wait; the replica does not have them yet. */
  get waiting(): number {
    return this.#waiting.length
  }

  push(update: Uint8Array): void {
    if (!this.holding) {
      this.apply([update])
      return
    }
    this.#waiting.push(update)
    this.#cap ??= setTimeout(() => this.#open(), LONGEST_HOLD_MS)
  }

  hold(composing: boolean): void {
    if (composing === this.#composing) return
    this.#composing = composing
    clearTimeout(this.#release)
    this.#release = composing
      ? undefined
      : setTimeout(() => {
          this.#release = undefined
          this.#open()
        }, RELEASE_DELAY_MS)
  }

  #open(): void {
    clearTimeout(this.#cap)
    this.#cap = undefined
    const updates = this.#waiting
    this.#waiting = []
    if (updates.length > 0) this.apply(updates)
  }

  /** Drops the timers; what still waits is not applied. */
  close(): void {
    clearTimeout(this.#release)
    clearTimeout(this.#cap)
    this.#waiting = []
  }
}
