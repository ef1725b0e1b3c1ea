import { POLLS, remember, remembers } from '../sync/memory'
import { isProblem } from '../sync/refusal'
import { Seat } from '../sync/seat'

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
/** The first event comes with the head of a stream: one that is silent for so long is held back until it ends. */
const HEARD_WITHIN_MS = 5_000
/** How long polls go on before a stream is tried again, each time twice as long. */
const STREAM_AGAIN_MS = 60_000
const LONGEST_STREAM_AGAIN_MS = 960_000
const WAIT_S = 20
const SHORTEST_WAIT_S = 3
const GATHER_MS = 100
const EARLY_MS = 1_000
const RETRY_MS = 2_000
const LONGEST_RETRY_MS = 30_000
/** The server's comment lines cannot be heard here; without an event for so long the line may be dead. */
const QUIET_MS = 30_000
/** Who has no seat asks so often. */
const NO_SEAT_MS = 3_000

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** The server's own word that this is not shared any more; a firewall's word with the same number is none. */
const isGone = (response: Response): boolean =>
  [401, 403, 404, 410].includes(response.status) && isProblem(response)

/** What comes of a poll: `cut` where something on the way did not let it wait, `end` where no other is to follow. */
type Came = 'events' | 'early' | 'nothing' | 'cut' | 'end'

/** Follows a document's feed: as an event stream, or by long polls over the same events where streams fail. */
export class Feed {
  private failures = 0
  /** A stream was heard: it is the server that is away then, not the stream that is held back. */
  private streams = false
  private state: 'live' | 'connecting' | 'gone' | null = null
  private retryMs = RETRY_MS
  private stream: EventSource | null = null
  private heardAt = performance.now()
  private patience: ReturnType<typeof setTimeout> | undefined
  private streamAgainMs = STREAM_AGAIN_MS
  private waitS = WAIT_S
  private readonly over = new AbortController()
  private readonly seat = new Seat(this.over.signal)
  private looking: ReturnType<typeof setInterval> | undefined

  constructor(
    private readonly address: string,
    /** Where the next stream or poll goes on. */
    public position: string,
    private readonly listener: Listener,
  ) {}

  private get stopped(): boolean {
    return this.over.signal.aborted
  }

  stop(): void {
    this.over.abort()
    clearTimeout(this.patience)
    clearInterval(this.looking)
    this.stream?.close()
  }

  start(): void {
    this.looking = setInterval(() => void this.look(), QUIET_MS)
    if (remembers(POLLS)) void this.poll(this.streamAgainMs)
    else void this.listen()
  }

  private async listen(): Promise<void> {
    const hasSeat = await this.seat.take()
    if (this.stopped) return
    if (!hasSeat) {
      void this.poll(0)
      return
    }
    this.expect(HEARD_WITHIN_MS)
    const stream = new EventSource(`${this.address}?after=${encodeURIComponent(this.position)}`)
    this.stream = stream
    stream.onerror = () => void this.onFailure(stream)
    for (const kind of ['snapshot', 'text', 'activity', 'presence']) {
      stream.addEventListener(kind, event => this.onEvent(kind, event))
    }
  }

  /** After sleep or a change of network a stream can be dead without a word: a quiet one is opened anew. */
  wake(): void {
    const quiet = performance.now() - this.heardAt > QUIET_MS
    if (this.stream?.readyState === EventSource.OPEN && quiet) this.reopen()
  }

  private reopen(): void {
    this.stream?.close()
    this.is('connecting')
    void this.listen()
  }

  /** Of a quiet stream nobody knows whether it is dead: whoever is looked at asks beside it. */
  private async look(): Promise<void> {
    const { stream, position } = this
    const isQuiet = performance.now() - this.heardAt > QUIET_MS
    if (document.hidden || !isQuiet || stream?.readyState !== EventSource.OPEN) return
    const came = await this.pollOnce(0)
    // What it should have brought came by the answer, or not even that did.
    if (this.stream === stream && (came === 'nothing' || this.position !== position)) this.reopen()
  }

  private is(state: 'live' | 'connecting' | 'gone'): void {
    if (state === this.state) return
    this.state = state
    this.listener.onState(state)
  }

  private expect(withinMs: number): void {
    clearTimeout(this.patience)
    this.patience = setTimeout(() => this.onSilence(), withinMs)
  }

  /** Something on the way keeps what the stream says. */
  private onSilence(): void {
    this.stream?.close()
    this.stream = null
    this.streams = false
    const ms = this.streamAgainMs
    remember(POLLS, ms)
    this.streamAgainMs = Math.min(LONGEST_STREAM_AGAIN_MS, ms * 2)
    void this.poll(ms)
  }

  /** What is new, once and at once. */
  async catchUp(): Promise<void> {
    await this.pollOnce(0)
  }

  private onEvent(kind: string, event: MessageEvent<string>): void {
    clearTimeout(this.patience)
    this.failures = 0
    this.streams = true
    this.retryMs = RETRY_MS
    this.is('live')
    this.hear(kind, event.lastEventId, JSON.parse(event.data))
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
    if (this.stopped || stream !== this.stream) return
    clearTimeout(this.patience)
    this.is('connecting')
    this.failures += 1
    const closed = stream.readyState === EventSource.CLOSED
    if (!closed && this.failures < MOST_FAILURES) {
      // The browser tries again by itself, in two seconds, unless the answer was an error.
      this.expect(RETRY_MS + HEARD_WITHIN_MS)
      return
    }
    stream.close()
    this.stream = null
    if (this.failures >= MOST_FAILURES) {
      await this.poll(this.streamAgainMs)
      return
    }
    if (await this.isWithdrawn()) return
    await pause(this.retryMs)
    void this.listen()
  }

  private ask(waitS: number): Promise<Response | null> {
    const query = `after=${encodeURIComponent(this.position)}&wait=${waitS}`
    const headers = { Accept: 'application/json' }
    const { signal } = this.over
    return fetch(`${this.address}?${query}`, { headers, cache: 'no-store', signal }).catch(() => null)
  }

  /** Asks once whether the page is still shared; silence is no answer. */
  private async isWithdrawn(): Promise<boolean> {
    const response = await this.ask(0)
    const gone = response !== null && isGone(response)
    if (gone) this.is('gone')
    return gone
  }

  /** Polls for so long, and where streams were heard before until the server is back. */
  private async poll(forMs: number): Promise<void> {
    const until = performance.now() + forMs
    let waitS = 0
    while (!this.stopped) {
      const hasSeat = await this.seat.take()
      const came = await this.pollOnce(waitS)
      if (came === 'end') return
      if (came === 'events' && hasSeat && (this.streams || performance.now() > until)) {
        void this.listen()
        return
      }
      waitS = came === 'events' && hasSeat ? this.waitS : 0
      await this.rest(came, hasSeat)
    }
  }

  /** Between two polls. A server that stops lets none of them wait. */
  private rest(came: Came, hasSeat: boolean): Promise<void> {
    if (came !== 'nothing') return pause(hasSeat && came !== 'early' ? GATHER_MS : NO_SEAT_MS)
    this.is('connecting')
    const ms = this.retryMs
    this.retryMs = Math.min(LONGEST_RETRY_MS, ms * 2)
    return pause(ms)
  }

  private async pollOnce(waitS: number): Promise<Came> {
    const began = performance.now()
    const response = await this.ask(waitS)
    // An answer that breaks off is none.
    const polled = response?.ok ? ((await response.json().catch(() => null)) as Polled | null) : null
    if (this.stopped) return 'end'
    if (polled) {
      this.take(polled)
      const isEarly = waitS > 0 && polled.events.length === 0 && performance.now() - began < EARLY_MS
      return isEarly ? 'early' : 'events'
    }
    if (response && isGone(response)) {
      this.is('gone')
      return 'end'
    }
    const lastedS = Math.floor((performance.now() - began) / 1000)
    if (lastedS <= SHORTEST_WAIT_S) return 'nothing'
    this.waitS = Math.max(SHORTEST_WAIT_S, Math.min(this.waitS, Math.floor(lastedS / 2)))
    return 'cut'
  }

  private take({ events, next, people }: Polled): void {
    this.retryMs = RETRY_MS
    this.heardAt = performance.now()
    this.is('live')
    for (const { event, id, data } of events) if (event !== 'presence') this.hear(event, id, data)
    this.listener.onPresence({ people })
    this.position = next
  }
}
