// Of the windows of this browser that have something in common, one has the turn: it listens for all of them.
import { request, untilAborted } from './locks'

export class Turn {
  #mine: AbortController | undefined
  #waiting: AbortController | undefined
  #isTaking = false
  #isAlone = false
  readonly #stop = new AbortController()

  /**
   * `begin` is called when it is this window's turn; the signal tells that it is another's. `alone` is called before it
   * where this browser lets windows not agree.
   */
  constructor(
    private readonly name: string,
    private readonly begin: (signal: AbortSignal) => void,
    private readonly alone: () => void,
  ) {}

  /** Takes part: the window that is looked at takes the turn, since others may be frozen. */
  start(): void {
    const { signal } = this.#stop
    const come = (): void => this.come()
    document.addEventListener('visibilitychange', come, { signal })
    document.addEventListener('resume', come, { signal })
    window.addEventListener('pageshow', come, { signal })
    // A page that is kept as it is hears nothing; another window may.
    const leave = (): void => this.#leave()
    document.addEventListener('freeze', leave, { signal })
    window.addEventListener('pagehide', leave, { signal })
    come()
  }

  /** Waits for its turn, or takes it where this window is looked at. */
  come(): void {
    if (this.#isAlone) this.standAlone()
    else if (document.hidden) this.#wait()
    else this.take()
  }

  #wait(): void {
    if (this.#stop.signal.aborted || this.#mine || this.#waiting) return
    const waiting = new AbortController()
    this.#waiting = waiting
    this.#ask({ signal: waiting.signal })
  }

  /** Takes it at once, from whoever has it. */
  take(): void {
    if (this.#isAlone) this.standAlone()
    if (this.#stop.signal.aborted || this.#mine || this.#isTaking) return
    this.#isTaking = true
    this.#ask({ steal: true })
  }

  #leave(): void {
    this.#waiting?.abort()
    this.#mine?.abort()
    this.#waiting = this.#mine = undefined
  }

  /** This browser lets windows not agree: each has a turn of its own. */
  standAlone(): void {
    this.#isAlone = true
    if (this.#stop.signal.aborted || this.#mine) return
    this.#mine = new AbortController()
    this.alone()
    this.begin(this.#mine.signal)
  }

  stop(): void {
    this.#stop.abort()
    this.#leave()
  }

  #ask(how: LockOptions): void {
    let held: AbortController | undefined
    const hold = (): Promise<void> | undefined => {
      held = this.#hold()
      return held && untilAborted(held.signal)
    }
    request(this.name, how, hold)
      .catch((error: unknown) => error)
      .then(error => {
        if (how.steal) this.#isTaking = false
        if (held) this.#lost(held)
        else if (error instanceof DOMException && error.name === 'AbortError') return
        else if (error) this.standAlone()
      })
  }

  #hold(): AbortController | undefined {
    this.#isTaking = false
    if (this.#stop.signal.aborted || this.#mine) return undefined
    const mine = new AbortController()
    this.#mine = mine
    this.#waiting?.abort()
    this.#waiting = undefined
    this.begin(mine.signal)
    return mine
  }

  /** Another window has taken it; it may be gone one day too. */
  #lost(held: AbortController): void {
    held.abort()
    if (this.#mine !== held) return
    this.#mine = undefined
    this.#wait()
  }
}
