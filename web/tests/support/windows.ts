// What windows of one browser have in common, played in one: locks and channels.
import { vi } from 'vitest'

interface Asked {
  name: string
  hold: (lock: unknown) => unknown
  resolve: (value: unknown) => void
  reject: (reason: unknown) => void
}

const aborted = (): DOMException => new DOMException('aborted', 'AbortError')

/** `navigator.locks`: each has one holder, the others in a queue; stealing ends the holder's request. */
export class Locks {
  readonly #held = new Map<string, Asked>()
  #queue: Asked[] = []

  /** How many wait. */
  get waiting(): number {
    return this.#queue.length
  }

  request(name: string, { signal, steal, ifAvailable }: LockOptions, hold: Asked['hold']): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const asked = { name, hold, resolve, reject }
      signal?.addEventListener('abort', () => {
        if (!this.#queue.includes(asked)) return
        this.#queue.splice(this.#queue.indexOf(asked), 1)
        reject(aborted())
      })
      if (ifAvailable && this.#held.has(name)) {
        resolve(hold(null))
        return
      }
      if (steal) this.#held.get(name)?.reject(aborted())
      if (steal) this.#held.delete(name)
      if (steal) this.#queue.unshift(asked)
      else this.#queue.push(asked)
      queueMicrotask(() => this.#next(name))
    })
  }

  #next(name: string): void {
    const next = this.#queue.find(asked => asked.name === name)
    if (!next || this.#held.has(name)) return
    this.#queue.splice(this.#queue.indexOf(next), 1)
    this.#held.set(name, next)
    const over = (value?: unknown): void => {
      next.resolve(value)
      if (this.#held.get(name) !== next) return
      this.#held.delete(name)
      this.#next(name)
    }
    Promise.resolve(next.hold({})).then(over, over)
  }
}

export class Channel {
  static #open = new Set<Channel>()
  onmessage: ((event: { data: unknown }) => void) | null = null

  constructor(private readonly name: string) {
    Channel.#open.add(this)
  }

  static closeAll(): void {
    Channel.#open.clear()
  }

  postMessage(data: unknown): void {
    for (const other of Channel.#open) {
      if (other === this || other.name !== this.name) continue
      const copy = structuredClone(data)
      queueMicrotask(() => Channel.#open.has(other) && other.onmessage?.({ data: copy }))
    }
  }

  close(): void {
    Channel.#open.delete(this)
  }
}

/** Gives this test's windows something in common; `locks: null` for pages that are offered none. */
export function share(locks: Locks | null = new Locks()): Locks | null {
  Channel.closeAll()
  vi.stubGlobal('BroadcastChannel', Channel)
  Object.defineProperty(navigator, 'locks', { value: locks ?? undefined, configurable: true })
  return locks
}

let hidden = false
Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true })

/** Whether windows that come from now on are looked at. */
export function hide(isHidden: boolean): void {
  hidden = isHidden
}
