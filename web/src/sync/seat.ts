// Over HTTP/1.1 a browser opens six connections to a server. Whatever listens for long takes one of four seats, so that with
// many documents open there is a connection left for what is typed; who finds no seat asks now and then.
import { request, untilAborted } from './locks'

const SEATS = 4

/** Over HTTP/2 and 3 one connection has room for all. */
function isShared(): boolean {
  const [page] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
  return ['h2', 'h3'].includes(page?.nextHopProtocol ?? '')
}

export class Seat {
  #isTaken = false

  /** It is given back with the signal. */
  constructor(private readonly signal: AbortSignal) {}

  /** True where it is taken, or none is needed. */
  async take(): Promise<boolean> {
    this.#isTaken ||= isShared()
    for (let number = 0; number < SEATS && !this.#isTaken; number++) {
      this.#isTaken = await this.#try(`coscribe seat ${number}`)
    }
    return this.#isTaken
  }

  #try(name: string): Promise<boolean> {
    return new Promise(resolve => {
      request(name, { ifAvailable: true }, lock => {
        resolve(lock !== null)
        return lock === null ? undefined : untilAborted(this.signal)
      }).catch(() => {
        // Where windows cannot agree nobody counts; a seat that is taken away was not renewed in time.
        resolve(true)
        this.#isTaken = false
      })
    })
  }
}
