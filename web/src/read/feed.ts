/** What the read page hears; the rest of the feed's fields it does not need. */
export interface Reader {
  id: string
  client: string
  name: string
  colour: number
  color: string
  state: 'active' | 'idle'
  line: number | null
}

export interface Deed {
  id: string
  kind: string
  by: { name: string }
  at: string
  data: { title?: string }
}

export interface PresenceChange {
  people?: Reader[]
  joined?: Reader
  moved?: Reader
  left?: Reader
}

/** What the page does with the feed. */
export interface Listener {
  onText: () => void
  onTitle: (title: string) => void
  onDeed: (deed: Deed) => void
  onPresence: (change: PresenceChange) => void
  onState: (state: 'live' | 'connecting' | 'gone') => void
}

interface Polled {
  events: { event: string; id: string | null; data: unknown }[]
  next: string
  people: Reader[]
}

/** So many failures without one opening mean that something on the way holds streams back. */
const MOST_FAILURES = 3
const WAIT_S = 25
const RETRY_MS = 2_000
const LONGEST_RETRY_MS = 30_000
/** The server's comment lines cannot be heard here; without an event for so long the line may be dead. */
const QUIET_MS = 30_000

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

const isGone = (status: number): boolean => [401, 403, 404, 410].includes(status)

/** Follows a document's feed: as an event stream, or by long polls over the same events where streams fail. */
export class Feed {
  private failures = 0
  private streams = false
  private retryMs = RETRY_MS
  private stream: EventSource | null = null
  private heardAt = performance.now()

  constructor(
    private readonly address: string,
    private position: string,
    private readonly listener: Listener,
  ) {}

  start(): void {
    const stream = new EventSource(`${this.address}?after=${encodeURIComponent(this.position)}`)
    this.stream = stream
    stream.onopen = () => {
      this.heardAt = performance.now()
      this.failures = 0
      this.streams = true
      this.retryMs = RETRY_MS
      this.listener.onState('live')
    }
    stream.onerror = () => void this.onFailure(stream)
    for (const kind of ['snapshot', 'text', 'activity', 'presence']) {
      stream.addEventListener(kind, event => this.hear(kind, event.lastEventId, JSON.parse(event.data)))
    }
  }

  /** After sleep or a change of network a stream can be dead without a word: a quiet one is opened anew. */
  wake(): void {
    const quiet = performance.now() - this.heardAt > QUIET_MS
    if (this.stream?.readyState !== EventSource.OPEN || !quiet) return
    this.stream.close()
    this.listener.onState('connecting')
    this.start()
  }

  private hear(kind: string, position: string | null, data: unknown): void {
    this.heardAt = performance.now()
    if (position) this.position = position
    if (kind === 'snapshot') {
      this.listener.onTitle((data as { title: string }).title)
      this.listener.onText()
    } else if (kind === 'text') this.listener.onText()
    else if (kind === 'activity') this.listener.onDeed(data as Deed)
    else if (kind === 'presence') this.listener.onPresence(data as PresenceChange)
  }

  private async onFailure(stream: EventSource): Promise<void> {
    this.listener.onState('connecting')
    this.failures += 1
    const closed = stream.readyState === EventSource.CLOSED
    // The browser tries again by itself unless the answer was an error.
    if (!closed && this.failures < MOST_FAILURES) return
    stream.close()
    this.stream = null
    if (this.failures >= MOST_FAILURES) {
      await this.poll()
      return
    }
    if (await this.isWithdrawn()) return
    await pause(this.retryMs)
    this.start()
  }

  private ask(waitS: number): Promise<Response> {
    const query = `after=${encodeURIComponent(this.position)}&wait=${waitS}`
    return fetch(`${this.address}?${query}`, { headers: { Accept: 'application/json' }, cache: 'no-store' })
  }

  /** Asks once whether the page is still shared; silence is no answer. */
  private async isWithdrawn(): Promise<boolean> {
    const response = await this.ask(0).catch(() => null)
    const gone = response !== null && isGone(response.status)
    if (gone) this.listener.onState('gone')
    return gone
  }

  private async poll(): Promise<void> {
    let waitS = 0
    for (;;) {
      const response = await this.ask(waitS).catch(() => null)
      if (response && isGone(response.status)) {
        this.listener.onState('gone')
        return
      }
      // An answer that breaks off is none.
      const polled = response?.ok ? ((await response.json().catch(() => null)) as Polled | null) : null
      if (polled) {
        this.take(polled)
        // It was the server that was away, not the stream that was held back.
        if (this.streams) {
          this.start()
          return
        }
        waitS = WAIT_S
      } else {
        this.listener.onState('connecting')
        await pause(this.retryMs)
        this.retryMs = Math.min(LONGEST_RETRY_MS, this.retryMs * 2)
        waitS = 0
      }
    }
  }

  private take({ events, next, people }: Polled): void {
    this.retryMs = RETRY_MS
    this.listener.onState('live')
    for (const { event, id, data } of events) if (event !== 'presence') this.hear(event, id, data)
    this.listener.onPresence({ people })
    this.position = next
  }
}
