// What `navigator.locks` does, for pages without it, as those over plain HTTP are: a note in localStorage that is renewed.

const EVERY_MS = 1_000
/** A window that is gone renews nothing; one in the background may be late. */
const LASTS_MS = 5_000
/** Of two windows that write at once the later one has it. */
const SETTLES_MS = 100

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

class Lease {
  readonly key: string
  readonly #owner = Math.random().toString(36).slice(2)

  constructor(name: string) {
    this.key = `coscribe.lease ${name}`
  }

  get #held(): [owner: string, until: number] {
    const [owner = '', until = '0'] = (localStorage.getItem(this.key) ?? '').split(' ')
    return [owner, Number(until)]
  }

  get isMine(): boolean {
    return this.#held[0] === this.#owner
  }

  get isFree(): boolean {
    return !(this.#held[1] > Date.now())
  }

  write(): void {
    localStorage.setItem(this.key, `${this.#owner} ${Date.now() + LASTS_MS}`)
  }

  remove(): void {
    if (this.isMine) localStorage.removeItem(this.key)
  }

  /** Waits for it, unless it is wanted only where it is free; false where that is over without it. */
  async get({ signal, steal, ifAvailable }: LockOptions): Promise<boolean> {
    for (let isForced = steal === true; !signal?.aborted; isForced = false) {
      if (isForced || this.isFree) {
        this.write()
        await pause(SETTLES_MS)
        if (this.isMine) return !signal?.aborted
      }
      if (ifAvailable) return false
      await pause(EVERY_MS)
    }
    return false
  }
}

const stolen = (): DOMException => new DOMException('Another window has taken it', 'AbortError')

/** As `navigator.locks.request`. */
export async function request(
  name: string,
  how: LockOptions,
  hold: (lock: unknown) => unknown,
): Promise<void> {
  const lease = new Lease(name)
  const isHeld = await lease.get(how)
  if (how.signal?.aborted) {
    lease.remove()
    throw stolen()
  }
  if (!isHeld) {
    hold(null)
    return
  }
  const over = new AbortController()
  const taken = new Promise<never>((_, reject) => {
    const renew = (): void => {
      if (lease.isMine) lease.write()
      else reject(stolen())
    }
    const renewing = setInterval(renew, EVERY_MS)
    over.signal.addEventListener('abort', () => clearInterval(renewing))
    // Another window has written.
    window.addEventListener('storage', ({ key }) => key === lease.key && renew(), { signal: over.signal })
  })
  try {
    await Promise.race([hold(lease), taken])
  } finally {
    over.abort()
    lease.remove()
  }
}
